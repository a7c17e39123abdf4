//! A block as the messages that carry it, and whose messages are taken. Pure.

use arc_malachitebft_core_types::Round;
use arc_malachitebft_engine::util::streaming::{StreamContent, StreamId, StreamMessage};
use bytes::Bytes;
use chain_types::encoding::Encode;
use chain_types::{Fingerprint, Signature, crypto};

use super::context::{Address, Height, Sig, ValueId};
use super::parts::{self, Part, PartInit};
use super::signing::{ChainSigner, part_bytes, round_number};
use crate::ledger::Tip;
use crate::store::Proposal;

/// From this round on the engine lets others stream a proposal again, so its streamer need not be its proposer.
const OTHERS_STREAM_FROM_ROUND: u32 = 10;

/// A block on its way out.
pub struct Outgoing<'a> {
    pub proposal: &'a Proposal,
    /// The round it is proposed in, and by whom.
    pub round: Round,
    pub by: Address,
    /// Never the same twice in one run of the node; with the clock, never the same twice at all.
    pub number: u64,
    pub now_ms: u64,
}

/// All messages of a block, the signed one first.
pub fn messages(signer: &ChainSigner, me: Address, out: &Outgoing<'_>) -> Vec<StreamMessage<Part>> {
    let bytes = Bytes::from(out.proposal.block.to_bytes());
    let mut init = PartInit {
        height: Height(out.proposal.height()),
        round: out.round,
        valid_round: out.proposal.valid_round.map_or(Round::Nil, Round::new),
        proposer: out.by,
        id: ValueId::of(out.proposal.id),
        size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        parts: u32::try_from(parts::piece_count(bytes.len())).unwrap_or(u32::MAX),
        streamer: me,
        signature: Sig([0; 64]),
    };
    init.signature = signer.sign_part(&init);
    let id = StreamId::new([&me.0[..8], &out.now_ms.to_be_bytes(), &out.number.to_be_bytes()].concat().into());
    let parts = (0u64..).zip(parts::split(init, &bytes));
    parts.map(|(sequence, part)| StreamMessage::new(id.clone(), sequence, StreamContent::Data(part))).collect()
}

/// Whether a first part is by a validator of that height: its proposer, or in late rounds anyone.
pub fn is_taken(init: &PartInit, tip: &Tip, fingerprint: Fingerprint) -> bool {
    let set = match init.height.0.checked_sub(tip.height) {
        Some(1) => &tip.validators,
        Some(2) => &tip.next_validators,
        _ => return false,
    };
    let late = round_number(init.round).is_some_and(|round| round >= OTHERS_STREAM_FROM_ROUND);
    let key = init.streamer.key();
    let turn = round_number(init.round).and_then(|round| set.proposer_skipping(init.height.0, round, &tip.skipped));
    // Only whose turn it is: else every validator could have blocks of every round stored here. Whose turn it is after
    // the block that is not here yet is for that block to say.
    (init.height.0 > tip.height + 1 || turn.is_some_and(|turn| turn.consensus_key == init.proposer.key()))
        && (init.streamer == init.proposer || late)
        && set.index_of(&key).is_some()
        && crypto::verify_strict(&key, &part_bytes(fingerprint, init), &Signature(init.signature.0))
}
