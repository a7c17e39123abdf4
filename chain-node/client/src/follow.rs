//! Follows a chain block by block as a light client: every block is certified by the set its parent named, every parent
//! link holds, every body is what its header commits to, and results are believed when the next header commits to them.
//! Pure: no network, no clock.

use std::sync::Arc;

use chain_types::api::BlockMessage;
use chain_types::encoding::Decode;
use chain_types::outcome::results_root;
use chain_types::{Block, BlockId, CommitCertificate, Fingerprint, Header, Transaction, TxOutcome};

use crate::sets::Sets;

/// A certified block with the results that a node reports for it.
#[derive(Debug, Clone)]
pub struct ChainBlock {
    pub id: BlockId,
    pub block: Block,
    pub certificate: CommitCertificate,
    /// The envelopes of `block`, read.
    pub txs: Vec<Transaction>,
    /// One a transaction, in order. Proven only once [`Followed::Sealed`] says so.
    pub results: Vec<TxOutcome>,
    /// Of the block as CBOR.
    pub size_bytes: u64,
}

impl ChainBlock {
    pub fn height(&self) -> u64 {
        self.block.header.height
    }
}

/// What has become known.
#[derive(Debug, Clone)]
pub enum Followed {
    /// The block is final. Its results are so far only what the node says: show them, build nothing on them.
    Committed(Arc<ChainBlock>),
    /// A later certified header commits to the block's results.
    Sealed(Arc<ChainBlock>),
}

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At block 1, tied to genesis.
    Genesis,
    /// After a block that has been verified before.
    After { height: u64, id: BlockId },
    /// At a height, tied to nothing earlier than its own certificate.
    At(u64),
}

impl Start {
    pub(crate) fn height(self) -> u64 {
        match self {
            Start::Genesis => 1,
            Start::After { height, .. } => height + 1,
            Start::At(height) => height.max(1),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The message is not the chain's next block.
    Untrue(String),
    /// The chain commits to other results than were sent for the block before, which is to be heard again.
    UntrueResults,
    /// The header names a set that is not known yet: learn set changes and try again.
    UnknownSet,
}

/// What has been followed so far.
#[derive(Debug)]
pub(crate) struct Follower {
    fingerprint: Fingerprint,
    next: u64,
    parent: Option<BlockId>,
    previous: Option<Header>,
    /// The last block, while no header commits to its results.
    open: Option<Arc<ChainBlock>>,
}

impl Follower {
    pub fn new(fingerprint: Fingerprint, start: Start) -> Self {
        let parent = match start {
            Start::Genesis => Some(BlockId(fingerprint.0)),
            Start::After { id, .. } => Some(id),
            Start::At(1) => Some(BlockId(fingerprint.0)),
            Start::At(_) => None,
        };
        Self { fingerprint, next: start.height(), parent, previous: None, open: None }
    }

    /// The height that must come next.
    pub fn next_height(&self) -> u64 {
        self.next
    }

    /// Verifies the next block; gives what became known by it, the sealed block first.
    pub fn accept(&mut self, message: &BlockMessage, sets: &Sets) -> Result<Vec<Followed>, Fault> {
        let height = self.next;
        let untrue = |what: &str| Fault::Untrue(format!("block {height}: {what}"));
        let (block, size_bytes) = decode::<Block>(&message.block).map_err(|e| untrue(&e))?;
        let (certificate, _) = decode::<CommitCertificate>(&message.certificate).map_err(|e| untrue(&e))?;
        let header = &block.header;
        if message.height != height || header.height != height {
            return Err(untrue("another height was sent"));
        }
        if header.fingerprint != self.fingerprint {
            return Err(untrue("it belongs to another chain"));
        }
        if self.parent.is_some_and(|parent| parent != header.parent) {
            return Err(untrue("it does not follow the block before"));
        }
        if let Some(previous) = &self.previous
            && (header.validators_hash != previous.next_validators_hash || header.time_ms <= previous.time_ms)
        {
            return Err(untrue("its validators or time do not follow from the block before"));
        }
        let set = sets.of_header(header).ok_or(Fault::UnknownSet)?;
        let id = header.id();
        certificate.verify(self.fingerprint, height, id, set).map_err(|e| untrue(&e.to_string()))?;
        if self.open.as_ref().is_some_and(|open| results_root(&open.results) != header.results_root) {
            return Err(Fault::UntrueResults);
        }
        let results = message.results.iter().map(|text| decode::<TxOutcome>(text).map(|(outcome, _)| outcome));
        let results: Vec<TxOutcome> = results.collect::<Result<_, _>>().map_err(|e| untrue(&e))?;
        let txs = block.txs.iter().map(|tx| Transaction::decode(tx));
        let txs: Vec<Transaction> = txs.collect::<Result<_, _>>().map_err(|e| untrue(&e.to_string()))?;
        if !txs.iter().map(Transaction::id).eq(results.iter().map(|result| result.tx)) {
            return Err(untrue("the results are not those of its transactions"));
        }
        let block = Arc::new(ChainBlock { id, block, certificate, txs, results, size_bytes });
        let mut known: Vec<Followed> = self.open.take().map(Followed::Sealed).into_iter().collect();
        known.push(Followed::Committed(block.clone()));
        (self.next, self.parent, self.previous) = (height + 1, Some(id), Some(block.block.header.clone()));
        self.open = Some(block);
        Ok(known)
    }

    /// Steps back before the last block, to hear its results again from another node.
    pub fn reopen(&mut self) {
        if let Some(open) = self.open.take() {
            (self.next, self.parent, self.previous) = (open.height(), Some(open.block.header.parent), None);
        }
    }
}

fn decode<T: Decode>(text: &str) -> Result<(T, u64), String> {
    let bytes = hex::decode(text).map_err(|_| "it is not hexadecimal".to_owned())?;
    let value = T::from_bytes(&bytes).map_err(|e| e.to_string())?;
    Ok((value, bytes.len() as u64))
}
