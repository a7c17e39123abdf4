//! Reads the log as C2SP tlog-tiles serves it: tiles of hashes as they are stored, and bundles of entries, which are put
//! together again from the blocks. Every entry is compared with its leaf hash before it is given away.

use chain_types::encoding::Encode;
use chain_types::log_entry::call_entry;
use chain_types::merkle;
use chain_types::{Hash, Transaction, TxId, Value};
use rocksdb::{Direction, IteratorMode};

use super::columns::Column;
use super::log::{TILE_HASHES, digest_entry, tile_key};
use super::read::{LogPlace, TxPlace};
use super::{Store, StoreError, damaged};

/// Calls whose entries a range of the log holds: the first entry of each, and where it is.
type Calls = Vec<(u64, TxPlace)>;

impl Store {
    /// The log's root when it had `size` entries. The caller knows that it has at least as many.
    pub fn log_root_at(&self, size: u64) -> Result<Hash, StoreError> {
        Ok(self.log_frontier(size)?.root())
    }

    /// The first `width` hashes of a tile; none if the log does not have as many there.
    pub fn tile(&self, level: u8, index: u64, width: u16) -> Result<Option<Vec<u8>>, StoreError> {
        let tile = self.get(Column::Tile, &tile_key(level, index))?;
        let cut = |mut tile: Vec<u8>| {
            let whole = tile.len() >= usize::from(width) * 32;
            tile.truncate(usize::from(width) * 32);
            whole.then_some(tile)
        };
        Ok(tile.and_then(cut))
    }

    /// One entry of the log and what it belongs to; none if the block that held it is not kept.
    pub fn entry(&self, index: u64) -> Result<Option<(LogPlace, Vec<u8>)>, StoreError> {
        let Some(place) = self.find_entry(index)? else { return Ok(None) };
        let Some(mut entries) = self.entries(index, 1)? else { return Ok(None) };
        Ok(entries.pop().map(|entry| (place, entry)))
    }

    /// `count` entries from `first` on; none if the log ends before, or the blocks that held them are not kept.
    pub fn entries(&self, first: u64, count: u64) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let end = first.saturating_add(count);
        let Some(calls) = self.calls_between(first, end)? else { return Ok(None) };
        let mut entries = Vec::new();
        let mut block: Option<(u64, Vec<std::sync::Arc<[u8]>>)> = None;
        for (n, (start, place)) in calls.iter().enumerate() {
            if block.as_ref().is_none_or(|(height, _)| *height != place.height) {
                let Some(record) = self.block(place.height)? else { return Ok(None) };
                block = Some((place.height, record.block.txs));
            }
            let position = usize::try_from(place.position).ok();
            let bytes = block.as_ref().and_then(|(_, txs)| position.and_then(|p| txs.get(p)));
            let bytes = bytes.ok_or_else(|| damaged(&format!("block {} is too short", place.height)))?;
            let stop = calls.get(n + 1).map_or(end, |(next, _)| *next).min(end);
            let call = Entries::of(*start, bytes)?;
            for index in first.max(*start)..stop {
                let Some(leaf) = self.leaf(index)? else { return Ok(None) };
                entries.push(call.entry(index, &leaf)?);
            }
        }
        Ok((entries.len() as u64 == count).then_some(entries))
    }

    /// None if a call among them is neither in the store nor in its archive.
    fn calls_between(&self, first: u64, end: u64) -> Result<Option<Calls>, StoreError> {
        let mut calls = Calls::new();
        // The archive is asked entry by entry; in the store, the calls behind the first one are read in one go.
        let kept = self.first_entry()?.clamp(first, end);
        for index in first..end.min(kept.saturating_add(1)) {
            let Some(place) = self.find_entry(index)? else { return Ok(None) };
            if calls.last().is_none_or(|(start, _)| *start != index - place.offset) {
                calls.push((index - place.offset, place.call));
            }
        }
        let after = kept.saturating_add(1).to_be_bytes();
        let rows = self.db.iterator_cf(self.cf(Column::Entry)?, IteratorMode::From(&after, Direction::Forward));
        for row in rows {
            let (key, row) = row?;
            let start = key.as_ref().try_into().map(u64::from_be_bytes).map_err(|_| damaged("key of a log entry"))?;
            if start >= end {
                break;
            }
            calls.push((start, TxPlace::from_row(&row)?));
        }
        Ok(Some(calls))
    }

    pub(super) fn leaf(&self, index: u64) -> Result<Option<Hash>, StoreError> {
        let Some(tile) = self.get(Column::Tile, &tile_key(0, index / TILE_HASHES))? else { return Ok(None) };
        let at = usize::try_from(index % TILE_HASHES).unwrap_or(0) * 32;
        Ok(tile.get(at..at + 32).and_then(Hash::from_slice))
    }
}

/// What one call left in the log: its own entry, and those of byte strings among its arguments.
pub(super) struct Entries {
    start: u64,
    tx: Transaction,
    digests: Vec<Hash>,
    statements: Vec<Vec<u8>>,
}

impl Entries {
    pub(super) fn of(start: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let tx = Transaction::decode(bytes).map_err(|e| damaged(&format!("a committed transaction: {e}")))?;
        let (mut digests, mut statements) = (Vec::new(), Vec::new());
        collect(&tx.call().args, &mut digests, &mut statements);
        Ok(Self { start, tx, digests, statements })
    }

    /// The bytes of entry `index`, found by its leaf hash: which digests and statements a call leaves is its module's
    /// business and need not be known here.
    pub(super) fn entry(&self, index: u64, leaf: &Hash) -> Result<Vec<u8>, StoreError> {
        let Some(position) = index.checked_sub(self.start).and_then(|offset| offset.checked_sub(1)) else {
            return matching(call_entry(self.tx.bytes()), leaf).ok_or_else(|| unlike(index, self.tx.id()));
        };
        let digest = |digest: &Hash| matching(digest_entry(&self.tx, position, *digest).to_bytes(), leaf);
        // Usually the one at its place, which is tried first.
        let likely = usize::try_from(position).ok().and_then(|p| self.digests.get(p));
        let found = likely.into_iter().chain(&self.digests).find_map(digest);
        let found = found.or_else(|| self.statements.iter().find_map(|s| matching(s.clone(), leaf)));
        found.ok_or_else(|| unlike(index, self.tx.id()))
    }
}

fn matching(entry: Vec<u8>, leaf: &Hash) -> Option<Vec<u8>> {
    (merkle::leaf_hash(&entry) == *leaf).then_some(entry)
}

fn unlike(index: u64, tx: TxId) -> StoreError {
    damaged(&format!("log entry {index} is not what transaction {tx} leaves"))
}

fn collect(value: &Value, digests: &mut Vec<Hash>, statements: &mut Vec<Vec<u8>>) {
    match value {
        Value::Bytes(bytes) => match Hash::from_slice(bytes) {
            Some(digest) => digests.push(digest),
            None => statements.push(bytes.clone()),
        },
        Value::Array(items) => items.iter().for_each(|item| collect(item, digests, statements)),
        Value::Map(pairs) => pairs.iter().for_each(|(_, value)| collect(value, digests, statements)),
        _ => {}
    }
}
