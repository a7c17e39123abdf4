//! Validators that break the rules. They run our node like the others; what they make and send is changed on its way out,
//! under signatures that hold.

use arc_malachitebft_core_consensus::SignedConsensusMsg;
use arc_malachitebft_core_types::{NilOrVal, Round, SignedMessage, VoteType};
use arc_malachitebft_engine::util::streaming::{StreamContent, StreamId, StreamMessage};
use bytes::Bytes;
use chain_types::{Block, BlockId, Hash};

use super::super::context::{Address, ChainContext, Height, Sig, ValueId, Vote};
use super::super::parts::Part;
use super::faults::Evil;
use super::message::{Message, decode, encode};
use super::node::{Act, Node};
use super::random::Random;
use crate::ledger::Candidate;
use crate::store::Proposal;

/// What a byzantine validator has in mind.
pub struct Mind {
    evils: Vec<Evil>,
    random: Random,
    /// The block it shows to one half, and the one it shows to the other.
    forked: Option<(ValueId, ValueId)>,
    /// A block that others voted on.
    seen: Option<ValueId>,
    /// Messages it once saw, to send again or in pieces.
    old: Vec<Message>,
}

impl Mind {
    pub fn new(evils: Vec<Evil>, random: Random) -> Self {
        Self { evils, random, forked: None, seen: None, old: Vec::new() }
    }

    fn does(&self, evil: Evil) -> bool {
        self.evils.contains(&evil)
    }

    pub fn forgets(&self) -> bool {
        self.does(Evil::Amnesia)
    }

    pub fn see(&mut self, message: &Message) {
        if let Message::Consensus(bytes) = message
            && let Some(SignedConsensusMsg::Proposal(proposal)) = decode(bytes)
        {
            self.seen = Some(proposal.message.value);
        }
        if self.old.len() < 200 {
            self.old.push(message.clone());
        } else {
            let place = self.random.index(self.old.len());
            self.old[place] = message.clone();
        }
    }
}

/// A block that breaks one rule, chosen by chance; nothing else about it is wrong.
fn spoil(block: &mut Block, random: &mut Random) {
    let header = &mut block.header;
    match random.below(11) {
        0 => header.parent.0[0] ^= 1,
        1 => header.state_root.0[0] ^= 1,
        2 => header.log_size += 1,
        3 => header.log_root.0[0] ^= 1,
        4 => header.results_root.0[0] ^= 1,
        5 => header.time_ms = 1,
        6 => header.version += 1,
        7 => header.proposer.0[0] ^= 1,
        8 => header.next_validators_hash.0[0] ^= 1,
        9 if !block.txs.is_empty() => block.txs.push(block.txs[0].clone()),
        9 => header.validators_hash.0[0] ^= 1,
        _ => match block.txs.first_mut() {
            // The last bytes are the signature's.
            Some(tx) => {
                let mut bytes = tx.to_vec();
                let last = bytes.len() - 1;
                bytes[last - 32] ^= 1;
                *tx = bytes.into();
            }
            None => header.fingerprint.0[0] ^= 1,
        },
    }
    block.header.tx_root = Block::tx_root(&block.txs);
}

impl Node {
    /// Streams what it pleases instead of its own block; gives the id that its engine shall propose.
    pub fn propose_evil(&mut self, candidate: &Candidate, round: Round) -> BlockId {
        let me = self.address();
        let (Some(mind), Some(live)) = (&mut self.mind, &mut self.live) else { return candidate.proposal.id };
        let mut proposal = candidate.proposal.clone();
        if mind.does(Evil::InvalidBlock) && mind.random.chance(60) {
            spoil(&mut proposal.block, &mut mind.random);
        } else if mind.does(Evil::FutureBlock) && mind.random.chance(60) {
            proposal.block.header.time_ms += 3_600_000;
            proposal.valid_round = mind.random.chance(70).then_some(0);
        }
        proposal.id = proposal.block.header.id();
        let messages = live.app.messages(&proposal, round, me);
        let others: Vec<usize> = (0..7).filter(|n| *n != self.index).collect();
        if mind.does(Evil::TwoBlocks) && mind.random.chance(70) {
            let mut other = Proposal { block: proposal.block.clone(), ..proposal.clone() };
            other.block.header.time_ms += 1;
            other.id = other.block.header.id();
            mind.forked = Some((ValueId::of(proposal.id), ValueId::of(other.id)));
            let second = live.app.messages(&other, round, me);
            for to in others {
                self.stream(Some(to), if to % 2 == 0 { messages.clone() } else { second.clone() });
            }
        } else if mind.does(Evil::WithheldParts) {
            for to in others {
                let Some(mind) = &mut self.mind else { break };
                let kept = match mind.random.below(3) {
                    0 => messages.len(),
                    1 => mind.random.index(messages.len()),
                    _ => 0,
                };
                self.stream(Some(to), messages.iter().take(kept).cloned().collect());
            }
        } else {
            self.stream(None, messages);
        }
        proposal.id
    }

    /// What one of the others gets instead of a message.
    pub fn distort(&mut self, to: usize, message: Message) -> Message {
        let signer = self.signer.clone();
        let Some(mind) = &mut self.mind else { return message };
        let Message::Consensus(bytes) = &message else { return message };
        let changed = match decode::<SignedConsensusMsg<ChainContext>>(bytes) {
            Some(SignedConsensusMsg::Vote(signed)) => {
                let mut vote: Vote = signed.message.clone();
                mind.other_vote(&mut vote, to);
                if vote == signed.message {
                    return message;
                }
                Some(SignedConsensusMsg::Vote(signer.vote(vote)))
            }
            Some(SignedConsensusMsg::Proposal(signed)) => {
                let mut proposal = signed.message;
                let Some((_, second)) = mind.forked.filter(|(first, _)| *first == proposal.value && to % 2 == 1) else {
                    return message;
                };
                proposal.value = second;
                Some(SignedConsensusMsg::Proposal(signer.proposal(proposal)))
            }
            None => None,
        };
        changed.map_or(message, |changed| Message::Consensus(encode(&changed)))
    }

    /// Votes for a block in everybody's name, under signatures that are nobody's.
    pub fn forge(&mut self, message: &Message) {
        let Ok(set) = self.store.validators(self.tip() + 1) else { return };
        let Some(mind) = self.mind.as_mut().filter(|mind| mind.does(Evil::Junk)) else { return };
        let Message::Consensus(bytes) = message else { return };
        let Some(SignedConsensusMsg::Proposal(proposal)) = decode::<SignedConsensusMsg<ChainContext>>(bytes) else {
            return;
        };
        let proposal = proposal.message;
        for validator in set.validators() {
            if mind.random.chance(40) {
                continue;
            }
            let kind = if mind.random.chance(30) { VoteType::Prevote } else { VoteType::Precommit };
            let (height, round, value) = (proposal.height, proposal.round, NilOrVal::Val(proposal.value));
            let vote = Vote { kind, height, round, value, address: Address::of(validator.consensus_key) };
            let forged = SignedConsensusMsg::Vote(SignedMessage::new(vote, Sig([mind.random.next() as u8; 64])));
            self.acts.push(Act::Send(None, Message::Consensus(encode(&forged))));
        }
    }

    /// What it sends for no reason, to whom.
    pub fn junk(&mut self, validators: usize) {
        let (tip, fingerprint) = (self.tip(), self.store.fingerprint());
        let signer = self.signer.clone();
        let Some(mind) = self.mind.as_mut().filter(|mind| mind.does(Evil::Junk)) else { return };
        let to = Some(mind.random.index(validators));
        let value = ValueId(Hash::of_parts(&[&fingerprint.0, &mind.random.next().to_be_bytes()]).0);
        let message = match mind.random.below(9) {
            0 => mind.broken(),
            1 => mind.old.get(mind.random.clone().index(mind.old.len())).cloned(),
            2 => Some(Message::Tip(u64::MAX)),
            3 => Some(Message::Heights { committed: tip, entered: tip + 1 }),
            4 => Some(Message::Ask { from: mind.random.below(tip + 2), to: u64::MAX }),
            5 => Some(piece(&mut mind.random)),
            // Far rounds and heights, well signed.
            6 | 7 => {
                let (height, round) = (tip + mind.random.below(4), mind.random.below(30) as u32);
                let kind = if mind.random.chance(50) { VoteType::Prevote } else { VoteType::Precommit };
                let value = NilOrVal::Val(mind.seen.filter(|_| mind.random.chance(50)).unwrap_or(value));
                let address = Address::of(signer.key.public());
                let vote = Vote { kind, height: Height(height), round: Round::new(round), value, address };
                // A liar asks no guard: the one of its honest half would end it.
                Some(Message::Consensus(encode(&SignedConsensusMsg::Vote(signer.vote(vote)))))
            }
            _ => Some(Message::Values(Bytes::from(vec![mind.random.next() as u8; 200]))),
        };
        self.acts.extend(message.map(|message| Act::Send(to, message)));
    }
}

impl Mind {
    fn other_vote(&mut self, vote: &mut Vote, to: usize) {
        if let (Some((first, second)), true) = (self.forked, to % 2 == 1)
            && vote.value == NilOrVal::Val(first)
        {
            vote.value = NilOrVal::Val(second);
        }
        if self.does(Evil::TwoVotes) && self.random.chance(50) {
            vote.value = match (&vote.value, self.seen) {
                (NilOrVal::Nil, Some(seen)) => NilOrVal::Val(seen),
                (NilOrVal::Nil, None) => NilOrVal::Nil,
                (NilOrVal::Val(_), _) => NilOrVal::Nil,
            };
        }
    }

    /// An old message with some bytes changed.
    fn broken(&mut self) -> Option<Message> {
        let mut message = self.old.get(self.random.index(self.old.len()))?.clone();
        if let Message::Consensus(bytes) | Message::Liveness(bytes) | Message::Part(bytes) | Message::Values(bytes) =
            &mut message
        {
            let mut changed = bytes.to_vec();
            for _ in 0..self.random.between(1, 4) {
                let place = self.random.index(changed.len());
                if let Some(byte) = changed.get_mut(place) {
                    *byte = self.random.next() as u8;
                }
            }
            if self.random.chance(20) {
                changed.truncate(self.random.index(changed.len()));
            }
            *bytes = changed.into();
        }
        Some(message)
    }
}

/// A piece of a block that nobody announced.
fn piece(random: &mut Random) -> Message {
    let id = StreamId::new(Bytes::copy_from_slice(&random.next().to_be_bytes()));
    let part = Part::Piece(Bytes::from(vec![random.next() as u8; 100]));
    Message::Part(encode(&StreamMessage::new(id, random.below(40), StreamContent::Data(part))))
}
