//! What is said of a ChainBackup after a pass. Pure.

use operator_api::{
    BackupPhase, ChainBackup, ChainBackupStatus, Condition, ConditionStatus, Time, conditions, reason, set_condition,
};

use super::{
    Task,
    due::{Due, newest},
    fetch::JobSeen,
    record::newest_proven,
};

/// How a pass ended.
pub struct Pass<'a> {
    pub active: Option<&'a JobSeen>,
    pub due: Due,
    /// Why what is due cannot be done.
    pub waits: Option<&'a str>,
    /// Why the spec cannot be carried out.
    pub invalid: Option<&'a str>,
    /// Its chain was there once and is deleted.
    pub is_gone: bool,
    pub paused: bool,
    pub now_ms: u64,
}

pub fn status(backup: &ChainBackup, recorded: ChainBackupStatus, pass: &Pass<'_>) -> ChainBackupStatus {
    let generation = backup.metadata.generation;
    let mut status = recorded;
    status.observed_generation = generation;
    status.phase = match pass.active {
        Some(JobSeen { task: Task::Backup, .. }) => BackupPhase::BackingUp,
        Some(JobSeen { task: Task::Drill, .. }) => BackupPhase::Drilling,
        None if pass.waits.is_some() => BackupPhase::Waiting,
        None => BackupPhase::Idle,
    };
    // Of what is due now the moment changes with every pass, and the phase says it already.
    let later = |at: Option<u64>| at.filter(|at| *at > pass.now_ms).map(|at| Time::from_ms(at / 1_000 * 1_000));
    (status.next_backup_at, status.next_drill_at) = (later(pass.due.backup_ms), later(pass.due.drill_ms));
    let all = [ready(&status, pass), progressing(backup, pass), proven(&status)];
    for (kind, (holds, reason, message)) in
        [conditions::READY, conditions::PROGRESSING, conditions::BACKUP_PROVEN].into_iter().zip(all)
    {
        let condition = Condition {
            kind: kind.to_owned(),
            status: holds,
            reason: reason.to_owned(),
            message,
            last_transition_time: Time::from_ms(pass.now_ms / 1_000 * 1_000),
            observed_generation: generation,
        };
        set_condition(&mut status.conditions, condition);
    }
    status
}

type Said = (ConditionStatus, &'static str, String);

fn ready(status: &ChainBackupStatus, pass: &Pass<'_>) -> Said {
    if let Some(why) = pass.invalid {
        return (ConditionStatus::False, reason::INVALID_SPEC, why.to_owned());
    }
    let Some(last) = status.runs.iter().find(|run| run.finished_at.is_some()) else {
        return (ConditionStatus::False, reason::NO_BACKUP, "no backup has been made yet".to_owned());
    };
    match (&last.failure, &last.holds) {
        (None, Some(holds)) => {
            let message = format!("{} holds the chain to height {}, {} bytes", last.name, holds.height, holds.bytes);
            (ConditionStatus::True, reason::BACKED_UP, message)
        }
        (failure, _) => {
            let failure = failure.as_deref().unwrap_or("it gave no reason");
            let message = format!("{} of {} failed: {failure}; it is tried again by itself", last.name, last.validator);
            (ConditionStatus::False, reason::BACKUP_FAILED, message)
        }
    }
}

fn progressing(backup: &ChainBackup, pass: &Pass<'_>) -> Said {
    if pass.paused {
        return (ConditionStatus::False, reason::PAUSED, "an annotation says so; nothing is begun".to_owned());
    }
    let Some(job) = pass.active else {
        return match pass.waits {
            Some(why) => (ConditionStatus::False, reason::ACTION_FAILED, format!("waiting: {why}")),
            None if pass.is_gone => (ConditionStatus::False, reason::CHAIN_DELETED, is_deleted(backup)),
            None => (ConditionStatus::False, reason::UP_TO_DATE, "nothing is due".to_owned()),
        };
    };
    let what = match (job.task, job.validator) {
        (Task::Backup, Some(validator)) => format!("{} copies {validator}", job.name),
        (Task::Backup, None) => job.name.clone(),
        (Task::Drill, _) => format!("{} restores {}", job.name, job.run),
    };
    let reason = match job.task {
        Task::Backup => reason::BACKING_UP,
        Task::Drill => reason::DRILLING,
    };
    let message = match (&job.state, pass.waits) {
        (super::fetch::JobState::Active { waits: Some(why) }, _) => format!("{what}; its pod waits: {why}"),
        (_, Some(why)) => format!("{what}: {why}"),
        _ => what,
    };
    (ConditionStatus::True, reason, message)
}

/// The destination is nobody's but the person's who owns it.
fn is_deleted(backup: &ChainBackup) -> String {
    let spec = &backup.spec;
    let at = match &spec.destination.volume {
        Some(volume) => {
            format!("{}/{}/{} of the volume claim `{}`", spec.tenant, spec.chain, backup.name(), volume.claim)
        }
        None => super::job::address(spec, backup.name()),
    };
    format!("its chain `{}` is deleted; the runs stay in {at}, and nobody removes them", spec.chain)
}

fn proven(status: &ChainBackupStatus) -> Said {
    let drilled =
        status.runs.iter().filter_map(|run| Some((run, run.drill.as_ref()?))).max_by_key(|(_, drill)| drill.at);
    let Some((run, drill)) = drilled else {
        let message = match newest(status) {
            Some(run) => format!("{} has not been restored yet", run.name),
            None => "there is no backup to restore".to_owned(),
        };
        return (ConditionStatus::Unknown, reason::NOT_DRILLED, message);
    };
    let height = run.holds.as_ref().map(|holds| holds.height).unwrap_or_default();
    if let Some(failure) = &drill.failure {
        let since = newest_proven(&status.runs).and_then(|run| Some((run, run.drill.as_ref()?)));
        let since = since.map_or_else(
            || "no backup is proven".to_owned(),
            |(run, drill)| format!("{} was proven at {}", run.name, drill.at),
        );
        let message = format!("{} was not restored at {}: {failure}; {since}", run.name, drill.at);
        return (ConditionStatus::False, reason::DRILL_FAILED, message);
    }
    let anchored = drill
        .anchored_height
        .map_or_else(String::new, |height| format!(" and, at height {height}, as the city chain has anchored it"));
    let message = format!(
        "at {} {} was restored, executed again from genesis and found at height {height} as {} validators certify it{anchored}",
        drill.at,
        run.name,
        drill.validators.unwrap_or_default(),
    );
    (ConditionStatus::True, reason::DRILL_PASSED, message)
}
