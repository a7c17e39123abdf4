//! The pure parts as tables: what is due, on which validator, what stays, what is said, whether the chain agrees.

use chain_types::{BlockId, Fingerprint, Hash, Header, PublicKey, api::BackedUp};
use operator_api::{BackupPhase, ChainBackupStatus, ConditionStatus};

use super::{
    super::{
        compare::{Verdict, judge},
        due::{Situation, Step, step},
        farewell::Farewell,
        record::{Seen, record},
        status,
    },
    *,
};

fn status_of(runs: Vec<BackupRun>) -> ChainBackupStatus {
    ChainBackupStatus { runs, ..ChainBackupStatus::default() }
}

fn copy_of(number: u8) -> Step {
    Step::Backup { validator: format!("validator-{number}").parse().unwrap() }
}

fn drill_of(run: &str) -> Step {
    Step::Drill { run: run.to_owned() }
}

/// What is done with these runs, newest first.
fn done(runs: Vec<BackupRun>, hours: Option<u32>, ready: &[u8], asked: [Option<&str>; 2]) -> Step {
    let spec = match hours {
        Some(hours) => backup(json!({"schedule": {"everyHours": hours}})).spec,
        None => backup(json!({})).spec,
    };
    let (status, chain) = (status_of(runs), chain(ready));
    let [asked_backup, asked_drill] = asked;
    step(&Situation {
        spec: &spec,
        status: &status,
        chain: Some(&chain),
        active: None,
        elsewhere: None,
        asked_backup,
        asked_drill,
        farewell: Farewell::None,
        now_ms: NOW,
    })
}

#[test]
fn what_is_due_is_done_and_a_backup_comes_first() {
    const ALL: &[u8] = &[1, 2, 3, 4];
    let proven = |hours| drilled(run("a", hours, 2), hours, None);
    let cases = [
        ("the first at once", vec![], Some(24), ALL, copy_of(1)),
        ("the first at once without a schedule too", vec![], None, ALL, copy_of(1)),
        ("its drill follows", vec![run("a", 1, 2)], Some(24), ALL, drill_of("a")),
        ("then nothing", vec![proven(1)], Some(24), ALL, Step::Nothing),
        ("until the next is due, of the next validator", vec![proven(24)], Some(24), ALL, copy_of(3)),
        ("or of the first after the last", vec![drilled(run("a", 24, 4), 24, None)], Some(24), ALL, copy_of(1)),
        ("or of the next that is caught up", vec![proven(24)], Some(24), &[1, 4], copy_of(4)),
        ("without a schedule never", vec![proven(100)], None, ALL, Step::Nothing),
        ("but the drill again after a week", vec![proven(24 * 7)], None, ALL, drill_of("a")),
        ("of the newest", vec![run("b", 1, 3), proven(24 * 7)], None, ALL, drill_of("b")),
        ("a failed one again soon", vec![failed(run("b", 1, 3)), proven(24)], Some(24), ALL, copy_of(3)),
        ("once", vec![failed(run("b", 1, 3)), failed(run("a", 2, 3))], Some(24), ALL, copy_of(4)),
        ("if it is well", vec![failed(run("b", 1, 3)), proven(24)], Some(24), &[1, 2], copy_of(1)),
        ("not at once", vec![failed(run("b", 0, 3)), proven(24)], Some(24), ALL, Step::Nothing),
        ("a failed drill not at once", vec![drilled(run("a", 5, 2), 5, Some("x"))], None, ALL, Step::Nothing),
        ("but in six hours", vec![drilled(run("a", 9, 2), 6, Some("x"))], None, ALL, drill_of("a")),
        (
            "or when there is a newer backup",
            vec![run("b", 1, 3), drilled(run("a", 9, 2), 2, Some("x"))],
            None,
            ALL,
            drill_of("b"),
        ),
    ];
    for (what, runs, hours, ready, expected) in cases {
        assert_eq!(done(runs, hours, ready, [None, None]), expected, "{what}");
    }
    let settled = || vec![proven(1)];
    assert_eq!(done(settled(), None, ALL, [Some("1"), None]), copy_of(3), "a person asks for a backup");
    assert_eq!(done(settled(), None, ALL, [None, Some("1")]), drill_of("a"), "and for a drill");
    assert!(matches!(done(vec![], None, &[], [None, None]), Step::Wait { why } if why.contains("no validator")));
}

#[test]
fn one_job_at_a_time_and_none_that_holds_a_validators_volume() {
    let spec = backup(json!({})).spec;
    let (status, asleep) = (status_of(vec![]), {
        let mut asleep = chain(&[]);
        asleep.spec.state = operator_api::ChainState::Hibernated;
        asleep
    });
    let job = |task, validator: Option<&str>| JobSeen {
        name: "j".to_owned(),
        task,
        run: "j".to_owned(),
        validator: validator.map(|name| name.parse().unwrap()),
        answers: None,
        anchored_height: None,
        final_of: None,
        started_ms: NOW,
        state: JobState::Active { waits: None },
    };
    let of = |chain: Option<&Chain>, active: Option<&JobSeen>, elsewhere| {
        step(&Situation {
            spec: &spec,
            status: &status,
            chain,
            active,
            elsewhere,
            asked_backup: None,
            asked_drill: None,
            farewell: Farewell::None,
            now_ms: NOW,
        })
    };
    let (copy, drill) = (job(Task::Backup, Some("validator-2")), job(Task::Drill, None));
    assert_eq!(of(Some(&chain(&[1, 2])), Some(&copy), None), Step::Nothing);
    assert!(matches!(of(Some(&chain(&[1, 3])), Some(&copy), None), Step::Abort { job, .. } if job == "j"));
    assert!(matches!(of(None, Some(&copy), None), Step::Abort { .. }));
    assert_eq!(of(Some(&chain(&[])), Some(&drill), None), Step::Nothing);
    let waits = |step: Step, word: &str| matches!(step, Step::Wait { why } if why.contains(word));
    assert!(waits(of(Some(&chain(&[1])), None, Some("other-1")), "other-1 is under way"));
    assert!(waits(of(Some(&asleep), None, None), "hibernated"));
    assert!(waits(of(None, None, None), "there is no chain `main`"));
}

fn ended(task: Task, run: &str, report: Value) -> JobSeen {
    JobSeen {
        name: format!("{run}-job"),
        task,
        run: run.to_owned(),
        validator: Some("validator-1".parse().unwrap()),
        answers: Some("asked".to_owned()),
        anchored_height: Some(5),
        final_of: None,
        started_ms: NOW - HOUR,
        state: JobState::Ended { at_ms: NOW, report: serde_json::from_value(report).unwrap() },
    }
}

#[test]
fn what_a_job_said_stands_in_the_list_of_runs() {
    let failure = json!({"outcome": "failed", "reason": "the node refused"});
    let made = |job: JobSeen| record(&status_of(vec![]), &[Seen { job: &job, verdict: None }], 7, NOW);
    let status = made(ended(Task::Backup, "a", reported(9)));
    assert_eq!((status.runs[0].holds.as_ref(), status.last_backup_at), (Some(&holds(9)), Some(Time::from_ms(NOW))));
    assert_eq!(status.answered_backup, "asked");
    let status = made(ended(Task::Backup, "a", failure.clone()));
    assert_eq!((status.runs[0].failure.as_deref(), status.last_backup_at), (Some("the node refused"), None));
    // A drill: what the program found, and what the running chain says.
    let saved = || status_of(vec![run("a", 2, 1)]);
    let drilled = |report: &Value, verdict| {
        let job = ended(Task::Drill, "a", report.clone());
        let after = record(&saved(), &[Seen { job: &job, verdict }], 7, NOW);
        (after.runs[0].drill.clone(), after.last_proven_at)
    };
    let agrees = || Some(Verdict::Agrees { validators: 4 });
    let (drill, at) = drilled(&reported(9), agrees());
    let drill = drill.unwrap();
    assert!(drill.is_proof() && (drill.validators, drill.anchored_height) == (Some(4), Some(5)));
    assert_eq!(at, Some(Time::from_ms(NOW)));
    let why = |(drill, at): (Option<RunDrill>, Option<Time>)| {
        assert_eq!(at, None);
        drill.unwrap().failure.unwrap()
    };
    assert_eq!(why(drilled(&failure, None)), "the node refused");
    assert!(why(drilled(&reported(8), agrees())).contains("is not what was saved"));
    assert_eq!(why(drilled(&reported(9), Some(Verdict::Differs { reason: "x".into() }))), "x");
    let later = Some(Verdict::NotYet { why: "x".into() });
    assert_eq!(drilled(&reported(9), later), (None, None));
}

#[test]
fn the_list_holds_what_the_destination_keeps_and_the_last_failures() {
    let mut runs: Vec<_> = (1..=6).map(|n| run(&format!("ok-{n}"), n, 1)).collect();
    runs[4] = drilled(runs[4].clone(), 1, None);
    runs.extend((1..=5).map(|n| failed(run(&format!("bad-{n}"), n, 1))));
    runs.push(BackupRun { finished_at: None, holds: None, ..run("lost", 0, 1) });
    let status = record(&status_of(runs), &[], 2, NOW);
    let names: Vec<&str> = status.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["lost", "ok-1", "bad-1", "ok-2", "bad-2", "ok-5"]);
    assert!(status.runs[0].failure.as_deref().unwrap().contains("removed before it ended"));
}

fn header(done: &BackedUp) -> Header {
    Header {
        version: 1,
        fingerprint: done.fingerprint,
        height: done.height + 1,
        round: 0,
        time_ms: 1,
        parent: done.block_id,
        tx_root: Hash([0; 32]),
        validators_hash: Hash([0; 32]),
        next_validators_hash: Hash([0; 32]),
        proposer: PublicKey([0; 32]),
        state_root: done.state_root,
        log_size: done.log_size,
        log_root: done.log_root,
        results_root: Hash([0; 32]),
    }
}

#[test]
fn a_restored_backup_is_the_chain_only_if_two_validators_certify_every_part_of_it() {
    let done = BackedUp {
        fingerprint: Fingerprint([7; 32]),
        height: 9,
        block_id: BlockId([1; 32]),
        state_root: Hash([2; 32]),
        log_size: 3,
        log_root: Hash([3; 32]),
        files: 5,
        bytes: 1,
    };
    let says = |header: Header| ("validator-1".to_owned(), header);
    let same = || says(header(&done));
    assert_eq!(judge(&[same(), same()], &[], &done), Verdict::Agrees { validators: 2 });
    assert!(
        matches!(judge(&[same()], &["validator-2: gone".into()], &done), Verdict::NotYet { why } if why.contains("gone"))
    );
    assert!(matches!(judge(&[], &[], &done), Verdict::NotYet { .. }));
    type Change = (&'static str, fn(&mut Header));
    let changes: [Change; 4] = [
        ("block", |header| header.parent = BlockId([9; 32])),
        ("state root", |header| header.state_root = Hash([9; 32])),
        ("log", |header| header.log_root = Hash([9; 32])),
        ("log", |header| header.log_size = 4),
    ];
    for (word, change) in changes {
        let mut other = header(&done);
        change(&mut other);
        // Two that agree do not outvote one that differs: certificates of a quorum contradict each other.
        match judge(&[same(), same(), says(other)], &[], &done) {
            Verdict::Differs { reason } => assert!(reason.contains(&format!("the restored {word} is")), "{reason}"),
            verdict => panic!("{word}: {verdict:?}"),
        }
    }
}

#[test]
fn conditions_say_in_one_sentence_each_how_it_stands() {
    let proven = || drilled(run("a", 30, 1), 29, None);
    let touched = || drilled(run("b", 2, 2), 1, Some("run/store/000009.sst is not the file that was saved"));
    type Said = (ConditionStatus, &'static str);
    let cases: [(Vec<BackupRun>, [Said; 2]); 5] = [
        (
            vec![],
            [(ConditionStatus::False, "no backup has been made"), (ConditionStatus::Unknown, "there is no backup")],
        ),
        (
            vec![run("a", 1, 1)],
            [(ConditionStatus::True, "to height 9"), (ConditionStatus::Unknown, "not been restored yet")],
        ),
        (
            vec![proven()],
            [(ConditionStatus::True, "to height 9"), (ConditionStatus::True, "as 4 validators certify it")],
        ),
        (
            vec![touched(), proven()],
            [
                (ConditionStatus::True, "b holds"),
                (ConditionStatus::False, "000009.sst is not the file that was saved; a was proven"),
            ],
        ),
        (
            vec![failed(run("c", 1, 3)), proven()],
            [(ConditionStatus::False, "c of validator-3 failed: disk full"), (ConditionStatus::True, "height 9")],
        ),
    ];
    let backup = backup(json!({}));
    for (runs, expected) in cases {
        let after = status::status(&backup, status_of(runs), &nothing(NOW));
        assert_eq!(after.phase, BackupPhase::Idle);
        for (kind, (holds, words)) in ["Ready", "BackupProven"].into_iter().zip(expected) {
            let condition = after.conditions.iter().find(|one| one.kind == kind).unwrap();
            assert_eq!(condition.status, holds, "{kind}: {}", condition.message);
            assert!(condition.message.contains(words), "{kind}: {}", condition.message);
        }
    }
}
