//! Blocks on their way: a signed first part that names the block, then its bytes in pieces. Pure.
//!
//! The first part is signed by whoever streams it, a validator of the height; without that, any peer could make others
//! buffer junk. What one peer can make a node hold is capped.

use std::collections::{BTreeMap, HashMap};

use arc_malachitebft_core_types::Round;
use arc_malachitebft_engine::util::streaming::{StreamContent, StreamId, StreamMessage};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use chain_types::limits::MAX_BLOCK_BYTES;
use chain_types::{Fingerprint, Signature, crypto};

use super::context::{Address, Height, Sig, ValueId};
use super::signing::{part_bytes, round_number};
use crate::ledger::Tip;

/// Size of a piece; well below the message limit, large enough that a full block is 16 of them.
pub const PART_BYTES: usize = 128 * 1024;
/// An encoded block: transactions, their length prefixes, a header.
pub const MAX_ENCODED_BLOCK: usize = MAX_BLOCK_BYTES + 64 * 1024;
/// Streams of one peer that may be incomplete at a time.
const MAX_STREAMS_PER_PEER: usize = 4;

/// From this round on the engine lets others stream a proposal again, so its streamer need not be its proposer.
const OTHERS_STREAM_FROM_ROUND: u32 = 10;

/// What the first part says, and its streamer signs.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PartInit {
    pub height: Height,
    pub round: Round,
    pub valid_round: Round,
    /// Proposer of `round`, as the engine names it.
    pub proposer: Address,
    pub id: ValueId,
    /// Bytes of the encoded block.
    pub size: u32,
    pub parts: u32,
    /// The validator that streams, usually the proposer.
    pub streamer: Address,
    pub signature: Sig,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Part {
    Init(PartInit),
    Piece(Bytes),
}

/// By a validator of that height: its proposer, or in late rounds anyone.
pub fn is_signed_by_streamer(init: &PartInit, tip: &Tip, fingerprint: Fingerprint) -> bool {
    let set = match init.height.0.checked_sub(tip.height) {
        Some(1) => &tip.validators,
        Some(2) => &tip.next_validators,
        _ => return false,
    };
    let late = round_number(init.round).is_some_and(|round| round >= OTHERS_STREAM_FROM_ROUND);
    let key = init.streamer.key();
    (init.streamer == init.proposer || late)
        && set.index_of(&key).is_some()
        && crypto::verify_strict(&key, &part_bytes(fingerprint, init), &Signature(init.signature.0))
}

/// All parts of a block, in order.
pub fn split(init: PartInit, block: &Bytes) -> Vec<Part> {
    let pieces = (0..block.len()).step_by(PART_BYTES).map(|at| block.slice(at..block.len().min(at + PART_BYTES)));
    std::iter::once(Part::Init(init)).chain(pieces.map(Part::Piece)).collect()
}

/// Number of pieces of a block of so many bytes.
pub fn piece_count(size: usize) -> usize {
    size.div_ceil(PART_BYTES)
}

#[derive(Default)]
struct Stream {
    init: Option<PartInit>,
    pieces: BTreeMap<u64, Bytes>,
    bytes: usize,
}

/// Streams that are not complete yet, by publisher.
pub struct Assembly<P> {
    streams: HashMap<(P, StreamId), Stream>,
}

impl<P> Default for Assembly<P> {
    fn default() -> Self {
        Self { streams: HashMap::new() }
    }
}

/// What a part made of its stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// More parts are to come.
    Incomplete,
    /// The whole block.
    Complete(PartInit, Vec<u8>),
    /// The stream breaks its own promise or a limit, and is dropped.
    Refused(&'static str),
}

impl<P: Eq + std::hash::Hash + Clone> Assembly<P> {
    /// Takes one part; `is_signed` answers whether a first part's signature holds, and is asked once a stream.
    pub fn add(&mut self, peer: P, message: StreamMessage<Part>, is_signed: impl Fn(&PartInit) -> bool) -> Progress {
        let key = (peer, message.stream_id);
        let StreamContent::Data(part) = message.content else { return Progress::Incomplete };
        if !self.streams.contains_key(&key) {
            let open = self.streams.keys().filter(|(peer, _)| *peer == key.0).count();
            if open >= MAX_STREAMS_PER_PEER {
                return Progress::Refused("a peer has too many open streams");
            }
        }
        let stream = self.streams.entry(key.clone()).or_default();
        let verdict = stream.add(message.sequence, part, is_signed);
        match verdict {
            Err(reason) => {
                self.streams.remove(&key);
                Progress::Refused(reason)
            }
            Ok(()) if !stream.is_complete() => Progress::Incomplete,
            Ok(()) => match self.streams.remove(&key).and_then(Stream::finish) {
                Some((init, block)) => Progress::Complete(init, block),
                None => Progress::Refused("the pieces do not add up to the size that was signed"),
            },
        }
    }

    /// Drops streams of heights that are decided.
    pub fn drop_below(&mut self, height: u64) {
        self.streams.retain(|_, s| s.init.as_ref().is_some_and(|i| i.height.0 >= height));
    }
}

impl Stream {
    fn add(&mut self, sequence: u64, part: Part, is_signed: impl Fn(&PartInit) -> bool) -> Result<(), &'static str> {
        match part {
            Part::Init(init) => {
                let size = init.size as usize;
                if sequence != 0 || self.init.is_some() {
                    return Err("a stream has one first part");
                }
                if size > MAX_ENCODED_BLOCK || init.parts as usize != piece_count(size) {
                    return Err("the block would be too large");
                }
                if !is_signed(&init) {
                    return Err("the first part is not signed by a validator of that height");
                }
                self.init = Some(init);
            }
            Part::Piece(piece) => {
                if sequence == 0 || sequence > piece_count(MAX_ENCODED_BLOCK) as u64 || piece.len() > PART_BYTES {
                    return Err("a piece lies outside any block");
                }
                self.bytes += piece.len();
                if self.pieces.insert(sequence, piece).is_some() || self.bytes > MAX_ENCODED_BLOCK {
                    return Err("a piece came twice, or the block is too large");
                }
            }
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.init.as_ref().is_some_and(|init| self.pieces.len() == init.parts as usize)
    }

    fn finish(self) -> Option<(PartInit, Vec<u8>)> {
        let init = self.init?;
        let contiguous = self.pieces.keys().copied().eq(1..=u64::from(init.parts));
        let block: Vec<u8> = self.pieces.into_values().flatten().collect();
        (contiguous && block.len() == init.size as usize).then_some((init, block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(stream: &str, sequence: u64, part: Part) -> StreamMessage<Part> {
        let id = StreamId::new(Bytes::copy_from_slice(stream.as_bytes()));
        StreamMessage::new(id, sequence, StreamContent::Data(part))
    }

    fn init(size: usize) -> PartInit {
        PartInit {
            height: Height(5),
            round: Round::new(0),
            valid_round: Round::Nil,
            proposer: Address([1; 32]),
            id: ValueId([2; 32]),
            size: size as u32,
            parts: piece_count(size) as u32,
            streamer: Address([1; 32]),
            signature: Sig([0; 64]),
        }
    }

    #[test]
    fn parts_in_any_order_make_the_block() {
        let block = Bytes::from(vec![7; 3 * PART_BYTES + 5]);
        let parts = split(init(block.len()), &block);
        assert_eq!(parts.len(), 5);
        let mut assembly = Assembly::default();
        let mut last = Progress::Incomplete;
        for (sequence, part) in parts.into_iter().enumerate().rev() {
            assert_eq!(last, Progress::Incomplete);
            last = assembly.add(1, message("s", sequence as u64, part), |_| true);
        }
        assert_eq!(last, Progress::Complete(init(block.len()), block.to_vec()));
        assert!(assembly.streams.is_empty());
    }

    #[test]
    fn junk_is_refused_and_held_by_nobody() {
        let mut assembly = Assembly::default();
        let unsigned = assembly.add(1, message("s", 0, Part::Init(init(10))), |_| false);
        assert!(matches!(unsigned, Progress::Refused(_)));
        let huge = assembly.add(1, message("s", 0, Part::Init(init(MAX_ENCODED_BLOCK + 1))), |_| true);
        assert!(matches!(huge, Progress::Refused(_)));
        let piece = || Part::Piece(Bytes::from_static(b"x"));
        for n in 0..MAX_STREAMS_PER_PEER {
            assert_eq!(assembly.add(1, message(&n.to_string(), 1, piece()), |_| true), Progress::Incomplete);
        }
        assert!(matches!(assembly.add(1, message("more", 1, piece()), |_| true), Progress::Refused(_)));
        assert_eq!(assembly.add(2, message("other peer", 1, piece()), |_| true), Progress::Incomplete);
        assert!(matches!(assembly.add(1, message("0", 1, piece()), |_| true), Progress::Refused(_)));
        assembly.drop_below(6);
        assert!(assembly.streams.is_empty());
    }

    #[test]
    fn pieces_that_do_not_add_up_are_refused() {
        let mut assembly = Assembly::default();
        assembly.add(1, message("s", 0, Part::Init(init(10))), |_| true);
        let short = assembly.add(1, message("s", 1, Part::Piece(Bytes::from_static(b"short"))), |_| true);
        assert!(matches!(short, Progress::Refused(_)));
    }
}
