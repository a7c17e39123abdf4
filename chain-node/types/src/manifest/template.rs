//! An application template as its author writes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chain_part::{ChainPart, Module};
use super::ordered::Ordered;
use super::pages::Page;
use super::references::Version;
use super::steps::Step;
use crate::genesis::Text;

/// `web/apps/<id>/app.yaml`, read as it stands; [`AppTemplate::check`] says whether it can be deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub struct AppTemplate {
    #[serde(rename = "apiVersion")]
    pub api_version: ApiVersion,
    pub kind: Kind,
    /// `[a-z][a-z0-9-]{0,29}`, the name of its folder.
    pub id: String,
    pub version: Version,
    pub title: Text,
    pub summary: Text,
    pub category: Category,
    pub requires: Requires,
    /// At most five.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub questions: Ordered<Question>,
    pub chain: ChainPart,
    pub pages: Ordered<Page>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Step>,
    /// Run at the end of every deployment and in the suite.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    #[serde(rename = "citychain.dev/v1")]
    V1,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    AppTemplate,
}

/// Where the catalog shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 追溯
    Traceability,
    /// 民生
    Livelihood,
    /// 政务协同
    Government,
    /// 司法
    Justice,
    /// 资金
    Funds,
    /// 治理
    Governance,
    /// 数据要素
    Data,
}

impl Category {
    pub fn title(self) -> Text {
        let (zh, en) = match self {
            Self::Traceability => ("追溯", "Traceability"),
            Self::Livelihood => ("民生", "Livelihood"),
            Self::Government => ("政务协同", "Government"),
            Self::Justice => ("司法", "Justice"),
            Self::Funds => ("资金", "Funds"),
            Self::Governance => ("治理", "Governance"),
            Self::Data => ("数据要素", "Data"),
        };
        Text { zh: zh.to_owned(), en: en.to_owned() }
    }
}

/// What a chain must offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requires {
    /// Modules and their least versions.
    pub modules: BTreeMap<Module, u32>,
    pub validators: u32,
}

/// Something asked before a deployment; the answer stands wherever the manifest says `$name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    #[serde(rename = "type")]
    pub kind: QuestionType,
    pub title: Text,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<Text>,
    /// Of a text; see [`super::Pattern`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Of an enum.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub values: Ordered<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    pub default: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuestionType {
    Text,
    Integer,
    Boolean,
    Enum,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Answer {
    Boolean(bool),
    Integer(i64),
    Text(String),
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean(b) => write!(f, "{b}"),
            Self::Integer(n) => write!(f, "{n}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Answers by question.
pub type Answers = BTreeMap<String, Answer>;
