//! A chain in the words of pages: one level for colour and icon, numbers, sentences. Says what `chain-plan` judged, judges nothing.

use crate::app::App;
use crate::chains::View;
use crate::chains::incidents;
use chain_plan::Role;
use operator_api::{ChainPhase, ChainState, Governance, Membership, Step, StepState, Text, ValidatorState};
use serde::Serialize;
use serde_json::{Value as Json, json};

/// Colour and icon of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Bad,
    Warn,
    Busy,
    Ok,
    Idle,
}

pub fn level(phase: ChainPhase) -> Level {
    match phase {
        ChainPhase::Healthy | ChainPhase::Idle => Level::Ok,
        ChainPhase::Provisioning | ChainPhase::Starting => Level::Busy,
        ChainPhase::Degraded => Level::Warn,
        ChainPhase::Stalled | ChainPhase::Failed => Level::Bad,
        ChainPhase::Stopped => Level::Idle,
    }
}

/// What lists and heads of pages show.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    pub name: String,
    pub title: Text,
    pub tenant: String,
    pub tenant_title: Text,
    pub phase: ChainPhase,
    pub level: Level,
    pub deleting: bool,
    pub hibernated: bool,
    /// The object in the file is the one in force and carried out.
    pub in_sync: bool,
    pub provisioning: bool,
    /// Where its pods are; empty for processes of this machine.
    pub namespace: String,
    pub sentences: Vec<Text>,
    pub problems: Vec<Text>,
    /// What is over, in words.
    pub incidents: Vec<Text>,
    pub chain_id: String,
    pub fingerprint: String,
    pub height: u64,
    pub last_block_ms: Option<u64>,
    pub ready: u32,
    pub total: u32,
    pub quorum: u32,
    pub tolerates: u32,
    pub version: String,
    pub governance: Governance,
    pub membership: Membership,
    pub operator: String,
    pub storage_gib: u32,
    pub memory_mib: u32,
    pub heartbeat_ms: u64,
    pub created_ms: Option<u64>,
    pub steps: Vec<Json>,
    pub validators: Vec<Json>,
    /// How far a change of the voting set is; empty if there was none lately.
    pub set_change: Vec<Json>,
    pub set_changed: bool,
}

impl Summary {
    pub fn of(app: &App, name: &str, view: &View) -> Self {
        let status = &view.status;
        let spec = view.object.as_ref().map(|object| &object.spec);
        let city = app.chains.city();
        let tenant = spec.and_then(|spec| city.tenants.get(&spec.tenant));
        let generation = view.object.as_ref().map_or(0, |object| object.metadata.generation);
        let made = !matches!(status.phase, ChainPhase::Provisioning);
        Self {
            name: name.to_owned(),
            title: view.title(),
            tenant: view.tenant().unwrap_or_default().to_owned(),
            tenant_title: tenant.map(|tenant| tenant.object.spec.title.clone()).unwrap_or_default(),
            phase: status.phase,
            level: level(status.phase),
            deleting: view.deleting,
            hibernated: spec.is_some_and(|spec| spec.state == ChainState::Hibernated),
            in_sync: view.problems.is_empty() && status.observed_generation == generation && as_wanted(view),
            provisioning: !made,
            namespace: view.object.as_ref().and_then(|object| object.metadata.namespace.clone()).unwrap_or_default(),
            sentences: status.sentences.clone(),
            problems: view.problems.clone(),
            incidents: view
                .incidents
                .iter()
                .filter(|incident| incident.back_ms.is_some())
                .map(incidents::sentence)
                .collect(),
            chain_id: status.chain_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            fingerprint: status.fingerprint.clone().unwrap_or_default(),
            height: status.height,
            last_block_ms: status.last_block_ms,
            ready: status.validators_ready,
            total: status.validators_total,
            quorum: status.quorum,
            tolerates: status.tolerates,
            version: spec.map(|spec| spec.version.to_string()).unwrap_or_default(),
            governance: spec.map(|spec| spec.governance).unwrap_or_default(),
            membership: spec.map(|spec| spec.membership).unwrap_or_default(),
            operator: spec.and_then(|spec| spec.operator.as_ref()).map(ToString::to_string).unwrap_or_default(),
            storage_gib: spec.map(|spec| spec.resources.storage_gib).unwrap_or_default(),
            memory_mib: spec.map(|spec| spec.resources.memory_mib).unwrap_or_default(),
            heartbeat_ms: spec.map(|spec| spec.heartbeat_ms).unwrap_or_default(),
            created_ms: view
                .object
                .as_ref()
                .and_then(|object| object.metadata.creation_timestamp)
                .map(|time| time.ms()),
            steps: steps(&status.steps, view.observed.now_ms),
            validators: validators(view),
            set_changed: status.set_change.iter().all(|step| step.state == StepState::Done),
            set_change: set_change(&status.set_change, view.observed.now_ms),
        }
    }
}

/// Every validator is where the spec wants it.
fn as_wanted(view: &View) -> bool {
    let hibernated = view.object.as_ref().is_some_and(|object| object.spec.state == ChainState::Hibernated);
    view.status.set_change.iter().all(|step| step.state == StepState::Done)
        && view.status.validators.iter().all(|row| {
            let runs = row.desired == ValidatorState::Running && !hibernated;
            runs == row.ready && (row.pid.is_some() == runs)
        })
}

/// As `ui.steps` takes them; `id` names the text of the title.
fn steps(steps: &[Step], now_ms: u64) -> Vec<Json> {
    let row = |step: &Step| {
        let state = match step.state {
            StepState::Waiting => "waiting",
            StepState::Running => "now",
            StepState::Done => "done",
            StepState::Failed => "failed",
        };
        json!({ "id": step.id, "state": state, "detail": step.detail, "took_ms": step.took_ms(now_ms) })
    };
    steps.iter().map(row).collect()
}

/// The same with what is done to whom, as `join` or `leave`.
fn set_change(list: &[Step], now_ms: u64) -> Vec<Json> {
    let with_name = |(mut row, step): (Json, &Step)| {
        let (act, name) = step.id.split_once('-').unwrap_or_default();
        row["act"] = json!(act);
        row["name"] = json!(name);
        row
    };
    steps(list, now_ms).into_iter().zip(list).map(with_name).collect()
}

fn validators(view: &View) -> Vec<Json> {
    let now_ms = view.observed.now_ms;
    let row = |row: &operator_api::ValidatorRow| {
        let seen = view.observed.node(row.name);
        let since_ms = match seen.process {
            chain_plan::Process::Running { since_ms, .. } | chain_plan::Process::Starting { since_ms, .. } => {
                Some(since_ms)
            }
            chain_plan::Process::Exited { at_ms, .. } => Some(at_ms),
            _ => None,
        };
        // A cluster's operator does not say since when.
        let since_ms = since_ms.filter(|since| *since > 0);
        let leaves =
            view.plan.as_ref().and_then(|plan| plan.node(row.name)).is_some_and(|node| node.role == Role::Observer);
        let off = row.desired != ValidatorState::Running;
        let level = match (row.ready, off, row.pid.is_some()) {
            (true, ..) => "ok",
            (false, true, _) => "idle",
            (false, false, true) => "busy",
            (false, false, false) => "bad",
        };
        json!({
            "name": row.name, "organisation": row.organisation, "organisation_title": row.organisation_title,
            "ready": row.ready, "voting": row.voting, "off": off, "leaves": leaves, "level": level, "text": row.text, "height": row.height,
            "version": row.version, "pid": row.pid, "api": row.api, "restarts": row.restarts, "since_ms": since_ms,
            "missing_ms": row.missing_since_ms.map(|since| now_ms.saturating_sub(since)),
            "peers": seen.peers_connected, "disk_free_bytes": seen.disk_free_bytes,
        })
    };
    view.status.validators.iter().map(row).collect()
}
