//! Makes the block that follows a tip.

use chain_types::block::{Block, Header};
use chain_types::{Fingerprint, PublicKey, Transaction};

use super::Tip;

/// What the proposer decides.
pub struct Draft<'a> {
    pub fingerprint: Fingerprint,
    pub round: u32,
    pub proposer: PublicKey,
    /// The proposer's clock.
    pub now_ms: u64,
    /// In order; each includable at [`block_time`].
    pub txs: &'a [Transaction],
}

/// Later than the parent, and never behind the proposer's clock.
pub fn block_time(tip: &Tip, now_ms: u64) -> u64 {
    now_ms.max(tip.time_ms + 1)
}

pub fn build(tip: &Tip, draft: &Draft<'_>) -> Block {
    let txs: Vec<_> = draft.txs.iter().map(Transaction::shared_bytes).collect();
    let header = Header {
        version: tip.rules,
        fingerprint: draft.fingerprint,
        height: tip.height + 1,
        round: draft.round,
        time_ms: block_time(tip, draft.now_ms),
        parent: tip.id,
        tx_root: Block::tx_root(&txs),
        validators_hash: tip.validators.hash(),
        next_validators_hash: tip.next_validators.hash(),
        proposer: draft.proposer,
        state_root: tip.roots.state_root,
        log_size: tip.roots.log_size,
        log_root: tip.roots.log_root,
        results_root: tip.roots.results_root,
    };
    Block { header, txs }
}
