//! Texts that other programs wrote are read and believed; ours read back; everything else is refused.

use proptest::prelude::*;

use super::checkpoint::{Checkpoint, SignedCheckpoint, cosign, sign_log};
use super::names::{cosigner_vkey, log_vkey, origin};
use super::note::{VerifierKey, parse_note};
use super::policy::{Policy, PolicyError};
use super::proof::{Proof, ProofError};
use super::receipt::{Receipt, cose_key_set, key_thumbprint, root_message};
use super::statement::{SignedStatement, StatementError};
use super::tile::{Resource, TilePath, read_bundle, write_bundle};
use crate::crypto::{SigningKey, verify_strict};
use crate::encoding::{Encode, Writer};
use crate::genesis::{Genesis, Governance, Membership};
use crate::merkle::{inclusion_proof, leaf_hash, root_of_leaves, subtree_roots};
use crate::{Hash, PublicKey, Signature, Validator, ValidatorSet};

fn genesis() -> Genesis {
    Genesis {
        chain_id: "city.tenant.main".into(),
        profile: "intl".into(),
        rules: 1,
        time_ms: 1_800_000_000_000,
        governance: Governance::Platform,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        trusting_period_ms: 1,
        steward: PublicKey([1; 32]),
        validators: Vec::new(),
        organisations: Vec::new(),
        operator: "bureau".into(),
    }
}

fn vectors() -> serde_json::Value {
    serde_json::from_str(include_str!("../../testdata/tlog.json")).unwrap()
}

fn text(name: &str) -> String {
    vectors()[name].as_str().unwrap().to_owned()
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

/// The example of Go's `golang.org/x/mod/sumdb/note`.
#[test]
fn a_published_note_verifies() {
    let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".parse().unwrap();
    let note = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
    let (text, signatures) = parse_note(note).unwrap();
    assert!(key.made(&signatures[0]));
    let signature = Signature::from_slice(&signatures[0].signature).unwrap();
    assert!(verify_strict(&key.key, text.as_bytes(), &signature));
    assert_eq!(key.to_string().parse::<VerifierKey>().unwrap(), key);
}

#[test]
fn what_go_libraries_wrote_is_read_and_believed() {
    let policy = Policy::parse(&text("policy")).unwrap();
    let signed = SignedCheckpoint::parse(&text("checkpoint")).unwrap();
    let accepted = policy.check(&signed).unwrap();
    assert_eq!(accepted.cosigners, ["witness.example/w1", "witness.example/w2", "witness.example/w3"]);
    assert_eq!(signed.to_text(), text("checkpoint"));
    let entry = hex::decode(text("entry")).unwrap();
    for name in ["proof", "proof_with_extra"] {
        let proof = Proof::parse(&text(name)).unwrap();
        assert_eq!(proof.to_text(), text(name));
        assert_eq!(proof.verify(&entry, &policy).unwrap().size, 300);
        assert_eq!(proof.verify(b"another entry", &policy), Err(ProofError::Path));
    }
    for path in vectors()["tile_paths"].as_array().unwrap() {
        let path = path.as_str().unwrap().strip_prefix("tile/").unwrap();
        assert_eq!(path.parse::<TilePath>().unwrap().to_string(), path);
    }
}

#[test]
fn a_checkpoint_without_its_quorum_is_not_accepted() {
    let policy = Policy::parse(&text("policy")).unwrap();
    let mut signed = SignedCheckpoint::parse(&text("checkpoint")).unwrap();
    let third = signed.signatures.pop().unwrap();
    assert_eq!(policy.check(&signed), Err(PolicyError::Quorum(2)));
    signed.signatures.push(third);
    let log = signed.signatures.remove(0);
    assert_eq!(policy.check(&signed), Err(PolicyError::NotSigned));
    signed.signatures.insert(0, log);
    signed.checkpoint.origin.push('x');
    assert!(matches!(policy.check(&signed), Err(PolicyError::Log(_))));
}

#[test]
fn policies_that_break_the_standard_are_refused() {
    let w = |n: u8| VerifierKey { name: format!("w/{n}"), kind: super::KeyKind::Cosigner, key: key(n).public() };
    let (a, b) = (w(1), w(2));
    let refused = |text: String| Policy::parse(&text).unwrap_err();
    assert_eq!(refused(format!("witness a {a}\n")), PolicyError::NoQuorum);
    assert_eq!(refused("quorum q\n".into()), PolicyError::Unknown(1));
    assert_eq!(refused(format!("witness a {a}\nwitness b {a}\nquorum a\n")), PolicyError::Twice(2));
    assert_eq!(refused(format!("witness a {a}\nwitness a {b}\nquorum a\n")), PolicyError::Twice(2));
    assert_eq!(refused(format!("witness none {a}\nquorum none\n")), PolicyError::Line(1));
    assert_eq!(refused(format!("witness a {a}\ngroup g 2 a\nquorum g\n")), PolicyError::Line(2));
    assert_eq!(refused(format!("witness a {a}\ngroup g 01 a\nquorum g\n")), PolicyError::Line(2));
    assert_eq!(refused(format!("witness a {a}\ngroup g +1 a\nquorum g\n")), PolicyError::Line(2));
    assert_eq!(refused(format!("witness a {a}\ngroup g 1 a g\nquorum g\n")), PolicyError::Unknown(2));
    assert_eq!(
        refused(format!("witness a {a}\ngroup g any a\ngroup h any a\nquorum g\n")),
        PolicyError::Twice(3),
        "a member counts once"
    );
    assert_eq!(refused(format!("log {a}\nquorum none\n")), PolicyError::Line(1), "a cosigner is not a log");
    assert_eq!(refused("quorum none\nquorum none\n".into()), PolicyError::Twice(2));
    assert_eq!(refused("quorum none\r\n".into()), PolicyError::Line(1));
    assert_eq!(Policy::parse("  # nothing\n\n\tquorum\tnone").unwrap().to_text(), "quorum none\n");
}

fn set(n: u8) -> (Vec<SigningKey>, Vec<SigningKey>, ValidatorSet) {
    let one = |i: u8| Validator {
        consensus_key: key(i).public(),
        cosigner_key: key(100 + i).public(),
        log_key: key(200 + i).public(),
        power: 1,
        organisation: "notary office".into(),
    };
    let set = ValidatorSet::new((1..=n).map(one).collect());
    let find = |from: u8, wanted: &PublicKey| (from + 1..=from + n).map(key).find(|k| k.public() == *wanted).unwrap();
    let logs = set.validators().iter().map(|v| find(200, &v.log_key)).collect();
    let cosigners = set.validators().iter().map(|v| find(100, &v.cosigner_key)).collect();
    (logs, cosigners, set)
}

fn signed(checkpoint: &Checkpoint, n: u8, cosigned_by: usize) -> (SignedCheckpoint, Policy) {
    let (genesis, (logs, cosigners, set)) = (genesis(), set(n));
    let mut signatures = vec![log_vkey(&genesis, &set.validators()[0]).log_line(&sign_log(checkpoint, &logs[0]))];
    for (validator, key) in set.validators().iter().zip(&cosigners).take(cosigned_by) {
        let cosignature = cosign(checkpoint, 1_800_000_000, key);
        signatures.push(cosigner_vkey(&genesis, validator).cosigner_line(1_800_000_000, &cosignature));
    }
    let policy = Policy::of_validators(&genesis, &set).unwrap();
    (SignedCheckpoint { checkpoint: checkpoint.clone(), signatures }, policy)
}

#[test]
fn a_validator_sets_policy_asks_for_more_than_two_thirds() {
    let checkpoint = Checkpoint { origin: origin(&genesis()), size: 7, root: Hash([7; 32]) };
    for (n, quorum) in [(1u8, 1usize), (2, 2), (3, 3), (4, 3), (7, 5), (10, 7), (16, 11)] {
        let (_, _, set) = set(n);
        assert!(set.is_quorum(quorum as u64) && !set.is_quorum(quorum as u64 - 1));
        let (enough, policy) = signed(&checkpoint, n, quorum);
        assert_eq!(policy.check(&enough).unwrap().newest_s, Some(1_800_000_000));
        assert_eq!(Policy::parse(&policy.to_text()).unwrap(), policy);
        let (short, _) = signed(&checkpoint, n, quorum - 1);
        assert_eq!(policy.check(&short), Err(PolicyError::Quorum(quorum - 1)));
    }
    let (_, _, mut unequal) = { set(4) };
    let mut validators = unequal.validators().to_vec();
    validators[0].power = 2;
    unequal = ValidatorSet::new(validators);
    assert_eq!(Policy::of_validators(&genesis(), &unequal), Err(PolicyError::Powers));
}

#[test]
fn names_hold_nothing_that_would_end_a_line() {
    let mut genesis = genesis();
    genesis.chain_id = "a b+c\n\u{57ce}".into();
    let origin = origin(&genesis);
    assert_eq!(origin, format!("a-b-c--/{}", genesis.fingerprint()));
    let (_, _, set) = set(1);
    assert!(cosigner_vkey(&genesis, &set.validators()[0]).to_string().parse::<VerifierKey>().is_ok());
}

/// A tree, and a receipt for one of its entries.
fn receipt(entries: u64, index: u64) -> (Receipt, SigningKey) {
    let (log, leaf) = (key(9), |i: u64| leaf_hash(&i.to_be_bytes()));
    let root = root_of_leaves((0..entries).map(leaf));
    let node = |id: crate::merkle::NodeId| {
        let (from, to) = (id.index << id.level, (id.index + 1) << id.level);
        assert_eq!(subtree_roots(from, to), [id]);
        Ok::<_, std::convert::Infallible>(root_of_leaves((from..to).map(leaf)))
    };
    let path = inclusion_proof(index, entries, node).unwrap();
    let signature = log.sign(&root_message("a/log", &log.public(), &root));
    let kid = key_thumbprint(&log.public());
    (Receipt { origin: "a/log".into(), kid, size: entries, index, path, signature }, log)
}

#[test]
fn a_receipt_proves_its_entry_and_no_other() {
    let (receipt, log) = receipt(21, 13);
    let read = Receipt::from_bytes(&receipt.to_bytes()).unwrap();
    assert_eq!(read, receipt);
    assert_eq!(read.verify(&13u64.to_be_bytes(), "a/log", &log.public()), Ok(()));
    assert!(read.verify(&12u64.to_be_bytes(), "a/log", &log.public()).is_err());
    assert!(read.verify(&13u64.to_be_bytes(), "another/log", &log.public()).is_err());
    assert!(read.verify(&13u64.to_be_bytes(), "a/log", &key(8).public()).is_err());
}

/// A COSE library reads the receipt, finds what RFC 9942 puts there, and verifies it over the root alone.
#[test]
fn a_cose_library_verifies_a_receipt() {
    use coset::TaggedCborSerializable;
    let (receipt, log) = receipt(21, 13);
    let mut sign1 = coset::CoseSign1::from_tagged_slice(&receipt.to_bytes()).unwrap();
    let label = |n: i64| coset::Label::Int(n);
    let vds = sign1.protected.header.rest.iter().find(|(l, _)| *l == label(395)).unwrap();
    assert_eq!(vds.1.as_integer(), Some(1.into()));
    assert_eq!(sign1.unprotected.rest[0].0, label(396));
    assert_eq!(sign1.payload, None);
    sign1.payload = Some(root_of_leaves((0..21u64).map(|i| leaf_hash(&i.to_be_bytes()))).0.to_vec());
    let verdict = sign1.verify_signature(&[], |signature, message| {
        let signature = Signature::from_slice(signature).unwrap();
        verify_strict(&log.public(), message, &signature).then_some(()).ok_or(())
    });
    assert_eq!(verdict, Ok(()));
    let keys = cose_key_set([log.public()].iter());
    let keys = <coset::CoseKeySet as coset::CborSerializable>::from_slice(&keys).unwrap();
    assert_eq!(keys.0[0].key_id, key_thumbprint(&log.public()).0);
}

/// RFC 9679 §5.2 describes the computation; a key of another type shows nothing, so the input is spelt out.
#[test]
fn a_thumbprint_is_over_the_required_members_in_order() {
    let public = key(3).public();
    let input = [&[0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20][..], &public.0].concat();
    assert_eq!(key_thumbprint(&public), Hash::of(&input));
}

#[test]
fn a_statement_is_read_and_its_receipts_are_attached_without_touching_it() {
    let bytes = SignedStatement::sign("vendor.example", "product/1", b"digest", &key(4));
    let statement = SignedStatement::parse(&bytes).unwrap();
    assert!(statement.verify());
    assert_eq!((statement.issuer.as_str(), statement.subject.as_str()), ("vendor.example", "product/1"));
    assert_eq!(statement.kid, key(4).public());
    let receipts = vec![receipt(5, 2).0.to_bytes(), receipt(5, 3).0.to_bytes()];
    let transparent = SignedStatement::with_receipts(&bytes, &receipts).unwrap();
    assert_eq!(SignedStatement::parse(&transparent), Err(StatementError::Unprotected));
    let place = transparent.windows(3).position(|w| w == [0xa1, 0x19, 0x01]).unwrap();
    let end = transparent.len() - (bytes.len() - place - 1);
    assert_eq!([&transparent[..place], &[0xa0], &transparent[end..]].concat(), bytes, "verbatim around the header");
}

/// `coset` writes headers in another order than ours: statements of other programs are read too.
#[test]
fn a_statement_of_another_library_is_read() {
    use coset::TaggedCborSerializable;
    let claims = ciborium::Value::Map(vec![
        (2.into(), ciborium::Value::from("subject")),
        (1.into(), ciborium::Value::from("issuer")),
    ]);
    let protected = coset::HeaderBuilder::new()
        .algorithm(coset::iana::Algorithm::EdDSA)
        .key_id(key(4).public().0.to_vec())
        .value(258, (-16).into())
        .value(15, claims)
        .build();
    let sign1 = coset::CoseSign1Builder::new().protected(protected).payload(vec![1; 32]);
    let bytes = sign1.create_signature(&[], |message| key(4).sign(message).0.to_vec()).build().to_tagged_vec().unwrap();
    assert!(SignedStatement::parse(&bytes).unwrap().verify());
}

fn statement_with(header: &[u8], unprotected: &[u8]) -> Vec<u8> {
    let mut w = Writer::default();
    w.tag(18).array(4).bytes(header).raw(unprotected).bytes(b"x").bytes(&[0; 64]);
    w.into_bytes()
}

#[test]
fn what_a_log_does_not_register_is_refused_with_the_reason() {
    let header = |typ: Option<&str>| {
        let mut w = Writer::default();
        w.map(if typ.is_some() { 4 } else { 3 }).uint(1).int(-8).uint(4).bytes(&key(1).public().0);
        w.uint(15).map(2).uint(1).text("i").uint(2).text("s");
        if let Some(typ) = typ {
            w.uint(16).text(typ);
        }
        w.into_bytes()
    };
    let refused = |bytes: &[u8]| SignedStatement::parse(bytes).unwrap_err();
    assert!(SignedStatement::parse(&statement_with(&header(None), &[0xa0])).is_ok());
    for typ in
        [crate::transaction::CONTENT_TYPE, "vnd.citychain.tx+cbor", "Application/VND.citychain.tx+CBOR; charset=utf-8"]
    {
        let bytes = statement_with(&header(Some(typ)), &[0xa0]);
        assert_eq!(refused(&bytes), StatementError::Transaction, "{typ}");
    }
    assert_eq!(refused(&statement_with(&header(None), &[0xa1, 0x18, 0x63, 0x00])), StatementError::Unprotected);
    assert_eq!(refused(&statement_with(&[0xa0], &[0xa0])), StatementError::Algorithm);
    assert_eq!(refused(&statement_with(&[0xa2, 0x01, 0x27, 0x01, 0x27], &[0xa0])), StatementError::Form);
    assert_eq!(refused(&statement_with(&[0xa1, 0x01, 0x27], &[0xa0])), StatementError::Claims);
    assert_eq!(refused(&[0; 65_536]), StatementError::TooLarge);
    let trailing = [&statement_with(&header(None), &[0xa0])[..], &[0]].concat();
    assert_eq!(refused(&trailing), StatementError::Form);
    // Deeper than any header is: refused, not followed.
    assert_eq!(refused(&[&[0xd2][..], &vec![0x81; 60_000]].concat()), StatementError::Form);
}

proptest! {
    #[test]
    fn checkpoints_read_back_as_written(size in 0..=i64::MAX as u64, root: [u8; 32], origin in "[a-z0-9./ -]{1,40}") {
        let checkpoint = Checkpoint { origin, size, root: Hash(root) };
        prop_assert_eq!(Checkpoint::parse(&checkpoint.body()).unwrap(), checkpoint);
    }

    #[test]
    fn a_changed_character_of_a_signed_checkpoint_is_never_accepted(at in 0usize..2_000, to in "[ -~\n]") {
        let checkpoint = Checkpoint { origin: origin(&genesis()), size: 300, root: Hash([7; 32]) };
        let (signed, policy) = signed(&checkpoint, 4, 3);
        let text: Vec<char> = signed.to_text().chars().collect();
        let at = at % text.len();
        let mut changed = text.clone();
        changed[at] = to.chars().next().unwrap();
        prop_assume!(changed != text);
        let changed: String = changed.into_iter().collect();
        if let Ok(read) = SignedCheckpoint::parse(&changed) {
            prop_assert!(policy.check(&read).is_err());
        }
    }

    #[test]
    fn tile_paths_read_back_as_written(level in 0u8..64, entries: bool, index in 0u64..1 << 55, width in 1u16..=256) {
        let resource = if entries { Resource::Entries } else { Resource::Hashes(level) };
        let path = TilePath { resource, index, width };
        prop_assert_eq!(path.to_string().parse::<TilePath>(), Ok(path));
    }

    #[test]
    fn a_path_that_is_read_is_written_the_same(path in "(entries|[0-9]{1,3})(/x?[0-9]{1,4}){1,4}(\\.p/[0-9]{1,4})?") {
        if let Ok(parsed) = path.parse::<TilePath>() {
            prop_assert_eq!(parsed.to_string(), path);
        }
    }

    #[test]
    fn bundles_read_back_as_written(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..20)) {
        let bundle = write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        prop_assert_eq!(read_bundle(&bundle).unwrap(), entries);
        prop_assert!(bundle.is_empty() || read_bundle(&bundle[..bundle.len() - 1]).is_none_or(|read| read.len() < 20));
    }

    #[test]
    fn a_changed_byte_of_a_receipt_is_refused_or_proves_nothing(at in 0usize..500, bit in 0u8..8) {
        let (receipt, log) = receipt(21, 13);
        let mut bytes = receipt.to_bytes();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = Receipt::from_bytes(&bytes)
            && changed.verify(&13u64.to_be_bytes(), "a/log", &log.public()).is_ok()
        {
            // RFC 9942 signs the root alone: another size can describe the same way to it. Nothing else may differ.
            prop_assert_eq!(Receipt { size: receipt.size, ..changed }, receipt);
        }
    }

    #[test]
    fn arbitrary_input_is_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in "[ -~\n\u{2014}]{0,300}") {
        let _ = SignedStatement::parse(&bytes);
        let _ = SignedStatement::parse(&[&[0xd2, 0x84][..], &bytes].concat());
        let _ = Receipt::from_bytes(&bytes);
        let _ = read_bundle(&bytes);
        let _ = SignedCheckpoint::parse(&text);
        let _ = Policy::parse(&text);
        let _ = Proof::parse(&text);
        let _ = Proof::parse(&format!("c2sp.org/tlog-proof@v1\nindex 1\n{text}"));
        let _ = text.parse::<TilePath>();
    }
}
