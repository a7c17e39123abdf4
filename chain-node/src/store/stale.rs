//! What a block makes stale — tree nodes that it replaces, values that it overwrites — and dropping it once no height
//! within the history needs it. One row a height lists it all; a row for each, as formats 1 and 2 had them, cost a write
//! and a tombstone more for every node.

use std::sync::atomic::Ordering;

use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::columns::{Column, height_key};
use super::{Store, StoreError, damaged};

/// Rows dropped within one block's write, beyond the first height.
const ROWS_PER_BLOCK: usize = 20_000;

/// What a stale row points at.
const NODE: u8 = 0;
const VALUE: u8 = 1;

/// The rows that a height made stale: kind ‖ length ‖ key, one after the other.
#[derive(Debug, Default)]
pub(super) struct StaleRows(Vec<u8>);

impl StaleRows {
    pub(super) fn node(&mut self, key: &[u8]) {
        self.push(NODE, key);
    }

    pub(super) fn value(&mut self, key: &[u8]) {
        self.push(VALUE, key);
    }

    fn push(&mut self, kind: u8, key: &[u8]) {
        // Keys of both columns are at most 53 bytes long.
        self.0.extend_from_slice(&[kind, u8::try_from(key.len()).unwrap_or(u8::MAX)]);
        self.0.extend_from_slice(key);
    }

    /// Kind and key of each.
    fn read(mut bytes: &[u8]) -> impl Iterator<Item = Result<(Column, &[u8]), StoreError>> {
        std::iter::from_fn(move || {
            let (kind, rest) = bytes.split_first()?;
            let parts = rest.split_first().and_then(|(len, rest)| rest.split_at_checked(usize::from(*len)));
            let Some((key, rest)) = parts else {
                bytes = &[];
                return Some(Err(damaged("stale row")));
            };
            bytes = rest;
            Some(column(*kind).map(|column| (column, key)))
        })
    }
}

fn column(kind: u8) -> Result<Column, StoreError> {
    match kind {
        NODE => Ok(Column::Node),
        VALUE => Ok(Column::Replaced),
        _ => Err(damaged("stale row")),
    }
}

impl Store {
    pub(super) fn stage_stale(&self, batch: &mut WriteBatch, height: u64, rows: &StaleRows) -> Result<(), StoreError> {
        match rows.0.is_empty() {
            true => Ok(()),
            false => self.put(batch, Column::Stale, &height_key(height), &rows.0),
        }
    }

    /// Drops what became stale at or before `height - history`; done within each block's write, so that no long pause
    /// ever comes.
    pub(super) fn stage_prune(&self, batch: &mut WriteBatch, height: u64) -> Result<(), StoreError> {
        let Some(last) = height.checked_sub(self.history) else { return Ok(()) };
        // Not from the beginning: what the blocks before dropped lies there as so many tombstones, and every block would
        // step over all of them until a compaction takes them away.
        let mut first = self.stale_from.load(Ordering::Relaxed);
        let from = height_key(first);
        let mut dropped = 0;
        for row in self.db.iterator_cf(self.cf(Column::Stale)?, IteratorMode::From(&from, Direction::Forward)) {
            let (key, list) = row?;
            first = height_of(&key)?;
            if first > last || dropped >= ROWS_PER_BLOCK {
                break;
            }
            dropped += self.stage_drop_stale(batch, &key, &list)?;
            self.delete(batch, Column::Stale, &key)?;
        }
        self.stale_from.store(first, Ordering::Relaxed);
        Ok(())
    }

    /// Gives how many rows it dropped.
    fn stage_drop_stale(&self, batch: &mut WriteBatch, key: &[u8], list: &[u8]) -> Result<usize, StoreError> {
        if let Some((kind, target)) = key.get(8..).and_then(<[u8]>::split_first) {
            // A row of format 1 or 2: it is in its key.
            self.delete(batch, column(*kind)?, target)?;
            return Ok(1);
        }
        let mut dropped = 0;
        for row in StaleRows::read(list) {
            let (column, target) = row?;
            self.delete(batch, column, target)?;
            dropped += 1;
        }
        Ok(dropped)
    }

    /// The first height that has something left to drop.
    #[cfg(test)]
    pub(crate) fn oldest_stale(&self) -> Result<Option<u64>, StoreError> {
        let row = self.db.iterator_cf(self.cf(Column::Stale)?, IteratorMode::Start).next().transpose()?;
        row.map(|(key, _)| height_of(&key)).transpose()
    }
}

#[cfg(test)]
impl Store {
    /// Rewrites stale rows as formats 1 and 2 had them: one each, all of it in the key.
    pub(crate) fn make_stale_rows_old(&self) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        for row in self.db.iterator_cf(self.cf(Column::Stale)?, IteratorMode::Start) {
            let (height, list) = row?;
            for stale in StaleRows::read(&list) {
                let (column, key) = stale?;
                let kind = if column == Column::Node { NODE } else { VALUE };
                self.put(&mut batch, Column::Stale, &[&height[..], &[kind], key].concat(), &[])?;
            }
            self.delete(&mut batch, Column::Stale, &height)?;
        }
        self.write(batch)
    }
}

fn height_of(key: &[u8]) -> Result<u64, StoreError> {
    let height = key.get(..8).and_then(|b| b.try_into().ok()).map(u64::from_be_bytes);
    height.ok_or_else(|| damaged("stale row"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_and_a_cut_one_is_damage() {
        let mut rows = StaleRows::default();
        rows.node(b"one");
        rows.value(b"");
        rows.node(&[7; 53]);
        let back = StaleRows::read(&rows.0).collect::<Result<Vec<_>, _>>().unwrap();
        assert_eq!(back, [(Column::Node, &b"one"[..]), (Column::Replaced, &b""[..]), (Column::Node, &[7; 53][..])]);
        for cut in (1..rows.0.len()).filter(|cut| ![5, 7].contains(cut)) {
            assert!(StaleRows::read(&rows.0[..cut]).any(|row| row.is_err()), "{cut}");
        }
        assert!(StaleRows::read(&[2, 0]).any(|row| row.is_err()));
    }
}
