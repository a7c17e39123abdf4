//! The node's configuration file, `node.toml`. Whoever provisions the node writes it; unknown keys are refused, so that a
//! misspelt limit is not silently the default. Secrets are paths or hashes, never values.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use chain_types::{Hash, PublicKey};
use serde::{Deserialize, Serialize};

/// `node.toml`. Relative paths are relative to the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The validator's name within the chain, such as `notary-1`.
    pub name: String,
    /// The organisation that runs it.
    pub organisation: String,
    /// Holds `data/`, `wal/` and `keys/`.
    #[serde(default = "here")]
    pub home: PathBuf,
    /// The chain's genesis file.
    pub genesis: PathBuf,
    pub listen: Listen,
    /// Every other validator and observer. Only they can connect.
    #[serde(default)]
    pub peers: Vec<Peer>,
    #[serde(default)]
    pub access: Access,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub timeouts: Timeouts,
    #[serde(default)]
    pub retention: Retention,
    #[serde(default)]
    pub sync: Sync,
    /// SHA-256 of the text that it was read from.
    #[serde(skip)]
    pub text_hash: Option<Hash>,
}

fn here() -> PathBuf {
    ".".into()
}

/// Addresses that the node listens on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Consensus among validators (port 26656 by convention).
    pub consensus: SocketAddr,
    /// Transactions among validators (26657).
    pub gossip: SocketAddr,
    /// HTTP API (8080).
    pub api: SocketAddr,
    /// Prometheus metrics (9090); none if absent.
    pub metrics: Option<SocketAddr>,
    /// Administration, with a token (8081); none if absent.
    pub admin: Option<SocketAddr>,
}

/// Another node of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    pub name: String,
    pub organisation: String,
    /// Its peer key: proves it on both connections.
    pub peer_key: PublicKey,
    /// `host:port`; a host may be a name or an address.
    pub consensus: String,
    /// `host:port`
    pub gossip: String,
}

/// Who may use the parts of the API that are not public.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// SHA-256 of the members' bearer tokens.
    #[serde(default)]
    pub token_hashes: Vec<Hash>,
    /// SHA-256 of the administration token.
    pub admin_token_hash: Option<Hash>,
    /// Anyone may read records and state, not only what proves them. For development.
    #[serde(default)]
    pub public_reads: bool,
}

/// What the node refuses beyond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Transactions that may wait. This node's clients may fill half; the rest is for what its peers have taken.
    pub mempool_txs: usize,
    /// Bytes of transactions that may wait, shared out in the same way.
    pub mempool_bytes: usize,
    /// Transactions a second from one account.
    pub account_rate_per_s: u32,
    /// The node stops itself, cleanly, with less free space than this.
    pub disk_reserve_bytes: u64,
    /// Heights whose state can still be proven.
    pub state_history: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            mempool_txs: 20_000,
            mempool_bytes: 48 << 20,
            account_rate_per_s: 20_000,
            disk_reserve_bytes: 256 << 20,
            state_history: 256,
        }
    }
}

/// Consensus timeouts; each grows by half with every round, to at most 10 s.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    pub propose_ms: u64,
    pub vote_ms: u64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { propose_ms: 400, vote_ms: 200 }
    }
}

/// How long blocks are kept. State, the log's hashes and what evidence needs of the validator sets stay for good.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Retention {
    /// Blocks that stay in the store, at least; all, if absent. Those of the last 10 minutes stay in any case.
    pub keep_blocks: Option<u64>,
    /// A folder for older blocks, where this node still finds them; they are deleted if absent.
    pub archive: Option<PathBuf>,
    /// Told to whoever asks for a block that is not here any more, such as the address of a node that keeps all.
    pub address: Option<String>,
}

/// How a node that is new, or was away for long, gets to the chain's height.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sync {
    pub mode: SyncMode,
    /// APIs of nodes to take a snapshot from, such as `http://127.80.1.1:8080`; tried in order.
    pub from: Vec<String>,
    /// A file with a member's token for them.
    pub token_file: Option<PathBuf>,
    /// A header that is known from elsewhere; the snapshot must be of the chain that it is on.
    pub trust: Option<Trust>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncMode {
    /// Every block, as long as a peer of `from` has the next one; a snapshot otherwise.
    #[default]
    Auto,
    /// Every block, always.
    Blocks,
    /// A snapshot if the store is empty.
    Snapshot,
}

/// A block that is believed without proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trust {
    pub height: u64,
    /// SHA-256 of its header.
    pub id: chain_types::BlockId,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("failed to read {path}: {source}; create it with `chain-node init`")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a node configuration: {reason}")]
    Parse { path: PathBuf, reason: String },
    #[error("{path}: {reason}")]
    Value { path: PathBuf, reason: &'static str },
}

impl Config {
    /// Reads and checks a file; paths in the result are absolute or relative to the working directory.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read { path: path.into(), source };
        Self::parse(&std::fs::read_to_string(path).map_err(read)?, path)
    }

    /// Checks a text that is, or will be, the file's.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let parse = |e: toml::de::Error| ConfigError::Parse { path: path.into(), reason: e.to_string() };
        let mut config: Self = toml::from_str(text).map_err(parse)?;
        config.text_hash = Some(Hash::of(text.as_bytes()));
        let base = path.parent().unwrap_or(Path::new("."));
        config.home = base.join(&config.home);
        config.genesis = base.join(&config.genesis);
        config.sync.token_file = config.sync.token_file.map(|file| base.join(file));
        config.retention.archive = config.retention.archive.map(|archive| base.join(archive));
        config.check().map_err(|reason| ConfigError::Value { path: path.into(), reason })?;
        Ok(config)
    }

    fn check(&self) -> Result<(), &'static str> {
        if !chain_types::genesis::is_name(&self.name) {
            return Err("name must be lower-case letters, digits and hyphens, at most 30");
        }
        if self.limits.mempool_txs == 0 || self.limits.mempool_bytes < chain_types::limits::MAX_TX_BYTES {
            return Err("limits.mempool_bytes must hold at least one transaction (512 KiB), limits.mempool_txs one");
        }
        if !(50..=10_000).contains(&self.timeouts.propose_ms) || !(20..=10_000).contains(&self.timeouts.vote_ms) {
            return Err("timeouts.propose_ms must lie in 50..=10000 and timeouts.vote_ms in 20..=10000");
        }
        if self.limits.state_history < 16 {
            return Err("limits.state_history must be at least 16 heights");
        }
        if self.retention.keep_blocks.is_some_and(|keep| keep < self.limits.state_history.saturating_add(16)) {
            return Err("retention.keep_blocks must be at least limits.state_history + 16");
        }
        if self.sync.mode == SyncMode::Snapshot && self.sync.from.is_empty() {
            return Err("sync.mode = \"snapshot\" needs sync.from: addresses of the nodes to take it from");
        }
        if self.retention.archive.is_some() && self.retention.keep_blocks.is_none() {
            return Err("retention.archive needs retention.keep_blocks: how many blocks stay in the store");
        }
        Ok(())
    }

    /// Without what a reload takes over: a difference here needs a restart.
    pub fn at_start(&self) -> Self {
        Self { peers: Vec::new(), access: Access::default(), text_hash: None, ..self.clone() }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.home.join("data")
    }

    pub fn wal_dir(&self) -> PathBuf {
        self.home.join("wal")
    }

    pub fn keys_dir(&self) -> PathBuf {
        self.home.join("keys")
    }
}
