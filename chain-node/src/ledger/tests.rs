//! Which blocks may follow, on a real store with a chain of one validator.

use chain_runtime::modules::identity::calls::BindAccount;
use chain_types::crypto::SigningKey;
use chain_types::encoding::{Encode, to_value};
use chain_types::genesis::Genesis;
use chain_types::membership::{Change, NewValidator, ValidatorKeys};
use chain_types::{Call, CommitCertificate, Custody, Hash, Transaction, Value, Vote, VoteKind};

use super::*;
use crate::sample;

struct Chain {
    ledger: Ledger,
    key: SigningKey,
    _home: tempfile::TempDir,
}

impl Chain {
    fn new() -> Self {
        Self::with(Store::open)
    }

    fn with(open: impl FnOnce(&std::path::Path, &Genesis, u64) -> Result<Store, StoreError>) -> Self {
        let key = SigningKey::from_seed(&[1; 32]);
        let steward = SigningKey::from_seed(&[2; 32]).public();
        let genesis = Genesis { steward, ..sample::genesis(&[key.public()], key.public(), 1_000) };
        let home = tempfile::tempdir().unwrap();
        let store = open(home.path(), &genesis, 16).unwrap();
        Self { ledger: Ledger::open(store).unwrap(), key, _home: home }
    }

    /// The same chain, its store read from disk again.
    fn reopened(self) -> Self {
        let Self { ledger, key, _home } = self;
        let genesis = ledger.store().genesis().clone();
        drop(ledger);
        let store = Store::open(_home.path(), &genesis, 16).unwrap();
        Self { ledger: Ledger::open(store).unwrap(), key, _home }
    }

    fn anchor(&self, n: u64) -> Transaction {
        let digest = Value::Array(vec![Value::Bytes(Hash::of(&n.to_be_bytes()).0.to_vec())]);
        self.call(n, ["anchor", "digests"], Value::Map(vec![("digests".into(), digest)]))
    }

    /// Writes a record of its own.
    fn bind(&self, n: u64) -> Transaction {
        let key = SigningKey::from_seed(&Hash::of(&n.to_be_bytes()).0).public();
        let args = BindAccount { key, label: "gateway".into(), custody: Custody::Own, administrator: false };
        self.call(n, ["identity", "bind_account"], to_value(&args).unwrap())
    }

    fn call(&self, n: u64, [instance, method]: [&str; 2], args: Value) -> Transaction {
        let call = Call {
            fingerprint: self.ledger.fingerprint(),
            valid_until_ms: 100_000,
            salt: n.to_be_bytes(),
            app: "chain".into(),
            instance: instance.into(),
            method: method.into(),
            args,
        };
        Transaction::sign(call, &self.key).unwrap()
    }

    fn candidate(&self, txs: Vec<Transaction>) -> Candidate {
        let tip = self.ledger.tip();
        let fingerprint = self.ledger.fingerprint();
        let draft = Draft { fingerprint, round: 0, proposer: self.key.public(), now_ms: 5_000, txs: &txs };
        let block = build(&tip, &draft);
        let id = block.header.id();
        let proposal = Proposal { round: 0, valid_round: None, proposer: self.key.public(), id, block };
        Candidate { proposal, txs }
    }

    fn commit(&self, txs: Vec<Transaction>) {
        let candidate = self.candidate(txs);
        let (height, id) = (candidate.proposal.height(), candidate.proposal.id);
        let fingerprint = self.ledger.fingerprint();
        let vote = Vote { fingerprint, kind: VoteKind::Precommit, height, round: 0, id: Some(id) };
        let signatures = vec![(0, self.key.sign(&vote.to_bytes()))];
        self.ledger.store().save_proposal(&candidate.proposal).unwrap();
        self.ledger.commit(&candidate, &CommitCertificate { height, round: 0, id, signatures }).unwrap();
    }
}

#[test]
fn a_built_block_passes_its_own_check_and_every_changed_field_fails() {
    let chain = Chain::new();
    chain.commit(vec![chain.anchor(1)]);
    let tip = chain.ledger.tip();
    let good = chain.candidate(vec![]).proposal.block.header;
    let check = |header: &Header| check_header(&tip, chain.ledger.fingerprint(), header);
    assert_eq!(check(&good), Ok(()));
    let wrong = |change: fn(&mut Header)| {
        let mut header = good.clone();
        change(&mut header);
        check(&header)
    };
    assert_eq!(wrong(|h| h.version = 2), Err(Invalid::Header("version")));
    assert_eq!(wrong(|h| h.height += 1), Err(Invalid::Header("height")));
    assert_eq!(wrong(|h| h.parent.0[0] ^= 1), Err(Invalid::Header("parent")));
    assert_eq!(wrong(|h| h.time_ms = 0), Err(Invalid::Header("time")));
    assert_eq!(wrong(|h| h.proposer.0[0] ^= 1), Err(Invalid::Header("proposer")));
    assert_eq!(wrong(|h| h.state_root.0[0] ^= 1), Err(Invalid::Header("state_root")));
    assert_eq!(wrong(|h| h.log_size += 1), Err(Invalid::Header("log_size")));
    assert_eq!(wrong(|h| h.log_root.0[0] ^= 1), Err(Invalid::Header("log_root")));
    assert_eq!(wrong(|h| h.results_root.0[0] ^= 1), Err(Invalid::Header("results_root")));
    assert_eq!(wrong(|h| h.validators_hash.0[0] ^= 1), Err(Invalid::Header("validators_hash")));
}

#[test]
fn a_transaction_is_in_one_block_only_and_within_its_window() {
    let chain = Chain::new();
    let tx = chain.anchor(1);
    chain.commit(vec![tx.clone()]);
    let known = |id: &chain_types::TxId| chain.ledger.store().find_transaction(id).map(|place| place.is_some());
    let verdict = |txs| check_transactions(&chain.candidate(txs).proposal.block, |_| None, known).unwrap();
    assert_eq!(verdict(vec![tx.clone()]), Err(Invalid::Repeated(tx.id())));
    let fresh = chain.anchor(2);
    assert_eq!(verdict(vec![fresh.clone(), fresh.clone()]), Err(Invalid::Repeated(fresh.id())));
    assert!(verdict(vec![fresh.clone()]).is_ok());
    let mut late = chain.candidate(vec![fresh.clone()]).proposal.block;
    late.header.time_ms = 100_001;
    assert_eq!(check_transactions(&late, |_| None, known).unwrap(), Err(Invalid::Window(fresh.id())));
}

#[test]
fn a_block_is_judged_by_the_clock_but_never_called_invalid_for_it() {
    let chain = Chain::new();
    let header = chain.candidate(vec![]).proposal.block.header;
    assert_eq!(check_timing(&header, 5_000, 400), Timing::Timely);
    assert_eq!(check_timing(&header, 3_999, 400), Timing::Ahead(1_001));
    assert_eq!(check_timing(&header, 6_401, 400), Timing::Behind(1_401));
}

#[test]
fn what_is_committed_survives_reopening_and_checks_whole() {
    let chain = Chain::new();
    for n in 0..40 {
        chain.commit(vec![chain.anchor(2 * n), chain.anchor(2 * n + 1)]);
        chain.commit(vec![]);
    }
    let summary = crate::store::check::check(chain.ledger.store(), |_| ()).unwrap();
    assert_eq!((summary.height, summary.transactions, summary.log_size), (80, 80, 160));
    let reopened = Ledger::open(chain.ledger.store().clone()).unwrap();
    assert_eq!(reopened.tip().id, chain.ledger.tip().id);
    assert_eq!(reopened.tip().roots, chain.ledger.tip().roots);
}

#[test]
fn records_are_proven_as_they_were_within_the_history() {
    let chain = Chain::new();
    for n in 0..30 {
        chain.commit(vec![chain.anchor(n)]);
    }
    let store = chain.ledger.store();
    let key = chain_types::state::account_key(&chain.key.public());
    for height in [20, 29, 30] {
        let proof = store.prove_state(&key, height).unwrap().unwrap();
        assert!(proof.verify(&store.roots(height).unwrap().state_root));
    }
    let missing = chain_types::state::key("chain", "identity", "account", b"nobody");
    assert_eq!(store.prove_state(&missing, 30).unwrap(), None);
}

#[test]
fn what_only_older_heights_need_is_dropped_with_every_block_and_by_a_node_that_starts_anew() {
    const HISTORY: u64 = 16;
    let mut chain = Chain::new();
    let key = chain.key.public();
    for n in 0..90 {
        if n % 30 == 29 {
            chain = chain.reopened();
        }
        chain.commit(vec![chain.bind(n)]);
        let (height, oldest) = (chain.ledger.tip().height, chain.ledger.store().oldest_stale().unwrap().unwrap());
        assert!(oldest + HISTORY > height, "at {height} there is still something of {oldest}");
    }
    let store = chain.ledger.store();
    assert!(store.prove_state(&chain_types::state::account_key(&key), 90 - HISTORY + 1).unwrap().is_some());
}

#[test]
fn a_store_of_the_first_format_goes_on_becomes_one_of_the_present_and_nothing_stale_stays() {
    let (mut old, new) = (Chain::with(Store::open_as_format_1), Chain::new());
    let account = chain_types::state::account_key(&new.key.public());
    let format = |chain: &Chain| chain.ledger.store().format().unwrap();
    for n in 0..90 {
        if n == 30 {
            old.ledger.store().make_stale_rows_old().unwrap();
            old = old.reopened();
            assert_eq!(format(&old), 1, "until something is written whoever goes back can");
        }
        old.commit(vec![old.bind(n)]);
        new.commit(vec![new.bind(n)]);
        let height = old.ledger.tip().height;
        assert_eq!(old.ledger.tip().roots, new.ledger.tip().roots, "height {height}");
        let proof = |at| old.ledger.store().prove_state(&account, at).unwrap();
        assert!((height.saturating_sub(15).max(1)..=height).all(|at| proof(at).is_some()), "height {height}");
        assert_eq!(format(&old), if n < 30 { 1 } else { crate::store::FORMAT });
    }
    // Of what the first thirty blocks wrote in the old way, only what still holds is left.
    assert_eq!(old.ledger.store().count_nodes(), new.ledger.store().count_nodes());
    assert_eq!(old.ledger.store().oldest_stale().unwrap(), new.ledger.store().oldest_stale().unwrap());
    crate::store::check::check(old.reopened().ledger.store(), |_| ()).unwrap();
}

#[test]
fn a_change_of_the_set_is_pending_until_the_new_set_has_decided_and_proven_by_the_old_one() {
    let chain = Chain::new();
    chain.commit(vec![]);
    assert!(!chain.ledger.tip().is_set_changing);
    let keys = |n: u8| SigningKey::from_seed(&[n; 32]).public();
    let keys = ValidatorKeys { consensus_key: keys(11), cosigner_key: keys(12), log_key: keys(13) };
    let change = Change::Add(NewValidator { organisation: "bureau".into(), keys });
    let call = change.call(chain.ledger.fingerprint(), 100_000, *b"saltsalt").unwrap();
    chain.commit(vec![Transaction::sign(call, &SigningKey::from_seed(&[2; 32])).unwrap()]);
    let store = chain.ledger.store();
    for height in 2..=3 {
        let tip = chain.ledger.tip();
        assert!(tip.is_set_changing, "height {height}");
        assert!(Ledger::open(store.clone()).unwrap().tip().is_set_changing, "height {height}, opened again");
        assert_eq!((tip.validators.len(), tip.next_validators.len()), (height - 1, 2));
        if height == 2 {
            assert_eq!(store.set_changes(4).unwrap(), [], "no header names the new set yet");
            chain.commit(vec![]);
        }
    }
    assert_eq!(store.set_changes(3).unwrap(), []);
    let [change] = store.set_changes(4).unwrap().try_into().unwrap();
    assert_eq!((change.header.height, change.next.len()), (3, 2));
    assert_eq!(change.header.next_validators_hash, change.next.hash());
    let (old, id) = (store.validators(3).unwrap(), change.header.id());
    assert_eq!(change.certificate.verify(chain.ledger.fingerprint(), 3, id, &old), Ok(()));
    crate::store::check::check(store, |_| ()).unwrap();
}
