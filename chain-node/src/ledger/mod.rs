//! The chain as this node knows it: the tip, which blocks may follow it, and what committing one does.
//!
//! [`build`] and [`check`] are pure decisions over the tip; [`Ledger::commit`] is the edge: execute, one write, then the
//! new tip and results are published, in that order, so that whoever hears of a block can read it.

mod build;
mod check;
mod waiting;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chain_runtime::{BlockContext, NEWEST_RULES, Turn, execute, queries};
use chain_types::merkle::Frontier;
use chain_types::validator::ValidatorSet;
use chain_types::{BlockId, CommitCertificate, Fingerprint, Header, PublicKey, Transaction};
use tokio::sync::watch;

use crate::stages;
use crate::store::{BlockCommit, Proposal, Roots, Store, StoreError};

pub use build::{Draft, block_time, build};
pub use check::{Invalid, Timing, check_header, check_timing, check_transactions, is_within_window};
pub use waiting::{Answer, Waiting};

/// The last committed block and everything that its child must agree with.
#[derive(Debug, Clone)]
pub struct Tip {
    pub height: u64,
    /// Genesis' fingerprint at height 0.
    pub id: BlockId,
    pub time_ms: u64,
    /// Whether it had no transactions, so that nothing waits for another block to prove it.
    pub is_empty: bool,
    pub roots: Roots,
    /// Decides the next height.
    pub validators: ValidatorSet,
    /// Decides the height after that.
    pub next_validators: ValidatorSet,
    /// Execution rules of the next height.
    pub rules: u32,
    /// Whom the next height passes over at round 0.
    pub skipped: Vec<PublicKey>,
    /// A change of the set is executed and its first block is not decided yet.
    pub is_set_changing: bool,
}

/// A proposal whose transactions are decoded and, if it was checked, found valid.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub proposal: Proposal,
    pub txs: Vec<Transaction>,
}

/// The chain at this node. One task commits; everybody reads.
pub struct Ledger {
    store: Store,
    tip: watch::Sender<Arc<Tip>>,
    frontier: std::sync::Mutex<Frontier>,
    waiting: Waiting,
}

impl Ledger {
    /// Recovers the chain from its store.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let tip = load_tip(&store)?;
        let frontier = std::sync::Mutex::new(store.frontier_after(&tip.roots)?);
        let (tip, _) = watch::channel(Arc::new(tip));
        Ok(Self { store, tip, frontier, waiting: Waiting::default() })
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    pub fn fingerprint(&self) -> Fingerprint {
        self.store.fingerprint()
    }

    pub fn tip(&self) -> Arc<Tip> {
        self.tip.borrow().clone()
    }

    /// Changes with every block.
    pub fn watch_tip(&self) -> watch::Receiver<Arc<Tip>> {
        self.tip.subscribe()
    }

    /// Those who wait for results.
    pub fn waiting(&self) -> &Waiting {
        &self.waiting
    }

    /// Executes and commits the block after the tip. Blocking: runs on a worker thread.
    ///
    /// An error leaves the store as it was and must end the process: the engine has already decided.
    pub fn commit(&self, candidate: &Candidate, certificate: &CommitCertificate) -> Result<(), StoreError> {
        let (tip, header) = (self.tip(), &candidate.proposal.block.header);
        if header.height != tip.height + 1 || header.parent != tip.id {
            return Err(StoreError::Damaged(format!(
                "block {} was decided on a parent this node lacks",
                header.height
            )));
        }
        check_header(&tip, self.fingerprint(), header)
            .map_err(|e| StoreError::Damaged(format!("block {} was decided, but here {e}", header.height)))?;
        if tip.rules > NEWEST_RULES {
            return Err(StoreError::Rules { height: header.height, version: tip.rules });
        }
        let context = block_context(header, tip.roots.log_size, &tip.validators, &tip.skipped)?;
        let timed = stages::EXECUTE.time(candidate.txs.len());
        let effects = execute(&self.store, &context, &candidate.txs).map_err(|e| StoreError::Read(e.to_string()))?;
        drop(timed);
        let timed = stages::COMMIT.time(candidate.txs.len());
        let mut frontier = self.frontier.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (roots, edge) = self.store.commit(BlockCommit {
            proposal: &candidate.proposal,
            certificate,
            txs: &candidate.txs,
            effects: &effects,
            before: &tip.roots,
            frontier: frontier.clone(),
        })?;
        drop(timed);
        *frontier = edge;
        let next_validators = effects.next_validators.unwrap_or_else(|| tip.next_validators.clone());
        let next = Tip {
            height: header.height,
            id: candidate.proposal.id,
            time_ms: header.time_ms,
            is_empty: candidate.txs.is_empty(),
            roots,
            // `tip.validators` decided this block.
            is_set_changing: tip.validators != tip.next_validators || tip.next_validators != next_validators,
            validators: tip.next_validators.clone(),
            next_validators,
            rules: next_rules(&self.store, header.height)?,
            skipped: next_skipped(&self.store, header.height)?,
        };
        self.tip.send_replace(Arc::new(next));
        let outcomes = effects.txs.into_iter().map(|tx| tx.outcome);
        self.waiting.publish(header.height, header.time_ms, outcomes);
        Ok(())
    }
}

fn load_tip(store: &Store) -> Result<Tip, StoreError> {
    let height = store.tip()?;
    let roots = store.roots(height)?;
    let (id, time_ms, is_empty) = match height {
        0 => (BlockId(store.fingerprint().0), store.genesis().time_ms, true),
        _ => {
            let missing = || StoreError::Damaged(format!("block {height}, the last one, is missing"));
            let record = store.block(height)?.ok_or_else(missing)?;
            (record.id, record.block.header.time_ms, record.block.txs.is_empty())
        }
    };
    let (validators, next_validators) = (store.validators(height + 1)?, store.validators(height + 2)?);
    let is_set_changing = store.validators(height)? != validators || validators != next_validators;
    let (rules, skipped) = (next_rules(store, height)?, next_skipped(store, height)?);
    Ok(Tip { height, id, time_ms, is_empty, roots, validators, next_validators, rules, skipped, is_set_changing })
}

/// Rules of the height after a committed one.
fn next_rules(store: &Store, height: u64) -> Result<u32, StoreError> {
    let rules = queries::rules(store, store.genesis().rules, height + 1);
    rules.map_err(|e| StoreError::Read(e.to_string()))
}

fn next_skipped(store: &Store, height: u64) -> Result<Vec<PublicKey>, StoreError> {
    queries::skipped(store, height + 1).map_err(|e| StoreError::Read(e.to_string()))
}

/// What execution knows of a block, given the set of its height and whom it passes over.
pub fn block_context(
    header: &Header,
    log_size: u64,
    set: &ValidatorSet,
    skipped: &[PublicKey],
) -> Result<BlockContext, StoreError> {
    let first = set.proposer_skipping(header.height, 0, skipped).map(|v| v.consensus_key);
    let first = first.ok_or_else(|| StoreError::Damaged(format!("nobody decides height {}", header.height)))?;
    Ok(BlockContext {
        version: header.version,
        fingerprint: header.fingerprint,
        height: header.height,
        time_ms: header.time_ms,
        log_size,
        turn: Turn { first, round: header.round },
    })
}
