//! The log's hashes, in tiles of 256 as C2SP tlog-tiles cuts them: tile level L holds the roots of complete subtrees of
//! 256^L leaves. Levels between are hashed again when a proof needs them. Entries themselves are not stored twice: they are
//! envelopes of blocks, or follow from them.

use std::collections::BTreeMap;

use chain_types::Hash;
use chain_types::encoding::Encode;
use chain_types::log_entry::{DigestEntry, call_entry};
use chain_types::merkle::{self, Frontier, NodeId};
use chain_types::transaction::Transaction;
use rocksdb::WriteBatch;

use super::columns::Column;
use super::read::TxPlace;
use super::{Store, StoreError, damaged};

pub(super) const TILE_HASHES: u64 = 256;
/// Tree levels that a tile level spans.
const TILE_HEIGHT: u8 = 8;

pub(super) fn tile_key(level: u8, index: u64) -> [u8; 9] {
    let mut key = [0; 9];
    key[0] = level;
    key[1..].copy_from_slice(&index.to_be_bytes());
    key
}

/// The calls of a block that were applied, as the log needs them.
pub struct AppliedCall<'a> {
    pub position: u32,
    pub tx: &'a Transaction,
    pub digests: &'a [Hash],
    /// A statement that it registers.
    pub statement: Option<&'a [u8]>,
}

impl Store {
    /// The right edge of the log after `size` entries.
    pub(super) fn log_frontier(&self, size: u64) -> Result<Frontier, StoreError> {
        let nodes = merkle::subtree_roots(0, size);
        let hashes: Vec<Hash> = nodes.into_iter().map(|id| self.log_node(id)).collect::<Result<_, _>>()?;
        Frontier::restore(size, hashes).ok_or_else(|| damaged("log frontier"))
    }

    /// Root of a complete subtree of the log.
    pub fn log_node(&self, id: NodeId) -> Result<Hash, StoreError> {
        let (tile_level, below) = (id.level / TILE_HEIGHT, id.level % TILE_HEIGHT);
        // 2^below neighbouring hashes of the tile level, which all lie in one tile.
        let first = id.index << below;
        let count = 1usize << below;
        let tile = self.get(Column::Tile, &tile_key(tile_level, first / TILE_HASHES))?.unwrap_or_default();
        let start = usize::try_from(first % TILE_HASHES).unwrap_or(0) * 32;
        let bytes = tile.get(start..start + count * 32).ok_or_else(|| damaged("a tile of the log is too short"))?;
        let mut hashes: Vec<Hash> = bytes.chunks_exact(32).filter_map(Hash::from_slice).collect();
        while hashes.len() > 1 {
            let pair = |pair: &[Hash]| match pair {
                [left, right] => merkle::node_hash(left, right),
                _ => Hash::ZERO,
            };
            hashes = hashes.chunks(2).map(pair).collect();
        }
        hashes.first().copied().ok_or_else(|| damaged("a tile of the log is empty"))
    }

    /// Root of a complete tile, hashed from what is in it.
    pub(super) fn tile_root(&self, level: u8, index: u64) -> Result<Hash, StoreError> {
        let tile = self.get(Column::Tile, &tile_key(level, index))?.unwrap_or_default();
        match tile.len() as u64 == TILE_HASHES * 32 {
            true => Ok(merkle::root_of_leaves(tile.chunks_exact(32).filter_map(Hash::from_slice))),
            false => Err(damaged("a tile of the log is not complete")),
        }
    }

    /// Stages the entries of a block and gives the log after it.
    pub(super) fn stage_log(
        &self,
        batch: &mut WriteBatch,
        height: u64,
        mut frontier: Frontier,
        calls: &[AppliedCall<'_>],
    ) -> Result<Frontier, StoreError> {
        let mut tiles: BTreeMap<(u8, u64), Vec<(u64, Hash)>> = BTreeMap::new();
        let mut keep = |id: NodeId, hash: Hash| {
            if id.level.is_multiple_of(TILE_HEIGHT) {
                let tile = (id.level / TILE_HEIGHT, id.index / TILE_HASHES);
                tiles.entry(tile).or_default().push((id.index % TILE_HASHES, hash));
            }
        };
        for call in calls {
            let place = TxPlace { height, position: call.position };
            self.put(batch, Column::Entry, &frontier.size().to_be_bytes(), &place.row())?;
            frontier.append(merkle::leaf_hash(&call_entry(call.tx.bytes())), &mut keep);
            for (position, digest) in (0u64..).zip(call.digests) {
                let entry = digest_entry(call.tx, position, *digest);
                let key = [&digest.0[..], &frontier.size().to_be_bytes()].concat();
                self.put(batch, Column::Digest, &key, &[])?;
                frontier.append(merkle::leaf_hash(&entry.to_bytes()), &mut keep);
            }
            if let Some(statement) = call.statement {
                // Found by the digest of its bytes, as anchored digests are.
                let key = [&Hash::of(statement).0[..], &frontier.size().to_be_bytes()].concat();
                self.put(batch, Column::Digest, &key, &[])?;
                frontier.append(merkle::leaf_hash(statement), &mut keep);
            }
        }
        for ((level, index), added) in tiles {
            let key = tile_key(level, index);
            let first = added.first().map_or(0, |(place, _)| *place);
            let mut tile = match first {
                0 => Vec::new(),
                _ => self.get(Column::Tile, &key)?.unwrap_or_default(),
            };
            if tile.len() as u64 != first * 32 {
                return Err(damaged("a tile of the log does not end where the log does"));
            }
            for (_, hash) in added {
                tile.extend_from_slice(&hash.0);
            }
            self.put(batch, Column::Tile, &key, &tile)?;
        }
        Ok(frontier)
    }

    /// The RFC 6962 path of an entry in the log of `size` entries.
    pub fn log_path(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        match index < size {
            true => merkle::inclusion_proof(index, size, |id| self.log_node(id)),
            false => Err(damaged("an entry beyond the log was asked for")),
        }
    }

    /// The RFC 9162 §2.1.4 path from the log of `old` entries to that of `new`, 0 < old ≤ new ≤ the log's size.
    pub fn log_consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, StoreError> {
        match 0 < old && old <= new {
            true => merkle::consistency_proof(old, new, |id| self.log_node(id)),
            false => Err(damaged("a log is not the beginning of a smaller one")),
        }
    }
}

pub(super) fn digest_entry(tx: &Transaction, position: u64, digest: Hash) -> DigestEntry {
    DigestEntry { digest, tx: tx.id(), position, kid: tx.kid() }
}
