//! Snapshots: how a node that is new, or was away for too long, gets the state of a height from a peer instead of every
//! block since genesis — and believes none of it before it is proven.
//!
//! What is proven by what: validator sets by certified headers since genesis ([`Manifest::verify`]); the header after the
//! snapshot's height by its commit certificate; that header names the roots of state, log and results. State comes in
//! pieces that are complete subtrees ([`tree`]), the log's hashes in tiles that hash to those above them, the blocks of the
//! last 10 minutes by their parents' ids. Each piece is checked before it is kept.
//!
//! What is durable when: pieces go into `data.syncing`, each with the note that it is there, in one synced write; a crash
//! goes on with the next piece. The folder becomes `data` by a rename after the last check. No node ever opens it before.
//!
//! [`make`] is the giving side, [`fetch`] the taking side, the store's `staging` what is kept meanwhile.

pub mod fetch;
pub mod make;
pub mod tree;

use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::evidence::SetChange;
use chain_types::merkle::{Frontier, NodeId};
use chain_types::{Block, CommitCertificate, Fingerprint, Genesis, Hash, Header, ValidatorSet, light, merkle};

use tree::Subtree;

const DOMAIN: &str = "citychain/snapshot/1";
/// Hashes of a complete tile of the log.
pub const TILE_HASHES: u64 = 256;
/// More prefixes than this would make the manifest itself too large to take on trust.
pub const MAX_BITS: u8 = 16;
/// Changes of the validator set that a manifest may tell of.
const MAX_TURNS: usize = 10_000;
/// A manifest, a piece of state or a run of blocks; what is larger is not read to its end.
pub const MAX_PIECE_BYTES: usize = 64 << 20;

/// A block whose header hands over to another validator set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    pub block: Block,
    pub certificate: CommitCertificate,
    pub next: ValidatorSet,
}

impl Turn {
    /// What proves the next set, without the block's transactions.
    pub fn change(&self) -> SetChange {
        let (header, certificate) = (self.block.header.clone(), self.certificate.clone());
        SetChange { header, certificate, next: self.next.clone() }
    }
}

/// What a snapshot holds, and all that is needed to check its pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    pub fingerprint: Fingerprint,
    /// The snapshot is of the state after this block.
    pub height: u64,
    /// The header after it, which names its roots.
    pub sealing: Header,
    pub certificate: CommitCertificate,
    /// From genesis' validator set to the one that sealed, in order.
    pub turns: Vec<Turn>,
    /// The set after the sealing header, if that hands over.
    pub next: Option<ValidatorSet>,
    /// Pieces of state are cut by this many leading bits of the key's hash.
    pub bits: u8,
    /// One for each prefix.
    pub subtrees: Vec<Subtree>,
    /// The hashes in the last, incomplete tile of each level of the log, lowest level first.
    pub edge: Vec<Vec<Hash>>,
}

/// Why a snapshot is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the snapshot is not what it says: {0}")]
pub struct Forged(pub String);

fn forged(what: impl Into<String>) -> Forged {
    Forged(what.into())
}

impl Manifest {
    /// Checks everything that the manifest says of itself. Gives the validator sets: from which height each decides.
    pub fn verify(&self, genesis: &Genesis) -> Result<Vec<(u64, ValidatorSet)>, Forged> {
        let chain = genesis.fingerprint();
        if self.fingerprint != chain || self.sealing.fingerprint != chain {
            return Err(forged("it is of another chain"));
        }
        if self.height == 0 || self.sealing.height != self.height.saturating_add(1) {
            return Err(forged("its header is not the one after its height"));
        }
        let mut sets = self.follow_turns(genesis)?;
        let set = sets.last().map(|(_, set)| set).ok_or_else(|| forged("no validator set"))?;
        if self.sealing.validators_hash != set.hash() {
            return Err(forged("its header names another validator set than the one followed from genesis"));
        }
        let verdict = self.certificate.verify(chain, self.sealing.height, self.sealing.id(), set);
        verdict.map_err(|e| forged(format!("header {}: {e}", self.sealing.height)))?;
        match &self.next {
            None if self.sealing.next_validators_hash == self.sealing.validators_hash => {}
            Some(next) if next.hash() == self.sealing.next_validators_hash => {
                sets.push((self.sealing.height.saturating_add(1), next.clone()));
            }
            _ => return Err(forged("the validator set after its header is not the one that the header names")),
        }
        let pieces = 1usize << self.bits.min(MAX_BITS);
        if self.bits > MAX_BITS || !self.bits.is_multiple_of(4) || self.subtrees.len() != pieces {
            return Err(forged("its pieces of state are not one for each prefix"));
        }
        if tree::root(&self.subtrees).hash != self.sealing.state_root {
            return Err(forged("its pieces of state do not give the state root"));
        }
        match self.frontier() {
            Some(frontier) if frontier.root() == self.sealing.log_root => Ok(sets),
            _ => Err(forged("its edge of the log does not give the log root")),
        }
    }

    /// The sets that decided heights up to the snapshot's, each with the first of them.
    fn follow_turns(&self, genesis: &Genesis) -> Result<Vec<(u64, ValidatorSet)>, Forged> {
        let changes: Vec<SetChange> = self.turns.iter().map(Turn::change).collect();
        let followed = light::follow_changes(genesis.fingerprint(), genesis.validator_set(), 1, &changes);
        let (_, from) = followed.map_err(|e| forged(e.to_string()))?;
        let last = from.saturating_sub(1);
        if last > self.height {
            return Err(forged(format!("the set change at height {last} is later than the snapshot")));
        }
        let first = std::iter::once((0, genesis.validator_set()));
        Ok(first
            .chain(changes.into_iter().map(|change| (change.header.height.saturating_add(1), change.next)))
            .collect())
    }

    /// The log's right edge after the snapshot's height; none if the edge tiles are not those of such a log.
    pub fn frontier(&self) -> Option<Frontier> {
        let size = self.sealing.log_size;
        let levels: Vec<u64> = edge_lengths(size);
        let fits = self.edge.len() == levels.len()
            && self.edge.iter().zip(&levels).all(|(tile, length)| tile.len() as u64 == *length);
        if !fits {
            return None;
        }
        let hash = |id: NodeId| {
            let (level, below) = (usize::from(id.level / 8), id.level % 8);
            let first = usize::try_from((id.index << below) % TILE_HASHES).ok()?;
            let under = self.edge.get(level)?.get(first..first + (1 << below))?;
            Some(complete(under))
        };
        let hashes = merkle::subtree_roots(0, size).into_iter().map(hash).collect::<Option<Vec<_>>>()?;
        Frontier::restore(size, hashes)
    }
}

/// Root over 2^n neighbouring hashes of one level.
pub fn complete(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => merkle::empty_root(),
        [one] => *one,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            merkle::node_hash(&complete(left), &complete(right))
        }
    }
}

/// Hashes in the incomplete tile of each level of a log; a level without any hash does not exist.
pub fn edge_lengths(log_size: u64) -> Vec<u64> {
    (0..8u32).map(|level| log_size >> (8 * level)).take_while(|hashes| *hashes > 0).map(|n| n % TILE_HASHES).collect()
}

/// Complete tiles of a level of a log.
pub fn complete_tiles(log_size: u64, level: u8) -> u64 {
    log_size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0)
}

impl Encode for Manifest {
    fn encode(&self, w: &mut Writer) {
        w.array(10).text(DOMAIN);
        self.fingerprint.encode(w);
        w.uint(self.height);
        self.sealing.encode(w);
        self.certificate.encode(w);
        w.array(self.turns.len());
        for turn in &self.turns {
            w.array(3);
            turn.block.encode(w);
            turn.certificate.encode(w);
            turn.next.encode(w);
        }
        match &self.next {
            Some(next) => next.encode(w),
            None => drop(w.null()),
        }
        w.uint(self.bits.into()).array(self.subtrees.len());
        for subtree in &self.subtrees {
            w.array(2).uint(subtree.records);
            subtree.hash.encode(w);
        }
        w.array(self.edge.len());
        for tile in &self.edge {
            w.array(tile.len());
            tile.iter().for_each(|hash| hash.encode(w));
        }
    }
}

impl Decode for Manifest {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 10)?;
        let (fingerprint, height) = (Decode::decode(r)?, r.uint()?);
        let (sealing, certificate) = (Decode::decode(r)?, Decode::decode(r)?);
        let turn = |r: &mut Reader<'_>| {
            r.array_of(3)?;
            Ok(Turn { block: Decode::decode(r)?, certificate: Decode::decode(r)?, next: Decode::decode(r)? })
        };
        let turns = list(r, MAX_TURNS, turn)?;
        let next = if r.null() { None } else { Some(Decode::decode(r)?) };
        let bits = u8::try_from(r.uint()?).map_err(|_| r.invalid("bits"))?;
        let subtree = |r: &mut Reader<'_>| {
            r.array_of(2)?;
            Ok(Subtree { records: r.uint()?, hash: Decode::decode(r)? })
        };
        let subtrees = list(r, 1 << MAX_BITS, subtree)?;
        let edge = list(r, 8, |r| list(r, TILE_HASHES as usize, Decode::decode))?;
        Ok(Self { fingerprint, height, sealing, certificate, turns, next, bits, subtrees, edge })
    }
}

/// An array of at most `most` items.
pub fn list<T>(
    r: &mut Reader<'_>,
    most: usize,
    one: impl Fn(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let n = r.array()?;
    if n > most {
        return Err(r.invalid("length of a list"));
    }
    (0..n).map(|_| one(r)).collect()
}

/// Records of a piece of state as they travel.
pub fn encode_records(records: &[tree::Record]) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(records.len());
    for record in records {
        w.array(2).bytes(&record.key).bytes(&record.value);
    }
    w.into_bytes()
}

pub fn decode_records(bytes: &[u8]) -> Result<Vec<tree::Record>, DecodeError> {
    let mut r = Reader::new(bytes);
    let one = |r: &mut Reader<'_>| {
        r.array_of(2)?;
        Ok(tree::Record::new(r.bytes()?.to_vec(), r.bytes()?.to_vec()))
    };
    let records = list(&mut r, MAX_PIECE_BYTES, one)?;
    r.end()?;
    Ok(records)
}
