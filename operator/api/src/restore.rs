//! `ChainRestore`: validators of a chain that lost their data, or whose data is not to be trusted, get it anew from the others.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Kind, Name, Object, Time, ValidatorName};

pub type ChainRestore = Object<ChainRestoreSpec>;

/// Done once; for another one make a new object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChainRestoreSpec {
    pub tenant: Name,
    pub chain: Name,
    /// Fewer than a quorum. One after the other, their volumes are thrown away and they take every block from the others
    /// again; their keys stay.
    pub validators: Vec<ValidatorName>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RestorePhase {
    #[default]
    Waiting,
    Restoring,
    Done,
    /// It would cost the chain its quorum, whenever it is done.
    Refused,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ChainRestoreStatus {
    pub observed_generation: u64,
    pub phase: RestorePhase,
    pub conditions: Vec<Condition>,
    /// As in the spec, in that order.
    pub validators: Vec<RestoredValidator>,
    pub finished_at: Option<Time>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RestoredValidator {
    pub name: ValidatorName,
    pub state: RestoreState,
    /// The volume that is thrown away, by its uid: no other ever is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RestoreState {
    #[default]
    Waiting,
    /// Its volume is being replaced.
    Clearing,
    /// It takes every block from the others, and votes once it has watched the chain for a while.
    Syncing,
    Done,
}

impl Kind for ChainRestoreSpec {
    const KIND: &'static str = "ChainRestore";
    const PLURAL: &'static str = "chainrestores";
    type Status = ChainRestoreStatus;
}
