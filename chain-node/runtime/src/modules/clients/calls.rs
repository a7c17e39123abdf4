//! What callers send.

use chain_types::Fingerprint;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Begins to witness a chain.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// Genesis as CBOR.
    #[serde(with = "serde_bytes")]
    #[schemars(with = "String")]
    pub genesis: Vec<u8>,
    /// A first [`chain_types::light::Update`], from genesis: what the administrator vouches for together with it.
    #[serde(default, with = "serde_bytes", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub update: Option<Vec<u8>>,
}

/// Stores a newer header, or shows that the chain forked.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Update {
    #[schemars(with = "String")]
    pub chain: Fingerprint,
    /// A [`chain_types::light::Update`].
    #[serde(with = "serde_bytes")]
    #[schemars(with = "String")]
    pub update: Vec<u8>,
}

/// Two certified headers of one height.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Misbehaviour {
    #[schemars(with = "String")]
    pub chain: Fingerprint,
    /// Each a [`chain_types::light::Update`].
    #[serde(with = "serde_bytes")]
    #[schemars(with = "String")]
    pub one: Vec<u8>,
    #[serde(with = "serde_bytes")]
    #[schemars(with = "String")]
    pub other: Vec<u8>,
}
