//! Samples and acceptance checks: one list of steps, carried out by the console through the same calls as a person's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ordered::Ordered;
use super::references::{Actor, MethodRef};
use super::verdict::Level;

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Form", into = "Form")]
#[schemars(with = "Form")]
pub enum Step {
    /// A role makes a call.
    Call {
        actor: Actor,
        call: MethodRef,
        with: Ordered<StepValue>,
        /// The name under which later steps find what it gave: `$e.number`.
        save: Option<String>,
        expect: Expect,
    },
    /// Somebody opens a page.
    Page { page: String, with: Ordered<StepValue>, expect: Expect },
}

/// A value of a step: a literal, a time relative to now (`-3d`), a file of the folder, or something saved (`$e.number`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum StepValue {
    Boolean(bool),
    Integer(i64),
    Text(String),
    List(Vec<StepValue>),
    Map(Ordered<StepValue>),
}

/// What a step must lead to; an applied call if nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// The level of a public page's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// The state of the record shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl Expect {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    actor: Option<Actor>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<MethodRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    with: Ordered<StepValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    save: Option<String>,
    #[serde(default, skip_serializing_if = "Expect::is_empty")]
    expect: Expect,
}

impl TryFrom<Form> for Step {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        match form {
            Form { actor: Some(actor), call: Some(call), page: None, with, save, expect } => {
                Ok(Self::Call { actor, call, with, save, expect })
            }
            Form { actor: None, call: None, page: Some(page), with, save: None, expect } => {
                Ok(Self::Page { page, with, expect })
            }
            _ => Err("a step is {as, call, with, save, expect} or {page, with, expect}"),
        }
    }
}

impl From<Step> for Form {
    fn from(step: Step) -> Self {
        match step {
            Step::Call { actor, call, with, save, expect } => {
                Self { actor: Some(actor), call: Some(call), page: None, with, save, expect }
            }
            Step::Page { page, with, expect } => {
                Self { actor: None, call: None, page: Some(page), with, save: None, expect }
            }
        }
    }
}
