//! When a deleted chain ends, as a table, and what is told about it.

use operator_api::{ChainBackupStatus, ChainState};
use serde_json::{Value, json};

use super::{
    decide::{Decision, Seen, Told, decide},
    *,
};
use crate::{events::Severity, fixtures};

/// 2026-11-23 17:15:00 UTC, a minute after the deletion was asked for.
const NOW: u64 = 1_795_454_100_000;
const HOUR: u64 = 3_600_000;
const UID: &str = "uid-of-main";

fn chain(annotations: Value, ready: &[u8]) -> Chain {
    let mut chain = fixtures::chain_json("notary", "main", 4);
    chain["metadata"]["deletionTimestamp"] = json!("2026-11-23T17:14:00Z");
    chain["metadata"]["annotations"] = annotations;
    chain["status"] =
        json!({"phase": "healthy", "fingerprint": "07".repeat(32), "validators": fixtures::four_validators(ready)});
    serde_json::from_value(chain).unwrap()
}

fn backup(name: &str, status: Value) -> ChainBackup {
    let mut backup: ChainBackup = serde_json::from_value(json!({
        "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainBackup",
        "metadata": {"name": name, "namespace": "tenant-notary", "uid": "u"},
        "spec": {"tenant": "notary", "chain": "main", "destination": {"volume": {"claim": "backups"}}},
    }))
    .unwrap();
    backup.status = Some(serde_json::from_value::<ChainBackupStatus>(status).unwrap());
    backup
}

fn run(final_of: Option<&str>, failure: Option<&str>) -> Value {
    let holds = json!({
        "fingerprint": "07", "height": 42, "blockId": "01", "stateRoot": "02", "logSize": 3, "logRoot": "03", "files": 5,
        "bytes": 1_000,
    });
    json!({
        "name": "daily-20261123t171500z", "validator": "validator-2", "startedAt": "2026-11-23T17:15:00Z",
        "finishedAt": "2026-11-23T17:15:00Z", "finalOf": final_of, "failure": failure,
        "holds": if failure.is_some() { Value::Null } else { holds },
    })
}

fn said(kind: &str, reason: &str, message: &str) -> Value {
    json!({
        "type": kind, "status": "False", "reason": reason, "message": message,
        "lastTransitionTime": "2026-11-23T17:15:00Z", "observedGeneration": 1,
    })
}

fn seen<'a>(chain: &'a Chain, backups: &'a [ChainBackup], now_ms: u64) -> Seen<'a> {
    Seen { chain, is_founded: true, is_ending: false, backups, now_ms }
}

fn waits(chain: &Chain, backups: &[ChainBackup], now_ms: u64) -> Text {
    match decide(&seen(chain, backups, now_ms)) {
        Decision::Wait(sentence) => sentence,
        Decision::End(told) => panic!("it ends: {told:?}"),
    }
}

fn ends(chain: &Chain, backups: &[ChainBackup], now_ms: u64) -> Told {
    match decide(&seen(chain, backups, now_ms)) {
        Decision::End(Some(told)) => told,
        other => panic!("{other:?}"),
    }
}

#[test]
fn it_ends_once_every_backup_object_has_its_last_run() {
    let chain = chain(json!({}), &[1, 2, 3, 4]);
    let saved = || backup("daily", json!({"runs": [run(Some(UID), None)]}));
    let told = ends(&chain, &[saved()], NOW);
    assert_eq!((told.severity, told.reason), (Severity::Normal, "FinalBackupMade"));
    assert!(told.note.contains("`daily` holds height 42; volumes and keys are kept"), "{}", told.note);
    for unsaved in [
        json!({}),
        json!({"runs": [run(None, None)]}),
        json!({"runs": [run(Some("uid-of-an-earlier-main"), None)]}),
        json!({"runs": [run(Some(UID), Some("disk full"))]}),
    ] {
        let sentence = waits(&chain, &[saved(), backup("yearly", unsaved)], NOW);
        assert!(sentence.en.contains("the ChainBackup `yearly`"), "{}", sentence.en);
        assert!(!sentence.en.contains("`daily`"), "{}", sentence.en);
    }
}

#[test]
fn without_anything_to_wait_for_it_ends_at_once_and_says_so() {
    let one = [backup("daily", json!({}))];
    let told = ends(&chain(json!({}), &[1, 2, 3]), &[], NOW);
    assert_eq!((told.severity, told.reason), (Severity::Warning, "NoFinalBackup"));
    assert!(told.note.contains("no ChainBackup of this chain exists"), "{}", told.note);
    let skip = chain(json!({"citychain.dev/final-backup": "skip", "citychain.dev/retention": "delete"}), &[1]);
    let told = ends(&skip, &one, NOW);
    assert_eq!(told.reason, "FinalBackupSkipped");
    assert!(told.note.contains("volumes and keys go with it"), "{}", told.note);
    let chain = chain(json!({}), &[]);
    let never_founded = Seen { is_founded: false, ..seen(&chain, &one, NOW) };
    assert_eq!(decide(&never_founded), Decision::End(None));
    let begun = Seen { is_ending: true, ..seen(&chain, &one, NOW) };
    assert_eq!(decide(&begun), Decision::End(None), "what has begun to end ends, whatever was made meanwhile");
}

/// The chain, its ChainBackup's status, and what the sentence must name.
#[test]
fn every_wait_names_what_stands_in_the_way_and_the_way_out() {
    let ready = chain(json!({}), &[1, 2, 3, 4]);
    let broken = chain(json!({}), &[]);
    let mut asleep = broken.clone();
    asleep.spec.state = ChainState::Hibernated;
    let progressing = |message: &str| json!({"conditions": [said("Progressing", "ActionFailed", message)]});
    let failed = json!({"conditions": [said("Ready", "BackupFailed", "daily-1 of validator-2 failed: disk full")]});
    let copying =
        json!({"phase": "BackingUp", "conditions": [said("Progressing", "BackingUp", "daily-1 copies validator-2")]});
    let table = [
        (&ready, json!({}), "not begun yet", "daily"),
        (&ready, progressing("an annotation says so; nothing is begun"), "an annotation says so", "daily"),
        (&ready, failed, "disk full", "disk full"),
        (&ready, copying, "copies validator-2", "copies validator-2"),
        (&asleep, json!({}), "wake it (spec.state: running)", "唤醒"),
        (&broken, json!({}), "no validator is caught up", "没有一个验证者"),
    ];
    for (chain, status, en, zh) in table {
        let sentence = waits(chain, &[backup("daily", status)], NOW);
        assert!(sentence.en.contains(en), "{}", sentence.en);
        assert!(sentence.zh.contains(zh), "{}", sentence.zh);
        for text in [&sentence.en, &sentence.zh] {
            assert!(text.contains("citychain.dev/final-backup: skip"), "{text}");
            assert!(text.contains("2026-11-23T17:29:00Z"), "until when: {text}");
        }
    }
}

#[test]
fn patience_ends_only_where_nothing_is_lost_and_nothing_is_under_way() {
    let kept = chain(json!({}), &[]);
    let removed = chain(json!({"citychain.dev/retention": "delete"}), &[]);
    let idle = [backup("daily", json!({}))];
    let copying = [backup("daily", json!({"phase": "BackingUp"}))];
    waits(&kept, &idle, NOW + HOUR / 6);
    let told = ends(&kept, &idle, NOW + HOUR / 4);
    assert_eq!((told.severity, told.reason), (Severity::Warning, "NoFinalBackup"));
    assert!(told.note.contains("no validator is caught up") && told.note.contains("are kept"), "{}", told.note);
    waits(&kept, &copying, NOW + 5 * HOUR);
    let sentence = waits(&removed, &idle, NOW + 500 * HOUR);
    assert!(sentence.en.contains("go with it, so it does not go on without one"), "{}", sentence.en);
}
