//! What a public page concludes: the first line of the manifest's verdict list whose condition holds. Pure: facts in, line out.

use crate::time::local_date;
use chain_types::manifest::{Condition, Verdict};
use serde_json::{Map, Value as Json};

/// What is known of a record.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// There is no such record.
    pub missing: bool,
    pub state: Option<String>,
    /// Fields and counters by name.
    pub fields: Map<String, Json>,
    /// Whether what the visitor handed in matches; `None` if nothing was.
    pub evidence: Option<bool>,
    pub now_ms: i64,
}

/// The line that applies; `None` only for a list without a last line that always does, or for a missing record that no line names.
pub fn judge<'v>(verdicts: &'v [Verdict], facts: &Facts) -> Option<&'v Verdict> {
    verdicts.iter().find(|verdict| match &verdict.when {
        Some(condition) => holds(condition, facts),
        // What always holds is said of records that are there.
        None => !facts.missing,
    })
}

fn holds(condition: &Condition, facts: &Facts) -> bool {
    match condition {
        Condition::Missing => facts.missing,
        _ if facts.missing => false,
        Condition::State(state) => facts.state.as_deref() == Some(state),
        Condition::FieldBeforeNow(field) => facts.fields.get(field).is_some_and(|value| is_past(value, facts.now_ms)),
        Condition::CountAbove { count, above } => {
            let counted = facts.fields.get(count).and_then(Json::as_u64);
            counted.zip(above.number()).is_some_and(|(counted, above)| counted > above)
        }
        Condition::EvidencePasses(wanted) => facts.evidence == Some(*wanted),
        // No module of this version issues credentials: nothing is known of them, so neither line is said.
        Condition::Credential { .. } => false,
    }
}

/// A date is past once its day is over in the city; a moment once it is over.
fn is_past(value: &Json, now_ms: i64) -> bool {
    match value {
        Json::String(date) => date.len() == 10 && date.as_str() < local_date(now_ms).as_str(),
        other => other.as_i64().is_some_and(|ms| ms < now_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_types::manifest::Level;
    use serde_json::json;

    const NOW: i64 = 1_795_404_654_000; // 2026-11-23 in the city

    fn list() -> Vec<Verdict> {
        let text = "
- {when: {missing: true}, level: bad, text: {zh: 无, en: none}}
- {when: {evidence: fails}, level: bad, text: {zh: 异, en: differs}}
- {when: {state: withdrawn}, level: warn, text: {zh: 撤, en: withdrawn}}
- {when: {field: expire_on, before: now}, level: bad, text: {zh: 期, en: expired}}
- {when: {count: scans, above: 5}, level: warn, text: {zh: 多, en: often}}
- {level: ok, text: {zh: 好, en: fine}}";
        serde_yaml_ng::from_str(text).unwrap()
    }

    fn said(facts: Facts) -> (Level, String) {
        let list = list();
        let verdict = judge(&list, &Facts { now_ms: NOW, ..facts }).unwrap();
        (verdict.level, verdict.text.en.clone())
    }

    fn with(fields: Json) -> Facts {
        Facts { fields: fields.as_object().unwrap().clone(), ..Facts::default() }
    }

    #[test]
    fn the_first_line_that_holds_is_said() {
        assert_eq!(said(Facts::default()), (Level::Ok, "fine".into()));
        assert_eq!(said(Facts { missing: true, ..Facts::default() }).1, "none");
        assert_eq!(
            said(Facts { evidence: Some(false), state: Some("withdrawn".into()), ..Facts::default() }).1,
            "differs"
        );
        assert_eq!(
            said(Facts { evidence: Some(true), state: Some("withdrawn".into()), ..Facts::default() }).1,
            "withdrawn"
        );
    }

    #[test]
    fn the_last_day_is_not_past_and_counts_must_be_above() {
        assert_eq!(said(with(json!({ "expire_on": "2026-11-23" }))).1, "fine");
        assert_eq!(said(with(json!({ "expire_on": "2026-11-22" }))).1, "expired");
        assert_eq!(said(with(json!({ "scans": 5 }))).1, "fine");
        assert_eq!(said(with(json!({ "scans": 6 }))).1, "often");
        assert_eq!(said(with(json!({ "expire_on": NOW - 1 }))).1, "expired");
    }

    #[test]
    fn nothing_but_its_own_line_is_said_of_what_is_missing() {
        let list: Vec<Verdict> = serde_yaml_ng::from_str("[{level: ok, text: {zh: 好, en: fine}}]").unwrap();
        assert!(judge(&list, &Facts { missing: true, ..Facts::default() }).is_none());
    }
}
