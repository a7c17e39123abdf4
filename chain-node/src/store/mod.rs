//! What is on disk, and the one write that changes it.
//!
//! Three promises, each with a test of its name: a block's effects — block, commit certificate, state, tree nodes, log —
//! become visible together ([`commit`]); a proposal is on disk before it is voted on ([`proposals`]); a store that cannot
//! be trusted is refused with the reason. A failed write is fatal to the process: nothing here is used again after one.

mod columns;
mod commit;
mod copy;
mod export;
mod identity;
mod log;
mod node_rows;
mod proposals;
mod prune;
mod read;
mod sets;
mod settle;
mod staging;
mod stale;
mod tiles;
mod tree;
mod whole;

pub mod check;
mod check_kept;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chain_types::encoding::{Decode, Encode};
use chain_types::{Fingerprint, Genesis};
use rocksdb::{ColumnFamily, DB, WriteBatch, WriteOptions};

pub use columns::FORMAT;
pub use commit::{BlockCommit, Roots};
pub use export::StateExport;
pub use proposals::Proposal;
pub use prune::Retention;
pub use read::{BlockRecord, LogPlace, TxPlace};
pub use staging::{Next, Staging, StagingError};
pub use tree::Found;
pub use whole::WholeBlock;

use columns::Column;
use node_rows::NodeRows;

/// Why the store cannot be used, or stopped working.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("failed to open the store at {path}: {reason}")]
    Open { path: PathBuf, reason: String },
    #[error("the store at {path} holds no chain; create it with `chain-node init`")]
    Empty { path: PathBuf },
    #[error(
        "the store at {path} was written in format {found}; this version reads up to {FORMAT}: install the newer version"
    )]
    Newer { path: PathBuf, found: u64 },
    #[error("the store at {path} belongs to chain {found}, genesis says {expected}; point `home` at the right folder")]
    OtherChain { path: PathBuf, found: Fingerprint, expected: Fingerprint },
    #[error("the store is damaged: {0}; run `chain-node check`, then restore or resync this validator")]
    Damaged(String),
    #[error(
        "block {height} has execution rules {version}; this version knows them up to {known}: install the newer version",
        known = chain_runtime::NEWEST_RULES
    )]
    Rules { height: u64, version: u32 },
    #[error("failed to write to the store: {0}")]
    Write(String),
    #[error("failed to read from the store: {0}")]
    Read(String),
}

impl From<rocksdb::Error> for StoreError {
    fn from(e: rocksdb::Error) -> Self {
        match e.kind() {
            // A restart would find the same bytes: whoever supervises the node must not try.
            rocksdb::ErrorKind::Corruption => Self::Damaged(e.to_string()),
            _ => Self::Read(e.to_string()),
        }
    }
}

/// A key and its value.
type Row = (Vec<u8>, Vec<u8>);

/// The node's database. Cheap to clone; one process has one.
#[derive(Clone)]
pub struct Store {
    db: Arc<DB>,
    genesis: Arc<Genesis>,
    fingerprint: Fingerprint,
    /// Heights whose state can still be proven.
    history: u64,
    /// No height before this one has stale rows left. Where to begin, not what to believe: 0 is always right.
    stale_from: Arc<AtomicU64>,
    node_rows: Arc<NodeRows>,
    /// How long blocks stay, and where they go.
    retention: Arc<Retention>,
}

impl Store {
    /// Opens a store, making it from genesis if the folder holds none.
    pub fn open(path: &Path, genesis: &Genesis, history: u64) -> Result<Self, StoreError> {
        Self::open_db(columns::open(path)?, path, genesis, history)
    }

    /// A store in memory, gone with its last handle.
    #[cfg(test)]
    pub fn in_memory(genesis: &Genesis, history: u64) -> Result<Self, StoreError> {
        let mut options = rocksdb::Options::default();
        options.set_env(&rocksdb::Env::mem_env()?);
        let path = Path::new("/store");
        Self::open_db(columns::open_with(path, options)?, path, genesis, history)
    }

    /// The same store for another chain, with nothing of the first: opening one costs more than a test of many can pay.
    #[cfg(test)]
    pub fn wiped(self, genesis: &Genesis) -> Result<Self, StoreError> {
        let mut batch = WriteBatch::default();
        for column in columns::ALL {
            let cf = self.cf(column)?;
            for row in self.db.iterator_cf(cf, rocksdb::IteratorMode::Start) {
                batch.delete_cf(cf, row?.0);
            }
        }
        self.db.write(batch)?;
        let store = Self::of(self.db, genesis.clone(), self.history)?;
        store.create()?;
        Ok(store)
    }

    /// Upon an open database, which need not hold anything yet.
    fn of(db: Arc<DB>, genesis: Genesis, history: u64) -> Result<Self, StoreError> {
        let mut store = Self {
            db,
            fingerprint: genesis.fingerprint(),
            genesis: Arc::new(genesis),
            history,
            stale_from: Arc::default(),
            node_rows: Arc::default(),
            retention: Arc::default(),
        };
        store.node_rows = Arc::new(store.read_node_rows()?);
        Ok(store)
    }

    fn open_db(db: DB, path: &Path, genesis: &Genesis, history: u64) -> Result<Self, StoreError> {
        genesis.check().map_err(|e| StoreError::Damaged(e.to_string()))?;
        let store = Self::of(Arc::new(db), genesis.clone(), history)?;
        match store.meta("format")? {
            Some(bytes) => store.check_identity(path, &bytes)?,
            None => store.create()?,
        }
        Ok(store)
    }

    /// Opens an existing store and the genesis that it holds, for tools. The node must not be running.
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        if !path.join("CURRENT").exists() {
            return Err(StoreError::Empty { path: path.into() });
        }
        let db = Arc::new(columns::open(path)?);
        let cf = columns::handle(&db, Column::Meta)?;
        let bytes = db.get_cf(cf, "genesis")?.ok_or_else(|| StoreError::Empty { path: path.into() })?;
        let genesis = Genesis::from_bytes(&bytes).map_err(|e| StoreError::Damaged(format!("genesis: {e}")))?;
        let store = Self::of(db, genesis, 256)?;
        let format = store.meta("format")?.unwrap_or_default();
        store.check_identity(path, &format)?;
        Ok(store)
    }

    fn check_identity(&self, path: &Path, format: &[u8]) -> Result<(), StoreError> {
        let found = format.try_into().map(u64::from_be_bytes).map_err(|_| damaged("format number"))?;
        if found > FORMAT {
            return Err(StoreError::Newer { path: path.into(), found });
        }
        let genesis = self.meta("genesis")?.ok_or_else(|| damaged("no genesis"))?;
        let genesis = Genesis::from_bytes(&genesis).map_err(|e| damaged(&format!("genesis: {e}")))?;
        match genesis.fingerprint() == self.fingerprint {
            true => Ok(()),
            false => {
                let (found, expected) = (genesis.fingerprint(), self.fingerprint);
                Err(StoreError::OtherChain { path: path.into(), found, expected })
            }
        }
    }

    /// Writes genesis' state as height 0 and the store's identity, in one write: a crash leaves all or nothing.
    fn create(&self) -> Result<(), StoreError> {
        let changes = chain_runtime::genesis_state(&self.genesis).map_err(|e| StoreError::Damaged(e.to_string()))?;
        let mut batch = WriteBatch::default();
        self.put(&mut batch, Column::Meta, b"format", &FORMAT.to_be_bytes())?;
        self.put(&mut batch, Column::Meta, b"genesis", &self.genesis.to_bytes())?;
        self.stage_genesis(&mut batch, &changes)?;
        self.write(batch)
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn cf(&self, column: Column) -> Result<&ColumnFamily, StoreError> {
        columns::handle(&self.db, column)
    }

    fn meta(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(Column::Meta, name.as_bytes())
    }

    fn get(&self, column: Column, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get_cf(self.cf(column)?, key)?)
    }

    /// Rows of `Meta` whose key begins so, in order.
    fn meta_rows(&self, prefix: &[u8]) -> Result<Vec<Row>, StoreError> {
        let mode = rocksdb::IteratorMode::From(prefix, rocksdb::Direction::Forward);
        let mut found = Vec::new();
        for row in self.db.iterator_cf(self.cf(Column::Meta)?, mode) {
            let (key, value) = row?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key.into_vec(), value.into_vec()));
        }
        Ok(found)
    }

    fn put(&self, batch: &mut WriteBatch, column: Column, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        batch.put_cf(self.cf(column)?, key, value);
        Ok(())
    }

    fn delete(&self, batch: &mut WriteBatch, column: Column, key: &[u8]) -> Result<(), StoreError> {
        batch.delete_cf(self.cf(column)?, key);
        Ok(())
    }

    /// Durable when it returns.
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut options = WriteOptions::default();
        options.set_sync(true);
        let _timed = crate::stages::WRITE.time(batch.size_in_bytes());
        self.db.write_opt(batch, &options).map_err(|e| StoreError::Write(e.to_string()))
    }
}

/// Root of a state tree over these records.
#[cfg(test)]
pub(crate) fn state_root_of(records: &[(Vec<u8>, Vec<u8>)]) -> Result<chain_types::Hash, StoreError> {
    tree::root_of(records)
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(what.to_owned())
}
