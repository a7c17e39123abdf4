//! Under which key a tree node lies. Since format 3 it begins with the version, big-endian: what a block writes lies
//! together, behind everything older, and RocksDB merges it with its neighbours instead of with the whole tree. Formats 1
//! and 2 used borsh, whose numbers are little-endian: a block's nodes fell anywhere.
//!
//! A store of an older format is not rewritten. The row `nodes` in `Meta` says from which version on keys are of the
//! present form, so a node's version alone tells where it lies; the older ones leave as they become stale.

use std::sync::atomic::{AtomicU64, Ordering};

use jmt::storage::NodeKey;
use rocksdb::WriteBatch;

use super::columns::Column;
use super::{Store, StoreError, damaged};

const META: &[u8] = b"nodes";
/// No version has the present form yet.
const NONE: u64 = u64::MAX;

/// From which version on node keys are of the present form.
#[derive(Debug)]
pub(super) struct NodeRows(AtomicU64);

impl Default for NodeRows {
    fn default() -> Self {
        Self(AtomicU64::new(NONE))
    }
}

impl NodeRows {
    pub(super) fn read(row: Option<Vec<u8>>) -> Result<Self, StoreError> {
        let Some(row) = row else { return Ok(Self::default()) };
        let from = row.as_slice().try_into().map_err(|_| damaged("the row `nodes`"))?;
        Ok(Self(AtomicU64::new(u64::from_be_bytes(from))))
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed) != NONE
    }

    pub(super) fn key(&self, key: &NodeKey) -> Result<Vec<u8>, StoreError> {
        match key.version() >= self.0.load(Ordering::Relaxed) {
            true => Ok(present(key)),
            false => borsh::to_vec(key).map_err(|e| damaged(&format!("tree node key: {e}"))),
        }
    }

    #[cfg(test)]
    fn from(version: u64) -> Self {
        Self(AtomicU64::new(version))
    }
}

/// version ‖ length of the path in nibbles ‖ path, two nibbles a byte.
fn present(key: &NodeKey) -> Vec<u8> {
    let path = key.nibble_path();
    let mut row = Vec::with_capacity(9 + path.num_nibbles().div_ceil(2));
    row.extend_from_slice(&key.version().to_be_bytes());
    // A path ends within the 64 nibbles of a hash.
    row.push(u8::try_from(path.num_nibbles()).unwrap_or(u8::MAX));
    let mut nibbles = path.nibbles().map(u8::from);
    while let Some(high) = nibbles.next() {
        row.push(high << 4 | nibbles.next().unwrap_or(0));
    }
    row
}

impl Store {
    /// From this version on keys are of the present form; staged with the first write that has such a key, together with
    /// the format number, by which an older version knows that it must not go on here.
    pub(super) fn stage_node_rows(&self, batch: &mut WriteBatch, version: u64) -> Result<(), StoreError> {
        self.put(batch, Column::Meta, META, &version.to_be_bytes())?;
        // Before the write: no node of this version is there yet, and if the write fails nothing is used again.
        self.node_rows.0.store(version, Ordering::Relaxed);
        Ok(())
    }

    pub(super) fn read_node_rows(&self) -> Result<NodeRows, StoreError> {
        NodeRows::read(self.get(Column::Meta, META)?)
    }
}

#[cfg(test)]
impl Store {
    /// A new store as format 1 had it, but for its stale rows: see [`Self::make_stale_rows_old`].
    pub(crate) fn open_as_format_1(
        path: &std::path::Path,
        genesis: &chain_types::Genesis,
        history: u64,
    ) -> Result<Self, StoreError> {
        let db = std::sync::Arc::new(super::columns::open(path)?);
        let mut store = Self::of(db, genesis.clone(), history)?;
        store.node_rows = std::sync::Arc::new(NodeRows::from(NONE - 1));
        store.create()?;
        let mut batch = WriteBatch::default();
        store.put(&mut batch, Column::Meta, b"format", &1u64.to_be_bytes())?;
        store.write(batch)?;
        Ok(store)
    }

    pub(crate) fn count_nodes(&self) -> usize {
        self.db.iterator_cf(self.cf(Column::Node).unwrap(), rocksdb::IteratorMode::Start).count()
    }
}

#[cfg(test)]
mod tests {
    use jmt::storage::NibblePath;
    use proptest::prelude::*;

    use super::*;

    fn node(version: u64, nibbles: &[u8]) -> NodeKey {
        NodeKey::new(version, NibblePath::from_iter(nibbles.iter().map(|n| (n & 15).into())))
    }

    proptest! {
        #[test]
        fn no_two_nodes_share_a_key_and_newer_ones_lie_behind_older(
            a in any::<u64>(), b in any::<u64>(),
            p in prop::collection::vec(0u8..16, 0..=63), q in prop::collection::vec(0u8..16, 0..=63),
        ) {
            let (one, other) = (present(&node(a, &p)), present(&node(b, &q)));
            prop_assert_eq!(one == other, (a, &p) == (b, &q));
            if a != b {
                prop_assert_eq!(one < other, a < b);
            }
        }
    }

    #[test]
    fn a_nodes_version_alone_tells_its_key() {
        let rows = NodeRows::from(300);
        assert_eq!(rows.key(&node(300, &[1, 2, 3])).unwrap(), [0, 0, 0, 0, 0, 0, 1, 44, 3, 0x12, 0x30]);
        assert_eq!(rows.key(&node(299, &[1, 2, 3])).unwrap()[..9], [43, 1, 0, 0, 0, 0, 0, 0, 3]);
        assert!(NodeRows::read(Some(vec![1, 2])).is_err());
    }
}
