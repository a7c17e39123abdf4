//! A chain that is deleted: one more backup before it goes, nothing afterwards, and what is said then.

use kube::runtime::reflector::store::Writer;
use operator_api::ChainBackupStatus;

use super::{
    super::{
        due::{Due, Situation, Step, due, step},
        farewell::{Farewell, farewell, of_leaving},
        fetch::{JobSeen, JobState},
    },
    passes::{BACKUP, CHAIN, RUN, condition, ends, pass, path, server, writes},
    *,
};
use crate::mock::ApiServer;

const UID: &str = "uid-of-main";

fn leaving_json() -> Value {
    let mut chain = chain_json(&[1, 2, 3, 4]);
    chain["metadata"]["deletionTimestamp"] = json!("2026-11-23T17:00:00Z");
    chain["metadata"]["finalizers"] = json!([names::CHAIN_FINALIZER]);
    chain
}

fn last(run: BackupRun) -> BackupRun {
    BackupRun { final_of: Some(UID.to_owned()), ..run }
}

#[test]
fn a_chain_owes_one_backup_from_its_deletion_until_there_is_one() {
    let stays = chain(&[1]);
    let leaves: Chain = serde_json::from_value(leaving_json()).unwrap();
    let mut skipped = leaves.clone();
    skipped.metadata.annotations.insert(names::FINAL_BACKUP.to_owned(), "skip".to_owned());
    let of_another = BackupRun { final_of: Some("uid-of-an-earlier-main".to_owned()), ..run("a", 1, 1) };
    let owed = Farewell::Owed { chain: UID };
    let table = [
        ("it stays", Some(&stays), true, vec![run("a", 1, 1)], Farewell::None),
        ("it is deleted", Some(&leaves), true, vec![run("a", 1, 1)], owed),
        ("the last one failed", Some(&leaves), true, vec![failed(last(run("a", 1, 1)))], owed),
        ("it was recreated since the last final one", Some(&leaves), true, vec![of_another], owed),
        ("it is saved", Some(&leaves), true, vec![last(run("a", 1, 1))], Farewell::Given),
        ("a person wants none", Some(&skipped), true, vec![], Farewell::Given),
        ("it is gone", None, false, vec![run("a", 1, 1)], Farewell::Gone),
        ("it never was", None, false, vec![], Farewell::None),
        ("it cannot be read", None, true, vec![run("a", 1, 1)], Farewell::None),
    ];
    for (case, chain, is_there, runs, expected) in table {
        assert_eq!(farewell(chain, is_there, &runs), expected, "{case}");
    }
}

#[test]
fn the_last_backup_comes_before_drills_and_nothing_comes_after_it() {
    let spec = backup(json!({"schedule": {"everyHours": 24}})).spec;
    let chain: Chain = serde_json::from_value(leaving_json()).unwrap();
    let drill = JobSeen {
        name: "d".to_owned(),
        task: Task::Drill,
        run: "a".to_owned(),
        validator: None,
        answers: None,
        anchored_height: None,
        final_of: None,
        started_ms: NOW,
        state: JobState::Active { waits: None },
    };
    let decided = |runs: Vec<BackupRun>, farewell, active, now_ms| {
        let status = ChainBackupStatus { runs, ..ChainBackupStatus::default() };
        let situation = Situation {
            spec: &spec,
            status: &status,
            chain: (farewell != Farewell::Gone).then_some(&chain),
            active,
            elsewhere: None,
            asked_backup: None,
            asked_drill: Some("1"),
            farewell,
            now_ms,
        };
        (step(&situation), due(&situation))
    };
    let owed = Farewell::Owed { chain: UID };
    let copies = |step: Step| matches!(step, Step::Backup { .. });
    let aborts = |step: Step| matches!(step, Step::Abort { job, .. } if job == "d");
    assert!(copies(decided(vec![run("a", 1, 1)], owed, None, NOW).0), "although none is due");
    assert!(aborts(decided(vec![run("a", 1, 1)], owed, Some(&drill), NOW).0));
    assert!(aborts(decided(vec![run("a", 1, 1)], Farewell::Gone, Some(&drill), NOW).0));
    let again = |now_ms| decided(vec![failed(last(run("b", 0, 1)))], owed, None, now_ms).0;
    assert_eq!(again(NOW + 29_000), Step::Nothing);
    assert!(copies(again(NOW + 30_000)));
    for farewell in [Farewell::Given, Farewell::Gone] {
        let later = NOW + 48 * HOUR;
        assert_eq!(decided(vec![last(run("b", 0, 1))], farewell, None, later), (Step::Nothing, Due::default()));
    }
}

#[tokio::test]
async fn a_deleted_chain_is_saved_once_more_and_then_the_runs_are_only_pointed_at() {
    let server = server(json!({}));
    pass(&server, NOW).await.unwrap();
    ends(&server, RUN, &reported(9).to_string());
    pass(&server, NOW + 60_000).await.unwrap();
    let drill = path("jobs", "daily-drill-20261123t171600z");
    assert!(server.get(&drill).is_some());
    server.put(CHAIN, leaving_json());
    pass(&server, NOW + 63_000).await.unwrap();
    assert_eq!(server.get(&drill), None, "a drill does not stand in the way");
    pass(&server, NOW + 66_000).await.unwrap();
    let job = "daily-20261123t171606z";
    let made = server.get(&path("jobs", job)).expect("the final backup");
    assert_eq!(made["metadata"]["annotations"]["citychain.dev/final-of"], UID);
    ends(&server, job, &reported(11).to_string());
    pass(&server, NOW + 120_000).await.unwrap();
    let runs = || server.get(BACKUP).unwrap()["status"]["runs"].clone();
    assert_eq!((&runs()[0]["finalOf"], &runs()[0]["holds"]["height"]), (&json!(UID), &json!(11)));
    assert_eq!(runs()[1]["finalOf"], Value::Null);
    server.remove(CHAIN);
    pass(&server, NOW + 180_000).await.unwrap();
    let (_, said) = condition(&server, "Progressing");
    assert_eq!(
        said,
        "its chain `main` is deleted; the runs stay in notary/main/daily of the volume claim `backups`, and nobody removes them"
    );
    assert_eq!(condition(&server, "Ready").0, "True", "the backup is as good as before");
    writes(&server);
    pass(&server, NOW + 48 * HOUR).await.unwrap();
    assert_eq!(writes(&server), Vec::<String>::new(), "and then nothing, however late");
    server.put(CHAIN, chain_json(&[1, 2, 3, 4]));
    pass(&server, NOW + 48 * HOUR).await.unwrap();
    let drill = path("jobs", "daily-drill-20261125t171500z");
    assert!(server.get(&drill).is_some(), "asked for again, it is looked after as before");
}

#[test]
fn a_chain_on_its_way_out_wakes_its_own_backups_and_no_other() {
    let kind = objects::resource::<ChainBackupSpec>();
    let mut writer = Writer::new(kind);
    let mut put = |name: &str, namespace: &str, chain: &str| {
        let mut object = backup_json(json!({"chain": chain}));
        object["metadata"]["name"] = json!(name);
        object["metadata"]["namespace"] = json!(namespace);
        writer.apply_watcher_event(&watcher::Event::Apply(serde_json::from_value::<DynamicObject>(object).unwrap()));
    };
    put("daily", "tenant-notary", "main");
    put("yearly", "tenant-notary", "main");
    put("other", "tenant-notary", "other");
    put("daily", "tenant-health", "main");
    let known = writer.as_reader();
    let woken = |chain: Value| {
        let chain: PartialObjectMeta<DynamicObject> = serde_json::from_value(chain).unwrap();
        let mut names: Vec<_> =
            of_leaving(&chain, &known).into_iter().map(|one| (one.namespace.unwrap_or_default(), one.name)).collect();
        names.sort();
        names
    };
    let own = |name: &str| ("tenant-notary".to_owned(), name.to_owned());
    assert_eq!(woken(leaving_json()), [own("daily"), own("yearly")]);
    assert_eq!(woken(chain_json(&[1])), []);
}

#[tokio::test]
async fn a_job_that_cannot_be_made_is_told_and_tried_again() {
    let server: ApiServer = server(json!({}));
    server.put(CHAIN, leaving_json());
    server.fail("POST /apis/batch", 403);
    assert!(pass(&server, NOW).await.is_err());
    assert!(condition(&server, "Progressing").1.contains("waiting: "), "{:?}", condition(&server, "Progressing"));
    server.heal();
    pass(&server, NOW + 10_000).await.unwrap();
    assert!(server.get(&path("jobs", "daily-20261123t171510z")).is_some());
}
