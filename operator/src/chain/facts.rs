//! What the children say, as values: pods, StatefulSets, volumes, keys, genesis. Pure. A child that cannot be read is as good as none,
//! and what is missing then is told where it is needed.

use std::collections::BTreeMap;

use chain_types::{Genesis, Hash};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ContainerState, ContainerStatus, PersistentVolumeClaim, Pod},
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, Time},
    },
};
use operator_api::{ValidatorName, Version};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    fetch::Children,
    keys::{self, ChainKeys},
    resources::{annotation, config_map, stateful_set::CONTAINER},
};
use crate::objects::{names, thousandths};

#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub validators: BTreeMap<ValidatorName, ValidatorFacts>,
    pub keys: ChainKeys,
    /// The genesis of the ConfigMap, if it is there and can be read.
    pub genesis: Option<Genesis>,
}

/// What there is of one validator.
#[derive(Clone, Debug, Default)]
pub struct ValidatorFacts {
    pub set: Option<SetFacts>,
    pub pod: Option<PodFacts>,
    pub volume: Option<VolumeFacts>,
    /// Hash of the configuration in its ConfigMap.
    pub config: Option<Hash>,
}

impl ValidatorFacts {
    /// It has a place in the cluster, running or not; what outlives a validator is none.
    pub fn is_placed(&self) -> bool {
        self.set.is_some() || self.pod.is_some() || self.config.is_some()
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SetFacts {
    pub replicas: i32,
    pub template: Started,
}

/// What a pod is, or would be, started with, as its annotations say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Started {
    pub version: Option<Version>,
    pub config: Option<Hash>,
    pub memory_mib: Option<u32>,
    /// Hash of the pod template.
    pub template: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodFacts {
    pub uid: String,
    pub made_ms: u64,
    pub is_deleted: bool,
    /// Of its machine; `None` while it has none.
    pub machine: Option<String>,
    pub started: Started,
    /// Which content of its key Secret it was last brought; see [`super::rotation::bring`].
    pub keys: Option<String>,
    pub container: Container,
    /// How its container ended last.
    pub ended: Option<Ended>,
    pub restarts: u32,
    /// Its readiness probe passes.
    pub is_ready: bool,
    /// The scheduler's sentence while it finds no machine.
    pub unscheduled: Option<String>,
    /// The pod as a whole is over: evicted, or its machine went away.
    pub failed: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Container {
    /// Nothing is known of it yet.
    #[default]
    None,
    Waiting {
        reason: String,
        message: String,
    },
    Running {
        since_ms: u64,
    },
    Ended,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    pub code: i32,
    pub at_ms: u64,
    /// The kernel took it for using more memory than it may.
    pub out_of_memory: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct VolumeFacts {
    pub name: String,
    pub uid: String,
    pub class: Option<String>,
    /// What its claim asks for.
    pub asked_gib: u32,
    /// What it has; `None` until it is bound.
    pub capacity_gib: Option<u32>,
    /// Since when its file system has been smaller than the volume.
    pub file_system_pending_ms: Option<u64>,
    /// Why it could not be made larger.
    pub grow_error: Option<String>,
    pub is_retained: bool,
}

impl Facts {
    pub fn of(children: &Children) -> Self {
        let mut facts =
            Self { keys: keys::read(children), genesis: config_map::genesis_in(children), ..Self::default() };
        let mut each: Vec<(ValidatorName, Part)> = Vec::new();
        each.extend(read::<StatefulSet>(children, "StatefulSet").map(|(name, set)| (name, Part::Set(set_facts(&set)))));
        each.extend(read::<Pod>(children, "Pod").map(|(name, pod)| (name, Part::Pod(pod_facts(&pod)))));
        let volumes = read::<PersistentVolumeClaim>(children, "PersistentVolumeClaim");
        each.extend(volumes.map(|(name, claim)| (name, Part::Volume(volume_facts(&claim)))));
        each.extend(config_map::configurations(children).map(|(name, hash)| (name, Part::Config(hash))));
        for (name, part) in each {
            let validator = facts.validators.entry(name).or_default();
            match part {
                Part::Set(set) => validator.set = Some(set),
                // The old one on its way out and the new one have the same name, so there is only ever one.
                Part::Pod(pod) => validator.pod = Some(pod),
                Part::Volume(volume) => validator.volume = Some(volume),
                Part::Config(hash) => validator.config = Some(hash),
            }
        }
        facts
    }
}

enum Part {
    Set(SetFacts),
    Pod(PodFacts),
    Volume(VolumeFacts),
    Config(Hash),
}

fn read<'a, T: DeserializeOwned + 'a>(
    children: &'a Children,
    kind: &'a str,
) -> impl Iterator<Item = (ValidatorName, T)> + 'a {
    children
        .kind(kind)
        .filter_map(|(_, value)| Some((validator_of(value)?, serde_json::from_value(value.clone()).ok()?)))
}

/// Whose it is, by its label.
pub fn validator_of(value: &Value) -> Option<ValidatorName> {
    value["metadata"]["labels"][names::VALIDATOR].as_str()?.parse().ok()
}

fn set_facts(set: &StatefulSet) -> SetFacts {
    let spec = &set.spec;
    let template = spec.template.metadata.as_ref().map(started).unwrap_or_default();
    SetFacts { replicas: spec.replicas.unwrap_or(1), template }
}

fn started(meta: &ObjectMeta) -> Started {
    let text = |key: &str| meta.annotations.as_ref()?.get(key).cloned();
    Started {
        version: text(annotation::VERSION).and_then(|version| version.parse().ok()),
        config: text(annotation::CONFIG_START).and_then(|hash| hash.parse().ok()),
        memory_mib: text(annotation::MEMORY_MIB).and_then(|number| number.parse().ok()),
        template: text(annotation::TEMPLATE),
    }
}

fn pod_facts(pod: &Pod) -> PodFacts {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let container = containers.iter().find(|container| container.name == CONTAINER);
    let conditions = status.conditions.unwrap_or_default();
    let unscheduled =
        conditions.iter().find(|condition| condition.type_ == "PodScheduled" && condition.status == "False");
    let failed = status.phase.as_deref() == Some("Failed");
    PodFacts {
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        made_ms: ms(pod.metadata.creation_timestamp.as_ref()),
        is_deleted: pod.metadata.deletion_timestamp.is_some(),
        machine: pod.spec.as_ref().and_then(|spec| spec.node_name.clone()),
        started: started(&pod.metadata),
        keys: pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(annotation::KEYS).cloned()),
        container: container.and_then(|container| container.state.as_ref()).map(state).unwrap_or_default(),
        ended: container.and_then(ended),
        is_ready: container.is_some_and(|container| container.ready),
        restarts: container.map_or(0, |container| u32::try_from(container.restart_count).unwrap_or(0)),
        unscheduled: unscheduled.and_then(|condition| condition.message.clone()),
        failed: failed.then(|| status.message.or(status.reason).unwrap_or_else(|| "its pod failed".to_owned())),
    }
}

fn state(state: &ContainerState) -> Container {
    match (&state.running, &state.waiting, &state.terminated) {
        (Some(running), _, _) => Container::Running { since_ms: ms(running.started_at.as_ref()) },
        (_, _, Some(_)) => Container::Ended,
        (_, Some(waiting), _) => Container::Waiting {
            reason: waiting.reason.clone().unwrap_or_default(),
            message: waiting.message.clone().unwrap_or_default(),
        },
        (None, None, None) => Container::None,
    }
}

fn ended(container: &ContainerStatus) -> Option<Ended> {
    let now = container.state.as_ref().and_then(|state| state.terminated.as_ref());
    let before = || container.last_state.as_ref().and_then(|state| state.terminated.as_ref());
    let ended = now.or_else(before)?;
    Some(Ended {
        code: ended.exit_code,
        at_ms: ms(ended.finished_at.as_ref()),
        out_of_memory: ended.reason.as_deref() == Some("OOMKilled"),
    })
}

fn volume_facts(claim: &PersistentVolumeClaim) -> VolumeFacts {
    let spec = claim.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests).unwrap_or_default();
    let status = claim.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let holds =
        |kinds: &[&str]| conditions.iter().find(|one| kinds.contains(&one.type_.as_str()) && one.status == "True");
    let pending = holds(&["FileSystemResizePending"]);
    let failed = holds(&["ControllerResizeError", "NodeResizeError"]);
    let retained = claim.metadata.labels.as_ref().and_then(|labels| labels.get(names::RETAINED));
    VolumeFacts {
        name: claim.metadata.name.clone().unwrap_or_default(),
        uid: claim.metadata.uid.clone().unwrap_or_default(),
        class: spec.storage_class_name,
        asked_gib: gib(requests.get("storage")).unwrap_or(0),
        capacity_gib: gib(status.capacity.unwrap_or_default().get("storage")),
        file_system_pending_ms: pending.map(|pending| ms(pending.last_transition_time.as_ref())),
        grow_error: failed.map(|failed| failed.message.clone().unwrap_or_else(|| failed.type_.clone())),
        is_retained: retained.is_some_and(|retained| retained == "true"),
    }
}

/// Whole ones; a part of one is nothing that could be asked for.
fn gib(amount: Option<&Quantity>) -> Option<u32> {
    let bytes = thousandths(&amount?.0)? / 1_000;
    Some(u32::try_from(bytes >> 30).unwrap_or(u32::MAX))
}

fn ms(time: Option<&Time>) -> u64 {
    time.map_or(0, |time| u64::try_from(time.0.as_millisecond()).unwrap_or(0))
}
