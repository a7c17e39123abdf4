//! Copies of the store for backups: made while it is being written, and opened without changing a byte of them.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use chain_types::Genesis;
use chain_types::encoding::Decode;
use rocksdb::checkpoint::Checkpoint;

use super::columns::{self, Column};
use super::{Store, StoreError, damaged};

static COPYING: Mutex<()> = Mutex::new(());

impl Store {
    /// Copies the store, as it is after one height, into a folder that must not exist. Tables are shared with the store by
    /// hard links where both lie on one file system, so the cost is that of what is still in memory. Blocking; writers go
    /// on meanwhile.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        // One after the other: whoever is killed while it waits for a copy asks again, and of two copies at once one was
        // seen to fail on a file that was gone.
        let _one = COPYING.lock().unwrap_or_else(PoisonError::into_inner);
        let copy = Checkpoint::new(&*self.db).and_then(|checkpoint| checkpoint.create_checkpoint(path));
        copy.map_err(|e| StoreError::Write(format!("the copy at {}: {e}", path.display())))
    }

    /// Opens a store that must stay as it is, beside whoever else reads it.
    pub fn open_read_only(path: &Path) -> Result<Self, StoreError> {
        if !path.join("CURRENT").exists() {
            return Err(StoreError::Empty { path: path.into() });
        }
        let db = Arc::new(columns::open_read_only(path)?);
        let bytes = db.get_cf(columns::handle(&db, Column::Meta)?, "genesis")?;
        let bytes = bytes.ok_or_else(|| StoreError::Empty { path: path.into() })?;
        let genesis = Genesis::from_bytes(&bytes).map_err(|e| damaged(&format!("genesis: {e}")))?;
        let store = Self::of(db, genesis, u64::MAX)?;
        let format = store.meta("format")?.unwrap_or_default();
        store.check_identity(path, &format)?;
        Ok(store)
    }

    /// Notes that this store came from elsewhere, a backup or a snapshot. Whoever decides whether this node may vote must
    /// then take a missing identity file for a lost one, not for a new validator's (DESIGN §7.5).
    pub fn mark_copied(&self) -> Result<(), StoreError> {
        let mut batch = rocksdb::WriteBatch::default();
        self.stage_copied(&mut batch)?;
        self.write(batch)
    }

    pub(super) fn stage_copied(&self, batch: &mut rocksdb::WriteBatch) -> Result<(), StoreError> {
        self.put(batch, Column::Meta, b"identity", &[1])
    }

    /// The format number that the store carries.
    pub fn format(&self) -> Result<u64, StoreError> {
        let bytes = self.meta("format")?.unwrap_or_default();
        bytes.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| damaged("format number"))
    }
}
