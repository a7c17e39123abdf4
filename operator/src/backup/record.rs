//! What Jobs add to the list of runs, and which runs stay in it. Pure.

use chain_types::api::{BackedUp, BackupReport};
use operator_api::{BackupRun, ChainBackupStatus, Holds, RunDrill, Time};

use super::{
    Task,
    compare::Verdict,
    fetch::{JobSeen, JobState},
};

/// Failed runs that stay to be read.
const FAILURES_KEPT: usize = 3;

/// A Job and, if it is a drill that restored its run, how that compares with the running chain.
pub struct Seen<'a> {
    pub job: &'a JobSeen,
    pub verdict: Option<Verdict>,
}

/// The status with what is known of these Jobs, which are all there are.
pub fn record(before: &ChainBackupStatus, seen: &[Seen<'_>], keep: usize, now_ms: u64) -> ChainBackupStatus {
    let mut status = before.clone();
    let running = |run: &BackupRun| seen.iter().any(|one| one.job.task == Task::Backup && one.job.run == run.name);
    for run in status.runs.iter_mut().filter(|run| run.finished_at.is_none()) {
        if !running(run) {
            run.finished_at = Some(second(now_ms));
            run.failure = Some("its Job was removed before it ended".to_owned());
        }
    }
    for one in seen {
        match one.job.task {
            Task::Backup => backup(&mut status, one.job),
            Task::Drill => drill(&mut status, one.job, one.verdict.as_ref()),
        }
    }
    status.runs.sort_by(|a, b| (b.started_at, &b.name).cmp(&(a.started_at, &a.name)));
    prune(&mut status.runs, keep);
    status.last_backup_at = status.runs.iter().find(|run| run.succeeded()).and_then(|run| run.finished_at);
    status
}

fn backup(status: &mut ChainBackupStatus, job: &JobSeen) {
    let Some(validator) = job.validator else { return };
    if !status.runs.iter().any(|run| run.name == job.run) {
        let (name, started_at) = (job.run.clone(), Time::from_ms(job.started_ms));
        status.runs.push(BackupRun {
            name,
            validator,
            started_at,
            finished_at: None,
            failure: None,
            holds: None,
            drill: None,
            final_of: job.final_of.clone(),
        });
    }
    if let Some(answered) = &job.answers {
        status.answered_backup.clone_from(answered);
    }
    let Some(run) = status.runs.iter_mut().find(|run| run.name == job.run) else { return };
    let JobState::Ended { at_ms, report } = &job.state else { return };
    if run.finished_at.is_some() {
        return;
    }
    run.finished_at = Some(second(*at_ms));
    match report {
        BackupReport::Done(done) => run.holds = Some(holds(done)),
        BackupReport::Failed { reason } => run.failure = Some(reason.clone()),
    }
}

fn drill(status: &mut ChainBackupStatus, job: &JobSeen, verdict: Option<&Verdict>) {
    if let Some(answered) = &job.answers {
        status.answered_drill.clone_from(answered);
    }
    let JobState::Ended { at_ms, report } = &job.state else { return };
    let at = second(*at_ms);
    let Some(run) = status.runs.iter_mut().find(|run| run.name == job.run) else { return };
    if run.drill.as_ref().is_some_and(|drill| drill.at >= at) {
        return;
    }
    let failed =
        |reason: &str| RunDrill { at, validators: None, anchored_height: None, failure: Some(reason.to_owned()) };
    let drill = match (report, verdict) {
        (BackupReport::Failed { reason }, _) => failed(reason),
        (BackupReport::Done(done), Some(Verdict::Agrees { validators })) => match run.holds == Some(holds(done)) {
            true => RunDrill { at, validators: Some(*validators), anchored_height: job.anchored_height, failure: None },
            false => failed("what was restored is not what was saved: another backup lies under its name"),
        },
        (BackupReport::Done(_), Some(Verdict::Differs { reason })) => failed(reason),
        // The running chain could not be asked yet.
        (BackupReport::Done(_), Some(Verdict::NotYet { .. }) | None) => return,
    };
    if drill.is_proof() {
        status.last_proven_at = Some(at);
    }
    run.drill = Some(drill);
}

pub fn holds(done: &BackedUp) -> Holds {
    Holds {
        fingerprint: done.fingerprint.to_string(),
        height: done.height,
        block_id: done.block_id.to_string(),
        state_root: done.state_root.to_string(),
        log_size: done.log_size,
        log_root: done.log_root.to_string(),
        files: done.files,
        bytes: done.bytes,
    }
}

/// Newest first; as many as the destination keeps, by the same rule.
fn prune(runs: &mut Vec<BackupRun>, keep: usize) {
    let proven = newest_proven(runs).map(|run| run.name.clone());
    let (mut kept, mut failed) = (0, 0);
    runs.retain(|run| {
        if run.finished_at.is_none() {
            return true;
        }
        let count = if run.succeeded() { &mut kept } else { &mut failed };
        *count += 1;
        let most = if run.succeeded() { keep.max(1) } else { FAILURES_KEPT };
        *count <= most || proven.as_ref() == Some(&run.name)
    });
}

/// The newest run that a drill has restored; it stays.
pub fn newest_proven(runs: &[BackupRun]) -> Option<&BackupRun> {
    runs.iter().filter(|run| run.succeeded() && run.is_proven()).max_by_key(|run| run.started_at)
}

/// Kubernetes writes whole seconds.
fn second(ms: u64) -> Time {
    Time::from_ms(ms / 1_000 * 1_000)
}
