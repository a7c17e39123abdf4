//! What callers send.

use std::collections::BTreeMap;

use chain_types::Hash;
use chain_types::manifest::FieldValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Makes a record. Fields off chain are left out, those of place `commitment` carry their salted digest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    pub fields: BTreeMap<String, FieldValue>,
    /// SHA-256 of each file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Hash>,
}

/// Adds a version: new files, and fields in place of those of the same name.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Append {
    pub number: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldValue>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Hash>,
}

/// Withdraws a record; it stays readable with all its versions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Withdraw {
    pub number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Anchors a batch of digests without a record: one log entry each.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Digests {
    pub digests: Vec<Hash>,
}

/// Registers a signed statement (SCITT): verbatim a log entry of its own.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    #[serde(with = "serde_bytes")]
    #[schemars(with = "String")]
    pub statement: Vec<u8>,
}
