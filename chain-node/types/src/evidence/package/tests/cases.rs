//! Packages of a chain made by hand: each kind of record, with every member it can have.

use std::sync::LazyLock;

use super::super::super::tests::cases::{CALL, World};
use super::super::super::tests::chain::{Chain, certify, genesis, header, seeded, signer, validator};
use super::super::super::{Evidence, Inputs, Record, SetChange, Subject};
use super::super::{LogProof, MEMBERS, Package, Provenance, zip};
use crate::crypto::SigningKey;
use crate::encoding::Encode;
use crate::log_entry::call_entry;
use crate::tlog::{
    Checkpoint, Proof, Receipt, SignedCheckpoint, SignedStatement, cosign, cosigner_vkey, key_thumbprint, log_vkey,
    origin, root_message, sign_log,
};
use crate::{Call, Genesis, Hash, Transaction, Validator, ValidatorSet, Value};

#[derive(Clone)]
pub struct Case {
    pub name: &'static str,
    pub package: Package,
    pub inputs: Inputs,
}

fn key_of(v: &Validator) -> SigningKey {
    (1..=9).map(seeded).find(|key| key.public() == v.cosigner_key).unwrap()
}

/// Everything of the set signs the log that the evidence's sealing header commits to.
fn proof(genesis: &Genesis, set: &ValidatorSet, evidence: &Evidence) -> Proof {
    let Subject::Act { index, path, .. } = &evidence.subject else { panic!("no act") };
    let (size, root) = (evidence.sealing.log_size, evidence.sealing.log_root);
    let checkpoint = Checkpoint { origin: origin(genesis), size, root };
    let logs = set.validators().iter().map(|v| log_vkey(genesis, v).log_line(&sign_log(&checkpoint, &key_of(v))));
    let cosigners =
        set.validators().iter().zip(1_790_000_020u64..).map(|(v, time_s)| {
            cosigner_vkey(genesis, v).cosigner_line(time_s, &cosign(&checkpoint, time_s, &key_of(v)))
        });
    let signatures = logs.chain(cosigners).collect();
    Proof { extra: None, index: *index, path: path.clone(), checkpoint: SignedCheckpoint { checkpoint, signatures } }
}

fn provenance(genesis: &Genesis) -> Provenance {
    Provenance {
        chain: genesis.chain_id.clone(),
        fingerprint: genesis.fingerprint(),
        made_by: "validator-1".into(),
        version: "0.1.0".into(),
        made_at_ms: 1_790_000_030_000,
    }
}

fn packed(name: &'static str, evidence: &Evidence, log: Option<LogProof>, inputs: Inputs, genesis: &Genesis) -> Case {
    let package = Package::new(evidence.to_bytes(), log, None, provenance(genesis)).unwrap();
    Case { name, package, inputs }
}

fn logged(name: &'static str, world: &World, evidence: &Evidence) -> Case {
    let genesis = &world.chain.genesis;
    let proof = proof(genesis, &world.chain.sets[1], evidence).to_text();
    packed(name, evidence, Some(LogProof { proof, later: vec![], receipt: None }), world.with_file(), genesis)
}

/// A chain of this label, without a set change.
pub fn named(label: &str) -> Case {
    let genesis = genesis(label);
    let call = super::super::super::tests::chain::anchor(genesis.fingerprint(), b"");
    let entries = super::super::super::tests::chain::entries_of(&call);
    let world = World { chain: Chain::new(genesis, false, entries), call };
    logged("named", &world, &world.transaction())
}

/// The validators changed once more after the record was sealed; the new ones cosign.
fn later_set() -> Case {
    let world = World::new(true);
    let (genesis, before) = (&world.chain.genesis, &world.chain.sets[1]);
    let mut members = before.validators().to_vec();
    members.pop();
    members.push(validator(seeded(6).public()));
    let next = ValidatorSet::new(members);
    let mut change = header(genesis.fingerprint(), 12, Hash::of(b"11"));
    (change.validators_hash, change.next_validators_hash) = (before.hash(), next.hash());
    let certificate = certify(&change, before, &[0, 1, 2]);
    let proof = proof(genesis, &next, &world.digest()).to_text();
    let later = vec![SetChange { header: change, certificate, next }];
    let log = Some(LogProof { proof, later, receipt: None });
    packed("later-set", &world.digest(), log, world.with_file(), genesis)
}

/// A registered statement: the call that carried it, and the receipt of the statement's own entry.
fn statement() -> Case {
    let genesis = genesis("cloud-river.notary.main");
    let statement = SignedStatement::sign("bureau.example", "product/1", b"digest of something", &seeded(60));
    let call = Call {
        fingerprint: genesis.fingerprint(),
        valid_until_ms: 1_790_000_400_000,
        salt: *b"saltsalt",
        app: "chain".into(),
        instance: "anchor".into(),
        method: "register".into(),
        args: Value::Map(vec![("statement".into(), Value::Bytes(statement.clone()))]),
    };
    let call = Transaction::sign(call, &signer()).unwrap();
    let chain = Chain::new(genesis, true, vec![call_entry(call.bytes()), statement.clone()]);
    let world = World { chain, call };
    let (genesis, set) = (&world.chain.genesis, &world.chain.sets[1]);
    let evidence = world.transaction();
    let proof = proof(genesis, set, &evidence);
    let Subject::Act { path, .. } = world.chain.act(Record::Digest(statement), CALL + 1).subject else { panic!() };
    let (v, checkpoint) = (&set.validators()[2], &proof.checkpoint.checkpoint);
    let receipt = Receipt {
        origin: origin(genesis),
        kid: key_thumbprint(&v.log_key),
        size: checkpoint.size,
        index: CALL + 1,
        path,
        signature: key_of(v).sign(&root_message(&origin(genesis), &v.log_key, &checkpoint.root)),
    };
    let log = LogProof { proof: proof.to_text(), later: vec![], receipt: Some(receipt.to_bytes()) };
    packed("statement", &evidence, Some(log), world.trust(), genesis)
}

fn state() -> Case {
    let world = World::new(true);
    packed("state", &world.state(), None, world.trust(), &world.chain.genesis)
}

/// One of each kind; the first is a call's.
pub fn worlds() -> &'static [Case] {
    static ALL: LazyLock<Vec<Case>> = LazyLock::new(|| {
        let world = World::new(true);
        vec![
            logged("transaction", &world, &world.transaction()),
            logged("digest", &world, &world.digest()),
            later_set(),
            statement(),
            state(),
        ]
    });
    &ALL
}

/// The members of a package, by name.
pub fn members_of(package: &Package) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = package.to_bytes();
    let found = zip::read(&bytes, MEMBERS).unwrap();
    MEMBERS.iter().zip(found).filter_map(|((name, _), b)| b.map(|b| (*name, b.to_vec()))).collect()
}

/// The package with one bit of a member changed and its checksum made right again.
pub fn raw(members: &[(&'static str, Vec<u8>)], changed: &str, at: usize) -> Vec<u8> {
    let mut members = members.to_vec();
    let (_, content) = members.iter_mut().find(|(name, _)| *name == changed).unwrap();
    content[at] ^= 1 << (at % 8);
    let members: Vec<_> = members.iter().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    zip::write(&members)
}
