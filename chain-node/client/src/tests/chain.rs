//! A small chain made by hand from fixed seeds, with everything that a node serves of it: a set change, an applied batch
//! of digests, a refused call, certificates, results and evidence.

use std::collections::HashMap;
use std::sync::Arc;

use chain_types::account::AccountStatus;
use chain_types::api::BlockMessage;
use chain_types::crypto::SigningKey;
use chain_types::encoding::{Encode, to_vec};
use chain_types::evidence::{Evidence, Record, SetChange, Subject};
use chain_types::genesis::{GenesisOrganisation, GenesisValidator, Governance, Membership, Text};
use chain_types::log_entry::{DigestEntry, call_entry};
use chain_types::merkle::{Frontier, inclusion_proof, leaf_hash, root_of_leaves};
use chain_types::outcome::{Refusal, results_root};
use chain_types::state::{self, StateProof, account_key};
use chain_types::{
    Account, Block, BlockId, Call, CommitCertificate, Custody, Event, Genesis, Hash, Header, Transaction, TxOutcome,
    Validator, ValidatorSet, Value, Vote, VoteKind,
};

pub const TIME_MS: u64 = 1_790_000_000_000;
/// The block whose header names another set as its successor.
const CHANGE: usize = 3;

pub fn seeded(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

fn validator(n: u8) -> Validator {
    let key = seeded(n).public();
    Validator { consensus_key: key, cosigner_key: key, log_key: key, power: 1, organisation: "bureau".into() }
}

pub fn genesis(chain_id: &str) -> Genesis {
    let one = |n: u8| GenesisValidator { name: format!("validator-{n}"), validator: validator(n) };
    Genesis {
        chain_id: chain_id.into(),
        profile: "intl".into(),
        rules: 1,
        time_ms: TIME_MS,
        governance: Governance::Platform,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        trusting_period_ms: 14 * 86_400_000,
        steward: seeded(40).public(),
        validators: (1..=4).map(one).collect(),
        organisations: vec![GenesisOrganisation {
            id: "bureau".into(),
            title: Text { zh: "大数据局".into(), en: "Bureau".into() },
            administrator: seeded(41).public(),
            custody: Custody::Platform,
        }],
        operator: "bureau".into(),
    }
}

pub struct FakeChain {
    pub genesis: Genesis,
    sets: [ValidatorSet; 2],
    pub blocks: Vec<(Block, CommitCertificate, Vec<TxOutcome>)>,
    log: Vec<Vec<u8>>,
    account: Vec<u8>,
}

impl FakeChain {
    /// Seven blocks: a batch of two digests in block 2, a set change named by block 3, a refused call in block 5.
    pub fn new(chain_id: &str) -> Self {
        let genesis = genesis(chain_id);
        let mut members: Vec<Validator> = (2..=4).map(validator).collect();
        members.push(validator(5));
        let account = Account {
            organisation: "bureau".into(),
            administrator: true,
            custody: Custody::Platform,
            status: AccountStatus::Active,
            label: "administrator".into(),
        };
        let mut chain = Self {
            sets: [genesis.validator_set(), ValidatorSet::new(members)],
            genesis,
            blocks: Vec::new(),
            log: Vec::new(),
            account: to_vec(&account).unwrap(),
        };
        let (anchored, refused) = (chain.anchor(), chain.call("refused"));
        for txs in [vec![], vec![anchored], vec![], vec![], vec![refused], vec![], vec![]] {
            chain.append(txs);
        }
        chain
    }

    fn call(&self, comment: &str) -> Transaction {
        let digests = digests().iter().map(|digest| Value::from(digest.0.as_slice())).collect();
        let call = Call {
            fingerprint: self.genesis.fingerprint(),
            valid_until_ms: TIME_MS + 300_000,
            salt: *b"saltsalt",
            app: "chain".into(),
            instance: "anchor".into(),
            method: "digests".into(),
            args: Value::Map(vec![("comment".into(), comment.into()), ("digests".into(), Value::Array(digests))]),
        };
        Transaction::sign(call, &seeded(41)).unwrap()
    }

    /// The applied call.
    pub fn anchor(&self) -> Transaction {
        self.call("applied")
    }

    fn set(&self, height: usize) -> &ValidatorSet {
        &self.sets[usize::from(height > CHANGE)]
    }

    fn record(&self) -> (Vec<u8>, &[u8]) {
        (account_key(&seeded(41).public()), &self.account)
    }

    fn append(&mut self, txs: Vec<Transaction>) {
        let height = self.blocks.len() + 1;
        let (parent, results) = match self.blocks.last() {
            Some((block, _, results)) => (block.header.id(), results_root(results)),
            None => (BlockId(self.genesis.fingerprint().0), results_root(&[])),
        };
        let (key, value) = self.record();
        let envelopes: Vec<Arc<[u8]>> = txs.iter().map(Transaction::shared_bytes).collect();
        let header = Header {
            version: 1,
            fingerprint: self.genesis.fingerprint(),
            height: height as u64,
            round: 0,
            time_ms: TIME_MS + height as u64 * 1_000,
            parent,
            tx_root: Block::tx_root(&envelopes),
            validators_hash: self.set(height).hash(),
            next_validators_hash: self.set(height + 1).hash(),
            proposer: seeded(2).public(),
            state_root: state::leaf_hash(&key, value),
            log_size: self.log.len() as u64,
            log_root: root_of_leaves(self.log.iter().map(|entry| leaf_hash(entry))),
            results_root: results,
        };
        let outcomes = txs.iter().map(|tx| self.outcome(tx)).collect();
        let certificate = certify(&header, self.set(height), 3);
        self.blocks.push((Block { header, txs: envelopes }, certificate, outcomes));
        let anchored = self.anchor();
        for tx in txs.iter().filter(|tx| **tx == anchored) {
            self.log.push(call_entry(tx.bytes()));
            for (position, digest) in digests().into_iter().enumerate() {
                let entry = DigestEntry { digest, tx: tx.id(), position: position as u64, kid: tx.kid() };
                self.log.push(entry.to_bytes());
            }
        }
    }

    fn outcome(&self, tx: &Transaction) -> TxOutcome {
        let event = Event {
            app: "chain".into(),
            instance: "anchor".into(),
            name: "digests_anchored".into(),
            fields: Value::Map(vec![("count".into(), 2u64.into())]),
        };
        match *tx == self.anchor() {
            true => TxOutcome { tx: tx.id(), verdict: Ok(vec![event]), first_entry: 0, entries: 3 },
            false => {
                let refusal = Refusal { code: "batch_not_allowed".into(), params: Default::default() };
                TxOutcome { tx: tx.id(), verdict: Err(refusal), first_entry: 3, entries: 0 }
            }
        }
    }

    pub fn message(&self, height: usize) -> BlockMessage {
        let (block, certificate, results) = &self.blocks[height - 1];
        message(block, certificate, results)
    }

    fn package(&self, subject: Subject, account: Option<StateProof>, sealing: usize) -> Evidence {
        let (change, certificate, _) = &self.blocks[CHANGE - 1];
        let change =
            SetChange { header: change.header.clone(), certificate: certificate.clone(), next: self.sets[1].clone() };
        let (block, certificate, _) = &self.blocks[sealing - 1];
        Evidence {
            genesis: self.genesis.to_bytes(),
            set_changes: if sealing > CHANGE { vec![change] } else { vec![] },
            subject,
            account,
            sealing: block.header.clone(),
            certificate: certificate.clone(),
        }
    }

    fn proof(&self) -> StateProof {
        let (key, value) = self.record();
        StateProof { key, value: value.to_vec(), siblings: vec![] }
    }

    /// Evidence of a log entry: the call is entry 0, its digests 1 and 2.
    pub fn evidence_of_entry(&self, index: u64) -> Evidence {
        let entry = self.log[index as usize].clone();
        let record = if index == 0 { Record::Transaction(entry) } else { Record::Digest(entry) };
        let (mut frontier, mut nodes) = (Frontier::default(), HashMap::new());
        for entry in &self.log {
            frontier.append(leaf_hash(entry), |id, hash| {
                nodes.insert(id, hash);
            });
        }
        let path = inclusion_proof(index, self.log.len() as u64, |id| nodes.get(&id).copied().ok_or(id)).unwrap();
        let block = self.blocks[1].0.header.clone();
        self.package(Subject::Act { record, index, path, block }, Some(self.proof()), 3)
    }

    /// Evidence of the one record, by the newest header.
    pub fn evidence_of_state(&self) -> Evidence {
        self.package(Subject::State(self.proof()), None, self.blocks.len())
    }
}

pub fn message(block: &Block, certificate: &CommitCertificate, results: &[TxOutcome]) -> BlockMessage {
    BlockMessage {
        height: block.header.height,
        block: hex::encode(block.to_bytes()),
        certificate: hex::encode(certificate.to_bytes()),
        results: results.iter().map(|result| hex::encode(result.to_bytes())).collect(),
    }
}

pub fn digests() -> [Hash; 2] {
    [Hash::of(b"first file"), Hash::of(b"second file")]
}

/// The certificate that the first `signers` of the set sign.
pub fn certify(header: &Header, set: &ValidatorSet, signers: usize) -> CommitCertificate {
    let (fingerprint, height, id) = (header.fingerprint, header.height, header.id());
    let vote = Vote { fingerprint, kind: VoteKind::Precommit, height, round: 0, id: Some(id) }.to_bytes();
    let sign = |place: usize| {
        let key = set.get(place).unwrap().consensus_key;
        let key = (1..=5).map(seeded).find(|seed| seed.public() == key).unwrap();
        (place as u32, key.sign(&vote))
    };
    CommitCertificate { height, round: 0, id, signatures: (0..signers).map(sign).collect() }
}
