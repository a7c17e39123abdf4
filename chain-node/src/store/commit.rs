//! The one write of a block. Everything a block does becomes visible together or not at all, and is on disk when
//! [`Store::commit`] returns; only then does anybody hear "committed". Recovery after a crash runs through the same code:
//! the engine decides the height again and it is committed again.

use chain_runtime::state::Changes;
use chain_runtime::{BlockEffects, TxEffects};
use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::merkle::{self, Frontier};
use chain_types::outcome::results_root;
use chain_types::{CommitCertificate, Hash, Transaction, TxOutcome};
use rocksdb::WriteBatch;

use super::columns::{Column, height_key};
use super::log::AppliedCall;
use super::proposals::{Proposal, block_key};
use super::read::TxPlace;
use super::{Store, StoreError};

/// What the next header must commit to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// The height that last changed the state.
    pub tree_version: u64,
    pub state_root: Hash,
    pub log_size: u64,
    pub log_root: Hash,
    pub results_root: Hash,
}

impl Roots {
    pub(super) fn encode(&self, w: &mut Writer) {
        w.array(5).uint(self.tree_version);
        self.state_root.encode(w);
        w.uint(self.log_size);
        self.log_root.encode(w);
        self.results_root.encode(w);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(5)?;
        Ok(Self {
            tree_version: r.uint()?,
            state_root: Decode::decode(r)?,
            log_size: r.uint()?,
            log_root: Decode::decode(r)?,
            results_root: Decode::decode(r)?,
        })
    }
}

/// A decided block, what executing it did, and who decided it.
pub struct BlockCommit<'a> {
    pub proposal: &'a Proposal,
    pub certificate: &'a CommitCertificate,
    pub txs: &'a [Transaction],
    pub effects: &'a BlockEffects,
    /// Roots and log after the parent.
    pub before: &'a Roots,
    pub frontier: Frontier,
}

impl Store {
    /// Commits a block. Gives the roots that the next header must name, and the log's edge.
    pub fn commit(&self, commit: BlockCommit<'_>) -> Result<(Roots, Frontier), StoreError> {
        let height = commit.proposal.height();
        let mut batch = WriteBatch::default();
        self.stage_decision(&mut batch, commit.proposal, commit.certificate)?;
        let state_root = self.stage_state(&mut batch, height, &commit.effects.changes)?;
        let calls = applied_calls(commit.txs, commit.effects);
        let frontier = self.stage_log(&mut batch, height, commit.frontier, &calls)?;
        let outcomes: Vec<&TxOutcome> = commit.effects.txs.iter().map(|tx| &tx.outcome).collect();
        let roots = Roots {
            tree_version: if state_root.is_some() { height } else { commit.before.tree_version },
            state_root: state_root.unwrap_or(commit.before.state_root),
            log_size: frontier.size(),
            log_root: frontier.root(),
            results_root: merkle::root_of_leaves(outcomes.iter().map(|o| merkle::leaf_hash(&o.to_bytes()))),
        };
        self.stage_result(&mut batch, height, &roots, &outcomes)?;
        for (position, tx) in (0u32..).zip(commit.txs) {
            self.put(&mut batch, Column::Transaction, &tx.id().0, &TxPlace { height, position }.row())?;
        }
        if let Some(set) = &commit.effects.next_validators {
            self.stage_set(&mut batch, height.saturating_add(2), set)?;
        }
        self.stage_set_change(&mut batch, commit.proposal, commit.certificate)?;
        self.stage_prune(&mut batch, height)?;
        self.stage_drop_blocks(&mut batch, height, commit.proposal.block.header.time_ms)?;
        self.put(&mut batch, Column::Meta, b"tip", &height_key(height))?;
        self.write(batch)?;
        Ok((roots, frontier))
    }

    pub(super) fn stage_decision(
        &self,
        batch: &mut WriteBatch,
        proposal: &Proposal,
        certificate: &CommitCertificate,
    ) -> Result<(), StoreError> {
        let height = proposal.height();
        let row = [&proposal.round.to_be_bytes()[..], &proposal.id.0, &certificate.to_bytes()].concat();
        self.put(batch, Column::Decision, &height_key(height), &row)?;
        self.stage_drop_losers(batch, height, &block_key(height, proposal.round, &proposal.id))
    }

    pub(super) fn stage_result(
        &self,
        batch: &mut WriteBatch,
        height: u64,
        roots: &Roots,
        outcomes: &[&TxOutcome],
    ) -> Result<(), StoreError> {
        let mut w = Writer::default();
        roots.encode(&mut w);
        w.array(outcomes.len());
        for outcome in outcomes {
            outcome.encode(&mut w);
        }
        self.put(batch, Column::Result, &height_key(height), &w.into_bytes())
    }

    /// Height 0: genesis' state, an empty log, the first validators.
    pub(super) fn stage_genesis(&self, batch: &mut WriteBatch, changes: &Changes) -> Result<(), StoreError> {
        let state_root = self.stage_state(batch, 0, changes)?.unwrap_or(chain_types::state::EMPTY_SUBTREE);
        let (log_size, log_root) = (0, merkle::empty_root());
        let roots = Roots { tree_version: 0, state_root, log_size, log_root, results_root: results_root(&[]) };
        self.stage_result(batch, 0, &roots, &[])?;
        self.stage_set(batch, 0, &self.genesis.validator_set())?;
        self.put(batch, Column::Meta, b"tip", &height_key(0))
    }

    /// What the first header commits to, without genesis' state.
    pub(super) fn stage_genesis_roots(&self, batch: &mut WriteBatch) -> Result<(), StoreError> {
        let changes = chain_runtime::genesis_state(&self.genesis).map_err(|e| super::damaged(&e.to_string()))?;
        let records: Vec<_> = changes.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        let state_root = super::tree::root_of(&records)?;
        let (log_size, log_root) = (0, merkle::empty_root());
        let roots = Roots { tree_version: 0, state_root, log_size, log_root, results_root: results_root(&[]) };
        self.stage_result(batch, 0, &roots, &[])
    }

    /// The log's edge after a height.
    pub fn frontier_after(&self, roots: &Roots) -> Result<Frontier, StoreError> {
        let frontier = self.log_frontier(roots.log_size)?;
        match frontier.root() == roots.log_root {
            true => Ok(frontier),
            false => Err(super::damaged("the log's tiles do not give the log's root")),
        }
    }
}

fn applied_calls<'a>(txs: &'a [Transaction], effects: &'a BlockEffects) -> Vec<AppliedCall<'a>> {
    let all = (0u32..).zip(txs.iter().zip(&effects.txs));
    let applied = all.filter(|(_, (_, effect))| effect.outcome.verdict.is_ok());
    let call = |(position, (tx, effect)): (u32, (&'a Transaction, &'a TxEffects))| AppliedCall {
        position,
        tx,
        digests: &effect.digests,
        statement: effect.statement.as_deref(),
    };
    applied.map(call).collect()
}
