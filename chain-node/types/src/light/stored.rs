//! What a chain keeps of a header of another chain, and where: one record a header, so that a state proof of the record
//! shows anybody what that chain looked like to its witness, and since when.

use serde::{Deserialize, Serialize};

use crate::block::Header;
use crate::bytes::{BlockId, Fingerprint, Hash};
use crate::genesis::Genesis;
use crate::merkle::empty_root;
use crate::state::{CHAIN_APP, key};

/// The module, an instance of that name in the application `chain`.
pub const CLIENTS: &str = "clients";
const CLIENT: &str = "client";
const HEADER: &str = "header";

/// A verified header of another chain. Times are milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredHeader {
    pub height: u64,
    /// The header's id: it stands for all that the header commits to, and for every header before it.
    pub id: BlockId,
    /// By the other chain's clock.
    pub time_ms: u64,
    pub log_size: u64,
    pub log_root: Hash,
    /// The set that certified it.
    pub validators_hash: Hash,
    /// The set that it names for the height after.
    pub next_validators_hash: Hash,
    /// By the clock of the chain that stores it.
    pub stored_ms: u64,
}

impl StoredHeader {
    /// What is kept of a header that was verified.
    pub fn of(header: &Header, stored_ms: u64) -> Self {
        Self {
            height: header.height,
            id: header.id(),
            time_ms: header.time_ms,
            log_size: header.log_size,
            log_root: header.log_root,
            validators_hash: header.validators_hash,
            next_validators_hash: header.next_validators_hash,
            stored_ms,
        }
    }

    /// Where every chain begins: height 0, an empty log, the first set.
    pub fn of_genesis(genesis: &Genesis, stored_ms: u64) -> Self {
        let (chain, set) = (genesis.fingerprint(), genesis.validator_set().hash());
        Self {
            height: 0,
            id: BlockId(chain.0),
            time_ms: genesis.time_ms,
            log_size: 0,
            log_root: empty_root(),
            validators_hash: set,
            next_validators_hash: set,
            stored_ms,
        }
    }
}

/// Where the light client of a chain is.
pub fn client_key(chain: &Fingerprint) -> Vec<u8> {
    key(CHAIN_APP, CLIENTS, CLIENT, &chain.0)
}

/// The beginning of the keys of all stored headers of a chain, in the order of their heights.
pub fn header_prefix(chain: &Fingerprint) -> Vec<u8> {
    key(CHAIN_APP, CLIENTS, HEADER, &chain.0)
}

/// Where the stored header of a height is.
pub fn header_key(chain: &Fingerprint, height: u64) -> Vec<u8> {
    let mut key = header_prefix(chain);
    key.extend_from_slice(&height.to_be_bytes());
    key
}
