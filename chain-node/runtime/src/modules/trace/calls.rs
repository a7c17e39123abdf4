//! What callers send.

use std::collections::BTreeMap;

use chain_types::Hash;
use chain_types::manifest::FieldValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::state::LotRef;

/// Codes, lots or counters of one call.
pub const MAX_CODES: usize = 1_000;
pub const MAX_LOTS: usize = 50;

/// When and where something happened; now, if nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Happened {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_point: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biz_location: Option<String>,
}

impl Happened {
    fn is_silent(&self) -> bool {
        *self == Self::default()
    }
}

/// Registers a product for the caller's organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterProduct {
    /// Its code, such as a GTIN of 14 digits.
    pub product: String,
    pub fields: BTreeMap<String, FieldValue>,
}

/// Opens a lot of the caller's product.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenLot {
    pub product: String,
    pub lot: String,
    /// `YYYY-MM-DD`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_on: Option<String>,
    /// The last day on which it may be sold, `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_on: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// Gives items of a lot their codes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commission {
    pub product: String,
    pub lot: String,
    pub codes: Vec<String>,
    #[serde(default, skip_serializing_if = "Happened::is_silent")]
    pub at: Happened,
}

/// Sends items away.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    pub codes: Vec<String>,
    /// The organisation that is to receive them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(default, skip_serializing_if = "Happened::is_silent")]
    pub at: Happened,
}

/// Receives items that were shipped.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Receive {
    pub codes: Vec<String>,
    #[serde(default, skip_serializing_if = "Happened::is_silent")]
    pub at: Happened,
}

/// Sells items to consumers.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sell {
    pub codes: Vec<String>,
    #[serde(default, skip_serializing_if = "Happened::is_silent")]
    pub at: Happened,
}

/// Destroys items, also such as consumers brought back.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Destroy {
    pub codes: Vec<String>,
    pub reason: String,
    /// SHA-256 of a photo; becomes a log entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub photo: Option<Hash>,
    #[serde(default, skip_serializing_if = "Happened::is_silent")]
    pub at: Happened,
}

/// Recalls lots.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenRecall {
    pub lots: Vec<LotRef>,
    /// 1 is the most serious, 3 the least.
    pub level: u64,
    pub reason: String,
    pub measures: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
}

/// Closes a recall of the caller's organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CloseRecall {
    pub recall: u64,
    pub summary: String,
}

/// Scans of one code since the last report.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanCount {
    pub code: String,
    pub count: u64,
    pub last_ms: u64,
}

/// Adds scans that were counted off chain.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordScans {
    pub counts: Vec<ScanCount>,
}
