//! Records: the present version by number, and versions before it.

use std::collections::BTreeMap;

use chain_types::manifest::FieldValue;
use chain_types::{Hash, PublicKey, TxId};
use serde::{Deserialize, Serialize};

use crate::modules::joined_id;

/// Records by number.
pub const RECORD: &str = "record";
/// Versions that were replaced, by number and version.
pub const VERSION: &str = "version";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordStatus {
    Anchored,
    Withdrawn,
}

/// A record in its present version. Names are those of the module's description; times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub status: RecordStatus,
    /// From 1.
    pub version: u32,
    /// Who made it, and alone may withdraw it.
    pub organisation: String,
    pub anchored_at: u64,
    pub changed_at: u64,
    pub fields: BTreeMap<String, FieldValue>,
    /// Digests that this version added.
    pub files: Vec<Hash>,
    /// The call that made this version.
    pub tx: TxId,
    pub by: PublicKey,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Registered statements, by SHA-256 of their bytes.
pub const STATEMENT: &str = "statement";

/// What was registered; the statement itself stands in the log. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// As the statement names them (CWT claims).
    pub issuer: String,
    pub subject: String,
    /// The issuer's key, and the organisation whose account it is.
    pub key: PublicKey,
    pub organisation: String,
    pub registered_at: u64,
    /// The call that registered it, and who made the call.
    pub tx: TxId,
    pub by: PublicKey,
}

/// The id of a replaced version.
pub fn version_id(number: &str, version: u32) -> Vec<u8> {
    joined_id(number, &version.to_be_bytes())
}
