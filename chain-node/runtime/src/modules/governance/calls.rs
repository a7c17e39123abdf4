//! What callers send.

use chain_types::PublicKey;
use chain_types::account::Custody;
use chain_types::genesis::Text;
use chain_types::membership::Change;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a proposal would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Admits an organisation with its first administrator.
    AdmitOrganisation(AdmitOrganisation),
    /// Adds, removes, replaces or rotates one validator.
    ChangeValidators(Change),
    /// Has the chain change to the next execution rules.
    UpgradeRules(UpgradeRules),
}

/// One version up, from a height some blocks ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpgradeRules {
    pub version: u32,
    pub from_height: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdmitOrganisation {
    /// `[a-z][a-z0-9-]{0,29}`
    pub id: String,
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub title: Text,
    #[schemars(with = "String")]
    pub administrator: PublicKey,
    #[schemars(with = "String")]
    pub custody: Custody,
}

/// Proposes an action; counts as the proposer's approval if that organisation approves.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Propose {
    pub action: Action,
}

/// Approves a proposal for the caller's organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    pub proposal: u64,
}

/// Changes the validator set by one validator. The steward's, where membership is delegated to it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeValidators {
    pub change: Change,
}
