//! What can be asked of committed data.

use chain_runtime::state::{StateError, StateView};
use chain_types::block::Block;
use chain_types::encoding::{Decode, Reader};
use chain_types::{BlockId, CommitCertificate, Hash, Header, TxId, TxOutcome};
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
    pub(crate) fn row(self) -> [u8; 12] {
        let mut row = [0; 12];
        row[..8].copy_from_slice(&self.height.to_be_bytes());
        row[8..].copy_from_slice(&self.position.to_be_bytes());
        row
    }

    /// The reverse of [`TxPlace::row`].
    pub(crate) fn from_bytes(row: &[u8]) -> Option<Self> {
        let height = row.get(..8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
        let position = row.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        Some(Self { height: height?, position: position? })
    }

    pub(super) fn from_row(row: &[u8]) -> Result<Self, StoreError> {
        Self::from_bytes(row).ok_or_else(|| damaged("place of a transaction"))
    }
}

impl Store {
    /// Height of the last committed block; 0 is genesis.
    pub fn tip(&self) -> Result<u64, StoreError> {
        let row = self.meta("tip")?.ok_or_else(|| damaged("no tip"))?;
        row.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| damaged("tip"))
    }

    /// The block decided at a height, from the store or its archive.
    pub fn block(&self, height: u64) -> Result<Option<BlockRecord>, StoreError> {
        let Some((id, round, certificate)) = self.decision(height)? else {
            let whole = self.archived(|archive| archive.block(height))?;
            return Ok(whole.map(|w| BlockRecord { id: w.certificate.id, block: w.block, certificate: w.certificate }));
        };
        let key = block_key(height, round, &id);
        let row = self.get(Column::Block, &key)?.ok_or_else(|| damaged(&format!("block {height} is missing")))?;
        let block = Proposal::from_row(&key, &row)?.block;
        match block.header.id() == id {
            true => Ok(Some(BlockRecord { id, block, certificate })),
            false => Err(damaged(&format!("block {height} is not the one that was decided"))),
        }
    }

    /// The header of the block decided at a height, from the store or its archive.
    pub fn header(&self, height: u64) -> Result<Option<Header>, StoreError> {
        let Some((id, round, _)) = self.decision(height)? else {
            return Ok(self.archived(|archive| archive.block(height))?.map(|whole| whole.block.header));
        };
        let row = self.db.get_pinned_cf(self.cf(Column::Block)?, block_key(height, round, &id))?;
        let row = row.ok_or_else(|| damaged(&format!("block {height} is missing")))?;
        let header = Proposal::header_of_row(&row)?;
        match header.id() == id {
            true => Ok(Some(header)),
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

    /// Results of a block's transactions, in order; from the archive if the block is there.
    pub fn results(&self, height: u64) -> Result<Vec<TxOutcome>, StoreError> {
        let row = match self.get(Column::Result, &height_key(height))? {
            Some(row) => row,
            None => match self.archived(|archive| archive.block(height))? {
                Some(whole) => return Ok(whole.outcomes),
                None => return Err(damaged(&format!("results of height {height} are missing"))),
            },
        };
        let mut r = Reader::new(&row);
        let mut read = || {
            Roots::decode(&mut r)?;
            let n = r.array()?;
            (0..n).map(|_| TxOutcome::decode(&mut r)).collect::<Result<Vec<_>, _>>()
        };
        read().map_err(|e| damaged(&format!("results of height {height}: {e}")))
    }

    /// The result of one transaction; none if the block has fewer.
    pub fn result(&self, place: TxPlace) -> Result<Option<TxOutcome>, StoreError> {
        let position = usize::try_from(place.position).unwrap_or(usize::MAX);
        let Some(row) = self.get(Column::Result, &height_key(place.height))? else {
            return Ok(self.results(place.height)?.into_iter().nth(position));
        };
        let mut r = Reader::new(&row);
        let mut read = || {
            Roots::decode(&mut r)?;
            if r.array()? <= position {
                return Ok(None);
            }
            for _ in 0..place.position {
                r.skip()?;
            }
            TxOutcome::decode(&mut r).map(Some)
        };
        read().map_err(|e: chain_types::DecodeError| damaged(&format!("results of height {}: {e}", place.height)))
    }

    fn result_row(&self, height: u64) -> Result<Vec<u8>, StoreError> {
        let row = self.get(Column::Result, &height_key(height))?;
        row.ok_or_else(|| damaged(&format!("results of height {height} are missing")))
    }

    /// Among the blocks in the store, which are all that a transaction can repeat.
    pub fn find_transaction(&self, id: &TxId) -> Result<Option<TxPlace>, StoreError> {
        self.get(Column::Transaction, &id.0)?.map(|row| TxPlace::from_row(&row)).transpose()
    }

    /// Among all blocks, the archived ones too: for readers who have time.
    pub fn locate_transaction(&self, id: &TxId) -> Result<Option<TxPlace>, StoreError> {
        match self.find_transaction(id)? {
            Some(place) => Ok(Some(place)),
            None => self.archived(|archive| archive.find_transaction(id)),
        }
    }

    /// Which call left a log entry; the caller knows that `index` is below the log's size. None if its block was dropped
    /// and no archive has it.
    pub fn find_entry(&self, index: u64) -> Result<Option<LogPlace>, StoreError> {
        if index < self.first_entry()? {
            return self.archived(|archive| archive.find_entry(index));
        }
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
        // What is in the archive and still in the store is told once.
        let first = if self.archive().is_some() { self.first_entry()? } else { 0 };
        let old = self.archived(|archive| archive.find_digest(digest, limit).map(Some))?;
        let mut entries: Vec<u64> = old.into_iter().flatten().filter(|entry| *entry < first).collect();
        for row in rows.take(limit - entries.len()) {
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

    /// Bytes of the state's rows, about.
    pub fn state_bytes(&self) -> u64 {
        let names = ["rocksdb.estimate-live-data-size", "rocksdb.cur-size-all-mem-tables"];
        let size = |name: &str| self.db.property_int_value_cf(self.cf(Column::State).ok()?, name).ok()?;
        names.into_iter().filter_map(size).sum()
    }

    /// Bytes on disk, as RocksDB counts its live tables.
    pub fn size_bytes(&self) -> u64 {
        self.sizes_bytes().map(|(_, bytes)| bytes).sum()
    }

    /// Bytes of each column's tables; what is still in memory only is not among them.
    pub fn sizes_bytes(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        super::columns::ALL.iter().map(|c| {
            let property = self.cf(*c).ok().map(|cf| self.db.property_int_value_cf(cf, "rocksdb.total-sst-files-size"));
            (c.name(), property.and_then(Result::ok).flatten().unwrap_or(0))
        })
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
