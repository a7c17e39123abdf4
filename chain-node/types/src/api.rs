//! Bodies of the node's HTTP API, shared by node and client. Byte values are hexadecimal, times are milliseconds since
//! 1970.

use serde::{Deserialize, Serialize};

use crate::bytes::{BlockId, Fingerprint, Hash, PublicKey, TxId};
use crate::outcome::Refusal;

/// `GET /status`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub name: String,
    pub chain_id: String,
    pub fingerprint: Fingerprint,
    pub version: String,
    pub pid: u32,
    pub started_ms: u64,
    pub consensus_key: PublicKey,
    /// Whether the current set holds this node's key.
    pub validator: bool,
    /// Why this node's identity does not let it vote yet, whether it is in the set or not.
    #[serde(default)]
    pub waits: Option<String>,
    /// A change of the set is executed and the first block of the new set is not decided yet.
    #[serde(default)]
    pub set_change_pending: bool,
    /// Last committed block.
    pub height: u64,
    pub block_id: BlockId,
    pub block_time_ms: u64,
    /// The round of consensus that it is in, and of which height.
    pub round_height: u64,
    pub round: u32,
    /// Highest height heard of from peers.
    pub peer_height: u64,
    pub caught_up: bool,
    pub state_root: Hash,
    pub log_size: u64,
    pub phase: Phase,
    /// Oldest transaction that waits for a block.
    pub pending_since_ms: Option<u64>,
    pub pending: u64,
    pub validators: u64,
    pub quorum: u64,
    pub peers: Vec<PeerStatus>,
    pub disk_free_bytes: u64,
    /// The newest execution rules that its version carries out; 0 of a version that does not say.
    #[serde(default)]
    pub newest_rules: u32,
    /// SHA-256 of the text of the configuration that was loaded last, at the start or by a reload.
    #[serde(default)]
    pub config: Option<Hash>,
    /// The consensus key that takes over from `consensus_key` once the set names it: this node holds all that belongs to it.
    #[serde(default)]
    pub next_key: Option<PublicKey>,
}

/// Whether blocks come as they should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Fetching blocks it missed.
    Syncing,
    /// Nothing waits.
    Idle,
    /// Transactions wait, blocks come.
    Active,
    /// A transaction or heartbeat has waited for 10 s without a block.
    Stalled,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerStatus {
    pub name: String,
    pub organisation: String,
    pub connected: bool,
    pub height: u64,
    /// Since when it is in this state of connection.
    pub since_ms: u64,
    pub version: String,
    /// Its clock minus ours, as last heard.
    pub clock_offset_ms: i64,
}

/// A validator as `GET /validators` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidatorInfo {
    pub index: u64,
    pub consensus_key: PublicKey,
    pub organisation: String,
    pub power: u64,
}

/// `GET /blocks/{height}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockInfo {
    pub height: u64,
    pub id: BlockId,
    pub parent: BlockId,
    pub time_ms: u64,
    pub round: u32,
    pub proposer: PublicKey,
    pub txs: Vec<TxId>,
    pub size_bytes: u64,
    pub tx_root: Hash,
    pub state_root: Hash,
    pub log_size: u64,
    pub log_root: Hash,
    pub results_root: Hash,
    /// Indexes of the validators whose signatures this node holds.
    pub signers: Vec<u32>,
}

/// What a node answers to one transaction of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// None if the bytes are no transaction.
    pub id: Option<TxId>,
    #[serde(flatten)]
    pub status: SubmittedStatus,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SubmittedStatus {
    /// It waits for a block.
    Pending,
    /// A block holds it already.
    Committed,
    /// With the code and the sentence of a problem document.
    Refused { code: String, detail: String },
}

/// Where a transaction stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum TxStatus {
    /// Checked and waiting for a block.
    Pending,
    /// In a block, and what it said there is final.
    Committed(Committed),
    /// In no block, and a block later than its `valid_until` is committed: it never will be.
    Expired,
}

/// A transaction's final result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Committed {
    pub height: u64,
    pub position: u32,
    pub time_ms: u64,
    /// Whether a later block proves it already.
    pub sealed: bool,
    pub applied: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    pub events: Vec<EventInfo>,
    /// Its log entry, if it was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    pub entries: u64,
}

/// An event, with open fields as JSON (byte strings in hexadecimal).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventInfo {
    pub app: String,
    pub instance: String,
    pub name: String,
    pub fields: serde_json::Value,
}

/// `POST /transactions` answers, and `GET /transactions/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TxInfo {
    pub id: TxId,
    #[serde(flatten)]
    pub status: TxStatus,
}

/// A message of `GET /blocks/stream` (server-sent events; the event id is the height).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockMessage {
    pub height: u64,
    /// Block and commit certificate as CBOR, hexadecimal: to be verified, not believed.
    pub block: String,
    pub certificate: String,
    /// Results as CBOR, hexadecimal, one a transaction; the next header commits to them.
    pub results: Vec<String>,
}

/// How `chain-node backup` or `chain-node restore` ended, as `--report` writes it for whoever started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum BackupReport {
    /// The backup is where it should be, or was restored and found whole.
    Done(BackedUp),
    Failed {
        reason: String,
    },
}

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUp {
    pub fingerprint: Fingerprint,
    /// The last block in it.
    pub height: u64,
    pub block_id: BlockId,
    /// Of the state after that block.
    pub state_root: Hash,
    pub log_size: u64,
    pub log_root: Hash,
    pub files: u64,
    pub bytes: u64,
}

/// `application/problem+json` (RFC 9457) with a stable code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// What to do about it.
    pub detail: String,
}

/// An open value as JSON: byte strings become hexadecimal text.
pub fn value_to_json(value: &crate::Value) -> serde_json::Value {
    use crate::Value;
    use serde_json::Value as Json;
    match value {
        Value::Integer(n) => {
            let n = i128::from(*n);
            match (u64::try_from(n), i64::try_from(n)) {
                (Ok(n), _) => n.into(),
                (_, Ok(n)) => n.into(),
                _ => Json::Null,
            }
        }
        Value::Bytes(b) => hex::encode(b).into(),
        Value::Text(t) => t.clone().into(),
        Value::Bool(b) => (*b).into(),
        Value::Array(items) => items.iter().map(value_to_json).collect(),
        Value::Map(pairs) => {
            let name = |key: &Value| key.as_text().map(str::to_owned).unwrap_or_else(|| value_to_json(key).to_string());
            Json::Object(pairs.iter().map(|(k, v)| (name(k), value_to_json(v))).collect())
        }
        _ => Json::Null,
    }
}
