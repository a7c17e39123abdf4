//! A ChainRestore step by step: the decisions as a table, and a pass that asks the chain's loop and takes it back.

use serde_json::json;

use super::*;
use crate::{fixtures, mock::ApiServer};

const NOW: u64 = 1_795_454_100_000;
const RESTORE: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chainrestores/again";
const CHAIN: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chains/main";
const CLAIM: &str = "/api/v1/namespaces/tenant-notary/persistentvolumeclaims/data-main-validator-2-0";

fn restore_json(validators: &[u8]) -> Value {
    let validators: Vec<String> = validators.iter().map(|number| format!("validator-{number}")).collect();
    json!({
        "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainRestore",
        "metadata": {"name": "again", "namespace": "tenant-notary", "uid": "u", "generation": 1},
        "spec": {"tenant": "notary", "chain": "main", "validators": validators},
    })
}

/// Four validators, quorum three; those named are caught up.
fn chain_json(ready: &[u8]) -> Value {
    let mut chain = fixtures::chain_json("notary", "main", 4);
    let rows = fixtures::four_validators(ready);
    chain["status"] = json!({"phase": "healthy", "quorum": 3, "validatorsTotal": 4, "validators": rows});
    chain
}

fn parsed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

#[test]
fn a_volume_goes_only_while_the_others_are_a_quorum() {
    for (validators, ready, phase, words) in [
        (&[2][..], &[1, 2, 3, 4][..], RestorePhase::Restoring, "validator-2 is restarted with an empty volume"),
        // Down anyway: the others are enough.
        (&[2], &[1, 3, 4], RestorePhase::Restoring, "validator-2 is restarted"),
        (&[2], &[1, 2, 3], RestorePhase::Waiting, "4 validators, quorum 3: without validator-2 2 are caught up"),
        (&[2, 3], &[1, 2, 3, 4], RestorePhase::Restoring, "validator-2 is restarted"),
        (&[1, 2, 3], &[1, 2, 3, 4], RestorePhase::Refused, "4 validators, quorum 3: 3 of them hold the chain together"),
        (&[9], &[1, 2, 3, 4], RestorePhase::Waiting, "the chain has no validator-9"),
    ] {
        let (restore, chain) = (parsed(restore_json(validators)), parsed(chain_json(ready)));
        let decision = decide(&restore, &Seen { chain: Some(&chain), volume: Some("old"), now_ms: NOW });
        assert_eq!(decision.status.phase, phase, "{validators:?} {ready:?}");
        assert!(decision.sentence.contains(words), "{}", decision.sentence);
        let asks = matches!(&decision.request, Request::Clear { volume, .. } if volume == "old");
        assert_eq!(asks, phase == RestorePhase::Restoring, "{:?}", decision.request);
    }
    let (restore, mut chain) = (parsed(restore_json(&[2])), parsed::<Chain>(chain_json(&[1, 3, 4])));
    chain.spec.state = operator_api::ChainState::Hibernated;
    let decision = decide(&restore, &Seen { chain: Some(&chain), volume: Some("old"), now_ms: NOW });
    assert_eq!((decision.status.phase, decision.request), (RestorePhase::Waiting, Request::Nothing));
}

async fn pass(server: &ApiServer) {
    let object: DynamicObject = parsed(server.get(RESTORE).expect("the object"));
    reconcile(&object, &fixtures::context(server), NOW).await.unwrap();
}

fn claim(uid: &str) -> Value {
    json!({"metadata": {"uid": uid}})
}

fn state(server: &ApiServer) -> (String, String, Value) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let status = server.get(RESTORE).unwrap()["status"].clone();
    let asked = server.get(CHAIN).unwrap()["metadata"]["annotations"]["citychain.dev/resync"].clone();
    (text(&status["phase"]), text(&status["validators"][0]["state"]), asked)
}

#[tokio::test]
async fn the_chains_loop_is_asked_about_one_volume_and_the_request_is_taken_back() {
    let server = ApiServer::default();
    server.put(RESTORE, restore_json(&[2]));
    server.put(CHAIN, chain_json(&[1, 2, 3, 4]));
    server.put(CLAIM, claim("old"));
    pass(&server).await;
    let request = json!("validator-2=old");
    assert_eq!(state(&server), ("Restoring".into(), "Clearing".into(), request.clone()));
    let writes = server.writes();
    let order: Vec<&str> =
        writes.iter().map(|write| write.path.as_str()).filter(|path| !path.contains("events")).collect();
    assert_eq!(order, [format!("{RESTORE}/status").as_str(), CHAIN], "on record before it is asked for");
    // The validator is down and its volume is on its way out: nothing new is said.
    let status = |ready: &[u8]| {
        let mut chain = server.get(CHAIN).unwrap();
        chain["status"] = chain_json(ready)["status"].clone();
        server.put(CHAIN, chain);
    };
    status(&[1, 3, 4]);
    server.remove(CLAIM);
    pass(&server).await;
    assert_eq!(state(&server), ("Restoring".into(), "Clearing".into(), request));
    server.put(CLAIM, claim("new"));
    pass(&server).await;
    pass(&server).await;
    assert_eq!(state(&server), ("Restoring".into(), "Syncing".into(), Value::Null));
    status(&[1, 2, 3, 4]);
    pass(&server).await;
    pass(&server).await;
    assert_eq!(state(&server), ("Done".into(), "Done".into(), Value::Null));
    server.writes();
    pass(&server).await;
    assert!(server.writes().is_empty(), "what is done is done once");
}

#[tokio::test]
async fn another_objects_request_is_answered_first() {
    let server = ApiServer::default();
    server.put(RESTORE, restore_json(&[2]));
    let mut chain = chain_json(&[1, 2, 3, 4]);
    chain["metadata"]["annotations"] = json!({"citychain.dev/resync": "validator-3=other"});
    server.put(CHAIN, chain);
    server.put(CLAIM, claim("old"));
    pass(&server).await;
    assert_eq!(state(&server).2, json!("validator-3=other"));
}

#[tokio::test]
async fn what_cannot_be_read_says_so_in_its_status_once() {
    let server = ApiServer::default();
    let mut restore = restore_json(&[2]);
    restore["spec"]["validators"] = json!(["second"]);
    server.put(RESTORE, restore);
    pass(&server).await;
    let ready = server.get(RESTORE).unwrap()["status"]["conditions"][0].clone();
    assert_eq!(
        (&ready["type"], &ready["status"], &ready["reason"]),
        (&json!("Ready"), &json!("False"), &json!("InvalidSpec"))
    );
    assert!(ready["message"].as_str().unwrap().contains("second"), "{ready}");
    server.writes();
    pass(&server).await;
    assert_eq!(server.writes(), []);
}
