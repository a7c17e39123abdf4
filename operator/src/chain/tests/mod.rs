//! A chain's passes against an API server in memory and simulated nodes: what is made, what is never made twice, what is mended, and
//! that a steady state writes nothing.

mod leaving;
mod rotation;
mod simulated;
mod volumes;

use operator_api::{ChainStatus, ConditionStatus, conditions, reason};
use serde_json::{Value, json};
use simulated::{CHAIN, Cluster};

fn condition<'a>(status: &'a ChainStatus, kind: &str) -> &'a operator_api::Condition {
    status.conditions.iter().find(|condition| condition.kind == kind).unwrap()
}

#[tokio::test]
async fn a_chain_is_made_from_nothing_and_then_left_alone() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.operator();
    cluster.passes(&mut worker, 6).await;
    let genesis = cluster.server.get("/api/v1/namespaces/tenant-notary/configmaps/main-genesis").unwrap();
    assert_eq!(genesis["immutable"], json!(true));
    assert!(genesis["metadata"]["ownerReferences"].is_null(), "genesis outlives its chain");
    let order = cluster.server.writes();
    let first = |part: &str| order.iter().position(|write| write.path.contains(part)).unwrap();
    assert!(first("/secrets") < first("/configmaps"), "keys before what names them");
    assert!(
        first("services/main-validator-4") < first("statefulsets/main-validator-1"),
        "names before whoever looks for them"
    );
    for number in 1..=4 {
        let set = cluster.set(number);
        assert_eq!((&set["spec"]["replicas"], &set["spec"]["updateStrategy"]["type"]), (&json!(1), &json!("OnDelete")));
    }
    cluster.run_pods();
    cluster.passes(&mut worker, 3).await;
    let status = cluster.status();
    assert_eq!((status.validators_ready, status.quorum, status.validators.len()), (4, 3, 4));
    assert_eq!(condition(&status, conditions::READY).status, ConditionStatus::True, "{status:?}");
    cluster.server.writes();
    cluster.passes(&mut worker, 3).await;
    assert_eq!(cluster.server.writes(), [], "a steady state writes nothing");
    let mut another = cluster.operator();
    cluster.passes(&mut another, 2).await;
    assert_eq!(cluster.server.writes(), [], "and neither does a new operator");
}

#[tokio::test]
async fn what_was_deleted_or_changed_by_hand_comes_back() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let service = "/api/v1/namespaces/tenant-notary/services/main-validator-2";
    let budget = "/apis/policy/v1/namespaces/tenant-notary/poddisruptionbudgets/main";
    let set = "/apis/apps/v1/namespaces/tenant-notary/statefulsets/main-validator-3";
    cluster.server.remove(service);
    cluster.change(budget, |budget| budget["spec"]["minAvailable"] = json!(1));
    cluster.change(set, |set| set["spec"]["template"]["spec"]["containers"][0]["image"] = json!("somebody/elses:1"));
    cluster.passes(&mut worker, 1).await;
    assert!(cluster.server.get(service).is_some());
    assert_eq!(cluster.server.get(budget).unwrap()["spec"]["minAvailable"], json!(3));
    let image = &cluster.set(3)["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(image, &json!("localhost/citychain/chain-node:0.1.0"));
}

#[tokio::test]
async fn a_lost_key_is_told_and_never_made_again() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let secret = "/api/v1/namespaces/tenant-notary/secrets/main-validator-2-keys";
    cluster.server.remove(secret);
    cluster.server.writes();
    cluster.passes(&mut worker, 3).await;
    assert!(cluster.server.get(secret).is_none());
    let made = cluster.server.writes().into_iter().any(|write| write.path.ends_with("/secrets"));
    assert!(!made, "no key is made over a lost one");
    let said = cluster
        .status()
        .sentences
        .iter()
        .any(|text| text.en.contains("keys of validator-2") && text.en.contains("backup"));
    assert!(said, "{:?}", cluster.status().sentences);
}

#[tokio::test]
async fn genesis_that_was_deleted_is_taken_back_from_a_node_or_nothing_is_done() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let path = "/api/v1/namespaces/tenant-notary/configmaps/main-genesis";
    let before = cluster.server.get(path).unwrap()["data"].clone();
    cluster.server.remove(path);
    cluster.passes(&mut worker, 2).await;
    assert_eq!(cluster.server.get(path).unwrap()["data"], before);
    cluster.server.remove(path);
    cluster.nodes.stop_all();
    let mut another = cluster.operator();
    cluster.server.writes();
    cluster.passes(&mut another, 3).await;
    assert!(cluster.server.get(path).is_none(), "no chain is founded over an old one");
    let touched = cluster
        .server
        .writes()
        .into_iter()
        .any(|write| !write.path.ends_with("/status") && !write.path.contains("events"));
    assert!(!touched, "and nothing else is touched");
    let said = cluster.status().sentences.iter().any(|text| text.en.contains("main-genesis is gone"));
    assert!(said, "{:?}", cluster.status().sentences);
}

#[tokio::test]
async fn a_paused_chain_is_observed_and_not_touched() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    cluster.change(CHAIN, |chain| chain["metadata"]["annotations"] = json!({"citychain.dev/pause": "true"}));
    cluster.server.remove("/api/v1/namespaces/tenant-notary/services/main-api");
    cluster.server.writes();
    cluster.passes(&mut worker, 2).await;
    let writes = cluster.server.writes();
    assert!(writes.iter().all(|write| write.path.ends_with("/status")), "{writes:?}");
    assert_eq!(condition(&cluster.status(), conditions::PROGRESSING).reason, reason::PAUSED);
}

#[tokio::test]
async fn a_version_is_rolled_out_one_pod_at_a_time() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    cluster.change(CHAIN, |chain| {
        chain["spec"]["version"] = json!("0.2.0");
        chain["metadata"]["generation"] = json!(2);
    });
    let mut order = Vec::new();
    for _ in 0..4 {
        cluster.server.writes();
        cluster.passes(&mut worker, 1).await;
        let deleted: Vec<String> = cluster
            .server
            .writes()
            .into_iter()
            .filter(|write| write.method == "DELETE")
            .map(|write| write.path)
            .collect();
        assert_eq!(deleted.len(), 1, "one pod goes, not more: {deleted:?}");
        cluster.passes(&mut worker, 2).await;
        let more = cluster.server.writes().into_iter().filter(|write| write.method == "DELETE").count();
        assert_eq!(more, 0, "and no other before it is back");
        order.extend(deleted);
        cluster.run_pods();
        cluster.passes(&mut worker, 1).await;
        order.extend(
            cluster.server.writes().into_iter().filter(|write| write.method == "DELETE").map(|write| write.path),
        );
        if order.len() == 4 {
            break;
        }
        cluster.run_pods();
    }
    order.sort();
    order.dedup();
    assert_eq!(order.len(), 4, "every validator once: {order:?}");
}

#[tokio::test]
async fn a_spec_that_does_not_hold_together_is_told_and_the_one_before_stays() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let before: Vec<Value> = (1..=4).map(|number| cluster.set(number)).collect();
    cluster.change(CHAIN, |chain| {
        chain["spec"]["validators"]["count"] = json!(2);
        chain["metadata"]["generation"] = json!(2);
    });
    cluster.passes(&mut worker, 2).await;
    let status = cluster.status();
    let progressing = condition(&status, conditions::PROGRESSING);
    assert_eq!(progressing.reason, reason::INVALID_SPEC);
    assert!(progressing.message.contains("spec.validators.count"), "{}", progressing.message);
    assert_eq!(condition(&status, conditions::READY).status, ConditionStatus::True, "it goes on as it was");
    assert_eq!((1..=4).map(|number| cluster.set(number)).collect::<Vec<_>>(), before);
}

#[tokio::test]
async fn a_machine_that_is_gone_is_named_as_the_cause_of_the_silence_of_its_pods() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    cluster.server.put(
        "/api/v1/nodes/machine-2",
        json!({"apiVersion": "v1", "kind": "Node", "status": {"conditions": [
            {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."},
        ]}}),
    );
    cluster.silence(2);
    cluster.passes(&mut worker, 2).await;
    let status = cluster.status();
    let row = status.validators.iter().find(|row| row.name.number() == 2).unwrap();
    let cause = "machine machine-2 is not ready: Kubelet stopped posting node status.; bring it back";
    assert!(row.text.en.contains(cause), "{}", row.text.en);
    assert!(status.sentences[0].en.contains(cause), "{:?}", status.sentences);
    // It says the same at the next look.
    cluster.server.writes();
    cluster.passes(&mut worker, 2).await;
    let texts = cluster.status().validators;
    assert_eq!(texts, status.validators);
}

#[tokio::test]
async fn a_deleted_chain_lets_go_of_its_volumes_last_and_keeps_what_it_was() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let keys = "/api/v1/namespaces/tenant-notary/secrets/main-validator-1-keys";
    let before = cluster.server.get(keys).unwrap()["data"].clone();
    cluster.change(CHAIN, |chain| chain["metadata"]["deletionTimestamp"] = json!("2026-03-01T08:00:00Z"));
    cluster.passes(&mut worker, 1).await;
    assert!(cluster.server.get(CHAIN).is_some(), "pods still run");
    cluster.end_pods();
    cluster.passes(&mut worker, 1).await;
    assert!(cluster.server.get(CHAIN).is_none());
    let kept = cluster.server.get(keys).unwrap();
    assert_eq!((&kept["metadata"]["labels"]["citychain.dev/retained"], &kept["data"]), (&json!("true"), &before));
    // Asked for again, it is the same chain.
    let genesis =
        cluster.server.get("/api/v1/namespaces/tenant-notary/configmaps/main-genesis").unwrap()["data"].clone();
    cluster.put_chain();
    let mut worker = cluster.operator();
    cluster.passes(&mut worker, 5).await;
    assert_eq!(
        cluster.server.get("/api/v1/namespaces/tenant-notary/configmaps/main-genesis").unwrap()["data"],
        genesis
    );
    assert_eq!(cluster.server.get(keys).unwrap()["data"], before);
    assert!(cluster.server.get(keys).unwrap()["metadata"]["labels"]["citychain.dev/retained"].is_null());
    assert_eq!(cluster.set(4)["spec"]["replicas"], json!(1));
}

#[tokio::test]
async fn a_volume_goes_with_its_pod_in_its_turn_and_only_the_one_that_was_named() {
    const CLAIM: &str = "/api/v1/namespaces/tenant-notary/persistentvolumeclaims/data-main-validator-2-0";
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let uid = cluster.server.get(CLAIM).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let ask = |uid: &str| {
        let request = json!({"citychain.dev/resync": format!("validator-2={uid}")});
        cluster.change(CHAIN, |chain| chain["metadata"]["annotations"] = request);
    };
    let deleted = || {
        let deletions = cluster.server.writes().into_iter().filter(|write| write.method == "DELETE");
        deletions.map(|write| write.path.rsplit('/').next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    ask("of-another-volume");
    cluster.passes(&mut worker, 2).await;
    assert_eq!(deleted(), Vec::<String>::new());
    // Another validator is missing: without this one too there would be no quorum.
    cluster.server.remove("/api/v1/namespaces/tenant-notary/pods/main-validator-4-0");
    ask(&uid);
    cluster.passes(&mut worker, 2).await;
    assert_eq!(deleted(), Vec::<String>::new());
    cluster.run_pods();
    cluster.passes(&mut worker, 3).await;
    assert_eq!(deleted(), ["data-main-validator-2-0", "main-validator-2-0"], "the volume first, and once");
}
