//! What the descriptions say is what the modules do.

use std::collections::BTreeSet;

use chain_runtime::describe;
use chain_types::manifest::{APP_MODULES, CHAIN_MODULES, Code, arguments_from_json};
use serde_json::{Value, json};

use crate::chain::*;

#[test]
fn every_described_call_exists_with_exactly_the_described_arguments() {
    let described = describe();
    let names: BTreeSet<&str> = described.iter().map(|m| m.name).collect();
    assert_eq!(names, BTreeSet::from(["identity", "governance", "application", "anchor", "clients", "trace"]));
    for spec in CHAIN_MODULES.iter().chain(APP_MODULES) {
        let module = described.iter().find(|m| m.name == spec.name).unwrap();
        assert_eq!(module.calls.len(), spec.calls.len(), "{}: a call without a schema", spec.name);
        for (call, described) in spec.calls.iter().zip(&module.calls) {
            let schema = serde_json::to_value(&described.arguments).unwrap();
            let of = |list: Option<&Value>| -> BTreeSet<String> {
                list.and_then(Value::as_array)
                    .into_iter()
                    .flatten()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect()
            };
            let properties: BTreeSet<String> = schema["properties"].as_object().unwrap().keys().cloned().collect();
            let args: BTreeSet<String> = call.args.iter().map(|a| a.name.to_owned()).collect();
            assert_eq!(properties, args, "{}.{}", spec.name, call.name);
            let required: BTreeSet<String> =
                call.args.iter().filter(|a| a.required).map(|a| a.name.to_owned()).collect();
            assert_eq!(of(schema.get("required")), required, "{}.{}", spec.name, call.name);
            assert_eq!(schema["additionalProperties"], json!(false), "{}.{}", spec.name, call.name);
        }
    }
}

#[test]
fn described_calls_are_carried_out_and_others_are_not() {
    let mut chain = Chain::new();
    chain.context.version = chain_runtime::NEWEST_RULES;
    let modules = [("identity", 0), ("governance", 1), ("application", 2), ("anchor", 3), ("clients", 4)];
    for (instance, module) in modules {
        let spec = &CHAIN_MODULES[module];
        assert_eq!(spec.name, instance);
        for call in spec.calls {
            let refusal = chain.call(CITY, "chain", instance, call.name, json!({"?": 1})).unwrap_err();
            assert_eq!(refusal.code, Code::BadArguments.as_str(), "{instance}.{}", call.name);
        }
        chain.refused(CITY, "chain", instance, "anything_else", json!({}), Code::MethodUnknown);
    }
}

#[test]
fn json_as_a_form_sends_it_becomes_the_arguments_of_the_call() {
    let mut chain = Chain::new();
    let identity = &CHAIN_MODULES[0];
    let form =
        json!({"key": key(60).public().to_string(), "label": "window-1", "custody": "self", "administrator": "false"});
    let args = arguments_from_json(identity.call("bind_account").unwrap(), None, &form).unwrap();
    chain.ok(CITY, "chain", "identity", "bind_account", &args);
    let manifest = manifest();
    let papers = manifest.instances.get("papers").unwrap();
    let form = json!({"fields": {"topic": "two", "when": "2026-01-01T07:00"}, "files": ["ab".repeat(32)]});
    let args = arguments_from_json(APP_MODULES[0].call("anchor").unwrap(), Some(papers), &form).unwrap();
    chain.ok(CLERK, APP, "papers", "anchor", &args);
    let install = json!({
        "app": "third", "template": "everything", "version": "1.0.0", "console_hash": "00".repeat(32),
        "manifest": serde_json::to_value(&manifest).unwrap(), "answers": {"prefix": "AB", "open": true},
    });
    let args = arguments_from_json(CHAIN_MODULES[2].call("install").unwrap(), None, &install).unwrap();
    chain.ok(CITY, "chain", "application", "install", &args);
    let title = json!({"zh": "法院", "en": "Court"});
    let admit =
        json!({"id": "court", "title": title, "administrator": key(61).public().to_string(), "custody": "self"});
    let form = json!({"action": {"admit_organisation": admit}});
    let args = arguments_from_json(CHAIN_MODULES[1].call("propose").unwrap(), None, &form).unwrap();
    chain.ok(CITY, "chain", "governance", "propose", &args);
}
