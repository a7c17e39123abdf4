//! Whether a block may follow a tip. The header's rules hold for everybody at every time; timeliness is one node's view of
//! a fresh proposal and never makes a block invalid.

use std::collections::HashSet;

use chain_types::block::{Block, Header};
use chain_types::limits::{CLOCK_AHEAD_MS, CLOCK_BEHIND_MS, VALIDITY_WINDOW_MS};
use chain_types::{Fingerprint, Transaction, TxId};

use super::Tip;

/// Why a block cannot follow the tip.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("header field `{0}` is not what follows the parent")]
    Header(&'static str),
    #[error("transaction {position} is malformed: {reason}")]
    Malformed { position: usize, reason: String },
    #[error("transaction {0} is for another chain")]
    OtherChain(TxId),
    #[error("transaction {0} is not valid at the block's time")]
    Window(TxId),
    #[error("transaction {0} is in the block twice, or in an earlier block")]
    Repeated(TxId),
    #[error("the signature of transaction {0} does not verify")]
    Signature(TxId),
}

/// The rules that need only the parent.
pub fn check_header(tip: &Tip, fingerprint: Fingerprint, header: &Header) -> Result<(), Invalid> {
    let proposer = tip.validators.proposer_skipping(header.height, header.round, &tip.skipped).map(|v| v.consensus_key);
    let rules = [
        (header.version == tip.rules, "version"),
        (header.fingerprint == fingerprint, "fingerprint"),
        (header.height == tip.height + 1, "height"),
        (header.parent == tip.id, "parent"),
        (header.time_ms > tip.time_ms, "time"),
        (Some(header.proposer) == proposer, "proposer"),
        (header.validators_hash == tip.validators.hash(), "validators_hash"),
        (header.next_validators_hash == tip.next_validators.hash(), "next_validators_hash"),
        (header.state_root == tip.roots.state_root, "state_root"),
        (header.log_size == tip.roots.log_size, "log_size"),
        (header.log_root == tip.roots.log_root, "log_root"),
        (header.results_root == tip.roots.results_root, "results_root"),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, field)) => Err(Invalid::Header(field)),
        None => Ok(()),
    }
}

/// Decodes a block's transactions and applies the rules that need no signature check. `waiting` gives a transaction that
/// was decoded before, `is_known` answers whether an earlier block holds an id.
pub fn check_transactions<E>(
    block: &Block,
    mut waiting: impl FnMut(&[u8]) -> Option<Transaction>,
    mut is_known: impl FnMut(&TxId) -> Result<bool, E>,
) -> Result<Result<Vec<Transaction>, Invalid>, E> {
    let (mut txs, mut seen) = (Vec::with_capacity(block.txs.len()), HashSet::new());
    for (position, bytes) in block.txs.iter().enumerate() {
        let tx = match waiting(bytes).map_or_else(|| Transaction::decode(bytes), Ok) {
            Ok(tx) => tx,
            Err(e) => return Ok(Err(Invalid::Malformed { position, reason: e.to_string() })),
        };
        let id = tx.id();
        if tx.call().fingerprint != block.header.fingerprint {
            return Ok(Err(Invalid::OtherChain(id)));
        }
        if !is_within_window(&tx, block.header.time_ms) {
            return Ok(Err(Invalid::Window(id)));
        }
        if !seen.insert(id) || is_known(&id)? {
            return Ok(Err(Invalid::Repeated(id)));
        }
        txs.push(tx);
    }
    Ok(Ok(txs))
}

/// `block.time ≤ valid_until ≤ block.time + 10 min`: so an id need be remembered for 10 minutes only.
pub fn is_within_window(tx: &Transaction, block_time_ms: u64) -> bool {
    (block_time_ms..=block_time_ms.saturating_add(VALIDITY_WINDOW_MS)).contains(&tx.call().valid_until_ms)
}

/// A fresh proposal as this node's clock sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    Timely,
    /// This many milliseconds ahead of our clock.
    Ahead(u64),
    /// This many milliseconds behind our clock.
    Behind(u64),
}

/// Whether to vote for a fresh block now. Never a reason to call it invalid: another node's clock may be right.
pub fn check_timing(header: &Header, now_ms: u64, propose_timeout_ms: u64) -> Timing {
    let (ahead, behind) = (header.time_ms.saturating_sub(now_ms), now_ms.saturating_sub(header.time_ms));
    match () {
        () if ahead > CLOCK_AHEAD_MS => Timing::Ahead(ahead),
        () if behind > CLOCK_BEHIND_MS.saturating_add(propose_timeout_ms) => Timing::Behind(behind),
        () => Timing::Timely,
    }
}
