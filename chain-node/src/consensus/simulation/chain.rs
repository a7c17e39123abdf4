//! The chain of a run: keys, genesis, stores in memory, the transactions that clients will send.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use chain_types::crypto::SigningKey;
use chain_types::genesis::Genesis;
use chain_types::{Call, Hash, Transaction, Value};

use super::super::signing::ChainVerifier;
use super::Bug;
use super::byzantine::Mind;
use super::faults::Faults;
use super::node::{self, Node};
use super::random::Random;
use super::verifier::Memo;
use crate::sample;
use crate::store::Store;

/// The world's clock when a run starts; genesis lies a second before.
pub const START_MS: u64 = 1_700_000_000_000;
/// Kept values of earlier heights; nothing asks for them here.
const HISTORY: u64 = 4;

pub struct Chain {
    pub nodes: Vec<Node>,
    pub clock: Arc<AtomicU64>,
    pub transactions: Vec<Transaction>,
}

pub fn make(faults: &Faults, bug: Bug, random: &mut Random) -> Chain {
    let mut keys: Vec<SigningKey> = (0..faults.validators).map(|_| key(random)).collect();
    // Place in the set and number of the node are one.
    keys.sort_by_key(SigningKey::public);
    let administrator = key(random);
    let public: Vec<_> = keys.iter().map(SigningKey::public).collect();
    let genesis = sample::genesis(&public, administrator.public(), START_MS - 1_000);
    let fingerprint = genesis.fingerprint();
    let clock = Arc::new(AtomicU64::new(START_MS));
    // One memory of checked signatures serves all nodes; it looks out for nobody's key.
    let (nowhere, nobody) = (node::home(), Store::in_memory(&genesis, HISTORY).unwrap());
    let guard = node::guard(nowhere.path(), key(random).public(), &nobody, false);
    let verifier = Memo::new(ChainVerifier { fingerprint, guard }, bug == Bug::AnySignature);
    let mut nodes = Vec::new();
    for (index, key) in keys.into_iter().enumerate() {
        let (store, uses) = take_store(&genesis);
        let mut node = Node::new(index, bug, (fingerprint, key), verifier.clone(), store);
        node.store_uses = uses;
        (node.world_ms, node.skew_ms) = (clock.clone(), faults.skew_ms[index]);
        let evils = faults.byzantine.iter().find(|(n, _)| *n == index);
        node.mind = evils.map(|(_, evils)| Mind::new(evils.clone(), Random::new(random.next())));
        nodes.push(node);
    }
    let transaction = |_| {
        let call = Call {
            fingerprint,
            valid_until_ms: START_MS + 540_000,
            salt: random.next().to_be_bytes(),
            app: "chain".into(),
            instance: "anchor".into(),
            method: "digests".into(),
            args: digests(random),
        };
        Transaction::sign(call, &administrator).unwrap()
    };
    let transactions = (0..faults.transactions).map(transaction).collect();
    Chain { nodes, clock, transactions }
}

thread_local! {
    /// Stores of earlier runs, and how often each was used.
    static USED: RefCell<Vec<(Store, u32)>> = const { RefCell::new(Vec::new()) };
}

/// A wiped store keeps marks of what was deleted, which slow it down in the end.
const USES: u32 = 60;

fn take_store(genesis: &Genesis) -> (Store, u32) {
    match USED.with_borrow_mut(Vec::pop) {
        Some((store, uses)) if uses < USES => (store.wiped(genesis).unwrap(), uses + 1),
        _ => (Store::in_memory(genesis, HISTORY).unwrap(), 1),
    }
}

/// Keeps the store of a run that is over for a later one.
pub fn give_back(store: Store, uses: u32) {
    USED.with_borrow_mut(|used| used.push((store, uses)));
}

fn key(random: &mut Random) -> SigningKey {
    SigningKey::from_seed(&Hash::of(&random.next().to_be_bytes()).0)
}

fn digests(random: &mut Random) -> Value {
    let many = random.between(1, 3);
    let one = |_| Value::Bytes(Hash::of(&random.next().to_be_bytes()).0.to_vec());
    Value::Map(vec![("digests".into(), Value::Array((0..many).map(one).collect()))])
}

/// For the planted bug that takes chance from elsewhere.
pub fn unseeded() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_be_bytes(bytes)
}
