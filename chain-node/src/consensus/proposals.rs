//! The blocks that may still be decided, and what this node thinks of each.
//!
//! A block for the height after the one being committed is *parked*: its parent's roots are not known yet. An *untimely*
//! one is valid, but its time is off by our clock: no vote in its own round, returned in the next, unless its time is
//! still ahead of us. Only a certificate makes up for that: what a proposer says about earlier rounds is its word alone,
//! and one block from the future would keep all honest proposals behind it untimely.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_malachitebft_core_consensus::ProposedValue;
use arc_malachitebft_core_types::{Round, Validity};
use chain_types::crypto;
use chain_types::{BlockId, Transaction};

use super::context::{Address, ChainContext, Height, ValueId};
use super::parts::PartInit;
use super::signing::round_number;
use crate::ledger::{Candidate, Invalid, Ledger, Timing, check_header, check_timing, check_transactions};
use crate::mempool::Mempool;
use crate::store::{Proposal, StoreError};

/// Blocks of one round that are kept: the proposer's, and one that shows that it made two.
const MAX_BLOCKS_PER_ROUND: usize = 2;
/// As far ahead as the engine accepts votes.
const MAX_ROUNDS_AHEAD: u32 = 10;

/// What is thought of a block.
#[derive(Debug, Clone)]
pub enum Opinion {
    Parked(Proposal),
    Valid(Candidate),
    Untimely(Candidate),
    Invalid(Proposal, Invalid),
}

impl Opinion {
    fn proposal(&self) -> &Proposal {
        match self {
            Self::Parked(proposal) | Self::Invalid(proposal, _) => proposal,
            Self::Valid(candidate) | Self::Untimely(candidate) => &candidate.proposal,
        }
    }
}

/// Whether a block is new, and so judged by the clock, or was judged before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Just received, first time around.
    Fresh { now_ms: u64, propose_timeout_ms: u64 },
    /// Parked or recovered: how old it is says nothing any more, that its time is still to come does.
    Again { now_ms: u64 },
    /// Certified by others.
    Certified,
}

/// By height, round and id.
pub struct Proposals {
    ledger: Arc<Ledger>,
    mempool: Arc<Mempool>,
    known: BTreeMap<(u64, u32, BlockId), Opinion>,
}

impl Proposals {
    /// Those that a crash left undecided.
    pub fn recover(ledger: Arc<Ledger>, mempool: Arc<Mempool>, now_ms: u64) -> Result<Self, StoreError> {
        let mut proposals = Self { ledger, mempool, known: BTreeMap::new() };
        for proposal in proposals.ledger.store().open_proposals(proposals.ledger.tip().height)? {
            proposals.judge(proposal, Freshness::Again { now_ms })?;
        }
        Ok(proposals)
    }

    /// Whether one more block of a round is worth its place on disk. A proposer that makes two is a fault, and two are
    /// enough to prove it; rounds that the engine would not listen to yet are not stored either.
    pub fn has_room(&self, init: &PartInit, current: u32) -> bool {
        let (height, id) = (init.height.0, init.id.block());
        let Some(round) = round_number(init.round) else { return false };
        let mut others = 0;
        for ((_, known_round, known_id), _) in self.of_height(height) {
            if (*known_round, *known_id) == (round, id) {
                return true;
            }
            others += usize::from(*known_round == round);
        }
        others < MAX_BLOCKS_PER_ROUND && round <= current.saturating_add(MAX_ROUNDS_AHEAD)
    }

    /// Takes a new block: on disk first, then judged. Gives what the engine may know of it now.
    pub fn add(
        &mut self,
        proposal: Proposal,
        freshness: Freshness,
    ) -> Result<Option<ProposedValue<ChainContext>>, StoreError> {
        self.ledger.store().save_proposal(&proposal)?;
        let key = self.judge(proposal, freshness)?;
        Ok(self.known.get(&key).and_then(|opinion| match opinion {
            Opinion::Valid(_) | Opinion::Invalid(..) => Some(value_of(opinion)),
            Opinion::Parked(_) | Opinion::Untimely(_) => None,
        }))
    }

    /// Remembers our own block, which needs no judging. On disk when it returns.
    pub fn add_own(&mut self, candidate: Candidate) -> Result<(), StoreError> {
        self.ledger.store().save_proposal(&candidate.proposal)?;
        let p = &candidate.proposal;
        self.known.insert((p.height(), p.round, p.id), Opinion::Valid(candidate));
        Ok(())
    }

    /// Everything known of a height, as a round of it starts: parked blocks are judged now, untimely ones get their vote
    /// unless our clock has not come near them yet.
    pub fn at(&mut self, height: u64, now_ms: u64) -> Result<Vec<ProposedValue<ChainContext>>, StoreError> {
        let keys: Vec<_> = self.of_height(height).map(|(key, _)| *key).collect();
        for key in keys {
            match self.known.remove(&key) {
                Some(Opinion::Parked(proposal)) => drop(self.judge(proposal, Freshness::Again { now_ms })?),
                Some(Opinion::Untimely(candidate)) if !is_ahead(&candidate.proposal, now_ms) => {
                    self.known.insert(key, Opinion::Valid(candidate));
                }
                Some(opinion) => drop(self.known.insert(key, opinion)),
                None => {}
            }
        }
        let judged = self.of_height(height).filter(|(_, o)| matches!(o, Opinion::Valid(_) | Opinion::Invalid(..)));
        Ok(judged.map(|(_, opinion)| value_of(opinion)).collect())
    }

    /// Our own block of a round, if a crash came after it was made.
    pub fn own(&self, height: u64, round: u32, me: Address) -> Option<Candidate> {
        let mut mine = self.of_height(height).filter(|((_, r, _), _)| *r == round);
        mine.find_map(|(_, opinion)| match opinion {
            Opinion::Valid(c) | Opinion::Untimely(c) if c.proposal.proposer == me.key() => Some(c.clone()),
            _ => None,
        })
    }

    /// The block with this id, from whichever round.
    pub fn find(&mut self, height: u64, id: BlockId) -> Option<Proposal> {
        self.of_height(height).find(|((_, _, i), _)| *i == id).map(|(_, o)| o.proposal().clone())
    }

    /// A decided block, ready to execute.
    pub fn decided(&mut self, height: u64, id: BlockId) -> Result<Candidate, StoreError> {
        let opinion = self.of_height(height).find(|((_, _, i), _)| *i == id).map(|(_, opinion)| opinion.clone());
        match opinion {
            Some(Opinion::Valid(candidate) | Opinion::Untimely(candidate)) => Ok(candidate),
            Some(Opinion::Parked(proposal)) => match self.opinion(proposal, Freshness::Certified)? {
                Opinion::Valid(candidate) => Ok(candidate),
                Opinion::Invalid(_, reason) => Err(contradiction(height, &reason.to_string())),
                _ => Err(contradiction(height, "its parent is not committed here")),
            },
            Some(Opinion::Invalid(_, reason)) => Err(contradiction(height, &reason.to_string())),
            None => Err(contradiction(height, "its bytes are not here")),
        }
    }

    /// Forgets everything up to a committed height.
    pub fn drop_through(&mut self, height: u64) {
        self.known = self.known.split_off(&(height.saturating_add(1), 0, BlockId([0; 32])));
    }

    fn of_height(&self, height: u64) -> impl Iterator<Item = (&(u64, u32, BlockId), &Opinion)> {
        let (first, last) = ((height, 0, BlockId([0; 32])), (height, u32::MAX, BlockId([0xff; 32])));
        self.known.range(first..=last)
    }

    fn judge(&mut self, proposal: Proposal, freshness: Freshness) -> Result<(u64, u32, BlockId), StoreError> {
        let key = (proposal.height(), proposal.round, proposal.id);
        let opinion = self.opinion(proposal, freshness)?;
        if let Opinion::Invalid(proposal, reason) = &opinion {
            tracing::warn!(height = key.0, round = key.1, id = %proposal.id, %reason, "refused a proposal");
        }
        self.known.insert(key, opinion);
        Ok(key)
    }

    fn opinion(&self, proposal: Proposal, freshness: Freshness) -> Result<Opinion, StoreError> {
        let (tip, store) = (self.ledger.tip(), self.ledger.store());
        let header = &proposal.block.header;
        if header.height > tip.height + 1 {
            return Ok(Opinion::Parked(proposal));
        }
        if header.round > proposal.round {
            return Ok(Opinion::Invalid(proposal, Invalid::Header("round")));
        }
        if let Err(reason) = check_header(&tip, self.ledger.fingerprint(), header) {
            return Ok(Opinion::Invalid(proposal, reason));
        }
        let is_known = |id: &_| store.find_transaction(id).map(|place| place.is_some());
        // What waits in the mempool was decoded and checked on arrival; only the rest costs.
        let mut unchecked = std::collections::HashSet::new();
        let waiting = |bytes: &[u8]| {
            let found = self.mempool.find(bytes);
            if found.is_none() {
                unchecked.extend(Transaction::id_of(bytes));
            }
            found
        };
        let txs = match check_transactions(&proposal.block, waiting, is_known)? {
            Ok(txs) => txs,
            Err(reason) => return Ok(Opinion::Invalid(proposal, reason)),
        };
        let unchecked: Vec<_> = txs.iter().filter(|tx| unchecked.contains(&tx.id())).collect();
        let items: Vec<_> = unchecked.iter().map(|tx| tx.batch_item()).collect();
        let verdicts = crypto::verify_zip215_batch(&items, entropy()?);
        if let Some((tx, _)) = unchecked.iter().zip(verdicts).find(|(_, holds)| !holds) {
            let reason = Invalid::Signature(tx.id());
            return Ok(Opinion::Invalid(proposal, reason));
        }
        let timing = match freshness {
            Freshness::Fresh { now_ms, propose_timeout_ms } => {
                match check_timing(&proposal.block.header, now_ms, propose_timeout_ms) {
                    // Proposed again, it is old for a good reason.
                    Timing::Behind(_) if proposal.valid_round.is_some() => Timing::Timely,
                    timing => timing,
                }
            }
            Freshness::Again { now_ms } => check_timing(&proposal.block.header, now_ms, u64::MAX),
            Freshness::Certified => Timing::Timely,
        };
        let candidate = Candidate { proposal, txs };
        Ok(match timing {
            Timing::Timely => Opinion::Valid(candidate),
            off => {
                tracing::warn!(height = candidate.proposal.height(), ?off, "a proposal's time is off by our clock");
                Opinion::Untimely(candidate)
            }
        })
    }
}

fn is_ahead(proposal: &Proposal, now_ms: u64) -> bool {
    matches!(check_timing(&proposal.block.header, now_ms, u64::MAX), Timing::Ahead(_))
}

fn value_of(opinion: &Opinion) -> ProposedValue<ChainContext> {
    let proposal = opinion.proposal();
    ProposedValue {
        height: Height(proposal.height()),
        round: Round::new(proposal.round),
        valid_round: proposal.valid_round.map_or(Round::Nil, Round::new),
        proposer: Address::of(proposal.proposer),
        value: ValueId::of(proposal.id),
        validity: Validity::from_bool(!matches!(opinion, Opinion::Invalid(..))),
    }
}

fn entropy() -> Result<[u8; 32], StoreError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| StoreError::Read(format!("operating-system randomness: {e}")))?;
    Ok(seed)
}

/// Two thirds decided what this node finds invalid: it must stop rather than guess.
fn contradiction(height: u64, reason: &str) -> StoreError {
    StoreError::Damaged(format!("block {height} was decided by the others, but here {reason}"))
}
