//! Records: a client by the other chain's fingerprint, its stored headers by height, and the validator sets that certified
//! them by their hash. Nothing is ever removed: a set change or a header that was witnessed stays provable.

use chain_types::{BlockId, Fingerprint, Hash};
use serde::{Deserialize, Serialize};

/// Validator sets, by fingerprint and hash.
pub const VALIDATORS: &str = "validators";

/// A light client. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The other chain's label, from its genesis.
    pub chain_id: String,
    /// How long a stored header can be followed on from, from the other chain's genesis.
    pub trusting_period_ms: u64,
    /// The newest stored header; 0 is genesis.
    pub height: u64,
    pub created_ms: u64,
    /// When trust was renewed by an administrator after it had expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Frozen>,
}

/// The headers that cannot both be of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    pub height: u64,
    pub one: BlockId,
    pub other: BlockId,
    pub at_ms: u64,
}

/// The id of a set of a chain.
pub fn validators_id(chain: &Fingerprint, hash: &Hash) -> Vec<u8> {
    [chain.0, hash.0].concat()
}
