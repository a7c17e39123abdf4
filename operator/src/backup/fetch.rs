//! All that a pass over a ChainBackup reads: its chain, its Jobs and what their pods said. No decision.

use chain_types::api::BackupReport;
use k8s_openapi::api::{
    batch::v1::Job,
    core::v1::{ContainerState, Pod},
};
use kube::{
    Client, ResourceExt as _,
    api::{Api, ListParams},
};
use operator_api::{Chain, ChainBackup, ChainSpec, ValidatorName};

use super::{Task, job::CONTAINER};
use crate::objects::{self, names};

/// What is there.
#[derive(Debug, Default)]
pub struct Found {
    pub chain: Option<Chain>,
    /// Whether an object of the chain's name is there, even one that cannot be read.
    pub chain_is_there: bool,
    /// Of this ChainBackup, oldest first.
    pub jobs: Vec<JobSeen>,
    /// The active Job of another ChainBackup of the same chain.
    pub elsewhere: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct JobSeen {
    pub name: String,
    pub task: Task,
    pub run: String,
    /// Whose store is copied; a drill has none.
    pub validator: Option<ValidatorName>,
    /// The request that it answers, by its annotation's value.
    pub answers: Option<String>,
    /// The highest block that a drill must find as the city chain has it.
    pub anchored_height: Option<u64>,
    /// The Chain, by its uid, whose last backup it makes.
    pub final_of: Option<String>,
    pub started_ms: u64,
    pub state: JobState,
}

#[derive(Clone, Debug, PartialEq)]
pub enum JobState {
    /// Why its pod does not run yet, if somebody says so.
    Active {
        waits: Option<String>,
    },
    Ended {
        at_ms: u64,
        report: BackupReport,
    },
}

impl JobSeen {
    pub fn is_active(&self) -> bool {
        matches!(self.state, JobState::Active { .. })
    }
}

pub async fn fetch(client: &Client, backup: &ChainBackup) -> kube::Result<Found> {
    let namespace = names::namespace(&backup.spec.tenant);
    let chain = objects::within::<ChainSpec>(client, &namespace).get_opt(backup.spec.chain.as_str()).await?;
    let jobs: Api<Job> = Api::namespaced(client.clone(), &namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let of_chain = ListParams::default().labels(&format!("{}={}", names::BACKUP_OF, backup.spec.chain));
    let jobs = jobs.list(&of_chain).await?.items;
    let mut found = Found {
        chain_is_there: chain.is_some(),
        chain: chain.and_then(|chain| objects::parse(&chain).ok()),
        ..Found::default()
    };
    let is_own = |job: &&Job| job.labels().get(names::BACKUP).is_some_and(|name| name == backup.name().as_str());
    let own: Vec<&Job> = jobs.iter().filter(is_own).collect();
    let pods = if own.is_empty() {
        Vec::new()
    } else {
        pods.list(&ListParams::default().labels(&format!("{}={}", names::BACKUP, backup.name()))).await?.items
    };
    found.jobs = own.into_iter().filter_map(|job| seen(job, &pods)).collect();
    found.jobs.sort_by(|a, b| (a.started_ms, &a.name).cmp(&(b.started_ms, &b.name)));
    let others = jobs.iter().filter(|job| !is_own(job)).filter_map(|job| seen(job, &[]));
    found.elsewhere = others.filter(JobSeen::is_active).map(|job| job.name).next();
    Ok(found)
}

/// One that is not labelled as ours are is somebody else's.
fn seen(job: &Job, pods: &[Pod]) -> Option<JobSeen> {
    let annotation = |key: &str| job.annotations().get(key).cloned();
    let task = Task::of_word(job.labels().get(names::BACKUP_JOB)?)?;
    let answered = match task {
        Task::Backup => names::BACKUP_NOW,
        Task::Drill => names::DRILL_NOW,
    };
    let started = job.metadata.creation_timestamp.as_ref().map(|at| at.0.as_millisecond());
    let mine = |pod: &&Pod| pod.labels().get("job-name") == job.metadata.name.as_ref();
    Some(JobSeen {
        name: job.name_any(),
        task,
        run: annotation(names::BACKUP_RUN)?,
        validator: annotation(names::VALIDATOR).and_then(|name| name.parse().ok()),
        answers: annotation(answered),
        anchored_height: annotation(names::ANCHORED).and_then(|height| height.parse().ok()),
        final_of: annotation(names::FINAL_OF),
        started_ms: started.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0),
        state: state(job, pods.iter().find(mine)),
    })
}

fn state(job: &Job, pod: Option<&Pod>) -> JobState {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ended =
        conditions.iter().find(|one| one.status == "True" && ["Complete", "Failed"].contains(&one.type_.as_str()));
    let Some(ended) = ended else { return JobState::Active { waits: pod.and_then(waits) } };
    let at_ms = ended.last_transition_time.as_ref().map(|at| at.0.as_millisecond());
    let words = pod.and_then(last_words);
    let report = match words.as_deref().map(serde_json::from_str::<BackupReport>) {
        Some(Ok(report)) => report,
        _ => {
            let why = ended.message.clone().or_else(|| ended.reason.clone());
            let words = words.filter(|words| !words.trim().is_empty()).or(why);
            let words = words.unwrap_or_else(|| "its pod is gone, and with it what it said".to_owned());
            BackupReport::Failed { reason: words.trim().chars().take(600).collect() }
        }
    };
    JobState::Ended { at_ms: at_ms.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0), report }
}

fn container(pod: &Pod) -> Option<&ContainerState> {
    let statuses = pod.status.as_ref()?.container_statuses.as_deref()?;
    statuses.iter().find(|status| status.name == CONTAINER)?.state.as_ref()
}

/// What its program said, or who ended it.
fn last_words(pod: &Pod) -> Option<String> {
    let ended = container(pod)?.terminated.as_ref()?;
    let by_others = ended.reason.clone().filter(|reason| !["Completed", "Error"].contains(&reason.as_str()));
    ended.message.clone().filter(|words| !words.trim().is_empty()).or(by_others)
}

/// What keeps a pod from running, in the words of whoever knows.
fn waits(pod: &Pod) -> Option<String> {
    if let Some(waiting) = container(pod).and_then(|state| state.waiting.as_ref()) {
        let reason = waiting.reason.clone().filter(|reason| reason != "ContainerCreating")?;
        return Some(waiting.message.clone().map_or(reason.clone(), |message| format!("{reason}: {message}")));
    }
    let conditions = pod.status.as_ref()?.conditions.as_deref()?;
    let unscheduled = conditions.iter().find(|one| one.type_ == "PodScheduled" && one.status == "False")?;
    unscheduled.message.clone()
}
