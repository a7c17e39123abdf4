//! Condition types and reasons, each string once, and the rule for their transition times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Time;

/// The object does what its spec says.
pub const READY: &str = "Ready";
/// Work towards the spec is under way.
pub const PROGRESSING: &str = "Progressing";
/// It works, but with less than it should have.
pub const DEGRADED: &str = "Degraded";
/// Another validator may be lost, or stopped, without losing the quorum.
pub const QUORUM_SAFE: &str = "QuorumSafe";
/// A drill has restored a backup and found it equal to the chain.
pub const BACKUP_PROVEN: &str = "BackupProven";

/// Reasons: one word for programs; the sentence for people is in the message.
pub mod reason {
    pub const ALL_VALIDATORS_LIVE: &str = "AllValidatorsLive";
    pub const VALIDATORS_MISSING: &str = "ValidatorsMissing";
    pub const QUORUM_LOST: &str = "QuorumLost";
    pub const STALLED: &str = "Stalled";
    pub const STARTING: &str = "Starting";
    pub const PROVISIONING: &str = "Provisioning";
    pub const WAITING_FOR_KEYS: &str = "WaitingForOrganisationKeys";
    pub const ROLLING_OUT: &str = "RollingOut";
    pub const UP_TO_DATE: &str = "UpToDate";
    /// A validator's keys are being replaced.
    pub const ROTATING_KEYS: &str = "RotatingKeys";
    pub const HIBERNATED: &str = "Hibernated";
    pub const NEEDS_A_PERSON: &str = "NeedsAPerson";
    pub const TOLERATES_NONE: &str = "ToleratesNoFailure";
    pub const TOLERATES_SOME: &str = "ToleratesFailure";
    pub const INVALID_SPEC: &str = "InvalidSpec";
    pub const KEYS_PUBLISHED: &str = "KeysPublished";
    pub const NAMESPACE_READY: &str = "NamespaceReady";
    pub const NAMESPACE_FOREIGN: &str = "NamespaceForeign";
    pub const CHAINS_REMAIN: &str = "ChainsRemain";
    pub const VOLUMES_RETAINED: &str = "VolumesRetained";
    pub const DELETING: &str = "Deleting";
    /// A chain that is deleted goes on until it was backed up once more.
    pub const WAITING_FOR_FINAL_BACKUP: &str = "WaitingForFinalBackup";
    pub const CHAIN_DELETED: &str = "ChainDeleted";
    /// Backups lie in volumes of a namespace that is to go.
    pub const BACKUPS_RETAINED: &str = "BackupsRetained";
    pub const INSTALLING: &str = "Installing";
    pub const INSTALLED: &str = "Installed";
    pub const STEP_FAILED: &str = "StepFailed";
    /// An annotation says so: the operator observes and reports only.
    pub const PAUSED: &str = "Paused";
    /// What the spec asks for could not be done; it is tried again.
    pub const ACTION_FAILED: &str = "ActionFailed";
    /// The class of its volumes cannot grow.
    pub const VOLUME_EXPANSION_UNSUPPORTED: &str = "VolumeExpansionUnsupported";
    /// Volumes are made larger; they have not all become so yet.
    pub const GROWING_VOLUMES: &str = "GrowingVolumes";
    /// Pods run as an earlier operator made them, which is well; a restart would bring them up to date.
    pub const PENDING_RESTART: &str = "PendingRestart";
    pub const UNINSTALLING: &str = "Uninstalling";
    pub const WAITING_FOR_CHAIN: &str = "WaitingForChain";
    pub const WAITING_FOR_TEMPLATE: &str = "WaitingForTemplate";
    pub const NAME_TAKEN: &str = "NameTaken";
    pub const BACKED_UP: &str = "BackedUp";
    pub const BACKING_UP: &str = "BackingUp";
    pub const BACKUP_FAILED: &str = "BackupFailed";
    pub const NO_BACKUP: &str = "NoBackup";
    pub const DRILLING: &str = "Drilling";
    pub const DRILL_PASSED: &str = "DrillPassed";
    pub const DRILL_FAILED: &str = "DrillFailed";
    pub const RESTORING: &str = "Restoring";
    pub const NOT_DRILLED: &str = "NotDrilled";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A condition as `kubectl wait --for=condition=Ready` reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    pub status: ConditionStatus,
    /// One of [`reason`].
    pub reason: String,
    /// A sentence in English, for the command line; pages use the bilingual sentences of the status.
    pub message: String,
    /// When `status` last changed, not when it was last looked at.
    pub last_transition_time: Time,
    pub observed_generation: u64,
}

/// Puts a condition in, keeping its transition time while its status stays the same. Steady state changes nothing, so a
/// status written back is equal to the one read and no write is needed.
pub fn set_condition(conditions: &mut Vec<Condition>, mut new: Condition) {
    match conditions.iter_mut().find(|old| old.kind == new.kind) {
        Some(old) => {
            if old.status == new.status {
                new.last_transition_time = old.last_transition_time;
            }
            *old = new;
        }
        None => conditions.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(status: bool, message: &str, at_ms: u64) -> Condition {
        Condition {
            kind: READY.into(),
            status: status.into(),
            reason: reason::STARTING.into(),
            message: message.into(),
            last_transition_time: Time::from_ms(at_ms),
            observed_generation: 1,
        }
    }

    #[test]
    fn the_transition_time_moves_only_with_the_status() {
        let mut conditions = Vec::new();
        set_condition(&mut conditions, ready(false, "1 of 4", 1_000));
        set_condition(&mut conditions, ready(false, "2 of 4", 2_000));
        assert_eq!(conditions, vec![ready(false, "2 of 4", 1_000)]);
        set_condition(&mut conditions, ready(true, "4 of 4", 3_000));
        assert_eq!(conditions, vec![ready(true, "4 of 4", 3_000)]);
    }
}
