//! Checks a whole store: every block, certificate and signature; execution again from genesis; every root; every row of
//! the state. Trusts nothing but the genesis that the store holds.
//!
//! A store whose first blocks were dropped is executed again from genesis if its archive is at hand. Without it there is
//! no state to start from: then the validator sets are followed from genesis, every kept block is checked against them,
//! and the state and the log are checked against the roots that the last header was certified with.

use chain_runtime::state::MemoryState;
use chain_runtime::{execute, queries};
use chain_types::crypto;
use chain_types::encoding::Encode;
use chain_types::log_entry::{DigestEntry, call_entry};
use chain_types::merkle::{self, Frontier};
use chain_types::outcome::results_root;
use chain_types::{BlockId, Hash, Transaction, ValidatorSet};
use serde::Serialize;

use super::{Store, StoreError};
use crate::ledger::block_context;

/// What a whole store holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub height: u64,
    /// First block that was checked, if it is not block 1: what came before was dropped, and no archive is at hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<u64>,
    pub transactions: u64,
    pub log_size: u64,
    pub records: u64,
    pub state_root: Hash,
    pub log_root: Hash,
}

struct Walk<'a> {
    store: &'a Store,
    state: MemoryState,
    log: Frontier,
    parent: BlockId,
    time_ms: u64,
    results_root: Hash,
    /// What genesis and the blocks so far say, for the next height and the one after.
    sets: [ValidatorSet; 2],
    transactions: u64,
}

/// Checks everything; the first fault names the block. `progress` is told of each height.
pub fn check(store: &Store, mut progress: impl FnMut(u64)) -> Result<Summary, StoreError> {
    let mut state = MemoryState::default();
    state.apply(chain_runtime::genesis_state(store.genesis()).map_err(|e| StoreError::Damaged(e.to_string()))?);
    let parent = BlockId(store.fingerprint().0);
    let time_ms = store.genesis().time_ms;
    let sets = [store.genesis().validator_set(), store.genesis().validator_set()];
    let (log, results_root) = (Frontier::default(), results_root(&[]));
    let mut walk = Walk { store, state, log, parent, time_ms, sets, results_root, transactions: 0 };
    let tip = store.tip()?;
    if let Some(archive) = store.archive() {
        archive.verify()?;
    }
    let first = store.oldest_block()?;
    if first > 1 {
        return super::check_kept::check(store, first, tip, progress);
    }
    for height in 1..=tip {
        walk.block(height).map_err(|e| match e {
            StoreError::Damaged(reason) => StoreError::Damaged(format!("block {height}: {reason}")),
            e => e,
        })?;
        progress(height);
    }
    walk.finish(tip)
}

impl Walk<'_> {
    fn block(&mut self, height: u64) -> Result<(), StoreError> {
        let record = self.store.block(height)?.ok_or_else(|| fault("it is missing"))?;
        let (header, [set, next]) = (&record.block.header, self.sets.clone());
        // Roots of dropped blocks went with them; their header stands for what it names.
        let dropped = height - 1 > 0 && height - 1 < self.store.first_block()?;
        let before_root = if dropped { header.state_root } else { self.store.roots(height - 1)?.state_root };
        let rules = [
            (header.height == height, "height"),
            (header.parent == self.parent, "parent"),
            (header.time_ms > self.time_ms, "time"),
            (header.validators_hash == set.hash(), "validators_hash"),
            (header.next_validators_hash == next.hash(), "next_validators_hash"),
            (header.state_root == before_root, "state_root"),
            (header.log_size == self.log.size() && header.log_root == self.log.root(), "log_root"),
            (header.results_root == self.results_root, "results_root"),
        ];
        if let Some((_, field)) = rules.into_iter().find(|(holds, _)| !holds) {
            return Err(fault(&format!("header field `{field}` does not follow the block before")));
        }
        let verdict = record.certificate.verify(self.store.fingerprint(), height, record.id, &set);
        verdict.map_err(|e| fault(&e.to_string()))?;
        if self.store.validators(height)? != set {
            return Err(fault("the stored validator set is not the one that the blocks give"));
        }
        if set != next
            && self.store.set_changes(height + 1)?.last().is_none_or(|c| c.header != *header || c.next != next)
        {
            return Err(fault("the stored change of the validator set is not this block's"));
        }
        let txs = self.transactions(&record.block.txs, height)?;
        self.execute(header, &txs)?;
        (self.parent, self.time_ms) = (record.id, header.time_ms);
        Ok(())
    }

    fn transactions(
        &mut self,
        envelopes: &[std::sync::Arc<[u8]>],
        height: u64,
    ) -> Result<Vec<Transaction>, StoreError> {
        let decoded = envelopes.iter().map(|bytes| Transaction::decode(bytes)).collect::<Result<Vec<_>, _>>();
        let txs = decoded.map_err(|e| fault(&e.to_string()))?;
        let items: Vec<_> = txs.iter().map(Transaction::batch_item).collect();
        let verdicts = crypto::verify_zip215_batch(&items, [0x5a; 32]);
        if let Some((tx, _)) = txs.iter().zip(verdicts).find(|(_, holds)| !holds) {
            return Err(fault(&format!("the signature of transaction {} does not verify", tx.id())));
        }
        for (position, tx) in (0u32..).zip(&txs) {
            let place = self.store.locate_transaction(&tx.id())?;
            if place.is_none_or(|place| (place.height, place.position) != (height, position)) {
                return Err(fault(&format!("the index does not lead to transaction {}", tx.id())));
            }
        }
        self.transactions += txs.len() as u64;
        Ok(txs)
    }

    fn execute(&mut self, header: &chain_types::Header, txs: &[Transaction]) -> Result<(), StoreError> {
        let state = |e: chain_runtime::StateError| fault(&e.to_string());
        let skipped = queries::skipped(&self.state, header.height).map_err(state)?;
        let rules = queries::rules(&self.state, self.store.genesis().rules, header.height).map_err(state)?;
        let [set, _] = self.sets.clone();
        let proposer = set.proposer_skipping(header.height, header.round, &skipped).map(|v| v.consensus_key);
        if header.version != rules || proposer != Some(header.proposer) {
            return Err(fault("header field `version` or `proposer` does not follow the block before"));
        }
        let context = block_context(header, self.log.size(), &set, &skipped)?;
        let effects = execute(&self.state, &context, txs).map_err(|e| fault(&e.to_string()))?;
        let [_, next] = self.sets.clone();
        self.sets = [next.clone(), effects.next_validators.clone().unwrap_or(next)];
        for (tx, effect) in txs.iter().zip(&effects.txs).filter(|(_, effect)| effect.outcome.verdict.is_ok()) {
            self.log.append(merkle::leaf_hash(&call_entry(tx.bytes())), |_, _| ());
            for (position, digest) in (0u64..).zip(&effect.digests) {
                let entry = DigestEntry { digest: *digest, tx: tx.id(), position, kid: tx.kid() };
                self.log.append(merkle::leaf_hash(&entry.to_bytes()), |_, _| ());
            }
            if let Some(statement) = &effect.statement {
                self.log.append(merkle::leaf_hash(statement), |_, _| ());
            }
        }
        let outcomes: Vec<_> = effects.txs.into_iter().map(|tx| tx.outcome).collect();
        self.results_root = results_root(&outcomes);
        // By their bytes: the fields of an event have one order there, and any in memory.
        if results_root(&self.store.results(header.height)?) != self.results_root {
            return Err(fault("executing it again gives other results"));
        }
        if header.height >= self.store.first_block()? {
            let stored = self.store.roots(header.height)?;
            if stored.results_root != self.results_root {
                return Err(fault("executing it again gives other results"));
            }
            if (stored.log_size, stored.log_root) != (self.log.size(), self.log.root()) {
                return Err(fault("executing it again gives another log"));
            }
        }
        self.state.apply(effects.changes);
        Ok(())
    }

    /// The state after the last block: every row, and the root over all of them built afresh.
    fn finish(self, tip: u64) -> Result<Summary, StoreError> {
        let expected: Vec<_> = self.state.into_records();
        let mut stored = self.store.all_state();
        for (key, value) in &expected {
            match stored.next().transpose()? {
                Some((k, v)) if k == *key && v == *value => {}
                _ => return Err(fault("the state differs from what the blocks give")),
            }
        }
        if stored.next().is_some() {
            return Err(fault("the state holds records that no block made"));
        }
        let roots = self.store.roots(tip)?;
        if roots.state_root != super::tree::root_of(&expected)? {
            return Err(fault("the state's root is not the one that the records give"));
        }
        self.store.frontier_after(&roots)?;
        Ok(Summary {
            height: tip,
            first: None,
            transactions: self.transactions,
            log_size: roots.log_size,
            records: expected.len() as u64,
            state_root: roots.state_root,
            log_root: roots.log_root,
        })
    }
}

pub(super) fn fault(reason: &str) -> StoreError {
    StoreError::Damaged(reason.to_owned())
}
