//! What must hold in every run, whatever fails: noted as it happens, judged from what honest validators signed and wrote.

use std::collections::{BTreeMap, BTreeSet};

use arc_malachitebft_core_consensus::SignedConsensusMsg;
use chain_types::limits::CLOCK_AHEAD_MS;
use chain_types::{BlockId, CommitCertificate, TxId, ValidatorSet};

use super::super::context::ChainContext;
use super::effects::statement;
use crate::ledger::{Candidate, Tip};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// Two honest validators committed different blocks, or one block with different effects.
    Agreement { height: u64 },
    /// A committed block breaks a rule.
    Validity { height: u64, rule: &'static str },
    /// An honest validator's certificate convinces nobody.
    Certificate { height: u64, reason: String },
    /// An honest validator signed two different things for one place.
    DoubleSigned { node: usize, place: String },
    /// An honest validator had to stop.
    Stopped { node: usize, reason: String },
    /// Something a client was told is no longer there.
    Lost { node: usize, what: String },
    /// After everything healed, not all that waited was committed by all.
    Stalled { heights: Vec<u64>, waiting: usize },
    /// Blocks were made although nothing called for them.
    Restless { blocks: u64 },
}

#[derive(Default)]
pub struct Verdict {
    blocks: BTreeMap<u64, (BlockId, Tip)>,
    /// Those that were checked.
    certificates: Vec<CommitCertificate>,
    signed: BTreeMap<(usize, String), String>,
    /// Envelopes that clients sent.
    pub sent: BTreeSet<Vec<u8>>,
    /// Where each transaction was first seen committed by an honest validator.
    pub acknowledged: BTreeMap<TxId, u64>,
    pub violations: Vec<Violation>,
    pub highest_round: u32,
    pub misbehaviour: u64,
}

impl Verdict {
    pub fn signed(&mut self, node: usize, message: &SignedConsensusMsg<ChainContext>) {
        let (place, says) = statement(message);
        let before = self.signed.entry((node, place.clone())).or_insert_with(|| says.clone());
        if *before != says {
            self.violations.push(Violation::DoubleSigned { node, place });
        }
    }

    /// An honest validator wrote a block. `now_ms` is the fastest honest clock.
    pub fn committed(
        &mut self,
        candidate: &Candidate,
        certificate: &CommitCertificate,
        set: &ValidatorSet,
        after: &Tip,
        now_ms: u64,
    ) {
        let (header, height, id) = (&candidate.proposal.block.header, after.height, candidate.proposal.id);
        if !self.certificates.contains(certificate) {
            if let Err(e) = certificate.verify(header.fingerprint, height, id, set) {
                self.violations.push(Violation::Certificate { height, reason: e.to_string() });
            }
            self.certificates.push(certificate.clone());
        }
        self.highest_round = self.highest_round.max(certificate.round);
        if let Some((first, tip)) = self.blocks.get(&height) {
            if *first != id || tip.roots != after.roots {
                self.violations.push(Violation::Agreement { height });
            }
            return;
        }
        let mut broken = |rule| self.violations.push(Violation::Validity { height, rule });
        if header.time_ms > now_ms + CLOCK_AHEAD_MS {
            broken("time ahead of every honest clock");
        }
        if height > 1 {
            match self.blocks.get(&(height - 1)) {
                Some((parent, tip)) if *parent != header.parent || tip.time_ms >= header.time_ms => broken("parent"),
                Some((_, tip)) if tip.roots.state_root != header.state_root => broken("state root"),
                Some(_) => {}
                None => broken("a height was left out"),
            }
        }
        if candidate.txs.iter().any(|tx| !self.sent.contains(tx.bytes())) {
            broken("a transaction that nobody sent");
        }
        if candidate.txs.iter().any(|tx| self.acknowledged.contains_key(&tx.id())) {
            broken("a transaction twice");
        }
        self.acknowledged.extend(candidate.txs.iter().map(|tx| (tx.id(), height)));
        self.blocks.insert(height, (id, after.clone()));
    }

    /// What all runs of a seed must end with.
    pub fn chain(&self) -> Vec<u8> {
        self.blocks.values().flat_map(|(id, _)| id.0).collect()
    }

    pub fn height(&self) -> u64 {
        self.blocks.keys().last().copied().unwrap_or(0)
    }
}
