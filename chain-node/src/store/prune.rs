//! Dropping old blocks: bodies, certificates, results and their indexes go, in a bounded amount within each block's own
//! write, so that no long pause ever comes. What stays for good: the log's hashes, the validator sets, and every block
//! whose header hands over to another validator set, because evidence follows the sets through those.
//!
//! With an archive, a block goes only after the segment that holds it is on disk. Never dropped: blocks whose transaction
//! ids could still be repeated (DESIGN §4.2), and the last ones, which state proofs need. Ids are kept for twice as long
//! as they can be repeated, and one block beyond: a node that takes a snapshot of some minutes ago must find all of its
//! ten minutes here, and a block before them that shows that they are all.

use chain_types::TxOutcome;
use chain_types::limits::VALIDITY_WINDOW_MS;
use rocksdb::WriteBatch;

use super::columns::{Column, FORMAT, PRUNED_FORMAT, height_key};
use super::proposals::block_key;
use super::{Store, StoreError, damaged};
use crate::archive::{Archive, ArchiveError};

/// Rows dropped within one block's write, beyond the first block.
const ROWS_PER_BLOCK: usize = 4_000;
/// Near-empty blocks dropped within one block's write.
const BLOCKS_PER_BLOCK: u64 = 32;
/// Blocks of one archive segment, at most; and their bytes, about.
const SEGMENT_BLOCKS: u64 = 4_096;
const SEGMENT_BYTES: usize = 64 << 20;

/// How long blocks are kept, and where they go.
#[derive(Debug, Default)]
pub struct Retention {
    /// Blocks that stay in the store; all, if none.
    pub keep_blocks: Option<u64>,
    /// Where older ones go; nowhere, if none.
    pub archive: Option<Archive>,
    /// Where people find what is no longer here.
    pub address: Option<String>,
}

impl From<ArchiveError> for StoreError {
    fn from(e: ArchiveError) -> Self {
        match e {
            ArchiveError::Damaged { .. } | ArchiveError::OtherChain { .. } => Self::Damaged(e.to_string()),
            ArchiveError::Read { .. } => Self::Read(e.to_string()),
            ArchiveError::Write { .. } => Self::Write(e.to_string()),
        }
    }
}

impl Store {
    pub fn with_retention(mut self, retention: Retention) -> Self {
        self.retention = std::sync::Arc::new(retention);
        self
    }

    pub fn archive(&self) -> Option<&Archive> {
        self.retention.archive.as_ref()
    }

    /// Asks the archive, if there is one.
    pub(super) fn archived<T>(
        &self,
        ask: impl FnOnce(&Archive) -> Result<Option<T>, ArchiveError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.archive().map_or(Ok(None), ask)?)
    }

    /// First height from which on every block is in the store.
    pub fn first_block(&self) -> Result<u64, StoreError> {
        match self.meta("first")? {
            Some(row) => row.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| damaged("first")),
            None => Ok(1),
        }
    }

    /// First height that this node can still give, from its store or its archive.
    pub fn oldest_block(&self) -> Result<u64, StoreError> {
        let first = self.first_block()?;
        let archived = self.archive().and_then(Archive::range);
        Ok(archived.filter(|(_, last)| last + 1 >= first).map_or(first, |(oldest, _)| oldest.min(first)))
    }

    /// Entries of the log that came before the first kept block.
    pub fn first_entry(&self) -> Result<u64, StoreError> {
        let first = self.first_block()?;
        match first {
            0 | 1 => Ok(0),
            _ => Ok(self.header(first)?.map_or(0, |header| header.log_size)),
        }
    }

    /// A sentence for whoever asks for what was dropped.
    pub fn gone(&self, what: &str) -> String {
        let first = self.first_block().unwrap_or(1);
        match &self.retention.address {
            Some(address) => format!("{what} is older than block {first}, the first kept here; find it at {address}"),
            None => format!(
                "{what} is older than block {first}, the first kept here; ask the chain's operator for its archive"
            ),
        }
    }

    /// Stages the dropping of what is old enough once `height` is committed at `time_ms`.
    pub(super) fn stage_drop_blocks(
        &self,
        batch: &mut WriteBatch,
        height: u64,
        time_ms: u64,
    ) -> Result<(), StoreError> {
        let Some(keep) = self.retention.keep_blocks else { return Ok(()) };
        let archived = match self.archive() {
            Some(archive) => archive.range().map_or(0, |(_, last)| last),
            None => u64::MAX,
        };
        let last = height.saturating_sub(keep).min(archived);
        let first = self.first_block()?;
        let (mut next, mut rows) = (first, 0);
        while next <= last && (next == first || rows < ROWS_PER_BLOCK) && next - first < BLOCKS_PER_BLOCK {
            match self.stage_drop_block(batch, next, time_ms)? {
                Some(dropped) => rows += dropped,
                None => break,
            }
            next += 1;
        }
        if next > first {
            self.put(batch, Column::Meta, b"first", &height_key(next))?;
            self.stage_format(batch)?;
        }
        Ok(())
    }

    /// The number of a store that may begin later than with block 1.
    pub(super) fn stage_format(&self, batch: &mut WriteBatch) -> Result<(), StoreError> {
        let format = if self.node_rows.has_begun() { FORMAT } else { PRUNED_FORMAT };
        self.put(batch, Column::Meta, b"format", &format.to_be_bytes())
    }

    /// Gives the number of rows dropped; none if the block must stay for now.
    fn stage_drop_block(&self, batch: &mut WriteBatch, height: u64, now_ms: u64) -> Result<Option<usize>, StoreError> {
        let missing = || damaged(&format!("block {height}, the first one kept, is missing"));
        let (id, round, _) = self.decision(height)?.ok_or_else(missing)?;
        let header = self.header(height)?.ok_or_else(missing)?;
        match self.header(height + 1)? {
            Some(next) if next.time_ms.saturating_add(2 * VALIDITY_WINDOW_MS) < now_ms => {}
            _ => return Ok(None),
        }
        let outcomes = self.results(height)?;
        let mut rows = 1;
        for (position, outcome) in outcomes.iter().enumerate() {
            self.delete(batch, Column::Transaction, &outcome.tx.0)?;
            rows += 1;
            if outcome.entries > 0 {
                self.delete(batch, Column::Entry, &outcome.first_entry.to_be_bytes())?;
                rows += 1;
            }
            if outcome.entries > 1 {
                rows += self.stage_drop_digests(batch, height, position, outcome)?;
            }
        }
        self.delete(batch, Column::Result, &height_key(height))?;
        if header.validators_hash == header.next_validators_hash {
            self.delete(batch, Column::Block, &block_key(height, round, &id))?;
            self.delete(batch, Column::Decision, &height_key(height))?;
        }
        Ok(Some(rows))
    }

    fn stage_drop_digests(
        &self,
        batch: &mut WriteBatch,
        height: u64,
        position: usize,
        outcome: &TxOutcome,
    ) -> Result<usize, StoreError> {
        let record = self.block(height)?.ok_or_else(|| damaged(&format!("block {height} is missing")))?;
        let envelope = record.block.txs.get(position).ok_or_else(|| damaged("results longer than their block"))?;
        let mut digests = Vec::new();
        self.digests_of(envelope, outcome, &mut digests)?;
        for (entry, digest) in &digests {
            self.delete(batch, Column::Digest, &[&digest.0[..], &entry.to_be_bytes()].concat())?;
        }
        Ok(digests.len())
    }

    /// Writes the next segment of the archive, if enough blocks are old enough. Blocking; gives the range it wrote.
    pub fn archive_next(&self) -> Result<Option<(u64, u64)>, StoreError> {
        let (Some(keep), Some(archive)) = (self.retention.keep_blocks, self.archive()) else { return Ok(None) };
        let tip = self.tip()?;
        let first = match archive.range() {
            Some((_, last)) => last + 1,
            None => self.first_block()?,
        };
        if first < self.first_block()? {
            return Err(damaged(&format!(
                "the archive ends before block {first}, which this store no longer has; give it the archive it had, \
                 or an empty folder"
            )));
        }
        // Whole segments only: a file a block would be many files.
        let enough = (keep / 4).clamp(8, SEGMENT_BLOCKS);
        let last = tip.saturating_sub(keep);
        if last + 1 < first + enough {
            return Ok(None);
        }
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for height in first..first + enough {
            let whole = self.whole_block(height)?.ok_or_else(|| damaged(&format!("block {height} is missing")))?;
            bytes += whole.block.txs.iter().map(|tx| tx.len()).sum::<usize>();
            blocks.push(whole);
            if bytes >= SEGMENT_BYTES {
                break;
            }
        }
        let written = blocks.last().map_or(first, |whole| whole.block.header.height);
        archive.append(&blocks)?;
        Ok(Some((first, written)))
    }

    /// Has RocksDB rewrite its tables now, so that what was dropped leaves the disk. It does so by itself in time.
    pub fn compact(&self) {
        for column in super::columns::ALL {
            if let Ok(cf) = self.cf(column) {
                self.db.compact_range_cf(cf, None::<&[u8]>, None::<&[u8]>);
            }
        }
    }
}
