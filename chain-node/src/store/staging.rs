//! A store that grows from a snapshot. Every piece is checked against the manifest before it is written, and written
//! together with the note that it is there, so a crash goes on where it was. Until [`Staging::finish`] the folder holds no
//! format number and no tip: nothing takes it for a store.

use std::path::Path;
use std::sync::Arc;

use chain_types::encoding::{Decode, Encode, Reader};
use chain_types::limits::VALIDITY_WINDOW_MS;
use chain_types::merkle::NodeId;
use chain_types::outcome::results_root;
use chain_types::{BlockId, Genesis, Hash, ValidatorSet};
use rocksdb::WriteBatch;

use super::columns::{self, Column, height_key};
use super::log::tile_key;
use super::proposals::Proposal;
use super::read::TxPlace;
use super::{Roots, Store, StoreError, WholeBlock, damaged};
use crate::snapshot::tree::subtree;
use crate::snapshot::{Forged, MAX_PIECE_BYTES, Manifest, TILE_HASHES, complete, complete_tiles, decode_records, list};

/// Why a piece was not kept.
#[derive(Debug, thiserror::Error)]
pub enum StagingError {
    #[error(transparent)]
    Forged(#[from] Forged),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn forged(what: impl Into<String>) -> StagingError {
    StagingError::Forged(Forged(what.into()))
}

/// What is fetched next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A piece of state.
    State(usize),
    /// Complete tiles of the log: level, first, how many.
    Tiles(u8, u64, u64),
    /// Blocks from this height downwards.
    Blocks(u64),
    /// Everything is here.
    Nothing,
}

/// Tiles fetched at once: 1 MiB.
const TILES_AT_ONCE: u64 = 128;

/// A snapshot that is being fetched.
pub struct Staging {
    store: Store,
    manifest: Manifest,
    sets: Vec<(u64, ValidatorSet)>,
}

impl Staging {
    /// Begins with a manifest, checked, or goes on with the one in the folder; `None` if there is none.
    pub fn open(path: &Path, genesis: &Genesis, manifest: Option<Manifest>) -> Result<Option<Self>, StagingError> {
        if manifest.is_none() && !path.join("CURRENT").exists() {
            return Ok(None);
        }
        std::fs::create_dir_all(path).map_err(|e| StoreError::Write(format!("{}: {e}", path.display())))?;
        let store = Store::of(Arc::new(columns::open(path)?), genesis.clone(), 256)?;
        let manifest = match (manifest, store.meta("snapshot")?) {
            (Some(manifest), _) => manifest,
            (None, Some(bytes)) => Manifest::from_bytes(&bytes).map_err(|e| damaged(&format!("snapshot: {e}")))?,
            (None, None) => return Ok(None),
        };
        let sets = manifest.verify(store.genesis())?;
        let mut batch = WriteBatch::default();
        if !store.node_rows.has_begun() && store.meta("pieces")?.is_none() {
            // What an older version has begun goes on as it began.
            store.stage_node_rows(&mut batch, 0)?;
        }
        store.put(&mut batch, Column::Meta, b"snapshot", &manifest.to_bytes())?;
        for (level, tile) in (0u8..).zip(&manifest.edge).filter(|(_, tile)| !tile.is_empty()) {
            let key = tile_key(level, complete_tiles(manifest.sealing.log_size, level));
            let bytes: Vec<u8> = tile.iter().flat_map(|hash| hash.0).collect();
            store.put(&mut batch, Column::Tile, &key, &bytes)?;
        }
        store.write(batch)?;
        Ok(Some(Self { store, manifest, sets }))
    }

    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn number(&self, name: &str) -> Result<Option<u64>, StoreError> {
        let row = self.store.meta(name)?;
        let number = |row: Vec<u8>| row.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| damaged(name));
        row.map(number).transpose()
    }

    pub fn next(&self) -> Result<Next, StoreError> {
        let piece = self.number("pieces")?.unwrap_or(0);
        if piece < self.manifest.subtrees.len() as u64 {
            return Ok(Next::State(usize::try_from(piece).unwrap_or(usize::MAX)));
        }
        // The levels downwards: each tile is checked against the one above it.
        for level in (0..self.manifest.edge.len() as u8).rev() {
            let whole = complete_tiles(self.manifest.sealing.log_size, level);
            let have = self.number(&format!("tiles{level}"))?.unwrap_or(0);
            if have < whole {
                return Ok(Next::Tiles(level, have, TILES_AT_ONCE.min(whole - have)));
            }
        }
        let lowest = self.number("lowest")?.unwrap_or(self.manifest.height + 1);
        match self.number("window")? {
            Some(_) => Ok(Next::Nothing),
            None => Ok(Next::Blocks(lowest - 1)),
        }
    }

    /// Keeps the next piece of state.
    pub fn add_state(&self, index: usize, bytes: &[u8]) -> Result<(), StagingError> {
        let records = decode_records(bytes).map_err(|e| forged(format!("piece {index} of the state: {e}")))?;
        let expected = self.manifest.subtrees.get(index).ok_or_else(|| forged("it has no such piece of state"))?;
        if subtree(&records, self.manifest.bits, index).as_ref() != Some(expected) {
            return Err(forged(format!("piece {index} of the state does not hash to what the manifest says")));
        }
        let (mut batch, pieces) = (WriteBatch::default(), self.manifest.subtrees.len() as u64);
        if !records.is_empty() {
            let version = self.manifest.height + 1 + index as u64 - pieces;
            let before = self.number("tree")?;
            self.store.stage_piece(&mut batch, version, before, &records)?;
            self.store.put(&mut batch, Column::Meta, b"tree", &height_key(version))?;
        }
        self.store.put(&mut batch, Column::Meta, b"pieces", &height_key(index as u64 + 1))?;
        Ok(self.store.write(batch)?)
    }

    /// Keeps complete tiles from the next one of a level on.
    pub fn add_tiles(&self, level: u8, first: u64, bytes: &[u8]) -> Result<(), StagingError> {
        let mut batch = WriteBatch::default();
        let tiles = bytes.chunks_exact(TILE_HASHES as usize * 32);
        if !tiles.remainder().is_empty() || bytes.is_empty() {
            return Err(forged("tiles that are not whole"));
        }
        let mut index = first;
        for tile in tiles {
            let hashes: Vec<Hash> = tile.chunks_exact(32).filter_map(Hash::from_slice).collect();
            let above = self.store.log_node(NodeId { level: (level + 1) * 8, index })?;
            if complete(&hashes) != above {
                return Err(forged(format!("tile {index} of level {level} does not hash to the one above it")));
            }
            self.store.put(&mut batch, Column::Tile, &tile_key(level, index), tile)?;
            index += 1;
        }
        self.store.put(&mut batch, Column::Meta, format!("tiles{level}").as_bytes(), &height_key(index))?;
        Ok(self.store.write(batch)?)
    }

    /// Keeps blocks, from `from` downwards. Each is the parent of the one above it and has the results that it names.
    pub fn add_blocks(&self, from: u64, bytes: &[u8]) -> Result<(), StagingError> {
        let mut r = Reader::new(bytes);
        let blocks = list(&mut r, MAX_PIECE_BYTES, WholeBlock::decode).and_then(|blocks| r.end().map(|()| blocks));
        let blocks = blocks.map_err(|e| forged(format!("blocks from {from}: {e}")))?;
        if blocks.is_empty() {
            return Err(forged(format!("no block {from}, but a transaction of it could be repeated")));
        }
        let mut child = match from == self.manifest.height {
            true => self.manifest.sealing.clone(),
            false => self.store.header(from + 1)?.ok_or_else(|| damaged("a fetched block is missing"))?,
        };
        let newest_ms = match self.store.header(self.manifest.height)? {
            Some(header) => header.time_ms,
            None => blocks.first().map_or(0, |whole| whole.block.header.time_ms),
        };
        let mut batch = WriteBatch::default();
        for whole in &blocks {
            let header = &whole.block.header;
            self.check_block(whole, &child)?;
            self.stage_block(&mut batch, whole, &child)?;
            self.store.put(&mut batch, Column::Meta, b"lowest", &height_key(header.height))?;
            // All that a later block could repeat is here once one is older than that.
            if header.height == 1 || header.time_ms.saturating_add(VALIDITY_WINDOW_MS) < newest_ms {
                self.store.put(&mut batch, Column::Meta, b"window", &height_key(header.height))?;
                break;
            }
            child = header.clone();
        }
        Ok(self.store.write(batch)?)
    }

    fn check_block(&self, whole: &WholeBlock, child: &chain_types::Header) -> Result<(), StagingError> {
        let header = &whole.block.header;
        let bad = |what: &str| forged(format!("block {}: {what}", header.height));
        let id = header.id();
        if header.height + 1 != child.height || id != child.parent {
            return Err(bad("it is not the parent of the one after it"));
        }
        if results_root(&whole.outcomes) != child.results_root {
            return Err(bad("its results are not those that the next header names"));
        }
        let set = self.sets.iter().rev().find(|(from, _)| *from <= header.height);
        let (_, set) = set.ok_or_else(|| bad("no validator set"))?;
        let verdict = whole.certificate.verify(self.store.fingerprint(), header.height, id, set);
        verdict.map_err(|e| bad(&e.to_string()))?;
        if self.digests_of(whole)? != whole.digests {
            return Err(bad("its digests are not those that the log holds"));
        }
        Ok(())
    }

    /// The digests that the block's calls put into the log, by the log's own hashes.
    fn digests_of(&self, whole: &WholeBlock) -> Result<Vec<(u64, Hash)>, StagingError> {
        let mut digests = Vec::new();
        for (envelope, outcome) in whole.block.txs.iter().zip(&whole.outcomes).filter(|(_, o)| o.entries > 1) {
            let found = self.store.digests_of(envelope, outcome, &mut digests);
            found.map_err(|e| forged(format!("block {}: {e}", whole.block.header.height)))?;
        }
        Ok(digests)
    }

    fn stage_block(
        &self,
        batch: &mut WriteBatch,
        whole: &WholeBlock,
        child: &chain_types::Header,
    ) -> Result<(), StoreError> {
        let (store, height) = (&self.store, whole.block.header.height);
        let id = whole.block.header.id();
        self.stage_body(batch, whole, id)?;
        // Only the snapshot's own height has a tree; earlier states are not in it.
        let tree_version = match height == self.manifest.height {
            true => self.number("tree")?.unwrap_or(0),
            false => height,
        };
        let roots = Roots {
            tree_version,
            state_root: child.state_root,
            log_size: child.log_size,
            log_root: child.log_root,
            results_root: child.results_root,
        };
        store.stage_result(batch, height, &roots, &whole.outcomes.iter().collect::<Vec<_>>())?;
        for (position, outcome) in (0u32..).zip(&whole.outcomes) {
            let place = TxPlace { height, position }.row();
            store.put(batch, Column::Transaction, &outcome.tx.0, &place)?;
            if outcome.entries > 0 {
                store.put(batch, Column::Entry, &outcome.first_entry.to_be_bytes(), &place)?;
            }
        }
        for (entry, digest) in &whole.digests {
            store.put(batch, Column::Digest, &[&digest.0[..], &entry.to_be_bytes()].concat(), &[])?;
        }
        Ok(())
    }

    fn stage_body(&self, batch: &mut WriteBatch, whole: &WholeBlock, id: BlockId) -> Result<(), StoreError> {
        let proposer = whole.block.header.proposer;
        let round = whole.certificate.round;
        let proposal = Proposal { round, valid_round: None, proposer, id, block: whole.block.clone() };
        self.store.stage_proposal(batch, &proposal)?;
        self.store.stage_decision(batch, &proposal, &whole.certificate)
    }

    /// Makes it a store, once everything is here and the roots are found in it. A crash before leaves the staging as it
    /// was, after it a complete store that only lacks its name.
    pub fn finish(self) -> Result<(), StagingError> {
        let (store, manifest) = (&self.store, &self.manifest);
        if self.next()? != Next::Nothing {
            return Err(forged("it is not complete"));
        }
        let mut batch = WriteBatch::default();
        for turn in &manifest.turns {
            let id = turn.block.header.id();
            let is_here = store.decision(turn.block.header.height)?.is_some();
            if !is_here {
                let (block, certificate) = (turn.block.clone(), turn.certificate.clone());
                let whole = WholeBlock { block, certificate, outcomes: Vec::new(), digests: Vec::new() };
                self.stage_body(&mut batch, &whole, id)?;
            }
            store.put_set_change(&mut batch, &turn.change())?;
        }
        for (from, set) in &self.sets {
            store.stage_set(&mut batch, *from, set)?;
        }
        let roots = store.roots(manifest.height)?;
        store.frontier_after(&roots)?;
        if store.tree_root(roots.tree_version)? != manifest.sealing.state_root {
            return Err(forged("its records do not give the state root"));
        }
        let lowest = self.number("lowest")?.ok_or_else(|| damaged("lowest"))?;
        if lowest == 1 {
            // A young chain came whole: it is a store like any other, and can be executed again from genesis.
            store.stage_genesis_roots(&mut batch)?;
        }
        for name in ["snapshot", "pieces", "tree", "lowest", "window"] {
            store.delete(&mut batch, Column::Meta, name.as_bytes())?;
        }
        for level in 0..8 {
            store.delete(&mut batch, Column::Meta, format!("tiles{level}").as_bytes())?;
        }
        store.stage_format(&mut batch)?;
        store.put(&mut batch, Column::Meta, b"genesis", &store.genesis().to_bytes())?;
        store.stage_copied(&mut batch)?;
        store.put(&mut batch, Column::Meta, b"first", &height_key(lowest))?;
        store.put(&mut batch, Column::Meta, b"tip", &height_key(manifest.height))?;
        Ok(store.write(batch)?)
    }
}
