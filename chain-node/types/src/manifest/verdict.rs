//! What a public page concludes, and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::genesis::Text;

/// A line of a verdict list: the first whose condition holds is shown; one without a condition always holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Condition>,
    pub level: Level,
    pub text: Text,
}

/// How good or bad a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Ok,
    Warn,
    Bad,
}

/// When a verdict holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Form", into = "Form")]
#[schemars(with = "Form")]
pub enum Condition {
    /// The record is in this state.
    State(String),
    /// A date or time field lies in the past: `{field: expire_on, before: now}`.
    FieldBeforeNow(String),
    /// A counter is above a number: `{count: scans, above: 50}`.
    CountAbove { count: String, above: Threshold },
    /// A credential of the record's subject is valid or not: `{credential: licence, is: invalid}`.
    Credential { credential: String, valid: bool },
    /// What the visitor handed in matches or does not: `{evidence: fails}`.
    EvidencePasses(bool),
    /// There is no such record.
    Missing,
}

/// A number, or as an answer says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Threshold {
    Fixed(u64),
    /// `$question`
    Answer(String),
}

impl Threshold {
    /// The number; an answer has been filled in by [`super::AppTemplate::resolve`].
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Fixed(n) => Some(*n),
            Self::Answer(_) => None,
        }
    }
}

#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<Now>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    above: Option<Threshold>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(default, rename = "is", skip_serializing_if = "Option::is_none")]
    validity: Option<Validity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<bool>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Now {
    Now,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Validity {
    Valid,
    Invalid,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Passes,
    Fails,
}

const FORMS: &str = "a condition is {state: …}, {field: …, before: now}, {count: …, above: n}, \
     {credential: …, is: valid|invalid}, {evidence: passes|fails} or {missing: true}";

impl TryFrom<Form> for Condition {
    type Error = &'static str;

    fn try_from(f: Form) -> Result<Self, Self::Error> {
        // Each kind has keys of its own; the pair of counts refuses mixtures and halves.
        let given = [
            f.state.is_some(),
            f.field.is_some(),
            f.before.is_some(),
            f.count.is_some(),
            f.above.is_some(),
            f.credential.is_some(),
            f.validity.is_some(),
            f.evidence.is_some(),
            f.missing.is_some(),
        ];
        let keys = given.into_iter().filter(|g| *g).count();
        let condition = match f {
            Form { state: Some(state), .. } => (1, Self::State(state)),
            Form { field: Some(field), before: Some(Now::Now), .. } => (2, Self::FieldBeforeNow(field)),
            Form { count: Some(count), above: Some(above), .. } => (2, Self::CountAbove { count, above }),
            Form { credential: Some(credential), validity: Some(validity), .. } => {
                (2, Self::Credential { credential, valid: matches!(validity, Validity::Valid) })
            }
            Form { evidence: Some(outcome), .. } => (1, Self::EvidencePasses(matches!(outcome, Outcome::Passes))),
            Form { missing: Some(true), .. } => (1, Self::Missing),
            _ => return Err(FORMS),
        };
        match condition {
            (n, condition) if n == keys => Ok(condition),
            _ => Err(FORMS),
        }
    }
}

impl From<Condition> for Form {
    fn from(condition: Condition) -> Self {
        let empty = Self::default();
        match condition {
            Condition::State(state) => Self { state: Some(state), ..empty },
            Condition::FieldBeforeNow(field) => Self { field: Some(field), before: Some(Now::Now), ..empty },
            Condition::CountAbove { count, above } => Self { count: Some(count), above: Some(above), ..empty },
            Condition::Credential { credential, valid } => {
                let validity = if valid { Validity::Valid } else { Validity::Invalid };
                Self { credential: Some(credential), validity: Some(validity), ..empty }
            }
            Condition::EvidencePasses(passes) => {
                Self { evidence: Some(if passes { Outcome::Passes } else { Outcome::Fails }), ..empty }
            }
            Condition::Missing => Self { missing: Some(true), ..empty },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_read_back_and_mixtures_are_refused() {
        for good in [
            r#"{"state":"recalled"}"#,
            r#"{"field":"expire_on","before":"now"}"#,
            r#"{"count":"scans","above":50}"#,
            r#"{"credential":"licence","is":"invalid"}"#,
            r#"{"evidence":"fails"}"#,
            r#"{"missing":true}"#,
        ] {
            let condition: Condition = serde_json::from_str(good).unwrap();
            assert_eq!(serde_json::to_string(&condition).unwrap(), good);
        }
        for bad in [
            "{}",
            r#"{"field":"a"}"#,
            r#"{"state":"a","missing":true}"#,
            r#"{"missing":false}"#,
            r#"{"state":"a","above":3}"#,
            r#"{"nope":1}"#,
        ] {
            assert!(serde_json::from_str::<Condition>(bad).is_err(), "{bad}");
        }
    }
}
