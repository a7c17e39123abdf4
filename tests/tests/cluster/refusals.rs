//! Bad input, each with the sentence that a person gets and nothing changed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::city::{City, sentences};
use crate::kubectl::{self, kubectl};
use crate::wait::until;

/// A merge patch of a new chain's spec, and a word that the refusal has to say.
fn new_chains() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("no validators", json!({"validators": {"count": 0}}), "validators"),
        ("two validators", json!({"validators": {"count": 2}}), "4"),
        ("an unknown version", json!({"version": "77.0.0"}), "77.0.0"),
        ("more than the quota", json!({"validators": {"count": 16}}), "quota"),
        ("an organisation nobody knows", json!({"operator": "nobody"}), "nobody"),
        ("a misspelt field", json!({"validatorz": 4}), "validatorz"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_cannot_be_is_refused_with_the_reason() {
    let city = City::called("refused");
    city.apply(4).await.unwrap();
    city.ready(4).await;
    for (case, change, word) in new_chains() {
        let mut document = city.chain_document(4);
        document["metadata"]["name"] = json!("refused-other");
        merge(&mut document["spec"], &change);
        let refusal = kubectl::apply(&document).await.expect_err(case).to_string();
        assert!(refusal.contains(word), "{case}: {refusal}");
        assert!(kubectl::get(&city.namespace, "chain", "refused-other").await.unwrap().is_none(), "{case}");
    }
    let changes = [
        ("less storage", json!({"resources": {"memoryMib": 192, "storageGib": 0}}), "storage"),
        ("another tenant", json!({"tenant": "somebody"}), "tenant"),
        ("another heartbeat", json!({"heartbeatMs": 1_000}), "heartbeat"),
        ("fewer than four", json!({"validators": {"count": 3}}), "4"),
        (
            "two stopped at once",
            json!({"validatorStates": {"validator-1": "stopped", "validator-2": "stopped"}}),
            "quorum",
        ),
    ];
    let before = city.object().await.unwrap()["spec"].clone();
    for (case, change, word) in changes {
        let refusal = city.change(change).await.expect_err(case).to_string();
        assert!(refusal.contains(word), "{case}: {refusal}");
    }
    assert_eq!(city.object().await.unwrap()["spec"], before);
    let refusal = kubectl::delete(&city.namespace, "chain", &city.chain).await.unwrap_err().to_string();
    assert!(refusal.contains("citychain.dev/confirm-deletion"), "{refusal}");
    another_tenant_cannot_take_the_name(&city).await;
    city.removed().await;
}

async fn another_tenant_cannot_take_the_name(city: &City) {
    let other = City::called("taker");
    other.apply_tenant().await.unwrap();
    let mut document = other.chain_document(4);
    document["metadata"]["name"] = json!(city.chain);
    let refusal = kubectl::apply(&document).await.unwrap_err().to_string();
    assert!(refusal.contains(&city.chain), "{refusal}");
    kubectl(&["delete", "tenant", &other.tenant, "--timeout=60s"], None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_that_no_node_has_is_explained_and_correcting_it_heals() {
    let city = City::called("greedy");
    let mut document = city.chain_document(4);
    city.apply_tenant().await.unwrap();
    document["spec"]["resources"]["memoryMib"] = json!(60_000);
    match kubectl::apply(&document).await {
        // Whether a limit of the tenant refuses it first or the scheduler finds no node: a person is told, in words of memory.
        Err(refusal) => assert!(refusal.to_string().contains("emory"), "{refusal}"),
        Ok(()) => {
            until("the status explains", Duration::from_secs(60), async || {
                let told = sentences(&city.status().await?);
                Ok(if told.contains("emory") { Ok(()) } else { Err(told) })
            })
            .await;
        }
    }
    kubectl::apply(&city.chain_document(4)).await.unwrap();
    city.ready(4).await;
    city.removed().await;
}

/// A merge patch (RFC 7386) of objects.
fn merge(target: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) if target.is_object() => {
            for (key, value) in fields {
                merge(&mut target[key.as_str()], value);
            }
        }
        _ => *target = patch.clone(),
    }
}
