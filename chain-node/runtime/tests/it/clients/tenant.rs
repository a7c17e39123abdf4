//! A tenant's chain made by hand: certified headers, a log, set changes, and forks of all that.

use std::collections::HashMap;

use chain_types::crypto::SigningKey;
use chain_types::encoding::Encode;
use chain_types::evidence::SetChange;
use chain_types::genesis::{GenesisValidator, Governance};
use chain_types::light::Update;
use chain_types::merkle::{Frontier, NodeId, consistency_proof, leaf_hash};
use chain_types::{
    BlockId, CommitCertificate, Genesis, Hash, Header, PublicKey, Validator, ValidatorSet, Vote, VoteKind,
};

use crate::chain::{START_MS, genesis, key};

pub const DAY_MS: u64 = 86_400_000;
const FIRST: u8 = 150;

pub struct Tenant {
    pub genesis: Genesis,
    nodes: HashMap<NodeId, Hash>,
    frontier: Frontier,
}

fn validator(n: u8) -> Validator {
    let of = |n: u8| key(n).public();
    let organisation = "city".to_owned();
    Validator { consensus_key: of(n), cosigner_key: of(n), log_key: of(n), power: 1, organisation }
}

/// The set of four keys from `n` on.
pub fn set(n: u8) -> ValidatorSet {
    ValidatorSet::new((n..n + 4).map(validator).collect())
}

/// The first set.
pub fn first() -> ValidatorSet {
    set(FIRST)
}

/// Signed by three of the set's four.
pub fn certify(header: &Header, set: &ValidatorSet) -> CommitCertificate {
    let (fingerprint, height, id) = (header.fingerprint, header.height, header.id());
    let vote = Vote { fingerprint, kind: VoteKind::Precommit, height, round: 0, id: Some(id) }.to_bytes();
    let held = |wanted: PublicKey| (0..=255).map(key).find(|key: &SigningKey| key.public() == wanted).unwrap();
    let sign = |place: u32| (place, held(set.get(place as usize).unwrap().consensus_key).sign(&vote));
    CommitCertificate { height, round: 0, id, signatures: (0..3).map(sign).collect() }
}

impl Tenant {
    pub fn new() -> Self {
        let mut genesis = genesis(Governance::Platform);
        genesis.chain_id = "yunchuan.notary.main".to_owned();
        genesis.time_ms = START_MS - 200_000;
        let named = |n: u8| GenesisValidator { name: format!("validator-{n}"), validator: validator(n) };
        genesis.validators = (FIRST..FIRST + 4).map(named).collect();
        let (mut nodes, mut frontier) = (HashMap::new(), Frontier::default());
        for n in 0..100u64 {
            frontier.append(leaf_hash(&n.to_be_bytes()), |id, hash| {
                nodes.insert(id, hash);
            });
        }
        Self { genesis, nodes, frontier }
    }

    fn root(&self, size: u64) -> Hash {
        chain_types::merkle::root_of_leaves((0..size).map(|n: u64| leaf_hash(&n.to_be_bytes())))
    }

    /// The header of a height, one second after the one before, with one log entry a height.
    pub fn header(&self, height: u64) -> Header {
        assert!(height <= self.frontier.size());
        let hash = first().hash();
        Header {
            version: 1,
            fingerprint: self.genesis.fingerprint(),
            height,
            round: 0,
            time_ms: START_MS - 100_000 + height * 1_000,
            parent: BlockId(Hash::of(&height.to_be_bytes()).0),
            tx_root: Hash::of(b"transactions"),
            validators_hash: hash,
            next_validators_hash: hash,
            proposer: key(FIRST).public(),
            state_root: Hash::of(b"state"),
            log_size: height - 1,
            log_root: self.root(height - 1),
            results_root: Hash::of(b"results"),
        }
    }

    fn consistency(&self, base: u64, header: &Header) -> Vec<Hash> {
        let old = base.saturating_sub(1);
        if old == 0 || header.log_size < old {
            return Vec::new();
        }
        consistency_proof(old, header.log_size, |id| self.nodes.get(&id).copied().ok_or(id)).unwrap()
    }

    /// The step from `base` to a header that `set` certifies.
    pub fn step(&self, base: u64, set_changes: Vec<SetChange>, header: Header, set: &ValidatorSet) -> Update {
        let (certificate, consistency) = (certify(&header, set), self.consistency(base, &header));
        Update { base, set_changes, header, certificate, consistency }
    }

    /// The step between two heights of the first set.
    pub fn plain(&self, base: u64, height: u64) -> Update {
        self.step(base, Vec::new(), self.header(height), &first())
    }

    /// `old` names `next` at a height.
    pub fn change(&self, height: u64, old: &ValidatorSet, next: &ValidatorSet) -> SetChange {
        let mut header = self.header(height);
        (header.validators_hash, header.next_validators_hash) = (old.hash(), next.hash());
        SetChange { certificate: certify(&header, old), header, next: next.clone() }
    }

    /// The header of a height, under another set.
    pub fn header_of(&self, height: u64, set: &ValidatorSet) -> Header {
        let hash = set.hash();
        Header { validators_hash: hash, next_validators_hash: hash, ..self.header(height) }
    }
}
