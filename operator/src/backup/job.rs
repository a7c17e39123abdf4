//! The Jobs of a ChainBackup, each one pod of the node's own image: one copies a validator's store to the destination, one
//! restores a run from there. Pure.
//!
//! Both are tried once: what failed is told, and the operator begins another with another name. The pod's last words are
//! the result.

use std::collections::BTreeMap;

use chain_plan::{node_config::ADMIN_PORT, plan::pod};
use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{
            Affinity, Container, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource, PodAffinity,
            PodAffinityTerm, PodSpec, PodTemplateSpec, ResourceRequirements, SecretVolumeSource, Volume,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference},
    },
    jiff::{Timestamp, tz::TimeZone},
};
use operator_api::{Chain, ChainBackup, ChainBackupSpec, Name, ValidatorName};

use super::Task;
use crate::{
    chain::{
        keys::{ADMIN_TOKEN, node_secret},
        resources::{
            Place,
            stateful_set::{HOSTNAME, claim_name, container_security, mount, pod_security},
        },
    },
    objects::{self, names},
};

pub const CONTAINER: &str = "chain-backup";
/// The longest that a backup or a drill may take, waiting for a machine included.
const DEADLINE_S: i64 = 6 * 3_600;
/// Nobody has read the result for so long.
const FORGOTTEN_AFTER_S: i32 = 7 * 86_400;
/// In the validator's volume; nobody else uses it.
const SCRATCH: &str = "backup";
const ADMIN: &str = "/etc/chain-node-admin";
const CREDENTIALS: &str = "/etc/backup-credentials";
const BACKUPS: &str = "/backups";
const RESTORED: &str = "/restored";
/// Where the kubelet reads a container's last words.
const LAST_WORDS: &str = "/dev/termination-log";
/// Sending a copy needs little, whatever its size.
const BACKUP_MEMORY_MIB: u32 = 256;
/// A drill holds the whole state, to compare it.
const DRILL_MEMORY: u32 = 4;

/// Whose Job it is and how it is run.
pub struct Frame<'a> {
    pub backup: &'a ChainBackup,
    pub chain: &'a Chain,
    pub owner: Option<OwnerReference>,
    pub image: &'a str,
    pub pull_policy: &'a str,
    /// The request of a person that it answers: annotation and value.
    pub answers: Option<(&'a str, &'a str)>,
    /// The uid of the chain that is deleted, if this is the last backup of it.
    pub final_of: Option<&'a str>,
}

/// `<backup>-20261123t171500z`; a drill's Job has `drill` in the middle.
pub fn name(backup: &Name, task: Task, now_ms: u64) -> String {
    let at = Timestamp::from_millisecond(i64::try_from(now_ms).unwrap_or(0)).unwrap_or_default();
    let at = at.to_zoned(TimeZone::UTC).strftime("%Y%m%dt%H%M%Sz").to_string();
    match task {
        Task::Backup => format!("{backup}-{at}"),
        Task::Drill => format!("{backup}-drill-{at}"),
    }
}

/// Copies the validator's store. The node itself makes the copy, in its volume; this pod, on the same machine, sends it away
/// and removes it there. `proven` stays in the destination however old it is.
pub fn backup(frame: &Frame<'_>, run: &str, validator: ValidatorName, proven: Option<&str>) -> Job {
    let place = frame.place();
    let spec = &frame.backup.spec;
    let admin = format!("{}:{ADMIN_PORT}", place.addresses().host(validator));
    let mut arguments = vec!["backup".to_owned(), "--admin".to_owned(), admin];
    arguments.extend(["--token-file".to_owned(), format!("{ADMIN}/{ADMIN_TOKEN}")]);
    arguments.extend(["--scratch".to_owned(), format!("{}/{SCRATCH}", pod::HOME)]);
    arguments.extend(["--keep".to_owned(), spec.keep.to_string()]);
    if let Some(proven) = proven {
        arguments.extend(["--keep-also".to_owned(), proven.to_owned()]);
    }
    let mut mounts = vec![mount("data", pod::HOME.to_owned(), false), mount("admin", ADMIN.to_owned(), true)];
    let mut volumes =
        vec![claim("data", claim_name(&place, validator)), admin_token(node_secret(&place.chain, validator))];
    frame.destination(run, &mut arguments, &mut mounts, &mut volumes);
    // A volume that one machine at a time may mount is shared with the validator's pod on that machine.
    let beside = PodAffinityTerm {
        label_selector: Some(LabelSelector {
            match_labels: Some(names::validator_labels(&place.tenant, &place.chain, validator)),
            ..LabelSelector::default()
        }),
        topology_key: HOSTNAME.to_owned(),
        ..PodAffinityTerm::default()
    };
    let affinity = Affinity {
        pod_affinity: Some(PodAffinity {
            required_during_scheduling_ignored_during_execution: Some(vec![beside]),
            ..PodAffinity::default()
        }),
        ..Affinity::default()
    };
    let container = frame.container(arguments, mounts, BACKUP_MEMORY_MIB);
    let pod = PodSpec { affinity: Some(affinity), ..frame.pod(container, volumes) };
    let mut more = BTreeMap::from([(names::VALIDATOR.to_owned(), validator.to_string())]);
    more.extend(frame.final_of.map(|chain| (names::FINAL_OF.to_owned(), chain.to_owned())));
    frame.job(run.to_owned(), Task::Backup, run, more, pod)
}

/// Restores a run into a folder that goes with the pod, and executes it again from genesis. `anchors`: blocks that another
/// chain vouches for.
pub fn drill(frame: &Frame<'_>, job: String, run: &str, anchors: &[(u64, String)]) -> Job {
    let resources = frame.chain.spec.resources;
    let mut arguments = vec!["restore".to_owned(), "--home".to_owned(), RESTORED.to_owned()];
    for (height, id) in anchors {
        arguments.extend(["--expect".to_owned(), format!("{height}={id}")]);
    }
    let mut mounts = vec![mount("restored", RESTORED.to_owned(), false)];
    let room = EmptyDirVolumeSource {
        size_limit: Some(Quantity(format!("{}Gi", resources.storage_gib))),
        ..EmptyDirVolumeSource::default()
    };
    let mut volumes = vec![Volume { name: "restored".to_owned(), empty_dir: Some(room), ..Volume::default() }];
    frame.destination(run, &mut arguments, &mut mounts, &mut volumes);
    let container = frame.container(arguments, mounts, resources.memory_mib.saturating_mul(DRILL_MEMORY));
    let pod = frame.pod(container, volumes);
    let highest = anchors.iter().map(|(height, _)| (names::ANCHORED.to_owned(), height.to_string())).max();
    frame.job(job, Task::Drill, run, highest.into_iter().collect(), pod)
}

/// The address of a ChainBackup's runs, as the node's program takes it.
pub fn address(spec: &ChainBackupSpec, name: &Name) -> String {
    let path = format!("{}/{}/{name}", spec.tenant, spec.chain);
    match &spec.destination.s3 {
        Some(s3) => {
            match s3.prefix.as_deref().map(|prefix| prefix.trim_matches('/')).filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => format!("s3://{}/{prefix}/{path}", s3.bucket),
                None => format!("s3://{}/{path}", s3.bucket),
            }
        }
        None => format!("{BACKUPS}/{path}"),
    }
}

impl Frame<'_> {
    fn place(&self) -> Place {
        Place { owner: self.owner.clone(), ..Place::of(&self.backup.spec.tenant, &self.chain.metadata) }
    }

    fn destination(
        &self,
        run: &str,
        arguments: &mut Vec<String>,
        mounts: &mut Vec<k8s_openapi::api::core::v1::VolumeMount>,
        volumes: &mut Vec<Volume>,
    ) {
        let spec = &self.backup.spec;
        arguments.extend(["--destination".to_owned(), address(spec, self.backup.name())]);
        arguments.extend(["--run".to_owned(), run.to_owned()]);
        arguments.extend(["--report".to_owned(), LAST_WORDS.to_owned()]);
        if let Some(volume) = &spec.destination.volume {
            mounts.push(mount("backups", BACKUPS.to_owned(), false));
            volumes.push(claim("backups", volume.claim.clone()));
        }
        if let Some(s3) = &spec.destination.s3 {
            for (flag, value) in [("--endpoint", &s3.endpoint), ("--region", &s3.region)] {
                arguments.extend(value.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
            }
            arguments.extend(["--credentials".to_owned(), CREDENTIALS.to_owned()]);
            mounts.push(mount("credentials", CREDENTIALS.to_owned(), true));
            volumes.push(secret("credentials", s3.credentials.clone(), &["access-key", "secret-key"]));
        }
    }

    fn container(
        &self,
        arguments: Vec<String>,
        mounts: Vec<k8s_openapi::api::core::v1::VolumeMount>,
        memory_mib: u32,
    ) -> Container {
        let memory = Quantity(format!("{memory_mib}Mi"));
        Container {
            name: CONTAINER.to_owned(),
            image: Some(self.image.to_owned()),
            image_pull_policy: Some(self.pull_policy.to_owned()),
            args: Some(arguments),
            resources: Some(ResourceRequirements {
                requests: Some(BTreeMap::from([
                    ("cpu".to_owned(), Quantity("50m".to_owned())),
                    ("memory".to_owned(), Quantity(format!("{}Mi", memory_mib.min(BACKUP_MEMORY_MIB)))),
                ])),
                limits: Some(BTreeMap::from([("memory".to_owned(), memory)])),
                ..ResourceRequirements::default()
            }),
            security_context: Some(container_security()),
            // A program that could not write its own last words has said them on its error output.
            termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
            volume_mounts: Some(mounts),
            ..Container::default()
        }
    }

    fn pod(&self, container: Container, volumes: Vec<Volume>) -> PodSpec {
        PodSpec {
            automount_service_account_token: Some(false),
            enable_service_links: Some(false),
            restart_policy: Some("Never".to_owned()),
            security_context: Some(pod_security()),
            containers: vec![container],
            volumes: Some(volumes),
            ..PodSpec::default()
        }
    }

    fn job(&self, name: String, task: Task, run: &str, more: BTreeMap<String, String>, pod: PodSpec) -> Job {
        let spec = &self.backup.spec;
        let mut labels = names::backup_labels(&spec.tenant, &spec.chain, self.backup.name());
        labels.insert(names::BACKUP_JOB.to_owned(), task.word().to_owned());
        let mut annotations = BTreeMap::from([(names::BACKUP_RUN.to_owned(), run.to_owned())]);
        annotations.extend(more);
        annotations.extend(self.answers.map(|(key, value)| (key.to_owned(), value.to_owned())));
        Job {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(names::namespace(&spec.tenant)),
                labels: Some(labels.clone()),
                annotations: Some(annotations),
                owner_references: self.owner.clone().map(|owner| vec![owner]),
                ..ObjectMeta::default()
            },
            spec: Some(JobSpec {
                backoff_limit: Some(0),
                active_deadline_seconds: Some(DEADLINE_S),
                ttl_seconds_after_finished: Some(FORGOTTEN_AFTER_S),
                template: PodTemplateSpec {
                    metadata: Some(ObjectMeta { labels: Some(labels), ..ObjectMeta::default() }),
                    spec: Some(pod),
                },
                ..JobSpec::default()
            }),
            ..Job::default()
        }
    }
}

fn claim(name: &str, claim_name: String) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource { claim_name, read_only: None }),
        ..Volume::default()
    }
}

/// The administration token alone: the validator's keys are not this pod's business.
fn admin_token(secret_name: String) -> Volume {
    secret("admin", secret_name, &[ADMIN_TOKEN])
}

fn secret(name: &str, secret_name: String, entries: &[&str]) -> Volume {
    let item = |entry: &&str| KeyToPath { key: (*entry).to_owned(), path: (*entry).to_owned(), ..KeyToPath::default() };
    Volume {
        name: name.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret_name),
            items: Some(entries.iter().map(item).collect()),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Its Jobs and policies go with it.
pub fn owner(backup: &ChainBackup) -> Option<OwnerReference> {
    objects::owner::<ChainBackupSpec>(&backup.metadata)
}
