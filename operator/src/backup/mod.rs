//! ChainBackups: copies of a chain that are kept outside it, and drills that prove them.
//!
//! ```text
//! fetch     the chain, the Jobs and what their pods said
//! record    what ended Jobs add to the runs (pure); a drill counts once the running chain was compared
//! due       what is to be done now (pure)
//! job       the Job that does it; policy: the holes that its pods need
//! status    what is said (pure); written when it says something new
//! ```
//!
//! A Job is the memory of what was begun: an operator that ends at any point finds it, and its result, and goes on. It is
//! removed after its result stands in the status. The destination is touched by Jobs alone: it outlives this object, and a
//! backup in it can be restored without an operator.

mod anchored;
mod compare;
mod due;
pub mod farewell;
mod fetch;
pub mod job;
pub mod policy;
mod record;
mod status;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chain_types::api::BackupReport;
use farewell::{Farewell, farewell};
use fetch::{Found, JobSeen, JobState};
use k8s_openapi::api::{batch::v1::Job, networking::v1::NetworkPolicy};
use kube::{
    ResourceExt as _,
    api::{Api, DeleteParams, DynamicObject, PartialObjectMeta, PostParams},
    runtime::{Controller, controller::Action, reflector::ObjectRef, watcher},
};
use operator_api::{ChainBackup, ChainBackupSpec, ChainBackupStatus, ChainSpec, Kind};
use record::{Seen, newest_proven};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now_ms,
    context::Shared,
    controllers,
    events::Severity,
    metrics::BackupFacts,
    objects::{self, Change, Child, names},
};

/// While a Job is under way: whether its validator is still well.
const LOOK_SOON: Duration = Duration::from_secs(3);
/// While something is due and cannot be done.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
const LOOK_LATE: Duration = Duration::from_secs(600);
const RETRY_AFTER: Duration = Duration::from_secs(10);
const AT_ONCE: u16 = 8;

/// What a Job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    Backup,
    Drill,
}

impl Task {
    pub fn word(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Drill => "drill",
        }
    }

    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Backup, Self::Drill].into_iter().find(|task| task.word() == word)
    }
}

/// Runs until `shutdown`.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let client = &context.client;
    let ours = || watcher::Config::default().labels(names::BACKUP);
    let all = objects::everywhere::<ChainBackupSpec>(client);
    let chains: Api<PartialObjectMeta<DynamicObject>> =
        Api::all_with(client.clone(), &objects::resource::<ChainSpec>());
    let controller = Controller::new_with(all, watcher::Config::default(), objects::resource::<ChainBackupSpec>());
    let known = controller.store();
    let of_leaving = move |chain: PartialObjectMeta<DynamicObject>| farewell::of_leaving(&chain, &known);
    let passes = controller
        .with_config(kube::runtime::controller::Config::default().concurrency(AT_ONCE))
        .watches::<PartialObjectMeta<Job>, _>(Api::all(client.clone()), ours(), of_label)
        .watches::<PartialObjectMeta<NetworkPolicy>, _>(Api::all(client.clone()), ours(), of_label)
        .watches_with(chains, objects::resource::<ChainSpec>(), watcher::Config::default(), of_leaving)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(timed, |_, _, _| Action::requeue(RETRY_AFTER), context);
    controllers::log_failures(passes).await;
    Ok(())
}

fn of_label<K>(child: PartialObjectMeta<K>) -> Option<ObjectRef<DynamicObject>> {
    let name = child.metadata.labels.as_ref()?.get(names::BACKUP)?;
    let namespace = child.metadata.namespace.as_deref()?;
    Some(ObjectRef::new_with(name, objects::resource::<ChainBackupSpec>()).within(namespace))
}

/// What ended a pass.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] anyhow::Error);

async fn timed(object: Arc<DynamicObject>, context: Shared) -> Result<Action, Error> {
    let began = Instant::now();
    let result = reconcile(&object, &context, now_ms()).await;
    context.metrics.reconciled(
        ChainBackupSpec::KIND,
        began.elapsed(),
        result.as_ref().map(|_| ()).map_err(controllers::what_failed),
    );
    Ok(result?)
}

/// One pass.
async fn reconcile(object: &DynamicObject, context: &Shared, now_ms: u64) -> anyhow::Result<Action> {
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    if object.metadata.deletion_timestamp.is_some() {
        // Its Jobs and policies go with it; what is in the destination stays.
        context.metrics.backup_gone(&namespace, &name);
        return Ok(Action::await_change());
    }
    let backup = match objects::parse::<ChainBackupSpec>(object) {
        Ok(backup) => backup,
        Err(reason) => {
            let there = objects::within::<ChainBackupSpec>(&context.client, &namespace);
            objects::say_unreadable(&there, object, &reason, now_ms).await?;
            return Ok(Action::await_change());
        }
    };
    let before = backup.status.clone().unwrap_or_default();
    if namespace != names::namespace(&backup.spec.tenant) {
        let why = format!("spec.tenant is `{}`, and this is namespace {namespace}", backup.spec.tenant);
        let pass = status::Pass { invalid: Some(&why), ..nothing(now_ms) };
        write(context, &backup, status::status(&backup, before, &pass)).await?;
        return Ok(Action::await_change());
    }
    let found = fetch::fetch(&context.client, &backup).await?;
    for policy in policy::policies(&backup) {
        let child = Child::of(&policy)?;
        let live = child.live(&context.client).await?;
        if child.ensure(&context.client, live.as_ref()).await? == Change::Mended {
            tell(context, &backup, Severity::Normal, "Restored", &format!("{} was set as it should be", child.name()))
                .await;
        }
    }
    let pass = Pass { context, backup: &backup, found: &found, now_ms };
    pass.carry_out(before).await
}

/// One look at one ChainBackup.
struct Pass<'a> {
    context: &'a Shared,
    backup: &'a ChainBackup,
    found: &'a Found,
    now_ms: u64,
}

impl Pass<'_> {
    async fn carry_out(&self, before: ChainBackupStatus) -> anyhow::Result<Action> {
        let mut seen = Vec::new();
        for job in &self.found.jobs {
            seen.push(Seen { job, verdict: self.verdict(job).await? });
        }
        let keep = usize::try_from(self.backup.spec.keep).unwrap_or(usize::MAX);
        let mut recorded = record::record(&before, &seen, keep, self.now_ms);
        // A drill that waits to be compared is under way still.
        let unfinished = seen.iter().find_map(|one| match &one.verdict {
            Some(compare::Verdict::NotYet { why }) => Some((one.job, why.as_str())),
            _ => None,
        });
        let mut active = self.found.jobs.iter().find(|job| job.is_active()).or(unfinished.map(|(job, _)| job));
        let paused = self.backup.metadata.annotations.get(names::PAUSE).is_some_and(|value| value == "true");
        let situation = self.situation(&recorded, active);
        let (due, farewell) = (due::due(&situation), situation.farewell);
        let is_gone = farewell == Farewell::Gone;
        let step = if paused { due::Step::Nothing } else { due::step(&situation) };
        let begun = self.act(&step, &recorded, farewell).await;
        if let due::Step::Abort { job, .. } = &step {
            // Not its fault: another is begun at once, of a validator that is well.
            recorded.runs.retain(|run| run.name != *job);
            active = None;
        }
        let trouble = begun.as_ref().err().map(|error| format!("{error:#}"));
        let waits = match (&step, unfinished) {
            (due::Step::Wait { why }, _) => Some(why.as_str()),
            (_, Some((_, why))) => Some(why),
            _ => trouble.as_deref(),
        };
        let said = status::Pass { active, due, waits, is_gone, paused, ..nothing(self.now_ms) };
        let after = status::status(self.backup, recorded, &said);
        self.report(&before, &after).await;
        write(self.context, self.backup, after).await?;
        // Only now: what it said stands in the status.
        self.remove_ended(unfinished.map(|(job, _)| job.name.as_str())).await?;
        begun?;
        Ok(Action::requeue(self.pause(&step, active.is_some(), waits.is_some(), due)))
    }

    async fn verdict(&self, job: &JobSeen) -> anyhow::Result<Option<compare::Verdict>> {
        let (JobState::Ended { report: BackupReport::Done(done), .. }, Task::Drill) = (&job.state, job.task) else {
            return Ok(None);
        };
        match &self.found.chain {
            Some(chain) => compare::compare(self.context, chain, done).await.map(Some),
            None => Ok(Some(compare::Verdict::NotYet { why: "the chain is not there to compare with".to_owned() })),
        }
    }

    fn situation<'a>(&'a self, recorded: &'a ChainBackupStatus, active: Option<&'a JobSeen>) -> due::Situation<'a> {
        let asked = |key: &str, answered: &str| {
            self.backup.metadata.annotations.get(key).map(String::as_str).filter(|asked| *asked != answered)
        };
        due::Situation {
            spec: &self.backup.spec,
            status: recorded,
            chain: self.found.chain.as_ref(),
            active,
            elsewhere: self.found.elsewhere.as_deref(),
            asked_backup: asked(names::BACKUP_NOW, &recorded.answered_backup),
            asked_drill: asked(names::DRILL_NOW, &recorded.answered_drill),
            farewell: farewell(self.found.chain.as_ref(), self.found.chain_is_there, &recorded.runs),
            now_ms: self.now_ms,
        }
    }

    async fn act(&self, step: &due::Step, recorded: &ChainBackupStatus, farewell: Farewell<'_>) -> anyhow::Result<()> {
        match step {
            due::Step::Nothing | due::Step::Wait { .. } => Ok(()),
            due::Step::Abort { job, why } => {
                self.delete(job).await?;
                let note = format!("{job} was given up: {why}");
                tell(self.context, self.backup, Severity::Warning, "BackupGivenUp", &note).await;
                Ok(())
            }
            due::Step::Backup { validator } => {
                let run = job::name(self.backup.name(), Task::Backup, self.now_ms);
                let proven = newest_proven(&recorded.runs).map(|run| run.name.as_str());
                let final_of = match farewell {
                    Farewell::Owed { chain } => Some(chain),
                    Farewell::None | Farewell::Given | Farewell::Gone => None,
                };
                let frame = job::Frame { final_of, ..self.frame(names::BACKUP_NOW)? };
                self.create(&job::backup(&frame, &run, *validator, proven)).await?;
                let note = format!("{run} copies {validator}");
                tell(self.context, self.backup, Severity::Normal, "BackupStarted", &note).await;
                Ok(())
            }
            due::Step::Drill { run } => {
                let name = job::name(self.backup.name(), Task::Drill, self.now_ms);
                let height = recorded.runs.iter().find(|one| one.name == *run).and_then(|one| one.holds.as_ref());
                let height = height.map(|holds| holds.height).unwrap_or_default();
                let anchors = match &self.found.chain {
                    Some(chain) => anchored::anchors(self.context, chain, height).await?,
                    None => Vec::new(),
                };
                self.create(&job::drill(&self.frame(names::DRILL_NOW)?, name.clone(), run, &anchors)).await?;
                tell(self.context, self.backup, Severity::Normal, "DrillStarted", &format!("{name} restores {run}"))
                    .await;
                Ok(())
            }
        }
    }

    fn frame(&self, request: &'static str) -> anyhow::Result<job::Frame<'_>> {
        let chain = self.found.chain.as_ref().ok_or_else(|| anyhow::anyhow!("there is no chain"))?;
        let config = &self.context.config;
        let version = chain.spec.version;
        let image = config.images.get(&version);
        let image = image.ok_or_else(|| {
            anyhow::anyhow!("there is no image for version {version}; add it to the operator's images")
        })?;
        let answers = self.backup.metadata.annotations.get(request).map(|value| (request, value.as_str()));
        let (backup, owner) = (self.backup, job::owner(self.backup));
        let pull_policy = config.image_pull_policy.as_str();
        Ok(job::Frame { backup, chain, owner, image, pull_policy, answers, final_of: None })
    }

    async fn create(&self, job: &Job) -> anyhow::Result<()> {
        match self.jobs().create(&PostParams::default(), job).await {
            // Begun by a pass that ended before it could say so.
            Err(error) if !objects::is_conflict(&error) => Err(error.into()),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    async fn remove_ended(&self, but: Option<&str>) -> kube::Result<()> {
        let ended = self.found.jobs.iter().filter(|job| !job.is_active() && but != Some(job.name.as_str()));
        for job in ended {
            self.delete(&job.name).await?;
        }
        Ok(())
    }

    async fn delete(&self, job: &str) -> kube::Result<()> {
        match self.jobs().delete(job, &DeleteParams::background()).await {
            Err(error) if !objects::is_not_found(&error) => Err(error),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.context.client.clone(), &names::namespace(&self.backup.spec.tenant))
    }

    /// Events for what has ended since the last pass, and the metrics.
    async fn report(&self, before: &ChainBackupStatus, after: &ChainBackupStatus) {
        for run in &after.runs {
            let known = before.runs.iter().find(|known| known.name == run.name);
            if run.finished_at.is_some() && known.is_none_or(|known| known.finished_at.is_none()) {
                let (severity, reason, note) = match (&run.failure, &run.holds) {
                    (None, Some(holds)) => {
                        (Severity::Normal, "BackedUp", format!("{} holds height {}", run.name, holds.height))
                    }
                    (failure, _) => (
                        Severity::Warning,
                        "BackupFailed",
                        format!("{}: {}", run.name, failure.as_deref().unwrap_or("no reason was given")),
                    ),
                };
                tell(self.context, self.backup, severity, reason, &note).await;
            }
            if let Some(drill) = run.drill.as_ref().filter(|_| known.is_none_or(|known| known.drill != run.drill)) {
                let (severity, reason, note) = match &drill.failure {
                    None => (Severity::Normal, "BackupProven", format!("{} was restored and is the chain", run.name)),
                    Some(failure) => (Severity::Warning, "DrillFailed", format!("{}: {failure}", run.name)),
                };
                tell(self.context, self.backup, severity, reason, &note).await;
            }
        }
        let proven = after.conditions.iter().find(|one| one.kind == operator_api::conditions::BACKUP_PROVEN);
        let facts = BackupFacts {
            chain: self.backup.spec.chain.to_string(),
            last_backup_s: after.last_backup_at.map(|at| at.ms() / 1_000).unwrap_or(0),
            last_proven_s: after.last_proven_at.map(|at| at.ms() / 1_000).unwrap_or(0),
            failed: proven.is_some_and(|one| one.status == operator_api::ConditionStatus::False),
        };
        self.context.metrics.backup(&names::namespace(&self.backup.spec.tenant), self.backup.name().as_str(), facts);
    }

    fn pause(&self, step: &due::Step, active: bool, waits: bool, due: due::Due) -> Duration {
        let begun = matches!(step, due::Step::Backup { .. } | due::Step::Drill { .. } | due::Step::Abort { .. });
        if active || begun {
            return LOOK_SOON;
        }
        if waits {
            return LOOK_AGAIN;
        }
        let next = [due.backup_ms, due.drill_ms].into_iter().flatten().min();
        let left = next.map(|at| Duration::from_millis(at.saturating_sub(self.now_ms).max(1_000)));
        left.unwrap_or(LOOK_LATE).min(LOOK_LATE)
    }
}

fn nothing(now_ms: u64) -> status::Pass<'static> {
    let due = due::Due::default();
    status::Pass { active: None, due, waits: None, invalid: None, is_gone: false, paused: false, now_ms }
}

async fn write(context: &Shared, backup: &ChainBackup, status: ChainBackupStatus) -> kube::Result<()> {
    if backup.status.as_ref() == Some(&status) {
        return Ok(());
    }
    let namespace = backup.metadata.namespace.clone().unwrap_or_default();
    let api = objects::within::<ChainBackupSpec>(&context.client, &namespace);
    match objects::patch_status(&api, backup.name().as_str(), &status).await {
        Err(error) if !objects::is_not_found(&error) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

async fn tell(context: &Shared, backup: &ChainBackup, severity: Severity, reason: &str, note: &str) {
    context.events.tell(&objects::reference::<ChainBackupSpec>(&backup.metadata), severity, reason, note).await;
}

#[cfg(test)]
mod tests;
