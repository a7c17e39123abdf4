//! A chain that has been running for long: blocks of the past, made with the validators' own keys, so that what only
//! happens to old blocks can be tested now.

use chain_node::consensus::now_ms;
use chain_node::keys::NodeKeys;
use chain_node::ledger::{Candidate, Draft, Ledger, build};
use chain_node::store::{Proposal, Retention, Store};
use chain_types::crypto::SigningKey;
use chain_types::encoding::Encode;
use chain_types::tlog::SignedStatement;
use chain_types::{CommitCertificate, Genesis, Hash, Transaction, Value, Vote, VoteKind};

use super::cluster::{Cluster, digest};

/// The validators of a cluster as one program: decides blocks at whatever time it is told.
pub struct Past {
    pub ledger: Ledger,
    /// In the order of the validator set.
    keys: Vec<SigningKey>,
}

impl Past {
    /// Opens the store of validator `n`, which does not run.
    pub fn open(cluster: &Cluster, n: usize, retention: Retention) -> Self {
        let path = cluster.validator_dir(n).join("data");
        std::fs::create_dir_all(&path).unwrap();
        let store = Store::open(&path, &cluster.genesis, 16).unwrap().with_retention(retention);
        let count = cluster.genesis.validators.len();
        let load = |n| NodeKeys::load(&cluster.validator_dir(n).join("keys")).unwrap().consensus;
        let mut keys: Vec<SigningKey> = (0..count).map(load).collect();
        keys.sort_by_key(SigningKey::public);
        Self { ledger: Ledger::open(store).unwrap(), keys }
    }

    /// Commits a block at a time.
    pub fn commit(&self, txs: Vec<Transaction>, time_ms: u64) {
        let (tip, fingerprint) = (self.ledger.tip(), self.ledger.fingerprint());
        let proposer = tip.validators.proposer(tip.height + 1, 0).unwrap().consensus_key;
        let block = build(&tip, &Draft { fingerprint, round: 0, proposer, now_ms: time_ms, txs: &txs });
        let (height, id) = (block.header.height, block.header.id());
        let vote = Vote { fingerprint, kind: VoteKind::Precommit, height, round: 0, id: Some(id) }.to_bytes();
        let signatures = (0u32..).zip(&self.keys).take(3).map(|(i, key)| (i, key.sign(&vote))).collect();
        let proposal = Proposal { round: 0, valid_round: None, proposer, id, block };
        self.ledger.store().save_proposal(&proposal).unwrap();
        let certificate = CommitCertificate { height, round: 0, id, signatures };
        self.ledger.commit(&Candidate { proposal, txs }, &certificate).unwrap();
    }
}

/// Two digests of its own for each number.
pub fn digests(n: u64) -> [Hash; 2] {
    [digest(1_000_000 + 2 * n), digest(1_000_001 + 2 * n)]
}

/// A call that was signed to be valid around a time.
pub fn call_at(cluster: &Cluster, n: u64, time_ms: u64) -> Transaction {
    let mut call = cluster.anchor(&digests(n)).call().clone();
    call.valid_until_ms = time_ms + 60_000;
    cluster.sign(call)
}

/// The statement that block `n` registers, if it is one of those that register one.
pub fn statement(cluster: &Cluster, n: u64) -> Option<Vec<u8>> {
    let sign = |subject: String| SignedStatement::sign("bureau.example", &subject, b"made", &cluster.administrator);
    (n % 10 == 4).then(|| sign(format!("product/{n}")))
}

fn registration(cluster: &Cluster, n: u64, time_ms: u64) -> Option<Transaction> {
    let args = Value::Map(vec![("statement".into(), Value::Bytes(statement(cluster, n)?))]);
    let mut call = cluster.draft("anchor", "register", args);
    call.valid_until_ms = time_ms + 60_000;
    Some(cluster.sign(call))
}

/// Gives a cluster that never ran a past: calls and empty blocks by turns, `step_ms` apart, the last one just now. Every
/// validator has it. Gives the calls.
pub fn write(cluster: &mut Cluster, blocks: u64, step_ms: u64) -> Vec<Transaction> {
    let start = now_ms() - blocks * step_ms;
    let path = cluster.dir().join("genesis.json");
    let mut genesis: Genesis = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    genesis.time_ms = start;
    std::fs::write(&path, serde_json::to_string(&genesis).unwrap()).unwrap();
    cluster.genesis = genesis;
    let past = Past::open(cluster, 0, Retention::default());
    let mut calls = Vec::new();
    for n in 1..=blocks {
        let time_ms = start + n * step_ms;
        let call = (n % 2 == 1).then(|| call_at(cluster, n, time_ms));
        let txs: Vec<Transaction> = call.into_iter().chain(registration(cluster, n, time_ms)).collect();
        calls.extend(txs.clone());
        past.commit(txs, time_ms);
    }
    drop(past);
    let from = cluster.validator_dir(0).join("data");
    for n in 1..cluster.genesis.validators.len() {
        super::cluster::copy_dir(&from, &cluster.validator_dir(n).join("data"));
    }
    calls
}

/// Changes a validator's configuration: these lines win over what it says.
pub fn configure(cluster: &Cluster, n: usize, lines: &str) {
    let path = cluster.validator_dir(n).join("node.toml");
    let mut config: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
    merge(&mut config, lines.parse().unwrap());
    std::fs::write(path, config.to_string()).unwrap();
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}
