//! A chain made by hand, from fixed seeds: genesis, a set change, a state of accounts and one recalled lot, a log, a block
//! and the header that seals it.

use std::collections::HashMap;

use jmt::storage::{LeafNode, Node, NodeKey, TreeReader};
use jmt::{KeyHash, OwnedValue, RootHash, Sha256Jmt};

use super::super::{Evidence, Record, SetChange, Subject};
use crate::account::AccountStatus;
use crate::certificate::{CommitCertificate, Vote, VoteKind};
use crate::crypto::SigningKey;
use crate::encoding::{Encode, Value, to_vec};
use crate::genesis::{GenesisOrganisation, GenesisValidator, Governance, Membership, Text};
use crate::log_entry::{DigestEntry, call_entry};
use crate::merkle::{Frontier, inclusion_proof, leaf_hash};
use crate::state::{AbsenceProof, EMPTY_SUBTREE, Neighbour, StateProof, account_key, internal_hash, key};
use crate::{
    Account, BlockId, Call, Custody, Fingerprint, Genesis, Hash, Header, PublicKey, Transaction, Validator,
    ValidatorSet,
};

/// What the file of the tests holds; its digest is the second of the anchor call.
pub const FILE: &[u8] = b"deed of sale, page 1 of 1";
/// Entries in the log before the block.
const BEFORE: u64 = 21;

pub fn seeded(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

/// Who signs the anchor call.
pub fn signer() -> SigningKey {
    seeded(50)
}

pub fn validator(key: PublicKey) -> Validator {
    let organisation = "notary-office".into();
    Validator { consensus_key: key, cosigner_key: key, log_key: key, power: 1, organisation }
}

pub fn genesis(chain_id: &str) -> Genesis {
    let one = |n: u8| GenesisValidator { name: format!("validator-{n}"), validator: validator(seeded(n).public()) };
    let organisation = |id: &str, zh: &str, n: u8| GenesisOrganisation {
        id: id.into(),
        title: Text { zh: zh.into(), en: id.into() },
        administrator: seeded(n).public(),
        custody: Custody::Platform,
    };
    Genesis {
        chain_id: chain_id.into(),
        profile: "intl".into(),
        rules: 1,
        time_ms: 1_790_000_000_000,
        governance: Governance::Platform,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        trusting_period_ms: 14 * 86_400_000,
        steward: seeded(40).public(),
        validators: (1..=4).map(one).collect(),
        organisations: vec![organisation("notary-office", "公证处", 41), organisation("data-bureau", "大数据局", 42)],
        operator: "data-bureau".into(),
    }
}

/// An anchor call of three digests, [`FILE`]'s among them.
pub fn anchor(chain: Fingerprint, extra: &[u8]) -> Transaction {
    let digests: Vec<Value> = digests().iter().map(|d| Value::from(d.0.as_slice())).collect();
    let pairs = vec![("digests".into(), Value::Array(digests)), ("comment".into(), Value::from(extra))];
    let call = Call {
        fingerprint: chain,
        valid_until_ms: 1_790_000_400_000,
        salt: *b"saltsalt",
        app: "evidence".into(),
        instance: "evidence".into(),
        method: "anchor".into(),
        args: Value::Map(pairs),
    };
    Transaction::sign(call, &signer()).unwrap()
}

pub fn digests() -> [Hash; 3] {
    [Hash::of(b"first"), Hash::of(FILE), Hash::of(b"third")]
}

/// What an applied anchor call leaves in the log.
pub fn entries_of(tx: &Transaction) -> Vec<Vec<u8>> {
    let one = |(position, digest): (usize, Hash)| {
        DigestEntry { digest, tx: tx.id(), position: position as u64, kid: tx.kid() }.to_bytes()
    };
    std::iter::once(call_entry(tx.bytes())).chain(digests().into_iter().enumerate().map(one)).collect()
}

/// The state tree, by the crate that a node uses.
pub struct Tree {
    nodes: HashMap<NodeKey, Node>,
    values: HashMap<KeyHash, OwnedValue>,
    pub root: Hash,
}

impl TreeReader for Tree {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(self.nodes.get(key).cloned())
    }

    fn get_value_option(&self, _: u64, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.values.get(&key).cloned())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

impl Tree {
    pub fn of(records: &[(Vec<u8>, Vec<u8>)]) -> Self {
        let mut tree = Self { nodes: HashMap::new(), values: HashMap::new(), root: EMPTY_SUBTREE };
        let set = records.iter().map(|(key, value)| (KeyHash(Hash::of(key).0), Some(value.clone())));
        let (root, batch) = Sha256Jmt::new(&tree).put_value_set(set, 1).unwrap();
        tree.root = Hash(root.0);
        tree.nodes = batch.node_batch.nodes().iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let values = batch.node_batch.values().iter();
        tree.values = values.filter_map(|((_, key), value)| Some((*key, value.clone()?))).collect();
        tree
    }

    /// The record and its path in our form, after the other crate has accepted its own.
    pub fn prove(&self, key: &[u8]) -> StateProof {
        let hash = KeyHash(Hash::of(key).0);
        let (value, proof) = Sha256Jmt::new(self).get_with_proof(hash, 1).unwrap();
        let value = value.unwrap();
        proof.verify_existence(RootHash(self.root.0), hash, &value).unwrap();
        let json = serde_json::to_value(&proof).unwrap();
        let siblings = json["siblings"].as_array().unwrap().iter().map(sibling).collect();
        StateProof { key: key.to_vec(), value, siblings }
    }

    /// What stands at the key's place, in our form; no proof if the key has a record.
    pub fn prove_absence(&self, key: &[u8]) -> AbsenceProof {
        let (_, proof) = Sha256Jmt::new(self).get_with_proof(KeyHash(Hash::of(key).0), 1).unwrap();
        let json = serde_json::to_value(&proof).unwrap();
        let part = |name: &str| Hash(serde_json::from_value(json["leaf"][name].clone()).unwrap());
        let neighbour =
            json["leaf"].is_object().then(|| Neighbour { place: part("key_hash"), value: part("value_hash") });
        let siblings = json["siblings"].as_array().unwrap().iter().map(sibling).collect();
        AbsenceProof { key: key.to_vec(), neighbour, siblings }
    }

    /// Whether the other crate believes this value.
    pub fn holds(&self, key: &[u8], value: &[u8]) -> bool {
        let hash = KeyHash(Hash::of(key).0);
        let (_, proof) = Sha256Jmt::new(self).get_with_proof(hash, 1).unwrap();
        proof.verify_existence(RootHash(self.root.0), hash, value).is_ok()
    }
}

/// That crate keeps its siblings' hashes to itself, but not their parts.
fn sibling(node: &serde_json::Value) -> Hash {
    let part = |name: &str, of: &serde_json::Value| Hash(serde_json::from_value(of[name].clone()).unwrap());
    if let Some(inner) = node.get("Internal") {
        internal_hash(&part("left_child", inner), &part("right_child", inner))
    } else if let Some(leaf) = node.get("Leaf") {
        Hash::of_parts(&[b"JMT::LeafNode", &part("key_hash", leaf).0, &part("value_hash", leaf).0])
    } else {
        EMPTY_SUBTREE
    }
}

pub fn lot_key() -> Vec<u8> {
    key("trace", "trace", "lot", b"06901234567892/L2027")
}

/// Twenty accounts of three kinds and a lot.
pub fn records() -> Vec<(Vec<u8>, Vec<u8>)> {
    let account = |n: u8| {
        let account = Account {
            organisation: if n.is_multiple_of(2) { "notary-office" } else { "data-bureau" }.into(),
            administrator: n.is_multiple_of(5),
            custody: if n.is_multiple_of(3) { Custody::Own } else { Custody::Platform },
            status: AccountStatus::Active,
            label: format!("window-{n}"),
        };
        (account_key(&seeded(n).public()), to_vec(&account).unwrap())
    };
    let lot = Value::Map(vec![("status".into(), "recalled".into()), ("count".into(), 1_200u64.into())]);
    (40..60).map(account).chain([(lot_key(), to_vec(&lot).unwrap())]).collect()
}

pub struct Chain {
    pub genesis: Genesis,
    pub sets: Vec<ValidatorSet>,
    pub tree: Tree,
    change: Option<SetChange>,
    log: Vec<Vec<u8>>,
    pub block: Header,
    pub sealing: Header,
}

impl Chain {
    /// A chain whose block at height 9 left these log entries; if it `rotates`, a fifth validator took the fourth's
    /// place at height 6.
    pub fn new(genesis: Genesis, rotates: bool, entries: Vec<Vec<u8>>) -> Self {
        let first = genesis.validator_set();
        let mut members = first.validators().to_vec();
        if rotates {
            let leaving = seeded(4).public();
            members.retain(|v| v.consensus_key != leaving);
            members.push(validator(seeded(5).public()));
        }
        let last = ValidatorSet::new(members);
        Self::with_sets(genesis, vec![first, last], rotates, entries)
    }

    pub fn with_sets(genesis: Genesis, sets: Vec<ValidatorSet>, rotates: bool, entries: Vec<Vec<u8>>) -> Self {
        let [first, last] = [&sets[0], &sets[1]];
        let tree = Tree::of(&records());
        let old = (0..BEFORE).map(|n| format!("entry {n}").into_bytes());
        let log: Vec<Vec<u8>> = old.chain(entries).collect();
        let fingerprint = genesis.fingerprint();
        let mut change = header(fingerprint, 5, Hash::of(b"4"));
        (change.validators_hash, change.next_validators_hash) = (first.hash(), last.hash());
        let mut block = header(fingerprint, 9, Hash::of(b"8"));
        (block.validators_hash, block.next_validators_hash) = (last.hash(), last.hash());
        (block.log_size, block.log_root) = (BEFORE, log_root(&log[..BEFORE as usize]));
        let mut sealing = header(fingerprint, 10, Hash(block.id().0));
        (sealing.validators_hash, sealing.next_validators_hash) = (last.hash(), last.hash());
        (sealing.log_size, sealing.log_root, sealing.state_root) = (log.len() as u64, log_root(&log), tree.root);
        let certificate = certify(&change, first, &[0, 1, 2]);
        let change = rotates.then(|| SetChange { header: change, certificate, next: last.clone() });
        Self { genesis, sets, tree, change, log, block, sealing }
    }

    fn package(&self, subject: Subject, account: Option<StateProof>) -> Evidence {
        let set = &self.sets[1];
        let places: Vec<u32> = [0, 2, 3].into_iter().filter(|place| (*place as usize) < set.len()).collect();
        Evidence {
            genesis: self.genesis.to_bytes(),
            set_changes: self.change.iter().cloned().collect(),
            subject,
            account,
            sealing: self.sealing.clone(),
            certificate: certify(&self.sealing, set, &places),
        }
    }

    /// Evidence of a log entry, with the signer's account.
    pub fn act(&self, record: Record, index: u64) -> Evidence {
        let path = path(&self.log, index);
        let account = self.tree.prove(&account_key(&signer().public()));
        self.package(Subject::Act { record, index, path, block: self.block.clone() }, Some(account))
    }

    pub fn state(&self, key: &[u8]) -> Evidence {
        self.package(Subject::State(self.tree.prove(key)), None)
    }

    /// The entry of a place.
    pub fn entry(&self, index: u64) -> Vec<u8> {
        self.log[index as usize].clone()
    }

    /// Signs again what has been changed, as dishonest validators could.
    pub fn reseal(&self, evidence: &mut Evidence) {
        if let Subject::Act { block, .. } = &evidence.subject {
            evidence.sealing.parent = block.id();
        }
        evidence.certificate = certify(&evidence.sealing, &self.sets[1], &[0, 1, 2]);
    }
}

pub fn header(fingerprint: Fingerprint, height: u64, parent: Hash) -> Header {
    Header {
        version: 1,
        fingerprint,
        height,
        round: 0,
        time_ms: 1_790_000_000_000 + height * 1_000,
        parent: BlockId(parent.0),
        tx_root: Hash::of(b"transactions"),
        validators_hash: Hash::ZERO,
        next_validators_hash: Hash::ZERO,
        proposer: seeded(1).public(),
        state_root: Hash::of(b"state"),
        log_size: 0,
        log_root: Hash::of(b"log"),
        results_root: Hash::of(b"results"),
    }
}

/// The certificate that the set's members at these places sign; a place nobody has the key of gets an empty signature.
pub fn certify(header: &Header, set: &ValidatorSet, places: &[u32]) -> CommitCertificate {
    let (fingerprint, height, id) = (header.fingerprint, header.height, header.id());
    let vote = Vote { fingerprint, kind: VoteKind::Precommit, height, round: 1, id: Some(id) }.to_bytes();
    let key_of = |place: u32| {
        let wanted = set.get(place as usize).unwrap().consensus_key;
        (1..=9).map(seeded).find(|key| key.public() == wanted)
    };
    let sign = |place: &u32| (*place, key_of(*place).map_or(crate::Signature([0; 64]), |key| key.sign(&vote)));
    CommitCertificate { height, round: 1, id, signatures: places.iter().map(sign).collect() }
}

fn log_root(log: &[Vec<u8>]) -> Hash {
    crate::merkle::root_of_leaves(log.iter().map(|entry| leaf_hash(entry)))
}

fn path(log: &[Vec<u8>], index: u64) -> Vec<Hash> {
    let (mut frontier, mut nodes) = (Frontier::default(), HashMap::new());
    for entry in log {
        frontier.append(leaf_hash(entry), |id, hash| {
            nodes.insert(id, hash);
        });
    }
    inclusion_proof(index, log.len() as u64, |id| nodes.get(&id).copied().ok_or(id)).unwrap()
}
