//! Keys replaced against an API server in memory and simulated nodes: one validator after another, wherever the operator is killed, and
//! never voted in before the node has said that it holds them.

use chain_types::PublicKey;
use operator_api::StepState;
use serde_json::{Value, json};

use super::simulated::{CHAIN, Cluster};
use crate::chain::keys::{CONSENSUS, REPLACED, ROTATED, next_entry};

const SECRETS: &str = "/api/v1/namespaces/tenant-notary/secrets";

fn ask(cluster: &Cluster, text: &str) {
    cluster.change(CHAIN, |chain| chain["metadata"]["annotations"] = json!({"citychain.dev/rotate-keys": text}));
}

fn asked(cluster: &Cluster) -> Value {
    cluster.server.get(CHAIN).unwrap()["metadata"]["annotations"]["citychain.dev/rotate-keys"].clone()
}

fn waiting(cluster: &Cluster) -> Vec<u32> {
    (1..=4).filter(|number| cluster.public(*number, &next_entry(CONSENSUS)).is_some()).collect()
}

fn present(cluster: &Cluster) -> Vec<PublicKey> {
    (1..=4).filter_map(|number| cluster.public(number, CONSENSUS)).collect()
}

#[tokio::test]
async fn all_get_new_keys_in_turn_though_the_operator_is_killed_at_every_pass_and_writes_fail() {
    let cluster = Cluster::start().await;
    drop(cluster.running().await);
    let before = present(&cluster);
    ask(&cluster, "all");
    let (mut made, mut way) = (0, Vec::new());
    for pass in 0..80 {
        // Every third operator dies of a Secret that it cannot write, perhaps after it has answered the request.
        if pass % 3 == 2 {
            cluster.server.fail(&format!("PATCH {SECRETS}"), 500);
        }
        cluster.passes(&mut cluster.operator(), 1).await;
        cluster.server.heal();
        assert!(waiting(&cluster).len() <= 1, "never two at once: {:?}", waiting(&cluster));
        let writes = cluster.server.writes();
        let makes = |body: &Value| !body["data"][next_entry(CONSENSUS)].is_null();
        made += writes.iter().filter(|write| makes(&write.body)).count();
        way.push(asked(&cluster));
        cluster.nodes_go_on();
    }
    way.dedup();
    let left = ["all", "validator-2,validator-3,validator-4", "validator-3,validator-4", "validator-4"];
    assert_eq!(way, left.map(|text| json!(text)).into_iter().chain([Value::Null]).collect::<Vec<_>>());
    assert_eq!((made, cluster.nodes.changes().len()), (4, 4), "each once");
    let (after, mut voters) = (present(&cluster), cluster.nodes.voters());
    voters.sort();
    let mut sorted = after.clone();
    sorted.sort();
    assert_eq!(sorted, voters, "the Secrets hold what the chain names");
    for (number, old) in (1..).zip(&before) {
        assert!(!after.contains(old) && waiting(&cluster).is_empty());
        assert_eq!(cluster.public(number, &next_entry(ROTATED[1])), None);
        let secret: k8s_openapi::api::core::v1::Secret = serde_json::from_value(cluster.secret(number)).unwrap();
        assert_eq!(secret.data.unwrap()[REPLACED].0, old.to_string().into_bytes());
    }
    let mut worker = cluster.operator();
    cluster.passes(&mut worker, 2).await;
    let status = cluster.status();
    assert_eq!(
        (status.validators_ready, status.validators_total),
        (4, 4),
        "nobody has lost keys: {:?}",
        status.sentences
    );
    assert!(status.validators.iter().all(|row| row.keys_rotated_ms.is_some()));
    assert!(status.set_change.iter().all(|step| step.state == StepState::Done), "{:?}", status.set_change);
    cluster.server.writes();
    cluster.passes(&mut worker, 3).await;
    assert_eq!(cluster.server.writes(), [], "and then nothing is written any more");
}

#[tokio::test]
async fn nothing_is_voted_before_the_node_holds_the_keys_and_its_kubelet_is_nudged_once() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    ask(&cluster, "validator-2");
    cluster.passes(&mut worker, 6).await;
    let nudges = |cluster: &Cluster| {
        let writes = cluster.server.writes().into_iter();
        writes
            .filter(|write| write.method == "PATCH" && write.path.contains("/pods/"))
            .map(|write| write.path)
            .collect::<Vec<_>>()
    };
    assert_eq!(nudges(&cluster), ["/api/v1/namespaces/tenant-notary/pods/main-validator-2-0"]);
    assert_eq!((cluster.nodes.changes(), waiting(&cluster)), (Vec::new(), vec![2]));
    let step = &cluster.status().set_change[0];
    assert_eq!((step.id.as_str(), step.state), ("rotate-validator-2", StepState::Running));
    assert!(step.detail.as_ref().unwrap().en.contains("has to say that it holds them"), "{step:?}");
    cluster.nodes_go_on();
    cluster.passes(&mut worker, 1).await;
    assert_eq!(cluster.nodes.changes().len(), 1);
    // The old keys stay until the node votes with the new ones, however long that takes.
    cluster.passes(&mut worker, 4).await;
    assert_eq!((waiting(&cluster), asked(&cluster)), (vec![2], json!("validator-2")));
    cluster.nodes_go_on();
    cluster.passes(&mut worker, 2).await;
    assert_eq!((waiting(&cluster), asked(&cluster)), (vec![], Value::Null));
    assert_eq!(nudges(&cluster).len(), 1, "and once more, so that the old ones go from the pod");
}

#[tokio::test]
async fn an_answered_request_that_a_watch_tells_late_is_not_answered_twice() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    ask(&cluster, "validator-3");
    let late = serde_json::from_value(cluster.server.get(CHAIN).unwrap()).unwrap();
    for _ in 0..8 {
        cluster.passes(&mut worker, 1).await;
        cluster.nodes_go_on();
    }
    assert_eq!((asked(&cluster), cluster.nodes.changes().len()), (Value::Null, 1));
    for _ in 0..3 {
        worker.pass(&late, true).await.unwrap();
    }
    assert_eq!(waiting(&cluster), Vec::<u32>::new());
}

#[tokio::test]
async fn a_name_that_is_no_validators_is_told_once_and_stays_until_it_is_mended() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    ask(&cluster, "validator-9");
    cluster.passes(&mut worker, 3).await;
    let told = |cluster: &Cluster| {
        cluster.status().sentences.iter().any(|text| text.en.contains("validator-9, which is no validator"))
    };
    assert!(told(&cluster), "{:?}", cluster.status().sentences);
    let events = cluster.server.writes().into_iter().filter(|write| write.body["reason"] == "UnknownValidator");
    assert_eq!(events.count(), 1);
    assert_eq!((asked(&cluster), waiting(&cluster)), (json!("validator-9"), vec![]));
    cluster.change(CHAIN, |chain| chain["metadata"]["annotations"] = json!({}));
    cluster.passes(&mut worker, 1).await;
    assert!(!told(&cluster));
}
