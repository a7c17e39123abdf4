//! Packages that must pass and packages that must fail, each with the checks that name why.

use super::super::{CheckName, Evidence, Inputs, Record, Subject};
use super::chain::{
    Chain, FILE, anchor, certify, digests, entries_of, genesis, lot_key, records, seeded, signer, validator,
};
use crate::encoding::{Decode, Encode};
use crate::merkle::{leaf_hash, node_hash};
use crate::state::account_key;
use crate::{Fingerprint, Genesis, Hash, PublicKey, Signature, Transaction, Validator, ValidatorSet};
use CheckName::{Account, Certificate, File, Format, Genesis as Chains, Header, Path, Signature as Signed, Validators};

pub struct Case {
    pub name: &'static str,
    pub bytes: Vec<u8>,
    pub inputs: Inputs,
    /// The checks that fail, in their order; none for a package that holds.
    pub fails: Vec<CheckName>,
}

/// The chain that most cases are about, and what was signed in its block.
pub struct World {
    pub chain: Chain,
    pub call: Transaction,
}

/// Place of the call in the log; its digests follow.
pub const CALL: u64 = 21;

impl World {
    pub fn new(rotates: bool) -> Self {
        let genesis = genesis("cloud-river.notary.main");
        let call = anchor(genesis.fingerprint(), b"");
        let entries = entries_of(&call);
        Self { chain: Chain::new(genesis, rotates, entries), call }
    }

    pub fn trust(&self) -> Inputs {
        Inputs { trust: Some(self.chain.genesis.fingerprint()), file: None }
    }

    pub fn with_file(&self) -> Inputs {
        Inputs { file: Some(Hash::of(FILE)), ..self.trust() }
    }

    pub fn transaction(&self) -> Evidence {
        self.chain.act(Record::Transaction(self.call.bytes().to_vec()), CALL)
    }

    pub fn digest(&self) -> Evidence {
        self.chain.act(Record::Digest(self.chain.entry(CALL + 2)), CALL + 2)
    }

    pub fn state(&self) -> Evidence {
        self.chain.state(&lot_key())
    }
}

fn case(name: &'static str, evidence: &Evidence, inputs: Inputs, fails: &[CheckName]) -> Case {
    Case { name, bytes: evidence.to_bytes(), inputs, fails: fails.to_vec() }
}

/// Evidence of a call that the block applied without the checks of an honest chain.
fn smuggled(name: &'static str, envelope: &[u8], fails: &[CheckName]) -> Case {
    let genesis = genesis("cloud-river.notary.main");
    let inputs = Inputs { trust: Some(genesis.fingerprint()), file: None };
    let chain = Chain::new(genesis, false, vec![crate::log_entry::call_entry(envelope)]);
    let mut evidence = chain.act(Record::Transaction(envelope.to_vec()), CALL);
    evidence.account = None;
    case(name, &evidence, inputs, fails)
}

pub fn all() -> Vec<Case> {
    let mut cases = good();
    cases.extend(records_changed());
    cases.extend(chain_changed());
    cases.extend(accounts_and_states_changed());
    cases.extend(powers());
    cases.extend(super::sets::all());
    cases.extend(other_bytes());
    cases
}

fn good() -> Vec<Case> {
    let (world, plain) = (World::new(true), World::new(false));
    let mut no_account = plain.transaction();
    no_account.account = None;
    let chain = world.chain.genesis.fingerprint();
    let mut no_anchor = plain.digest();
    no_anchor.account = None;
    vec![
        case("transaction", &world.transaction(), world.with_file(), &[]),
        case("transaction-nothing-known", &world.transaction(), Inputs::default(), &[]),
        case("transaction-no-change", &no_account, plain.trust(), &[]),
        case("digest", &world.digest(), world.with_file(), &[]),
        case("digest-no-account", &no_anchor, plain.with_file(), &[]),
        case("state", &world.state(), world.with_file(), &[]),
        smuggled("envelope-entered-as-hash", anchor(chain, &[7; 65_600]).bytes(), &[]),
        smuggled("key-of-small-order", &small_order_envelope(&world.call), &[]),
        far_future("far-future", &world, 1 << 50),
        far_future("numbers-beyond-2-53", &world, 1 << 61),
    ]
}

/// The identity as key, identity and zero as signature: valid under ZIP 215, which envelopes are under.
fn small_order_envelope(call: &Transaction) -> Vec<u8> {
    let mut bytes = call.bytes().to_vec();
    let kid = signer().public().0;
    let place = bytes.windows(32).position(|w| w == kid).unwrap();
    let mut identity = [0; 32];
    identity[0] = 1;
    bytes[place..place + 32].copy_from_slice(&identity);
    let signature = bytes.len() - 64;
    bytes[signature..].fill(0);
    bytes[signature] = 1;
    bytes
}

/// Heights, times and a log of which 32 bits are not enough.
fn far_future(name: &'static str, world: &World, height: u64) -> Case {
    let mut evidence = world.transaction();
    let Subject::Act { record: Record::Transaction(envelope), index, path, block } = &mut evidence.subject else {
        unreachable!()
    };
    let size = 4 * height + 12_345_678_901;
    (*index, block.height) = (height / 2 + 987_654_321, height + 99_999_999);
    (block.time_ms, block.log_size) = (2 * height, *index - 3);
    evidence.sealing.height = block.height + 1;
    (evidence.sealing.time_ms, evidence.sealing.log_size) = (block.time_ms + 1, size);
    path.clear();
    let (mut node, mut last, mut hash) = (*index, size - 1, leaf_hash(envelope));
    while last > 0 {
        if node & 1 == 1 || node < last {
            let sibling = Hash::of(&last.to_be_bytes());
            hash = if node & 1 == 1 { node_hash(&sibling, &hash) } else { node_hash(&hash, &sibling) };
            path.push(sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    evidence.sealing.log_root = hash;
    world.chain.reseal(&mut evidence);
    case(name, &evidence, world.with_file(), &[])
}

/// Changes an act's record, index, path or block.
type ChangeAct<'a> = dyn Fn(&mut Vec<u8>, &mut u64, &mut Vec<Hash>, &mut crate::Header) + 'a;

fn records_changed() -> Vec<Case> {
    let world = World::new(true);
    let act = |name, change: &ChangeAct<'_>, fails: &[CheckName]| {
        let mut evidence = world.transaction();
        let Subject::Act { record: Record::Transaction(bytes), index, path, block } = &mut evidence.subject else {
            unreachable!()
        };
        change(bytes, index, path, block);
        case(name, &evidence, world.with_file(), fails)
    };
    let flip_last = |bytes: &mut Vec<u8>| *bytes.last_mut().unwrap() ^= 1;
    let salt = world.call.bytes().windows(8).position(|w| w == b"saltsalt").unwrap();
    let mut digest = world.digest();
    let Subject::Act { record: Record::Digest(entry), .. } = &mut digest.subject else { unreachable!() };
    entry[10] ^= 1;
    let earlier = world.chain.act(Record::Transaction(world.chain.entry(3)), 3);
    let mut other_kind = world.digest();
    let Subject::Act { record, .. } = &mut other_kind.subject else { unreachable!() };
    *record = Record::Transaction(world.chain.entry(CALL + 2));
    let as_digest = world.chain.act(Record::Digest(world.call.bytes().to_vec()), CALL);
    let other_file = Inputs { file: Some(Hash::of(b"another file")), ..world.trust() };
    let foreign = anchor(Fingerprint([9; 32]), b"");
    let mut forged = world.call.bytes().to_vec();
    flip_last(&mut forged);
    let mut unsorted = world.call.bytes().to_vec();
    let key = unsorted.windows(7).position(|w| w == b"digests").unwrap();
    unsorted[key] = b'b';
    vec![
        act("envelope-changed", &|bytes, _, _, _| bytes[salt] ^= 1, &[Path, Signed]),
        act("envelope-signature-changed", &|bytes, _, _, _| flip_last(bytes), &[Path, Signed]),
        act("envelope-cut", &|bytes, _, _, _| bytes.truncate(9), &[Path, Signed, File]),
        act("index-changed", &|_, index, _, _| *index += 1, &[Path]),
        act("index-beyond-the-log", &|_, index, _, _| *index = 25, &[Header, Path]),
        act("path-changed", &|_, _, path, _| path[1].0[31] ^= 0x80, &[Path]),
        act("path-shorter", &|_, _, path, _| path.truncate(2), &[Path]),
        act("path-longer", &|_, _, path, _| path.push(Hash::ZERO), &[Path]),
        act("block-time-changed", &|_, _, _, block| block.time_ms += 1, &[Header]),
        act("block-of-another-chain", &|_, _, _, block| block.fingerprint.0[0] ^= 1, &[Header, Signed]),
        case("entry-of-an-earlier-block", &earlier, world.trust(), &[Header, Signed]),
        case("file-is-another", &world.transaction(), other_file, &[File]),
        case("file-is-another-than-the-digest", &world.digest(), other_file, &[File]),
        case("digest-changed", &digest, world.with_file(), &[Path, File]),
        case("digest-taken-for-a-call", &other_kind, world.with_file(), &[Signed, File]),
        case("call-taken-for-a-digest", &as_digest, world.with_file(), &[Signed, File]),
        smuggled("envelope-of-another-chain", foreign.bytes(), &[Signed]),
        smuggled("envelope-signature-forged", &forged, &[Signed]),
        smuggled("envelope-arguments-unsorted", &unsorted, &[Signed]),
        smuggled("envelope-is-no-envelope", b"no envelope", &[Signed]),
    ]
}

fn chain_changed() -> Vec<Case> {
    let world = World::new(true);
    let with = |name, change: &dyn Fn(&mut Evidence), fails: &[CheckName]| {
        let mut evidence = world.transaction();
        change(&mut evidence);
        case(name, &evidence, world.with_file(), fails)
    };
    let other_trust = Inputs { trust: Some(Fingerprint([7; 32])), file: None };
    let sets = [Validators, Certificate];
    let certified = |places: &'static [u32]| {
        let (header, set) = (world.chain.sealing.clone(), &world.chain.sets[1]);
        certify(&header, set, places)
    };
    vec![
        case("trust-another-chain", &world.transaction(), other_trust, &[Chains]),
        with("genesis-changed", &|e| e.genesis[60] ^= 1, &[Chains, Validators, Certificate]),
        with("genesis-cut", &|e| e.genesis.truncate(100), &[Chains, Validators, Certificate]),
        with("set-change-missing", &|e| e.set_changes.clear(), &sets),
        with("set-change-twice", &|e| e.set_changes.push(e.set_changes[0].clone()), &sets),
        with("set-change-header-changed", &|e| e.set_changes[0].header.time_ms += 1, &sets),
        with("set-change-signature-changed", &|e| e.set_changes[0].certificate.signatures[2].1.0[1] ^= 4, &sets),
        with("set-change-two-of-four", &|e| e.set_changes[0].certificate.signatures.truncate(2), &sets),
        with("set-changed", &|e| e.set_changes[0].next = organisation_changed(&e.set_changes[0].next), &sets),
        with("sealing-state-root-changed", &|e| e.sealing.state_root.0[0] ^= 1, &[Certificate, Account]),
        with("sealing-log-root-changed", &|e| e.sealing.log_root.0[0] ^= 1, &[Certificate, Path]),
        with("sealing-set-changed", &|e| e.sealing.validators_hash.0[0] ^= 1, &sets),
        with("sealing-height-changed", &|e| e.sealing.height += 1, &[Certificate, Header]),
        with("sealing-time-not-later", &|e| e.sealing.time_ms -= 1_000, &[Certificate, Header]),
        with("certificate-round-changed", &|e| e.certificate.round += 1, &[Certificate]),
        with("certificate-of-another-block", &|e| e.certificate.id.0[0] ^= 1, &[Certificate]),
        with("certificate-signature-changed", &|e| e.certificate.signatures[1].1.0[40] ^= 1, &[Certificate]),
        with("two-of-four", &|e| e.certificate = certified(&[0, 3]), &[Certificate]),
        with("nobody", &|e| e.certificate = certified(&[]), &[Certificate]),
        with("signer-twice", &|e| e.certificate = certified(&[0, 3, 3]), &[Certificate]),
        with("signers-unordered", &|e| e.certificate = certified(&[0, 3, 1]), &[Certificate]),
        with("signer-unknown", &|e| e.certificate.signatures[2].0 = 4, &[Certificate]),
        with("signer-is-another", &|e| e.certificate.signatures[2].0 = 1, &[Certificate]),
        small_order_validator(),
        improper_genesis("genesis-without-operator", |g| g.operator = "nobody".into()),
        improper_genesis("genesis-of-unequal-power", |g| g.validators[2].validator.power = 2),
        improper_genesis("genesis-of-unknown-organisation", |g| g.validators[0].validator.organisation = "x".into()),
        improper_genesis("genesis-of-another-profile", |g| g.profile = "gm".into()),
        improper_genesis("genesis-of-later-rules", |g| g.rules = 2),
        improper_genesis("genesis-without-heartbeat", |g| g.heartbeat_ms = 0),
        improper_genesis("genesis-organisation-twice", |g| g.organisations.push(g.organisations[0].clone())),
        improper_genesis("genesis-key-twice", |g| g.validators[1] = g.validators[0].clone()),
    ]
}

fn organisation_changed(set: &ValidatorSet) -> ValidatorSet {
    let mut members = set.validators().to_vec();
    members[0].organisation.push('x');
    ValidatorSet::new(members)
}

/// A validator whose key is the identity signs everything with a signature that anybody can write.
fn small_order_validator() -> Case {
    let (mut genesis, mut identity) = (genesis("cloud-river.notary.main"), [0; 32]);
    identity[0] = 1;
    genesis.validators[3].validator.consensus_key = PublicKey(identity);
    let inputs = Inputs { trust: Some(genesis.fingerprint()), file: None };
    let entries = entries_of(&anchor(genesis.fingerprint(), b""));
    let chain = Chain::new(genesis, false, entries.clone());
    let mut evidence = chain.act(Record::Transaction(entries[0].clone()), CALL);
    let set = &chain.sets[1];
    let forger = set.index_of(&PublicKey(identity)).unwrap() as u32;
    evidence.certificate = certify(&chain.sealing, set, &[0, 1, 2, 3]);
    let mut signature = [0; 64];
    signature[0] = 1;
    evidence.certificate.signatures[forger as usize].1 = Signature(signature);
    case("validator-of-small-order", &evidence, inputs, &[Certificate])
}

fn improper_genesis(name: &'static str, change: impl Fn(&mut Genesis)) -> Case {
    let world = World::new(false);
    let mut genesis = world.chain.genesis.clone();
    change(&mut genesis);
    let inputs = Inputs { trust: Some(genesis.fingerprint()), file: None };
    let entries = entries_of(&anchor(genesis.fingerprint(), b""));
    let chain = Chain::new(genesis, false, entries.clone());
    let evidence = chain.act(Record::Transaction(entries[0].clone()), CALL);
    case(name, &evidence, inputs, &[Chains, Validators, Certificate])
}

fn accounts_and_states_changed() -> Vec<Case> {
    let world = World::new(true);
    let with = |name, mut evidence: Evidence, change: &dyn Fn(&mut Evidence), fails: &[CheckName]| {
        change(&mut evidence);
        case(name, &evidence, world.trust(), fails)
    };
    let account = |name, change: &dyn Fn(&mut crate::state::StateProof)| {
        let change = |e: &mut Evidence| change(e.account.as_mut().unwrap());
        with(name, world.digest(), &change, &[Account])
    };
    let state = |name, change: &dyn Fn(&mut crate::state::StateProof)| {
        let change = |e: &mut Evidence| {
            let Subject::State(proof) = &mut e.subject else { unreachable!() };
            change(proof);
        };
        with(name, world.state(), &change, &[Path])
    };
    let other = world.chain.tree.prove(&account_key(&seeded(51).public()));
    let other_value = records().into_iter().find(|(key, _)| *key == other.key).unwrap().1;
    let at_zero = |e: &mut Evidence| {
        e.sealing.height = 0;
        e.set_changes.clear();
        world.chain.reseal(e);
    };
    vec![
        account("account-organisation-changed", &|proof| proof.value[20] ^= 1),
        account("account-of-another-value", &|proof| proof.value = other_value.clone()),
        account("account-of-another-key", &|proof| *proof = other.clone()),
        account("account-is-no-account", &|proof| proof.value = vec![0xa1, 0x61, b'a', 0x01]),
        account("account-path-longer", &|proof| proof.siblings.push(Hash::ZERO)),
        account("account-path-shorter", &|proof| proof.siblings.truncate(1)),
        state("state-record-changed", &|proof| *proof.value.last_mut().unwrap() ^= 1),
        state("state-key-changed", &|proof| *proof.key.last_mut().unwrap() ^= 1),
        state("state-path-longer", &|proof| proof.siblings.insert(0, crate::state::EMPTY_SUBTREE)),
        state("state-path-of-256", &|proof| proof.siblings.resize(256, Hash::ZERO)),
        with("state-with-an-account", world.state(), &|e| e.account = Some(other.clone()), &[Account]),
        with("state-before-everything", world.state(), &at_zero, &[Validators, Certificate, Header]),
    ]
}

/// Arithmetic of voting power.
fn powers() -> Vec<Case> {
    let two = |name, first: u64, second: u64, fails: &[CheckName]| {
        let genesis = genesis("cloud-river.notary.main");
        let inputs = Inputs { trust: Some(genesis.fingerprint()), file: None };
        let (a, b) = (seeded(1).public(), seeded(2).public());
        let powerful = |key, power| Validator { power, ..validator(key) };
        let next = ValidatorSet::new(vec![powerful(a, first), powerful(b, second)]);
        let place = next.index_of(&a).unwrap() as u32;
        let sets = vec![genesis.validator_set(), next];
        let entries = entries_of(&anchor(genesis.fingerprint(), b""));
        let chain = Chain::with_sets(genesis, sets, true, entries);
        let mut evidence = chain.state(&lot_key());
        evidence.certificate = certify(&chain.sealing, &chain.sets[1], &[place]);
        case(name, &evidence, inputs, fails)
    };
    let third = 1u64 << 48;
    vec![
        two("power-just-above-two-thirds", 2 * third + 1, third, &[]),
        two("power-of-two-thirds", 2 * third, third, &[Certificate]),
        two("power-too-large", 1 << 58, third, &[Format]),
        two("power-of-nothing", third, 0, &[Format]),
    ]
}

/// Other byte forms, and what is no package at all.
fn other_bytes() -> Vec<Case> {
    let world = World::new(false);
    let good = world.transaction().to_bytes();
    let bytes = |name, bytes: Vec<u8>| Case { name, bytes, inputs: world.trust(), fails: vec![Format] };
    let index = good.windows(3).position(|w| w == [0x15, 0x85, 0x58]).unwrap();
    let longer = [&good[..index], &[0x18], &good[index..]].concat();
    let twice = [&good[..], &good[..]].concat();
    let mut no_text = good.clone();
    no_text[3] = 0xff;
    let mut other_domain = good.clone();
    other_domain[22] = b'2';
    let mut empty_sibling = world.state();
    let Subject::State(proof) = &mut empty_sibling.subject else { unreachable!() };
    proof.siblings = vec![Hash([0xee; 32])];
    let mut written_out = empty_sibling.to_bytes();
    let place = written_out.windows(32).position(|w| w == [0xee; 32]).unwrap();
    written_out[place..place + 32].copy_from_slice(&crate::state::EMPTY_SUBTREE.0);
    assert!(Evidence::from_bytes(&good).is_ok());
    vec![
        bytes("empty", vec![]),
        bytes("text", b"not a package".to_vec()),
        bytes("cut", good[..good.len() - 1].to_vec()),
        bytes("longer", [&good[..], &[0]].concat()),
        bytes("twice", twice),
        bytes("index-in-a-longer-form", longer),
        bytes("domain-not-utf8", no_text),
        bytes("later-version", other_domain),
        bytes("sibling-written-out", written_out),
        bytes("indefinite-length", [&[0x9f], &good[1..]].concat()),
        bytes("length-beyond-the-end", vec![0x87, 0x7b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        bytes("digests", digests().iter().flat_map(|d| d.0).collect()),
    ]
}
