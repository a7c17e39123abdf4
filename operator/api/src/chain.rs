//! `Chain`: one consortium chain of a tenant, and what is known about its validators.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ChainId, Condition, Kind, Name, Object, Step, Text, ValidatorName, Version};

pub type Chain = Object<ChainSpec>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainSpec {
    /// Never changes.
    pub tenant: Name,
    pub title: Text,
    pub validators: Validators,
    /// The organisation that runs the platform: with `governance: platform` it alone approves. The tenant's first one
    /// if left out. In genesis; never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Name>,
    /// In genesis; never changes.
    #[serde(default)]
    pub governance: Governance,
    /// In genesis; never changes.
    #[serde(default)]
    pub membership: Membership,
    /// How long an idle chain waits before it makes an empty block. In genesis; never changes.
    #[serde(default = "default_heartbeat_ms")]
    pub heartbeat_ms: u64,
    /// The node program that every validator runs. A change is rolled out one validator at a time.
    pub version: Version,
    #[serde(default)]
    pub resources: Resources,
    #[serde(default)]
    pub state: ChainState,
    /// Validators that should not run; all others should.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validator_states: BTreeMap<ValidatorName, ValidatorState>,
    /// Validators that have left for good. A number is used once: whoever comes next has another one. Where organisations
    /// are named, each that left stays counted in its line, so that the numbers of the others stay.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub retired: BTreeSet<ValidatorName>,
    /// Anybody may read records and state from the nodes. Log, headers, commit certificates, validator sets and proofs by
    /// id are public in any case.
    #[serde(default)]
    pub public_reads: bool,
}

/// How many validators and who runs them: exactly one of the two. At least 4 in either form: fewer tolerate no fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validators {
    /// So many, shared out over the tenant's organisations in turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// So many for each organisation named. To grow, append to the list: the numbers of the others stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organisations: Vec<Share>,
}

impl Validators {
    pub fn count(count: u32) -> Self {
        Self { count: Some(count), organisations: Vec::new() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Share {
    pub organisation: Name,
    pub validators: u32,
}

/// Who decides about validator set, thresholds, recovery and upgrades.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Governance {
    /// The city's platform, through the steward. Every page and report of such a chain says so.
    #[default]
    Platform,
    /// Approvals by self-held keys of distinct organisations.
    #[serde(rename = "self")]
    Own,
}

/// What the steward may do with the validator set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Membership {
    /// Add, replace, rotate or remove one validator at a time, never below 4.
    #[default]
    Delegated,
    /// Propose only; the members approve.
    Members,
}

/// For each validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Resources {
    pub memory_mib: u32,
    pub storage_gib: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Self { memory_mib: 256, storage_gib: 10 }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChainState {
    #[default]
    Running,
    /// All validators are stopped together, once nothing is pending; the data stays.
    Hibernated,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValidatorState {
    #[default]
    Running,
    /// The process is off; peers keep its address and wait for it.
    Stopped,
    /// The process is off and peers drop its address: a copy of it elsewhere takes no part either.
    Fenced,
}

/// One word for the chain as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChainPhase {
    /// Being made: no self-check has passed yet.
    #[default]
    Provisioning,
    /// Made before, its validators are coming up.
    Starting,
    /// Every validator votes and blocks with transactions are being made.
    Healthy,
    /// Every validator votes and there is nothing to do.
    Idle,
    /// A quorum votes, but not everybody.
    Degraded,
    /// No block can be made, or none was made although one was due.
    Stalled,
    /// Hibernated.
    Stopped,
    /// It does not get better without a person.
    Failed,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainStatus {
    pub observed_generation: u64,
    pub phase: ChainPhase,
    /// What a person should know now, most important first.
    pub sentences: Vec<Text>,
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<ChainId>,
    /// SHA-256 of genesis, 64 hexadecimal digits: what the chain *is*.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub height: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_block_ms: Option<u64>,
    /// Validators that are caught up and able to vote.
    pub validators_ready: u32,
    /// Validators of the voting set.
    pub validators_total: u32,
    pub quorum: u32,
    /// How many more may fail before blocks stop.
    pub tolerates: u32,
    pub validators: Vec<ValidatorRow>,
    pub steps: Vec<Step>,
    /// Validators that join, leave or get new keys now, or did lately; `join-`, `leave-` or `rotate-` before the name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub set_change: Vec<Step>,
}

/// One validator as a status and the console's page show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ValidatorRow {
    pub name: ValidatorName,
    pub organisation: Name,
    pub organisation_title: Text,
    pub desired: ValidatorState,
    /// Caught up and able to vote.
    pub ready: bool,
    /// In the voting set as the chain has it.
    pub voting: bool,
    /// What it is doing, in words.
    pub text: Text,
    pub height: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The API address, for people who look at the node directly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Since when it has been missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since_ms: Option<u64>,
    /// Starts after a crash, since it was last well.
    #[serde(default)]
    pub restarts: u32,
    /// When its keys were last replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_rotated_ms: Option<u64>,
}

fn default_heartbeat_ms() -> u64 {
    600_000
}

impl Kind for ChainSpec {
    const KIND: &'static str = "Chain";
    const PLURAL: &'static str = "chains";
    type Status = ChainStatus;
}
