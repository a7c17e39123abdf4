//! The part of a manifest that the console reads: pages. The chain keeps only its hash.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::is_false;
use super::ordered::Ordered;
use super::references::{MethodRef, Target};
use super::verdict::Verdict;
use crate::genesis::Text;

/// A page: what it shows, to whom, and whether an answer switches it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Page {
    List(ListPage),
    Detail(DetailPage),
    Form(FormPage),
    Board(ListPage),
    Timeline(PlainPage),
    Desk(ListPage),
    Scan(ScanPage),
    Ledger(ListPage),
    Labels(LabelsPage),
    Graph(PlainPage),
    Public(PublicPage),
}

/// What every page has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageHead<'a> {
    pub title: Option<&'a Text>,
    /// Who sees it; everybody in the application if none is named.
    pub roles: &'a [String],
    pub of: Option<&'a Target>,
    pub condition: Option<&'a Switch>,
}

/// Rows of records: plain, as a board of states, as a work queue, or with running totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListPage {
    pub of: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    pub columns: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub filters: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetailPage {
    pub of: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    pub tabs: Vec<Tab>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// One call on a page of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormPage {
    pub call: MethodRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// A timeline or graph of records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlainPage {
    pub of: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// Calls for scanned codes: by scanner, camera or keyboard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanPage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    pub calls: Ordered<MethodRef>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// Sheets of codes to print.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelsPage {
    pub of: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// What the QR code says; begins with `$public_url`.
    pub qr: String,
    pub min_mm: u32,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// What anybody may see without signing in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublicPage {
    pub of: Target,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// Its path, with one field of the record in braces: `/v/{number}`.
    pub route: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Alias>,
    /// What a visitor may hand in beside the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepts: Option<Accepts>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub counts_scans: bool,
    /// The first that applies is shown.
    pub verdict: Vec<Verdict>,
    pub show: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Target>,
    #[serde(default, rename = "if", skip_serializing_if = "Option::is_none")]
    pub condition: Option<Switch>,
}

/// Another form of a public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Alias {
    /// `/01/{gtin}/10/{lot}/21/{serial}`
    Gs1DigitalLink,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accepts {
    /// A file, whose digest the browser computes.
    File,
}

/// On or off, or as a yes-or-no answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Switch {
    Fixed(bool),
    /// `$question`
    Answer(String),
}

/// A button.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    pub call: MethodRef,
    /// Who sees it; those whom the chain allows if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// In which states of the record; all if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
}

/// A part of a detail page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TabForm", into = "TabForm")]
#[schemars(with = "TabForm")]
pub enum Tab {
    Content,
    Versions,
    Proof,
    Timeline(Target),
    Graph(String),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum TabForm {
    Name(String),
    Of(BTreeMap<String, String>),
}

impl TryFrom<TabForm> for Tab {
    type Error = String;

    fn try_from(form: TabForm) -> Result<Self, String> {
        let unknown = "a tab is content, versions, proof, {timeline: instance.kind} or {graph: genealogy}";
        match form {
            TabForm::Name(name) => match name.as_str() {
                "content" => Ok(Self::Content),
                "versions" => Ok(Self::Versions),
                "proof" => Ok(Self::Proof),
                _ => Err(format!("`{name}`: {unknown}")),
            },
            TabForm::Of(map) => match map.iter().collect::<Vec<_>>().as_slice() {
                [(name, of)] if *name == "timeline" => Ok(Self::Timeline(of.parse()?)),
                [(name, of)] if *name == "graph" => Ok(Self::Graph((*of).clone())),
                _ => Err(unknown.into()),
            },
        }
    }
}

impl From<Tab> for TabForm {
    fn from(tab: Tab) -> Self {
        match tab {
            Tab::Content => Self::Name("content".into()),
            Tab::Versions => Self::Name("versions".into()),
            Tab::Proof => Self::Name("proof".into()),
            Tab::Timeline(of) => Self::Of(BTreeMap::from([("timeline".into(), of.to_string())])),
            Tab::Graph(of) => Self::Of(BTreeMap::from([("graph".into(), of)])),
        }
    }
}

impl Page {
    /// Its kind, as written.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::List(_) => "list",
            Self::Detail(_) => "detail",
            Self::Form(_) => "form",
            Self::Board(_) => "board",
            Self::Timeline(_) => "timeline",
            Self::Desk(_) => "desk",
            Self::Scan(_) => "scan",
            Self::Ledger(_) => "ledger",
            Self::Labels(_) => "labels",
            Self::Graph(_) => "graph",
            Self::Public(_) => "public",
        }
    }

    /// What every page has.
    pub fn head(&self) -> PageHead<'_> {
        match self {
            Self::List(p) | Self::Board(p) | Self::Desk(p) | Self::Ledger(p) => {
                PageHead { title: p.title.as_ref(), roles: &p.roles, of: Some(&p.of), condition: p.condition.as_ref() }
            }
            Self::Detail(p) => {
                PageHead { title: p.title.as_ref(), roles: &p.roles, of: Some(&p.of), condition: p.condition.as_ref() }
            }
            Self::Form(p) => {
                PageHead { title: p.title.as_ref(), roles: &p.roles, of: None, condition: p.condition.as_ref() }
            }
            Self::Timeline(p) | Self::Graph(p) => {
                PageHead { title: p.title.as_ref(), roles: &p.roles, of: Some(&p.of), condition: p.condition.as_ref() }
            }
            Self::Scan(p) => {
                PageHead { title: p.title.as_ref(), roles: &p.roles, of: None, condition: p.condition.as_ref() }
            }
            Self::Labels(p) => {
                PageHead { title: p.title.as_ref(), roles: &p.roles, of: Some(&p.of), condition: p.condition.as_ref() }
            }
            Self::Public(p) => {
                PageHead { title: p.title.as_ref(), roles: &[], of: Some(&p.of), condition: p.condition.as_ref() }
            }
        }
    }

    /// Whether the page is switched on; an answer has been filled in by [`super::AppTemplate::resolve`].
    pub fn is_on(&self) -> bool {
        !matches!(self.head().condition, Some(Switch::Fixed(false)))
    }

    /// Its buttons.
    pub fn actions(&self) -> &[Action] {
        match self {
            Self::List(p) | Self::Board(p) | Self::Desk(p) | Self::Ledger(p) => &p.actions,
            Self::Detail(p) => &p.actions,
            _ => &[],
        }
    }
}
