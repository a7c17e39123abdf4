//! Volumes that should be larger, against an API server in memory: asked for and followed, or refused with the way out.

use operator_api::{ConditionStatus, conditions, reason};
use serde_json::{Value, json};

use super::{
    condition,
    simulated::{CHAIN, Cluster},
};

const CLASS: &str = "/apis/storage.k8s.io/v1/storageclasses/local";

fn claim(number: u32) -> String {
    format!("/api/v1/namespaces/tenant-notary/persistentvolumeclaims/data-main-validator-{number}-0")
}

fn pod(number: u32) -> String {
    format!("/api/v1/namespaces/tenant-notary/pods/main-validator-{number}-0")
}

fn put_class(cluster: &Cluster, expands: bool) {
    let class = json!({"provisioner": "x", "allowVolumeExpansion": expands});
    cluster.server.put(CLASS, class);
}

fn ask(cluster: &Cluster, gib: u32) {
    cluster.change(CHAIN, |chain| {
        chain["spec"]["resources"] = json!({"memoryMib": 256, "storageGib": gib});
        chain["metadata"]["generation"] = json!(2);
    });
}

fn requests(cluster: &Cluster) -> Vec<Value> {
    let request =
        |number| cluster.server.get(&claim(number)).unwrap()["spec"]["resources"]["requests"]["storage"].clone();
    (1..=4).map(request).collect()
}

fn progressing(cluster: &Cluster) -> (ConditionStatus, String, String) {
    let status = cluster.status();
    let found = condition(&status, conditions::PROGRESSING);
    (found.status, found.reason.clone(), found.message.clone())
}

fn deleted(cluster: &Cluster) -> Vec<String> {
    let deletions = cluster.server.writes().into_iter().filter(|write| write.method == "DELETE");
    deletions.map(|write| write.path.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn claims_grow_and_are_followed_until_every_volume_has() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    put_class(&cluster, true);
    let sets: Vec<Value> = (1..=4).map(|number| cluster.set(number)).collect();
    ask(&cluster, 20);
    cluster.passes(&mut worker, 2).await;
    assert_eq!(requests(&cluster), [json!("20Gi"), json!("20Gi"), json!("20Gi"), json!("20Gi")]);
    let (holds, why, message) = progressing(&cluster);
    assert_eq!((holds, why.as_str()), (ConditionStatus::True, reason::GROWING_VOLUMES), "{message}");
    for number in 1..=3 {
        cluster.change(&claim(number), |claim| claim["status"]["capacity"]["storage"] = json!("20Gi"));
    }
    cluster.passes(&mut worker, 1).await;
    assert!(progressing(&cluster).2.contains("3 of 4 have, validator-4 not yet"), "{}", progressing(&cluster).2);
    cluster.change(&claim(4), |claim| claim["status"]["capacity"]["storage"] = json!("20Gi"));
    cluster.passes(&mut worker, 1).await;
    assert_eq!(progressing(&cluster).1, reason::UP_TO_DATE);
    cluster.server.writes();
    cluster.passes(&mut worker, 2).await;
    assert_eq!(cluster.server.writes(), []);
    assert_eq!((1..=4).map(|number| cluster.set(number)).collect::<Vec<_>>(), sets, "no set and no pod is touched");
}

#[tokio::test]
async fn a_class_that_cannot_is_named_and_a_new_volume_has_the_new_size() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    put_class(&cluster, false);
    ask(&cluster, 20);
    cluster.passes(&mut worker, 2).await;
    assert_eq!(requests(&cluster), [json!("10Gi"), json!("10Gi"), json!("10Gi"), json!("10Gi")]);
    let (holds, why, message) = progressing(&cluster);
    assert_eq!((holds, why.as_str()), (ConditionStatus::False, reason::VOLUME_EXPANSION_UNSUPPORTED));
    assert!(message.contains("`local`") && message.contains("ChainRestore"), "{message}");
    assert!(cluster.status().sentences.iter().any(|text| text.zh.contains("不支持扩容")));
    assert_eq!(deleted(&cluster), Vec::<String>::new(), "nothing is thrown away unasked");
    let uid = cluster.server.get(&claim(2)).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    cluster.change(CHAIN, |chain| {
        chain["metadata"]["annotations"] = json!({"citychain.dev/resync": format!("validator-2={uid}")});
    });
    cluster.passes(&mut worker, 1).await;
    assert_eq!(
        deleted(&cluster),
        ["data-main-validator-2-0", "main-validator-2", "main-validator-2-0"],
        "the volume first; the set, whose claim template cannot change; the pod"
    );
    cluster.passes(&mut worker, 2).await;
    let room = |number| cluster.set(number)["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"].clone();
    assert_eq!((room(2), room(3)), (json!({"storage": "20Gi"}), json!({"storage": "10Gi"})));
    cluster.run_pods();
    cluster.passes(&mut worker, 2).await;
    let (_, _, message) = progressing(&cluster);
    assert!(message.contains("validator-1, validator-3, validator-4 stay at 10 GiB"), "{message}");
}

#[tokio::test]
async fn a_refused_growth_is_told_and_keeps_nothing_else_from_being_done() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    put_class(&cluster, true);
    cluster.server.fail("PATCH /api/v1/namespaces/tenant-notary/persistentvolumeclaims", 403);
    ask(&cluster, 20);
    cluster.change("/apis/apps/v1/namespaces/tenant-notary/statefulsets/main-validator-3", |set| {
        set["spec"]["replicas"] = json!(0);
    });
    cluster.server.remove(&pod(3));
    cluster.passes(&mut worker, 2).await;
    let (holds, why, message) = progressing(&cluster);
    assert_eq!((holds, why.as_str()), (ConditionStatus::False, reason::ACTION_FAILED), "{message}");
    assert!(message.contains("volume of validator-1 couldn't grow to 20 GiB"), "{message}");
    assert_eq!(cluster.set(3)["spec"]["replicas"], json!(1), "a validator that is missing is started all the same");
    cluster.server.heal();
    cluster.run_pods();
    cluster.passes(&mut worker, 2).await;
    assert_eq!(requests(&cluster)[0], json!("20Gi"));
}

#[tokio::test]
async fn a_driver_that_grows_file_systems_at_the_next_mount_gets_one_in_turn() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    put_class(&cluster, true);
    ask(&cluster, 20);
    cluster.passes(&mut worker, 1).await;
    let pending =
        |since: &str| json!([{"type": "FileSystemResizePending", "status": "True", "lastTransitionTime": since}]);
    let now = operator_api::Time::from_ms(crate::clock::now_ms()).to_string();
    for number in 1..=4 {
        cluster.change(&claim(number), |claim| claim["status"]["conditions"] = pending(&now));
    }
    cluster.server.writes();
    cluster.passes(&mut worker, 2).await;
    assert_eq!(deleted(&cluster), Vec::<String>::new(), "most drivers do it beside the pod");
    for number in 1..=4 {
        cluster.change(&claim(number), |claim| claim["status"]["conditions"] = pending("2026-03-02T08:00:00Z"));
    }
    cluster.passes(&mut worker, 3).await;
    let gone = deleted(&cluster);
    assert_eq!(gone.len(), 1, "one at a time: {gone:?}");
    assert!(gone[0].starts_with("main-validator-"), "{gone:?}");
}

#[tokio::test]
async fn another_class_in_the_operators_configuration_leaves_sets_that_exist_as_they_are() {
    let cluster = Cluster::start().await;
    let mut worker = cluster.running().await;
    let path = "/apis/apps/v1/namespaces/tenant-notary/statefulsets/main-validator-1";
    cluster.change(path, |set| {
        set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = json!("of-an-earlier-configuration");
        set["metadata"]["labels"]["citychain.dev/chain-is"] = json!("kept");
        set["spec"]["template"]["spec"]["automountServiceAccountToken"] = json!(true);
    });
    cluster.passes(&mut worker, 1).await;
    let applied =
        cluster.server.writes().into_iter().find(|write| write.path == path).expect("the hand-edit is undone");
    let template = &applied.body["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(template["storageClassName"], "of-an-earlier-configuration", "it can never change");
}
