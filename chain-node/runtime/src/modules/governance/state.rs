//! Records: the parameters of genesis, the steward's key, the validators, their last change, and proposals by number.

use std::collections::BTreeSet;

use chain_types::Genesis;
use chain_types::genesis::{Governance, Membership};
use serde::{Deserialize, Serialize};

use super::calls::Action;

pub const PARAMETERS: &str = "parameters";
pub const STEWARD: &str = "steward";
pub const VALIDATORS: &str = "validators";
/// The last change of the validators; none if they are those of genesis.
pub const SET_CHANGE: &str = "set_change";
/// The newest rules that were agreed on; none while the chain keeps those of genesis.
pub const RULES: &str = "rules";
/// What stands as the proposer of a steward's proposal; no organisation can be called so.
pub const STEWARD_PROPOSER: &str = "@steward";
/// Proposals by number, 8 bytes.
pub const PROPOSAL: &str = "proposal";

/// What genesis decided and governance may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    pub governance: Governance,
    pub membership: Membership,
    pub heartbeat_ms: u64,
    pub trusting_period_ms: u64,
    /// The organisation that runs the platform.
    pub operator: String,
    /// Organisations of genesis: they approve under `governance: self`, however many join later.
    pub founders: BTreeSet<String>,
}

impl Parameters {
    pub fn of(genesis: &Genesis) -> Self {
        Self {
            governance: genesis.governance,
            membership: genesis.membership,
            heartbeat_ms: genesis.heartbeat_ms,
            trusting_period_ms: genesis.trusting_period_ms,
            operator: genesis.operator.clone(),
            founders: genesis.organisations.iter().map(|o| o.id.clone()).collect(),
        }
    }

    /// Approvals that carry out a proposal.
    pub fn threshold(&self) -> usize {
        match self.governance {
            Governance::Platform => 1,
            Governance::Members => self.founders.len() / 2 + 1,
        }
    }
}

/// A change of the validator set. The validators' record holds the set that the change leads to, from the block of the
/// change on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetChange {
    /// The block that executed it.
    pub height: u64,
    /// The first height that the new set decides; until that block is there no other change is made.
    pub from_height: u64,
}

/// Execution rules, and the first height that has them. Before it the chain has the rules before these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    pub version: u32,
    pub from_height: u64,
}

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalStatus {
    Open,
    CarriedOut,
}

/// A proposal and who approved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    pub action: Action,
    pub status: ProposalStatus,
    /// The organisation that proposed it, or [`STEWARD_PROPOSER`].
    pub proposer: String,
    /// Organisations whose approval counts.
    pub approvals: BTreeSet<String>,
    pub proposed_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried_out_ms: Option<u64>,
}
