//! One validator's StatefulSet: at most one pod, replaced only when the operator deletes it (`OnDelete`), on a volume that stays.

use std::collections::BTreeMap;

use chain_plan::{node_config::ConfigText, plan::pod};
use chain_types::Hash;
use k8s_openapi::{
    api::{
        apps::v1::{
            StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec, StatefulSetUpdateStrategy,
        },
        core::v1::{
            Affinity, Capabilities, ConfigMapProjection, Container, ContainerPort, HTTPGetAction, KeyToPath,
            PersistentVolumeClaim, PersistentVolumeClaimSpec, PodAffinityTerm, PodAntiAffinity, PodSecurityContext,
            PodSpec, PodTemplateSpec, Probe, ProjectedVolumeSource, ResourceRequirements, SeccompProfile,
            SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount, VolumeProjection,
            VolumeResourceRequirements, WeightedPodAffinityTerm,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use operator_api::{Resources, ValidatorName, Version};

use super::{
    Place, annotation,
    config_map::{CONFIG_ENTRY, GENESIS_ENTRY, config_name, genesis_name},
    service::{API, PORTS},
};
use crate::{chain::keys::node_secret, objects::names};

pub const CONTAINER: &str = "chain-node";
/// The volume claim is called `data-<set>-0`.
const DATA: &str = "data";
const KEYS: &str = "keys";
const CONFIG: &str = "config";
/// Nobody in particular: the images' user.
const USER: i64 = 65_532;
pub const HOSTNAME: &str = "kubernetes.io/hostname";

/// How a validator's pods are run in this cluster.
#[derive(Clone, Debug)]
pub struct Runtime<'a> {
    pub image: &'a str,
    pub pull_policy: &'a str,
    /// The cluster's default if `None`.
    pub storage_class: Option<&'a str>,
}

/// What one validator runs.
#[derive(Clone, Debug)]
pub struct Runs<'a> {
    pub node: ValidatorName,
    pub version: Version,
    pub config: &'a ConfigText,
    pub resources: Resources,
}

/// `data-<chain>-validator-<n>-0`.
pub fn claim_name(place: &Place, node: ValidatorName) -> String {
    format!("{DATA}-{}-0", names::node(&place.chain, node))
}

/// `<chain>-validator-<n>-0`.
pub fn pod_name(place: &Place, node: ValidatorName) -> String {
    format!("{}-0", names::node(&place.chain, node))
}

/// `claimed_gib`: what the claim template of an existing set says; it can never change, the claim itself grows instead.
pub fn stateful_set(
    place: &Place,
    runs: &Runs<'_>,
    runtime: &Runtime<'_>,
    running: bool,
    claimed_gib: u32,
) -> serde_json::Result<StatefulSet> {
    let name = names::node(&place.chain, runs.node);
    let labels = names::validator_labels(&place.tenant, &place.chain, runs.node);
    Ok(StatefulSet {
        metadata: place.of_validator(name.clone(), runs.node),
        spec: StatefulSetSpec {
            replicas: Some(i32::from(running)),
            service_name: Some(name),
            pod_management_policy: Some("Parallel".to_owned()),
            revision_history_limit: Some(1),
            update_strategy: Some(StatefulSetUpdateStrategy {
                type_: Some("OnDelete".to_owned()),
                ..StatefulSetUpdateStrategy::default()
            }),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some("Retain".to_owned()),
                when_scaled: Some("Retain".to_owned()),
            }),
            selector: LabelSelector { match_labels: Some(selected(place, runs.node)), ..LabelSelector::default() },
            template: template(place, runs, runtime, labels.clone())?,
            volume_claim_templates: Some(vec![claim(runtime, labels, claimed_gib)]),
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    })
}

fn selected(place: &Place, node: ValidatorName) -> BTreeMap<String, String> {
    let mut labels = place.pods().match_labels.unwrap_or_default();
    labels.insert(names::VALIDATOR.to_owned(), node.to_string());
    labels
}

fn claim(runtime: &Runtime<'_>, labels: BTreeMap<String, String>, gib: u32) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta { name: Some(DATA.to_owned()), labels: Some(labels), ..ObjectMeta::default() },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: runtime.storage_class.map(str::to_owned),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(format!("{gib}Gi")))])),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

/// The template, with its own hash in an annotation: whether a pod was made from this rendering is read from the pod.
fn template(
    place: &Place,
    runs: &Runs<'_>,
    runtime: &Runtime<'_>,
    labels: BTreeMap<String, String>,
) -> serde_json::Result<PodTemplateSpec> {
    let annotations = BTreeMap::from([
        (annotation::VERSION.to_owned(), runs.version.to_string()),
        (annotation::CONFIG_START.to_owned(), runs.config.start_hash.to_string()),
        (annotation::MEMORY_MIB.to_owned(), runs.resources.memory_mib.to_string()),
    ]);
    let metadata = ObjectMeta { labels: Some(labels), annotations: Some(annotations), ..ObjectMeta::default() };
    let mut template = PodTemplateSpec { metadata: Some(metadata), spec: Some(pod_spec(place, runs, runtime)) };
    let hash = Hash::of(&serde_json::to_vec(&template)?).to_string();
    if let Some(annotations) = template.metadata.as_mut().and_then(|metadata| metadata.annotations.as_mut()) {
        annotations.insert(annotation::TEMPLATE.to_owned(), hash.chars().take(16).collect());
    }
    Ok(template)
}

fn pod_spec(place: &Place, runs: &Runs<'_>, runtime: &Runtime<'_>) -> PodSpec {
    PodSpec {
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        // Time to finish the block at hand and close the store.
        termination_grace_period_seconds: Some(30),
        security_context: Some(pod_security()),
        affinity: Some(apart(place)),
        topology_spread_constraints: Some(vec![TopologySpreadConstraint {
            max_skew: 1,
            topology_key: HOSTNAME.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(place.pods()),
            ..TopologySpreadConstraint::default()
        }]),
        containers: vec![container(runs, runtime)],
        volumes: Some(volumes(place, runs.node)),
        ..PodSpec::default()
    }
}

/// What Pod Security `restricted` asks of a pod.
pub fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // A volume with many files is not walked through at every start.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// The same of a container.
pub fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), add: None }),
        ..SecurityContext::default()
    }
}

/// One machine should carry one validator: preferred, not required, or a small cluster could not run a chain at all.
fn apart(place: &Place) -> Affinity {
    let term = PodAffinityTerm {
        label_selector: Some(place.pods()),
        topology_key: HOSTNAME.to_owned(),
        ..PodAffinityTerm::default()
    };
    Affinity {
        pod_anti_affinity: Some(PodAntiAffinity {
            preferred_during_scheduling_ignored_during_execution: Some(vec![WeightedPodAffinityTerm {
                weight: 100,
                pod_affinity_term: term,
            }]),
            ..PodAntiAffinity::default()
        }),
        ..Affinity::default()
    }
}

fn container(runs: &Runs<'_>, runtime: &Runtime<'_>) -> Container {
    let memory = Quantity(format!("{}Mi", runs.resources.memory_mib));
    let ports = PORTS.iter().map(|(name, number)| ContainerPort {
        name: Some((*name).to_owned()),
        container_port: (*number).into(),
        protocol: Some("TCP".to_owned()),
        ..ContainerPort::default()
    });
    let arguments = ["run".to_owned(), "--config".to_owned(), format!("{}/{CONFIG_ENTRY}", pod::CONFIG)];
    Container {
        name: CONTAINER.to_owned(),
        image: Some(runtime.image.to_owned()),
        image_pull_policy: Some(runtime.pull_policy.to_owned()),
        args: Some(arguments.to_vec()),
        ports: Some(ports.collect()),
        resources: Some(ResourceRequirements {
            requests: Some(BTreeMap::from([
                ("cpu".to_owned(), Quantity("50m".to_owned())),
                ("memory".to_owned(), memory.clone()),
            ])),
            // No limit on processor time: a throttled validator misses its turn.
            limits: Some(BTreeMap::from([("memory".to_owned(), memory)])),
            ..ResourceRequirements::default()
        }),
        readiness_probe: Some(Probe { period_seconds: Some(2), timeout_seconds: Some(2), ..probe("/readyz") }),
        // A node that checks or recovers its store takes its time; one that hangs is seen by the operator much earlier.
        liveness_probe: Some(Probe {
            initial_delay_seconds: Some(60),
            period_seconds: Some(20),
            timeout_seconds: Some(10),
            failure_threshold: Some(6),
            ..probe("/healthz")
        }),
        security_context: Some(container_security()),
        volume_mounts: Some(vec![
            mount(DATA, pod::HOME.to_owned(), false),
            mount(KEYS, format!("{}/keys", pod::HOME), true),
            mount(CONFIG, pod::CONFIG.to_owned(), true),
        ]),
        ..Container::default()
    }
}

fn probe(path: &str) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(API.to_owned()),
            ..HTTPGetAction::default()
        }),
        ..Probe::default()
    }
}

pub fn mount(name: &str, path: String, read_only: bool) -> VolumeMount {
    let read_only = read_only.then_some(true);
    VolumeMount { name: name.to_owned(), mount_path: path, read_only, ..VolumeMount::default() }
}

fn volumes(place: &Place, node: ValidatorName) -> Vec<Volume> {
    let projected = |name: String, entry: &str| VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name,
            items: Some(vec![KeyToPath { key: entry.to_owned(), path: entry.to_owned(), ..KeyToPath::default() }]),
            ..ConfigMapProjection::default()
        }),
        ..VolumeProjection::default()
    };
    vec![
        Volume {
            name: KEYS.to_owned(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(node_secret(&place.chain, node)),
                // Readable by the node's group alone, which is how a mounted secret reaches a process that is not root.
                default_mode: Some(0o440),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        },
        Volume {
            name: CONFIG.to_owned(),
            projected: Some(ProjectedVolumeSource {
                sources: Some(vec![
                    projected(config_name(&place.chain, node), CONFIG_ENTRY),
                    projected(genesis_name(&place.chain), GENESIS_ENTRY),
                ]),
                ..ProjectedVolumeSource::default()
            }),
            ..Volume::default()
        },
    ]
}
