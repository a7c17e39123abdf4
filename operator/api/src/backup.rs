//! `ChainBackup`: backups of one chain, kept outside it, and the drill that proves them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Kind, Name, Object, Time, ValidatorName};

pub type ChainBackup = Object<ChainBackupSpec>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainBackupSpec {
    /// Never changes.
    pub tenant: Name,
    /// Never changes.
    pub chain: Name,
    pub destination: Destination,
    /// When backups are made by themselves. Without it one is made at once, and the next when the annotation
    /// `citychain.dev/backup-now` says something new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How many backups stay; besides them the newest one that a drill has proven.
    #[serde(default = "default_keep")]
    pub keep: u32,
    #[serde(default)]
    pub drill: Drill,
}

/// Where backups go: exactly one of the two. Each lies there under `<tenant>/<chain>/<this object's name>/<run>`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// A volume of the tenant's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<VolumeDestination>,
    /// A bucket that speaks S3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Destination>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeDestination {
    /// A PersistentVolumeClaim. It must be mountable on the machines of the chain's validators: best `ReadWriteMany`.
    pub claim: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct S3Destination {
    /// `https://HOST[:PORT]`; Amazon's own for the region if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    pub bucket: String,
    /// Before everything else in the bucket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A Secret of the tenant's namespace with `access-key` and `secret-key`.
    pub credentials: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// From the beginning of one to the beginning of the next.
    pub every_hours: u32,
}

/// A backup is restored from the destination, executed again from genesis, and compared with what the running chain
/// certifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Drill {
    /// The first one follows the first backup.
    pub every_days: u32,
}

impl Default for Drill {
    fn default() -> Self {
        Self { every_days: 7 }
    }
}

fn default_keep() -> u32 {
    7
}

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum BackupPhase {
    /// Nothing is due.
    #[default]
    Idle,
    BackingUp,
    Drilling,
    /// Something is due and cannot be done now.
    Waiting,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainBackupStatus {
    pub observed_generation: u64,
    pub phase: BackupPhase,
    pub conditions: Vec<Condition>,
    /// Newest first: those that are kept, the one under way, and the last that failed.
    pub runs: Vec<BackupRun>,
    pub next_backup_at: Option<Time>,
    pub next_drill_at: Option<Time>,
    /// The newest run that succeeded.
    pub last_backup_at: Option<Time>,
    /// When a drill has last proven a run.
    pub last_proven_at: Option<Time>,
    /// What the annotations said that were answered last.
    pub answered_backup: String,
    pub answered_drill: String,
}

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupRun {
    /// As in the destination.
    pub name: String,
    /// Whose store was copied.
    pub validator: ValidatorName,
    pub started_at: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Why there is no backup of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What it holds, once it has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holds>,
    /// The last drill of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drill: Option<RunDrill>,
    /// Made because its chain was to be deleted: the uid of that Chain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_of: Option<String>,
}

/// Hashes as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holds {
    /// The chain's fingerprint.
    pub fingerprint: String,
    /// Its last block.
    pub height: u64,
    pub block_id: String,
    /// Of the state after that block.
    pub state_root: String,
    pub log_size: u64,
    pub log_root: String,
    pub files: u64,
    pub bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDrill {
    pub at: Time,
    /// Restored, executed again, and equal to what so many validators certify.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validators: Option<u32>,
    /// The highest block of it that the city chain has anchored, if the chain is anchored there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchored_height: Option<u64>,
    /// Why it is not proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl RunDrill {
    pub fn is_proof(&self) -> bool {
        self.failure.is_none()
    }
}

impl BackupRun {
    pub fn succeeded(&self) -> bool {
        self.holds.is_some() && self.failure.is_none()
    }

    /// It is what is left of the Chain with this uid.
    pub fn is_last_of(&self, chain: &str) -> bool {
        self.succeeded() && self.final_of.as_deref() == Some(chain)
    }

    pub fn is_proven(&self) -> bool {
        self.drill.as_ref().is_some_and(RunDrill::is_proof)
    }
}

impl Kind for ChainBackupSpec {
    const KIND: &'static str = "ChainBackup";
    const PLURAL: &'static str = "chainbackups";
    type Status = ChainBackupStatus;
}
