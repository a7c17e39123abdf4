//! Records: products, lots, items, events, recalls and scan counters. Times are milliseconds since 1970; names are those
//! of the module's description, and of EPCIS in events.

use std::collections::BTreeMap;

use chain_types::manifest::FieldValue;
use chain_types::{PublicKey, TxId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::modules::joined_id;

/// Products by code.
pub const PRODUCT: &str = "product";
/// Lots by product and lot number.
pub const LOT: &str = "lot";
/// Items by code.
pub const ITEM: &str = "item";
/// Events by number, 8 bytes.
pub const EVENT: &str = "event";
/// Events of a lot: product, lot number, event number.
pub const LOT_EVENT: &str = "lot_event";
/// Recalls by number, 8 bytes.
pub const RECALL: &str = "recall";
/// Scan counters by code.
pub const SCAN: &str = "scan";

/// A lot's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LotRef {
    pub product: String,
    pub lot: String,
}

impl LotRef {
    pub fn id(&self) -> Vec<u8> {
        joined_id(&self.product, self.lot.as_bytes())
    }

    pub fn event_id(&self, event: u64) -> Vec<u8> {
        let mut id = joined_id(&self.product, &joined_id(&self.lot, b""));
        id.extend_from_slice(&event.to_be_bytes());
        id
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    pub organisation: String,
    pub fields: BTreeMap<String, FieldValue>,
    pub registered_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LotStatus {
    Active,
    Recalled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lot {
    /// The producer.
    pub organisation: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_on: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_on: Option<String>,
    /// How many codes it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    pub commissioned: u64,
    pub sold: u64,
    pub destroyed: u64,
    pub status: LotStatus,
    /// The recall; stands in every lot, empty or not, so that "not recalled" can be proved.
    pub recall: Option<u64>,
    pub opened_at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemStatus {
    Active,
    InTransit,
    Sold,
    Destroyed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    pub product: String,
    pub lot: String,
    pub holder: String,
    /// Where it is on its way to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    pub status: ItemStatus,
    /// Its events, the first first.
    pub events: Vec<u64>,
    pub changed_at: u64,
}

impl Item {
    pub fn lot_ref(&self) -> LotRef {
        LotRef { product: self.product.clone(), lot: self.lot.clone() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventType {
    ObjectEvent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Action {
    Add,
    Observe,
    Delete,
}

/// Business steps of the GS1 core vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BizStep {
    /// A lot is opened.
    CreatingClassInstance,
    Commissioning,
    Shipping,
    Receiving,
    RetailSelling,
    Destroying,
    /// A lot is recalled.
    Holding,
    /// A recall is closed.
    Decommissioning,
}

/// Dispositions of the GS1 core vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    Active,
    InTransit,
    SellableAccessible,
    RetailSold,
    Recalled,
    Destroyed,
    /// Received by somebody it was not sent to.
    NoPedigreeMatch,
}

/// What happened, as EPCIS names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TraceEvent {
    #[serde(rename = "type")]
    pub kind: EventType,
    pub action: Action,
    /// When it happened, as the caller says.
    pub event_time: u64,
    pub event_time_zone_offset: String,
    /// When the chain learned of it.
    pub record_time: u64,
    pub biz_step: BizStep,
    pub disposition: Disposition,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_point: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub biz_location: Option<String>,
    /// Items, by code; none if the event is about whole lots.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epc_list: Vec<String>,
    /// Lots that it touches.
    pub lots: Vec<LotRef>,
    /// The organisation that acted; of a shipment, the sender.
    pub organisation: String,
    /// Who is to receive, or who received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<u64>,
    pub operator: PublicKey,
    pub tx: TxId,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecallStatus {
    Open,
    Closed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// 1 is the most serious, 3 the least.
    pub level: u64,
    pub reason: String,
    pub measures: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<String>,
    pub lots: Vec<LotRef>,
    pub organisation: String,
    pub status: RecallStatus,
    pub opened_at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scans {
    pub count: u64,
    pub first_at: u64,
    pub last_at: u64,
}
