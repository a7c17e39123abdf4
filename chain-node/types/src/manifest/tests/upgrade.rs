//! What a newer version may change, and how arguments are read from JSON.

use serde_json::json;

use super::*;
use crate::encoding::from_value;
use crate::manifest::{ArgumentFault, Code, FieldValue, arguments_from_json, module_spec};

#[test]
fn a_newer_version_may_add_and_never_take_away() {
    let old = small().chain;
    for (from, to) in [
        (
            "note: {type: text, place: private}",
            "note: {type: text, place: private}\n          extra: {type: text, place: chain}",
        ),
        ("two: {zh: 二, en: Two}", "two: {zh: 二, en: Two}, three: {zh: 三, en: Three}"),
        ("guards: [sold_once]", "guards: []"),
        ("lot: {max: 16}", "lot: {max: 20}"),
    ] {
        assert_eq!(old.upgrade_faults(&changed(from, to).unwrap().chain), vec![], "{to}");
    }
    for (from, to, path) in [
        ("{seq:4}", "{seq:5}", "instances.papers.record.key"),
        (", two: {zh: 二, en: Two}", "", "instances.papers.record.fields.topic.values"),
        ("          note: {type: text, place: private}\n", "", "instances.papers.record.fields.note"),
        (
            "note: {type: text, place: private}",
            "note: {type: text, place: chain}",
            "instances.papers.record.fields.note",
        ),
        (
            "when: {type: datetime",
            "extra: {type: text, required: true, place: chain}\n          when: {type: datetime",
            "instances.papers.record.fields.extra",
        ),
        ("check: gtin14", "check: drug_code", "instances.goods.profile.codes"),
        ("lot: {max: 16}", "lot: {max: 8}", "instances.goods.profile.codes"),
        ("product: {name: text, ", "product: {", "instances.goods.profile.product.name"),
        ("    clerk: {title", "    boss: {title", "roles.clerk"),
        ("    papers:\n", "    files:\n", "instances.papers"),
    ] {
        let faults = old.upgrade_faults(&changed(from, to).unwrap().chain);
        assert_eq!(faults.first().map(|f| f.path.as_str()), Some(path), "{to}");
    }
}

#[test]
fn arguments_are_read_from_json_through_the_description() {
    let template = small();
    let papers = template.chain.instances.get("papers").unwrap();
    let anchor = module_spec(papers.module).unwrap().call("anchor").unwrap();
    let digest = "ab".repeat(32);
    let json = json!({"fields": {"topic": "one", "when": "2026-01-01T08:00", "name": digest}, "files": [digest]});
    let value = arguments_from_json(anchor, Some(papers), &json).unwrap();
    #[derive(serde::Deserialize)]
    struct Args {
        fields: std::collections::BTreeMap<String, FieldValue>,
        files: Vec<crate::Hash>,
    }
    let args: Args = from_value(&value).unwrap();
    assert_eq!(args.fields.get("when"), Some(&FieldValue::Integer(1_767_225_600_000)));
    assert!(matches!(args.fields.get("name"), Some(FieldValue::Digest(_))));
    assert_eq!(args.files.len(), 1);
    let path =
        |json| arguments_from_json(anchor, Some(papers), &json).map_err(|ArgumentFault { path, .. }| path).unwrap_err();
    assert_eq!(path(json!({})), "fields");
    assert_eq!(path(json!({"fields": {}, "x": 1})), "x");
    assert_eq!(path(json!({"fields": {"colour": "red"}})), "fields.colour");
    assert_eq!(path(json!({"fields": {"topic": "three"}})), "fields.topic");
    assert_eq!(path(json!({"fields": {"note": "private"}})), "fields.note");
    assert_eq!(path(json!({"fields": {}, "files": [digest, "x"]})), "files[1]");
    assert_eq!(path(json!([])), "");
}

#[test]
fn every_refusal_of_a_module_is_a_code_with_words() {
    for spec in crate::manifest::APP_MODULES.iter().chain(crate::manifest::CHAIN_MODULES) {
        for code in spec.refusals {
            assert!(Code::ALL.contains(code));
            assert!(!crate::manifest::COMMON_REFUSALS.contains(code), "{} lists {}", spec.name, code.as_str());
        }
        let mut names: Vec<&str> = spec.calls.iter().map(|c| c.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), spec.calls.len(), "{}", spec.name);
    }
}
