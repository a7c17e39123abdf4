//! What a Job's pod is given: the one volume, the one token and the one destination that it needs, and no more.

use k8s_openapi::api::{batch::v1::Job, core::v1::PodSpec};

use super::*;

fn frame_json(spec: Value) -> (ChainBackup, Chain) {
    (backup(spec), chain(&[1, 2, 3, 4]))
}

fn made(spec: Value, drill: bool) -> Job {
    let (backup, chain) = frame_json(spec);
    let frame = job::Frame {
        backup: &backup,
        chain: &chain,
        owner: job::owner(&backup),
        image: "localhost/citychain/chain-node:0.1.0",
        pull_policy: "IfNotPresent",
        answers: Some((names::BACKUP_NOW, "please")),
        final_of: None,
    };
    match drill {
        true => job::drill(&frame, "daily-drill-1".to_owned(), "daily-1", &[(5, "0a".repeat(32))]),
        false => job::backup(&frame, "daily-1", "validator-2".parse().unwrap(), Some("daily-0")),
    }
}

fn pod(job: &Job) -> PodSpec {
    job.spec.clone().unwrap().template.spec.unwrap()
}

fn arguments(job: &Job) -> String {
    pod(job).containers[0].args.clone().unwrap().join(" ")
}

fn volumes(job: &Job) -> Vec<(String, String)> {
    let volumes = pod(job).volumes.unwrap_or_default();
    let source = |volume: &k8s_openapi::api::core::v1::Volume| {
        let claim = volume.persistent_volume_claim.as_ref().map(|claim| claim.claim_name.clone());
        let secret = volume.secret.as_ref().map(|secret| {
            let items = secret.items.iter().flatten().map(|item| item.key.as_str()).collect::<Vec<_>>().join("+");
            format!("{}: {items}", secret.secret_name.as_deref().unwrap_or_default())
        });
        let empty = volume.empty_dir.as_ref().map(|room| room.size_limit.clone().unwrap_or_default().0);
        (volume.name.clone(), claim.or(secret).or(empty).unwrap_or_default())
    };
    volumes.iter().map(source).collect()
}

fn pair(name: &str, source: &str) -> (String, String) {
    (name.to_owned(), source.to_owned())
}

#[test]
fn a_copy_is_made_beside_its_validator_with_the_administration_token_alone() {
    let job = made(json!({}), false);
    assert_eq!(
        arguments(&job),
        "backup --admin main-validator-2.tenant-notary.svc:8081 --token-file /etc/chain-node-admin/admin.token \
         --scratch /var/lib/chain-node/backup --keep 7 --keep-also daily-0 --destination /backups/notary/main/daily \
         --run daily-1 --report /dev/termination-log"
    );
    let expected = [
        pair("data", "data-main-validator-2-0"),
        pair("admin", "main-validator-2-keys: admin.token"),
        pair("backups", "backups"),
    ];
    assert_eq!(volumes(&job), expected);
    let beside =
        pod(&job).affinity.unwrap().pod_affinity.unwrap().required_during_scheduling_ignored_during_execution.unwrap();
    assert_eq!(beside[0].topology_key, "kubernetes.io/hostname");
    let selected = beside[0].label_selector.clone().unwrap().match_labels.unwrap();
    assert_eq!((selected[names::CHAIN].as_str(), selected[names::VALIDATOR].as_str()), ("main", "validator-2"));
}

#[test]
fn a_drill_has_room_for_the_chain_and_nothing_of_a_validator() {
    let job = made(json!({}), true);
    let anchor = "0a".repeat(32);
    assert_eq!(
        arguments(&job),
        format!(
            "restore --home /restored --expect 5={anchor} --destination /backups/notary/main/daily --run daily-1 \
             --report /dev/termination-log"
        )
    );
    assert_eq!(volumes(&job), [pair("restored", "10Gi"), pair("backups", "backups")]);
    assert_eq!(pod(&job).affinity, None);
    assert_eq!(job.metadata.annotations.unwrap()[names::ANCHORED], "5");
}

#[test]
fn a_bucket_is_named_and_its_secrets_are_files() {
    let s3 = json!({"destination": {"s3": {
        "endpoint": "https://store:9000", "bucket": "backups", "prefix": "/city/", "region": "cn-1", "credentials": "store",
    }}});
    for drill in [false, true] {
        let job = made(s3.clone(), drill);
        let said = arguments(&job);
        for part in [
            "--destination s3://backups/city/notary/main/daily",
            "--endpoint https://store:9000 --region cn-1",
            "--credentials /etc/backup-credentials",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(volumes(&job).contains(&pair("credentials", "store: access-key+secret-key")));
        assert_eq!(pod(&job).containers[0].env, None);
    }
}

#[test]
fn pods_are_restricted_and_none_is_taken_for_a_validator() {
    for drill in [false, true] {
        let job = made(json!({}), drill);
        let (pod, labels) = (pod(&job), job.spec.clone().unwrap().template.metadata.unwrap().labels.unwrap());
        assert!(!labels.contains_key(names::CHAIN) && labels[names::APP_NAME] == names::CHAIN_BACKUP);
        assert_eq!(pod.automount_service_account_token, Some(false));
        assert_eq!(pod.security_context.unwrap().run_as_non_root, Some(true));
        let container = pod.containers[0].security_context.clone().unwrap();
        assert_eq!(
            (container.allow_privilege_escalation, container.read_only_root_filesystem),
            (Some(false), Some(true))
        );
        assert_eq!(container.capabilities.unwrap().drop.unwrap(), ["ALL"]);
        let spec = job.spec.unwrap();
        assert_eq!((spec.backoff_limit, pod.restart_policy.as_deref()), (Some(0), Some("Never")));
        assert!(spec.active_deadline_seconds.is_some());
    }
}
