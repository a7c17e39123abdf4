//! Role × call: whoever lacks the role is refused with `role_missing` and nothing else, whoever has it is not.

use chain_types::manifest::{Code, MethodRef};
use serde_json::json;

use crate::chain::*;

/// Every call of every instance of the application.
fn calls() -> Vec<MethodRef> {
    let manifest = manifest();
    let of = |name: &str| {
        let spec = manifest.spec_of(name).unwrap();
        spec.calls
            .iter()
            .map(|call| MethodRef { instance: name.to_owned(), method: call.name.to_owned() })
            .collect::<Vec<_>>()
    };
    manifest.instances.names().flat_map(of).collect()
}

#[test]
fn a_call_is_allowed_by_role_and_by_nothing_else() {
    let mut chain = Chain::new();
    let manifest = manifest();
    let roles: Vec<&'static str> = vec!["clerk", "maker", "shop", "bureau"];
    chain.ok(CITY, "chain", "application", "admit", json!({"app": APP, "organisation": "shop", "roles": roles}));
    let mut allowed = 0;
    for role in &roles {
        let assign = Assign { app: APP, key: key(IDLE).public(), roles: vec![role] };
        chain.ok(SHOP, "chain", "application", "assign", assign);
        for call in calls() {
            let listed = manifest.allow.get(role).unwrap().contains(&call);
            // Arguments that fit nothing: a call that is allowed gets as far as reading them.
            let refusal = chain.call(IDLE, APP, &call.instance, &call.method, json!({"?": 1})).unwrap_err();
            let expected = if listed { Code::BadArguments } else { Code::RoleMissing };
            assert_eq!(refusal.code, expected.as_str(), "{role} {call}");
            allowed += usize::from(listed);
        }
    }
    assert_eq!(allowed, manifest.allow.iter().map(|(_, calls)| calls.len()).sum::<usize>());
}

#[test]
fn administrators_and_strangers_have_no_role_by_themselves() {
    let mut chain = Chain::new();
    for call in calls() {
        chain.refused(CITY, APP, &call.instance, &call.method, json!({}), Code::RoleMissing);
        chain.refused(99, APP, &call.instance, &call.method, json!({}), Code::AccountUnbound);
    }
}

#[test]
fn a_role_in_one_application_is_none_in_another() {
    let mut chain = Chain::new();
    chain.install("second", &manifest());
    chain.refused(CLERK, "second", "papers", "anchor", json!({"fields": {"topic": "one"}}), Code::RoleMissing);
}
