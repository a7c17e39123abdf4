//! What can be asked of committed data.

use chain_runtime::state::{StateError, StateView};
use chain_types::block::Block;
use chain_types::encoding::{Decode, Reader};
use chain_types::{BlockId, CommitCertificate, Hash, TxId, TxOutcome};
use rocksdb::{Direction, IteratorMode};

use super::columns::{Column, height_key};
use super::commit::Roots;
use super::proposals::{Proposal, block_key};
use super::{Store, StoreError, damaged};

/// A decided block and a certificate for it.
#[derive(Debug, Clone)]
pub struct BlockRecord {
    pub id: BlockId,
    pub block: Block,
    pub certificate: CommitCertificate,
}

/// Where a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxPlace {
    pub height: u64,
    pub position: u32,
}

/// Which call a log entry belongs to; `offset` 0 is the call, n its n-th digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogPlace {
    pub call: TxPlace,
    pub offset: u64,
}

impl TxPlace {
    pub(super) fn row(self) -> [u8; 12] {
        let mut row = [0; 12];
        row[..8].copy_from_slice(&self.height.to_be_bytes());
        row[8..].copy_from_slice(&self.position.to_be_bytes());
        row
    }

    fn from_row(row: &[u8]) -> Result<Self, StoreError> {
        let height = row.get(..8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        let position = row.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        match (height, position) {
            (Some(height), Some(position)) => Ok(Self { height, position }),
            _ => Err(damaged("place of a transaction")),
        }
    }
}

impl Store {
    /// Height of the last committed block; 0 is genesis.
    pub fn tip(&self) -> Result<u64, StoreError> {
        let row = self.meta("tip")?.ok_or_else(|| damaged("no tip"))?;
        row.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| damaged("tip"))
    }

    /// The block decided at a height.
    pub fn block(&self, height: u64) -> Result<Option<BlockRecord>, StoreError> {
        let Some((id, round, certificate)) = self.decision(height)? else { return Ok(None) };
        let key = block_key(height, round, &id);
        let row = self.get(Column::Block, &key)?.ok_or_else(|| damaged(&format!("block {height} is missing")))?;
        let block = Proposal::from_row(&key, &row)?.block;
        match block.header.id() == id {
            true => Ok(Some(BlockRecord { id, block, certificate })),
            false => Err(damaged(&format!("block {height} is not the one that was decided"))),
        }
    }

    /// Which block was decided at a height, in which round, and a certificate for it.
    pub fn decision(&self, height: u64) -> Result<Option<(BlockId, u32, CommitCertificate)>, StoreError> {
        let Some(row) = self.get(Column::Decision, &height_key(height))? else { return Ok(None) };
        let bad = || damaged(&format!("decision at height {height}"));
        let round = row.get(..4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or_else(bad)?;
        let id = row.get(4..36).and_then(BlockId::from_slice).ok_or_else(bad)?;
        let certificate = CommitCertificate::from_bytes(row.get(36..).unwrap_or_default()).map_err(|_| bad())?;
        Ok(Some((id, round, certificate)))
    }

    /// What the next header must commit to, after a height.
    pub fn roots(&self, height: u64) -> Result<Roots, StoreError> {
        let row = self.result_row(height)?;
        let mut r = Reader::new(&row);
        Roots::decode(&mut r).map_err(|e| damaged(&format!("roots of height {height}: {e}")))
    }

    /// Results of a block's transactions, in order.
    pub fn results(&self, height: u64) -> Result<Vec<TxOutcome>, StoreError> {
        let row = self.result_row(height)?;
        let mut r = Reader::new(&row);
        let mut read = || {
            Roots::decode(&mut r)?;
            let n = r.array()?;
            (0..n).map(|_| TxOutcome::decode(&mut r)).collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|e| damaged(&format!("results of height {height}: {e}")))
    }

    fn result_row(&self, height: u64) -> Result<Vec<u8>, StoreError> {
        let row = self.get(Column::Result, &height_key(height))?;
        row.ok_or_else(|| damaged(&format!("results of height {height} are missing")))
    }

    pub fn find_transaction(&self, id: &TxId) -> Result<Option<TxPlace>, StoreError> {
        self.get(Column::Transaction, &id.0)?.map(|row| TxPlace::from_row(&row)).transpose()
    }

    /// Which call left a log entry; the caller knows that `index` is below the log's size.
    pub fn find_entry(&self, index: u64) -> Result<Option<LogPlace>, StoreError> {
        let mode = IteratorMode::From(&index.to_be_bytes(), Direction::Reverse);
        let Some(row) = self.db.iterator_cf_opt(self.cf(Column::Entry)?, Default::default(), mode).next() else {
            return Ok(None);
        };
        let (key, row) = row?;
        let first = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| damaged("key of a log entry"))?;
        Ok(Some(LogPlace { call: TxPlace::from_row(&row)?, offset: index - first }))
    }

    /// Log entries that hold a digest, oldest first, at most `limit`.
    pub fn find_digest(&self, digest: &Hash, limit: usize) -> Result<Vec<u64>, StoreError> {
        let mode = IteratorMode::From(&digest.0, Direction::Forward);
        let rows = self.db.iterator_cf(self.cf(Column::Digest)?, mode);
        let mut entries = Vec::new();
        for row in rows.take(limit) {
            let (key, _) = row?;
            if !key.starts_with(&digest.0) {
                break;
            }
            let entry = key.get(32..).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
            entries.push(entry.ok_or_else(|| damaged("key of a digest"))?);
        }
        Ok(entries)
    }

    /// All state records, for `check`.
    pub fn all_state(&self) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), StoreError>> {
        let rows = self.cf(Column::State).map(|cf| self.db.iterator_cf(cf, IteratorMode::Start));
        let rows = rows.into_iter().flatten();
        rows.map(|row| row.map(|(k, v)| (k.into_vec(), v.into_vec())).map_err(StoreError::from))
    }

    /// Bytes on disk, as RocksDB counts its live tables.
    pub fn size_bytes(&self) -> u64 {
        let size = |c: &Column| {
            let property = self.cf(*c).ok().map(|cf| self.db.property_int_value_cf(cf, "rocksdb.total-sst-files-size"));
            property.and_then(Result::ok).flatten().unwrap_or(0)
        };
        super::columns::ALL.iter().map(size).sum()
    }
}

impl StateView for Store {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Store::get(self, Column::State, key).map_err(|e| StateError(e.to_string()))
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StateError> {
        let failed = |e: StoreError| StateError(e.to_string());
        let start = after.unwrap_or(prefix).max(prefix);
        let mode = IteratorMode::From(start, Direction::Forward);
        let rows = self.db.iterator_cf(self.cf(Column::State).map_err(failed)?, mode);
        let mut found = Vec::new();
        for row in rows {
            let (key, value) = row.map_err(|e| failed(e.into()))?;
            if !key.starts_with(prefix) || found.len() == limit {
                break;
            }
            if after != Some(key.as_ref()) {
                found.push((key.into_vec(), value.into_vec()));
            }
        }
        Ok(found)
    }
}
