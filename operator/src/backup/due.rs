//! What is to be done for a ChainBackup now. Pure.
//!
//! One Job at a time for a chain: a second copy would hold on to twice the tables. Backups rotate over the validators, so that
//! one that cannot be copied shows and does not stand in the way of the others. Who proposes changes with every block, and a copy costs a flush:
//! the proposer is not spared. A chain that is deleted is backed up once more before anything else, and then never again.

use operator_api::{BackupRun, Chain, ChainBackupSpec, ChainBackupStatus, ChainState, ValidatorName};

use super::{Task, farewell::Farewell, fetch::JobSeen};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// After a backup that failed.
const BACKUP_AGAIN_MS: u64 = 10 * 60_000;
/// After a drill that failed, if nothing newer is there to drill.
const DRILL_AGAIN_MS: u64 = 6 * HOUR_MS;
/// After a final backup that failed: somebody waits for it.
const FINAL_AGAIN_MS: u64 = 30_000;

/// All that the decision rests on.
pub struct Situation<'a> {
    pub spec: &'a ChainBackupSpec,
    /// With what ended Jobs have said.
    pub status: &'a ChainBackupStatus,
    pub chain: Option<&'a Chain>,
    pub active: Option<&'a JobSeen>,
    /// The active Job of another ChainBackup of this chain.
    pub elsewhere: Option<&'a str>,
    /// What the annotations ask for, where that was not answered yet.
    pub asked_backup: Option<&'a str>,
    pub asked_drill: Option<&'a str>,
    /// Whether its chain is on its way out.
    pub farewell: Farewell<'a>,
    pub now_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Nothing,
    Backup {
        validator: ValidatorName,
    },
    Drill {
        run: String,
    },
    /// The Job goes, and what it did counts as not done.
    Abort {
        job: String,
        why: String,
    },
    /// Something is due and cannot be done.
    Wait {
        why: String,
    },
}

/// When the next of each is due; `None` if only a person's word makes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub backup_ms: Option<u64>,
    pub drill_ms: Option<u64>,
}

pub fn step(situation: &Situation<'_>) -> Step {
    if let Some(job) = situation.active {
        return keep_or_abort(situation, job);
    }
    let due = due(situation);
    let is_due = |at: Option<u64>| at.is_some_and(|at| at <= situation.now_ms);
    if is_due(due.backup_ms) {
        return backup(situation);
    }
    match newest(situation.status) {
        Some(run) if is_due(due.drill_ms) && situation.chain.is_some() => match situation.elsewhere {
            Some(job) => Step::Wait { why: format!("{job} is under way for the same chain") },
            None => Step::Drill { run: run.name.clone() },
        },
        _ => Step::Nothing,
    }
}

fn abort(job: &JobSeen, why: String) -> Step {
    Step::Abort { job: job.name.clone(), why }
}

/// A copy holds the validator's volume on the machine where both were: one that restarts elsewhere must not wait for it.
fn keep_or_abort(situation: &Situation<'_>, job: &JobSeen) -> Step {
    let (Task::Backup, Some(validator)) = (job.task, job.validator) else {
        return match situation.farewell {
            Farewell::Owed { .. } => abort(job, "its chain is deleted, and the final backup comes first".to_owned()),
            Farewell::Gone => abort(job, "its chain is deleted, so nobody is left to compare with".to_owned()),
            Farewell::None | Farewell::Given => Step::Nothing,
        };
    };
    match situation.chain.is_some_and(|chain| ready(chain).any(|name| name == validator)) {
        true => Step::Nothing,
        false => abort(
            job,
            format!("{validator} is not ready any more, and a copy must not hold its volume; another is begun"),
        ),
    }
}

fn backup(situation: &Situation<'_>) -> Step {
    let wait = |why: String| Step::Wait { why };
    let Some(chain) = situation.chain else {
        return wait(format!("there is no chain `{}` in this namespace", situation.spec.chain));
    };
    if let Some(job) = situation.elsewhere {
        return wait(format!("{job} is under way for the same chain"));
    }
    if chain.spec.state == ChainState::Hibernated {
        return wait("the chain is hibernated, so nobody can be copied until it runs again".to_owned());
    }
    match validator(&situation.status.runs, &ready(chain).collect::<Vec<_>>()) {
        Some(validator) => Step::Backup { validator },
        None => wait("no validator of the chain is caught up".to_owned()),
    }
}

/// The next one by number. After a failure the same once more: what a killed copy left on its disk is removed then.
fn validator(runs: &[BackupRun], ready: &[ValidatorName]) -> Option<ValidatorName> {
    let last = runs.first();
    let before = runs.get(1).filter(|run| run.failure.is_some()).map(|run| run.validator);
    let once_more = last.filter(|run| run.failure.is_some() && before != Some(run.validator)).map(|run| run.validator);
    let next = ready.iter().find(|name| last.is_none_or(|last| **name > last.validator)).or(ready.first());
    once_more.filter(|name| ready.contains(name)).or(next.copied())
}

/// Validators that have every block, by number.
fn ready(chain: &Chain) -> impl Iterator<Item = ValidatorName> {
    let rows = chain.status.iter().flat_map(|status| &status.validators);
    let mut names: Vec<_> = rows.filter(|row| row.ready && row.voting).map(|row| row.name).collect();
    names.sort_unstable();
    names.into_iter()
}

/// The newest backup.
pub fn newest(status: &ChainBackupStatus) -> Option<&BackupRun> {
    status.runs.iter().find(|run| run.succeeded())
}

pub fn due(situation: &Situation<'_>) -> Due {
    let Situation { spec, status, now_ms, .. } = situation;
    match situation.farewell {
        Farewell::None => {}
        Farewell::Owed { chain } => {
            let again_ms = |run: &BackupRun| {
                let failed = run.failure.is_some() && run.final_of.as_deref() == Some(chain);
                failed.then(|| run.finished_at.unwrap_or(run.started_at).ms().saturating_add(FINAL_AGAIN_MS))
            };
            let backup_ms = status.runs.first().and_then(again_ms).unwrap_or(*now_ms);
            return Due { backup_ms: Some(backup_ms), drill_ms: None };
        }
        // Nobody is left to be copied, or to be asked whether a drill has found the same.
        Farewell::Given | Farewell::Gone => return Due::default(),
    }
    let backup_ms = match status.runs.first() {
        _ if situation.asked_backup.is_some() => Some(*now_ms),
        None => Some(*now_ms),
        Some(last) if last.failure.is_some() => {
            Some(last.finished_at.unwrap_or(last.started_at).ms().saturating_add(BACKUP_AGAIN_MS))
        }
        Some(last) => spec.schedule.map(|schedule| {
            last.started_at.ms().saturating_add(u64::from(schedule.every_hours).saturating_mul(HOUR_MS))
        }),
    };
    let last_drill = status.runs.iter().filter_map(|run| run.drill.as_ref()).max_by_key(|drill| drill.at);
    let drill_ms = newest(status).map(|run| match last_drill {
        _ if situation.asked_drill.is_some() => *now_ms,
        None => *now_ms,
        Some(drill) if drill.is_proof() => {
            drill.at.ms().saturating_add(u64::from(spec.drill.every_days).saturating_mul(DAY_MS))
        }
        Some(drill) if run.started_at > drill.at => *now_ms,
        Some(drill) => drill.at.ms().saturating_add(DRILL_AGAIN_MS),
    });
    Due { backup_ms, drill_ms }
}
