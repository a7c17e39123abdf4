//! Passes over a ChainBackup: what is made, what is read back, and that a steady state writes nothing.

use super::*;
use crate::mock::ApiServer;

pub(super) const BACKUP: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chainbackups/daily";
pub(super) const CHAIN: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chains/main";
pub(super) const RUN: &str = "daily-20261123t171500z";

pub(super) fn path(kind: &str, name: &str) -> String {
    let group = if kind == "pods" { "/api/v1" } else { "/apis/batch/v1" };
    format!("{group}/namespaces/tenant-notary/{kind}/{name}")
}

pub(super) fn server(spec: Value) -> ApiServer {
    let server = ApiServer::default();
    server.put(BACKUP, backup_json(spec));
    server.put(CHAIN, chain_json(&[1, 2, 3, 4]));
    server
}

pub(super) async fn pass(server: &ApiServer, now_ms: u64) -> anyhow::Result<Action> {
    let object: DynamicObject = serde_json::from_value(server.get(BACKUP).expect("the object")).unwrap();
    reconcile(&object, &fixtures::context(server), now_ms).await
}

/// Writes but events.
pub(super) fn writes(server: &ApiServer) -> Vec<String> {
    let all = server.writes().into_iter().filter(|write| !write.path.contains("events"));
    all.map(|write| format!("{} {}", write.method, write.path)).collect()
}

pub(super) fn condition(server: &ApiServer, kind: &str) -> (String, String) {
    let object = server.get(BACKUP).unwrap();
    let found = object["status"]["conditions"].as_array().unwrap().iter().find(|one| one["type"] == kind).cloned();
    let found = found.unwrap();
    (found["status"].as_str().unwrap().to_owned(), found["message"].as_str().unwrap().to_owned())
}

/// The Job ends as Kubernetes would tell it, and its pod has said this.
pub(super) fn ends(server: &ApiServer, job: &str, words: &str) {
    let mut object = server.get(&path("jobs", job)).expect("the Job");
    let labels = object["metadata"]["labels"].clone();
    object["status"] = json!({"conditions": [{
        "type": "Complete", "status": "True", "lastTransitionTime": "2026-11-23T17:16:00Z", "message": "it ended",
    }]});
    server.put(&path("jobs", job), object);
    let mut labels = labels;
    labels["job-name"] = json!(job);
    let terminated = json!({"terminated": {"exitCode": 0, "message": words}});
    server.put(
        &path("pods", &format!("{job}-x")),
        json!({
            "metadata": {"labels": labels},
            "status": {"containerStatuses": [{
                "name": "chain-backup", "state": terminated, "image": "", "imageID": "", "ready": false, "restartCount": 0,
            }]},
        }),
    );
}

#[tokio::test]
async fn a_backup_is_made_once_and_its_result_stands_before_its_job_goes() {
    let server = server(json!({}));
    pass(&server, NOW).await.unwrap();
    let job = server.get(&path("jobs", RUN)).expect("a Job");
    assert_eq!(job["metadata"]["ownerReferences"][0]["name"], "daily");
    let mut made = writes(&server);
    made.sort();
    assert_eq!(made.len(), 4, "two policies, the Job, the status: {made:?}");
    pass(&server, NOW + 1_000).await.unwrap();
    assert_eq!(writes(&server), [format!("PATCH {BACKUP}/status")], "the run under way is named");
    pass(&server, NOW + 2_000).await.unwrap();
    assert_eq!(writes(&server), Vec::<String>::new(), "while it runs");
    ends(&server, RUN, &reported(9).to_string());
    server.fail("PATCH /apis/citychain.dev", 500);
    assert!(pass(&server, NOW + 60_000).await.is_err());
    assert!(server.get(&path("jobs", RUN)).is_some(), "a result that could not be written is not thrown away");
    server.heal();
    pass(&server, NOW + 61_000).await.unwrap();
    assert_eq!(condition(&server, "Ready").0, "True");
    assert!(server.get(&path("jobs", RUN)).is_none());
    let object = server.get(BACKUP).unwrap();
    assert_eq!(object["status"]["runs"][0]["holds"]["height"], 9);
    assert!(server.get(&path("jobs", "daily-drill-20261123t171600z")).is_some(), "the drill follows");
}

#[tokio::test]
async fn what_a_pod_says_last_is_the_reason_however_it_ended() {
    for (words, expected) in [
        (r#"{"outcome":"failed","reason":"the node refused: no space"}"#, "the node refused: no space"),
        ("thread 'main' panicked", "thread 'main' panicked"),
        ("killed", "OOMKilled"),
        ("", "it ended"),
    ] {
        let server = server(json!({}));
        pass(&server, NOW).await.unwrap();
        ends(&server, RUN, words);
        if words == "killed" {
            let mut pod = server.get(&path("pods", &format!("{RUN}-x"))).unwrap();
            pod["status"]["containerStatuses"][0]["state"] =
                json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
            server.put(&path("pods", &format!("{RUN}-x")), pod);
        }
        pass(&server, NOW + 60_000).await.unwrap();
        let (status, message) = condition(&server, "Ready");
        assert_eq!(status, "False");
        assert!(message.contains(expected), "{message}");
        let object = server.get(BACKUP).unwrap();
        assert!(object["status"]["nextBackupAt"].is_string(), "it is tried again");
    }
}

#[tokio::test]
async fn a_touched_backup_is_told_with_the_files_name() {
    let server = server(json!({}));
    pass(&server, NOW).await.unwrap();
    ends(&server, RUN, &reported(9).to_string());
    pass(&server, NOW + 60_000).await.unwrap();
    let drill = "daily-drill-20261123t171600z";
    let reason = "the backup is damaged: /backups/notary/main/daily/x/store/000009.sst is not the file that was saved";
    ends(&server, drill, &json!({"outcome": "failed", "reason": reason}).to_string());
    pass(&server, NOW + 120_000).await.unwrap();
    let (status, message) = condition(&server, "BackupProven");
    assert_eq!(status, "False");
    assert!(message.contains(reason), "{message}");
}

#[tokio::test]
async fn a_drill_is_proof_only_after_the_running_chain_was_compared() {
    let server = server(json!({}));
    pass(&server, NOW).await.unwrap();
    ends(&server, RUN, &reported(9).to_string());
    pass(&server, NOW + 60_000).await.unwrap();
    let drill = "daily-drill-20261123t171600z";
    ends(&server, drill, &reported(9).to_string());
    // Nobody is caught up, so nobody can be asked.
    server.put(CHAIN, chain_json(&[]));
    pass(&server, NOW + 120_000).await.unwrap();
    assert_eq!(condition(&server, "BackupProven").0, "Unknown");
    assert!(condition(&server, "Progressing").1.contains("two are asked"), "{:?}", condition(&server, "Progressing"));
    assert!(server.get(&path("jobs", drill)).is_some(), "its result waits");
}

#[tokio::test]
async fn a_job_goes_when_its_validator_is_not_well_and_another_is_copied() {
    let server = server(json!({}));
    pass(&server, NOW).await.unwrap();
    server.put(CHAIN, chain_json(&[2, 3, 4]));
    pass(&server, NOW + 3_000).await.unwrap();
    assert!(server.get(&path("jobs", RUN)).is_none());
    pass(&server, NOW + 6_000).await.unwrap();
    let next = server.get(&path("jobs", "daily-20261123t171506z")).expect("another Job");
    assert_eq!(next["metadata"]["annotations"]["citychain.dev/validator"], "validator-2");
}

#[tokio::test]
async fn a_foreign_or_paused_one_begins_nothing() {
    let server = server(json!({}));
    let mut paused = backup_json(json!({}));
    paused["metadata"]["annotations"] = json!({"citychain.dev/pause": "true"});
    server.put(BACKUP, paused);
    pass(&server, NOW).await.unwrap();
    assert!(condition(&server, "Progressing").1.contains("an annotation"));
    let foreign = backup_json(json!({"tenant": "health"}));
    let other = ApiServer::default();
    other.put(BACKUP, foreign);
    pass(&other, NOW).await.unwrap();
    assert!(condition(&other, "Ready").1.contains("spec.tenant is `health`"));
    for server in [server, other] {
        assert!(!writes(&server).iter().any(|write| write.contains("/jobs")), "a Job was begun");
    }
}
