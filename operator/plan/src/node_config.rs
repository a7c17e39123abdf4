//! The text of one node's configuration, as `chain-node run` reads it (TOML, unknown keys refused there).
//!
//! Two hashes tell what a change of it costs: [`ConfigText::start_hash`] covers what is read once, so that a difference means
//! a restart; [`ConfigText::hash`] covers everything, so that a difference in peers or tokens alone means a reload.

use chain_types::{Hash, PublicKey};
use serde::Serialize;

/// Consensus peers. Every node has an address of its own, so ports are the same everywhere.
pub const CONSENSUS_PORT: u16 = 26656;
/// Transaction gossip.
pub const GOSSIP_PORT: u16 = 26657;
pub const API_PORT: u16 = 8080;
pub const METRICS_PORT: u16 = 9090;
pub const ADMIN_PORT: u16 = 8081;

/// A node stops itself before less than this is free, and is started again once twice as much is.
pub const DISK_RESERVE_BYTES: u64 = 256 * 1024 * 1024;

/// What a node reads at its start, key for key as `chain-node` declares it. Paths are relative to the file, so that a home
/// can be moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeConfig {
    pub name: String,
    pub organisation: String,
    /// The folder with `keys`, `data`, `wal` and `log`.
    pub home: String,
    /// The genesis file.
    pub genesis: String,
    pub listen: Listen,
    pub access: Access,
    pub limits: Limits,
    pub peers: Vec<Peer>,
}

/// `host:port` of everything that the node serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listen {
    pub consensus: String,
    pub gossip: String,
    pub api: String,
    pub metrics: String,
    pub admin: String,
}

/// Who may use the parts of the API that are not public anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Access {
    /// SHA-256 of the members' bearer tokens.
    pub token_hashes: Vec<Hash>,
    /// SHA-256 of the token that opens the admin address.
    pub admin_token_hash: Hash,
    /// Anyone may read records and state.
    pub public_reads: bool,
}

/// The node's own defaults hold for everything that is not here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    pub disk_reserve_bytes: u64,
}

/// Another node of the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    pub name: String,
    pub organisation: String,
    /// The identity that both connections must prove.
    pub peer_key: PublicKey,
    /// `host:port`
    pub consensus: String,
    /// `host:port`
    pub gossip: String,
}

/// A configuration as it is written to disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigText {
    pub text: String,
    /// Of the whole text.
    pub hash: Hash,
    /// Of what only a restart makes effective.
    pub start_hash: Hash,
}

impl NodeConfig {
    pub fn render(&self) -> ConfigText {
        let access = Access { token_hashes: Vec::new(), ..self.access.clone() };
        let fixed = Self { access, peers: Vec::new(), ..self.clone() };
        let text = format!(
            "# Made by the provisioner from the chain's plan; changes by hand are overwritten.\n{}",
            self.toml()
        );
        ConfigText { hash: Hash::of(text.as_bytes()), start_hash: Hash::of(fixed.toml().as_bytes()), text }
    }

    fn toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers and tables of them are always TOML")
    }
}
