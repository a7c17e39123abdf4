//! A chain that is deleted while it has a ChainBackup: its validators run until the last run is on record, and never again after.

use operator_api::{conditions, reason};
use serde_json::{Value, json};

use super::{
    condition,
    simulated::{CHAIN, Cluster},
};

const BACKUP: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chainbackups/daily";
const VOLUME: &str = "/api/v1/namespaces/tenant-notary/persistentvolumeclaims/data-main-validator-1-0";

fn put_backup(cluster: &Cluster, status: Value) {
    cluster.server.put(
        BACKUP,
        json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainBackup", "metadata": {"name": "daily"},
            "spec": {"tenant": "notary", "chain": "main", "destination": {"volume": {"claim": "backups"}}},
            "status": status,
        }),
    );
}

fn saved(cluster: &Cluster) -> Value {
    let uid = cluster.server.get(CHAIN).unwrap()["metadata"]["uid"].clone();
    json!({"runs": [{
        "name": "daily-1", "validator": "validator-2", "startedAt": "2026-03-01T09:00:00Z", "finishedAt": "2026-03-01T09:00:00Z",
        "finalOf": uid, "holds": {
            "fingerprint": "07", "height": 42, "blockId": "01", "stateRoot": "02", "logSize": 3, "logRoot": "03", "files": 5,
            "bytes": 1_000,
        },
    }]})
}

/// Deletion as the API server records it, at this moment.
fn delete(cluster: &Cluster, annotations: &Value) {
    let now = operator_api::Time::from_ms(crate::clock::now_ms()).to_string();
    cluster.change(CHAIN, |chain| {
        chain["metadata"]["deletionTimestamp"] = json!(now);
        chain["metadata"]["annotations"] = annotations.clone();
    });
}

fn has_sets(cluster: &Cluster) -> bool {
    cluster.server.get("/apis/apps/v1/namespaces/tenant-notary/statefulsets/main-validator-1").is_some()
}

fn events(cluster: &Cluster) -> Vec<String> {
    let events = cluster.server.writes().into_iter().filter(|write| write.path.contains("events"));
    events.map(|write| write.body["reason"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn validators_run_until_the_last_backup_is_on_record_and_end_for_good_then() {
    for (annotations, is_kept) in [(json!({}), true), (json!({"citychain.dev/retention": "delete"}), false)] {
        let cluster = Cluster::start().await;
        let mut worker = cluster.running().await;
        put_backup(&cluster, json!({}));
        delete(&cluster, &annotations);
        cluster.passes(&mut worker, 3).await;
        let status = cluster.status();
        let progressing = condition(&status, conditions::PROGRESSING);
        assert_eq!(progressing.reason, reason::WAITING_FOR_FINAL_BACKUP);
        assert!(progressing.message.contains("citychain.dev/final-backup: skip"), "{}", progressing.message);
        assert_eq!(status.sentences[0].en, progressing.message);
        assert_eq!(status.validators_ready, 4, "whoever copies reads here who is well");
        assert!(has_sets(&cluster));
        // It is kept up meanwhile: what is deleted by hand comes back.
        let service = "/api/v1/namespaces/tenant-notary/services/main-api";
        cluster.server.remove(service);
        cluster.passes(&mut worker, 1).await;
        assert!(cluster.server.get(service).is_some());
        cluster.server.writes();
        put_backup(&cluster, saved(&cluster));
        cluster.passes(&mut worker, 1).await;
        assert!(!has_sets(&cluster));
        assert_eq!(condition(&cluster.status(), conditions::PROGRESSING).reason, reason::DELETING);
        assert_eq!(events(&cluster), ["FinalBackupMade"]);
        // Another operator, and a ChainBackup that says nothing any more: no validator is started again.
        put_backup(&cluster, json!({}));
        let mut another = cluster.operator();
        cluster.passes(&mut another, 2).await;
        assert!(!has_sets(&cluster));
        cluster.end_pods();
        cluster.passes(&mut another, 2).await;
        assert_eq!(cluster.server.get(CHAIN), None);
        assert_eq!(cluster.server.get(VOLUME).is_some(), is_kept);
        assert!(cluster.server.get(BACKUP).is_some(), "what points at the runs stays");
    }
}

#[tokio::test]
async fn a_hibernated_chain_is_woken_for_it_or_a_person_skips_it() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    put_backup(&cluster, json!({}));
    let state = |state: &str, generation: u64| {
        cluster.change(CHAIN, |chain| {
            chain["spec"]["state"] = json!(state);
            chain["metadata"]["generation"] = json!(generation);
        });
    };
    state("hibernated", 2);
    cluster.passes(&mut worker, 2).await;
    cluster.end_pods();
    let retention = json!({"citychain.dev/retention": "delete"});
    delete(&cluster, &retention);
    cluster.passes(&mut worker, 2).await;
    let sentence = cluster.status().sentences[0].clone();
    assert!(sentence.en.contains("wake it (spec.state: running)"), "{}", sentence.en);
    assert_eq!(cluster.set(1)["spec"]["replicas"], json!(0));
    state("running", 3);
    cluster.passes(&mut worker, 2).await;
    assert_eq!(cluster.set(1)["spec"]["replicas"], json!(1), "it wakes although it is on its way out");
    delete(&cluster, &json!({"citychain.dev/retention": "delete", "citychain.dev/final-backup": "skip"}));
    cluster.passes(&mut worker, 1).await;
    assert!(!has_sets(&cluster));
}

#[tokio::test]
async fn a_chain_in_another_tenants_namespace_takes_nothing_with_it() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let mut foreign = cluster.server.get(CHAIN).unwrap();
    foreign["metadata"]["namespace"] = json!("tenant-health");
    foreign["metadata"]["deletionTimestamp"] = json!("2026-03-01T08:00:00Z");
    foreign["metadata"]["finalizers"] = json!(["somebody/elses"]);
    let mut other = cluster.operator();
    other.pass(&serde_json::from_value(foreign).unwrap(), true).await.unwrap();
    cluster.passes(&mut worker, 1).await;
    assert!(has_sets(&cluster));
    assert_eq!(cluster.server.writes(), []);
}
