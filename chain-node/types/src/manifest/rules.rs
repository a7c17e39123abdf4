//! How a rule is written: `{on: goods.sold, do: cases.open, with: {…}}`, or
//! `{require: {credential.valid: {type: …, subject: …}}, before: cases.review}`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chain_part::Rule;
use super::ordered::Ordered;
use super::references::{MethodRef, Target};

/// A rule as a manifest has it.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Target>,
    #[serde(default, rename = "do", skip_serializing_if = "Option::is_none")]
    call: Option<MethodRef>,
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    with: Ordered<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    require: Option<BTreeMap<String, Credential>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<MethodRef>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Credential {
    #[serde(rename = "type")]
    kind: String,
    subject: String,
}

const CREDENTIAL_VALID: &str = "credential.valid";

impl TryFrom<RuleForm> for Rule {
    type Error = String;

    fn try_from(form: RuleForm) -> Result<Self, String> {
        match form {
            RuleForm { on: Some(event), call: Some(call), with, require: None, before: None } => {
                Ok(Self::On { event, call, with })
            }
            RuleForm { on: None, call: None, with, require: Some(mut require), before: Some(before) }
                if with.is_empty() =>
            {
                match (require.remove(CREDENTIAL_VALID), require.is_empty()) {
                    (Some(c), true) => Ok(Self::Require { credential: c.kind, subject: c.subject, before }),
                    _ => Err(format!("a rule can require `{CREDENTIAL_VALID}` and nothing else")),
                }
            }
            _ => Err("a rule is `{on, do, with}` or `{require, before}`".into()),
        }
    }
}

impl From<Rule> for RuleForm {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::On { event, call, with } => {
                Self { on: Some(event), call: Some(call), with, require: None, before: None }
            }
            Rule::Require { credential, subject, before } => {
                let require = BTreeMap::from([(CREDENTIAL_VALID.to_owned(), Credential { kind: credential, subject })]);
                Self { on: None, call: None, with: Ordered::default(), require: Some(require), before: Some(before) }
            }
        }
    }
}
