//! Blocks that may still be decided. A proposal is on disk before its validator may vote on it, because the consensus log
//! keeps only ids: after a crash the engine asks for blocks by id, and a decided block must still be there.

use chain_types::encoding::{Decode, Encode, Reader, Writer};
use chain_types::{Block, BlockId, Header, PublicKey};
use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::columns::{Column, height_key};
use super::{Store, StoreError, damaged};

/// A block proposed in a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub round: u32,
    /// The earlier round whose votes allow proposing this block again.
    pub valid_round: Option<u32>,
    /// Proposer of `round`; the block itself may be by an earlier one.
    pub proposer: PublicKey,
    pub id: BlockId,
    pub block: Block,
}

pub(super) fn block_key(height: u64, round: u32, id: &BlockId) -> Vec<u8> {
    [&height_key(height)[..], &round.to_be_bytes(), &id.0].concat()
}

impl Proposal {
    pub fn height(&self) -> u64 {
        self.block.header.height
    }

    fn row(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.array(3);
        match self.valid_round {
            Some(round) => drop(w.uint(round.into())),
            None => drop(w.null()),
        }
        self.proposer.encode(&mut w);
        self.block.encode(&mut w);
        w.into_bytes()
    }

    /// The header in a row, without the cost of the block behind it.
    pub(super) fn header_of_row(row: &[u8]) -> Result<Header, StoreError> {
        let mut r = Reader::new(row);
        let mut read = || {
            r.array_of(3)?;
            if !r.null() {
                r.u32()?;
            }
            PublicKey::decode(&mut r)?;
            Block::decode_header(&mut r)
        };
        read().map_err(|e: chain_types::DecodeError| damaged(&format!("a header: {e}")))
    }

    pub(super) fn from_row(key: &[u8], row: &[u8]) -> Result<Self, StoreError> {
        let round = key.get(8..12).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let round = round.ok_or_else(|| damaged("key of a proposal"))?;
        let mut r = Reader::new(row);
        let mut read = || {
            r.array_of(3)?;
            let valid_round = if r.null() { None } else { Some(r.u32()?) };
            let (proposer, block) = (Decode::decode(&mut r)?, Block::decode(&mut r)?);
            let id = block.header.id();
            Ok(Self { round, valid_round, proposer, id, block })
        };
        read().map_err(|e: chain_types::DecodeError| damaged(&format!("a proposal: {e}")))
    }
}

impl Store {
    /// Durable when it returns.
    pub fn save_proposal(&self, proposal: &Proposal) -> Result<(), StoreError> {
        let mut batch = WriteBatch::default();
        self.stage_proposal(&mut batch, proposal)?;
        self.write(batch)
    }

    pub(super) fn stage_proposal(&self, batch: &mut WriteBatch, proposal: &Proposal) -> Result<(), StoreError> {
        let key = block_key(proposal.height(), proposal.round, &proposal.id);
        self.put(batch, Column::Block, &key, &proposal.row())
    }

    /// All proposals above the last committed height: what a restart returns to the consensus engine.
    pub fn open_proposals(&self, above: u64) -> Result<Vec<Proposal>, StoreError> {
        let start = height_key(above.saturating_add(1));
        let rows = self.db.iterator_cf(self.cf(Column::Block)?, IteratorMode::From(&start, Direction::Forward));
        rows.map(|row| row.map_err(StoreError::from).and_then(|(key, row)| Proposal::from_row(&key, &row))).collect()
    }

    /// Removes the proposals of a height that were not decided.
    pub(super) fn stage_drop_losers(
        &self,
        batch: &mut WriteBatch,
        height: u64,
        winner: &[u8],
    ) -> Result<(), StoreError> {
        let start = height_key(height);
        // Keys only: the rows are whole blocks.
        let mut rows = self.db.raw_iterator_cf(self.cf(Column::Block)?);
        rows.seek(start);
        while let Some(key) = rows.key().filter(|key| key.starts_with(&start)) {
            if key != winner {
                self.delete(batch, Column::Block, key)?;
            }
            rows.next();
        }
        Ok(rows.status()?)
    }
}
