//! The promise of a package: whoever trusts a fingerprint learns the truth from it, and one changed byte is noticed and
//! named.

pub(super) mod cases;
pub(crate) mod chain;
mod city;
mod sets;
mod signatures;
pub(crate) mod vectors;

use proptest::prelude::*;

use super::{CheckName, Evidence, Inputs, Outcome, Report, verify};
use crate::encoding::{Decode, Encode};
use crate::state::StateProof;
use crate::{Hash, crypto};
use cases::{Case, World};

fn failures(report: &Report) -> Vec<CheckName> {
    report.failures().map(|check| check.name).collect()
}

#[test]
fn every_package_gets_exactly_the_verdict_it_deserves() {
    for Case { name, bytes, inputs, fails } in cases::all() {
        let report = verify(&bytes, &inputs);
        assert_eq!(failures(&report), fails, "{name}: {:#?}", report.checks);
        assert_eq!(report.is_valid(), fails.is_empty(), "{name}");
        let made: Vec<CheckName> = report.checks.iter().map(|check| check.name).collect();
        let wanted = if fails == [CheckName::Format] { &CheckName::ALL[..1] } else { &CheckName::ALL[..] };
        assert_eq!(made, wanted, "{name}");
        for check in report.failures() {
            assert_eq!(check.outcome, Outcome::Fail(check.detail.clone()), "{name}");
        }
    }
}

#[test]
fn a_call_is_proven_with_everything_about_it() {
    let world = World::new(true);
    let report = verify(&world.transaction().to_bytes(), &world.with_file());
    for name in [CheckName::Signature, CheckName::Account, CheckName::File, CheckName::Genesis] {
        assert!(report.passed(name), "{name:?}");
    }
    assert_eq!(report.chain_id.as_deref(), Some("cloud-river.notary.main"));
    assert_eq!(report.fingerprint, world.trust().trust);
    assert_eq!((report.height, report.index, report.digest), (Some(9), Some(21), None));
    assert_eq!(report.tx, Some(world.call.id()));
    assert_eq!(report.signer, Some(chain::signer().public()));
    assert_eq!(report.account.unwrap().label, "window-50");
}

#[test]
fn a_digest_is_proven_by_its_place_alone() {
    let world = World::new(true);
    let report = verify(&world.digest().to_bytes(), &world.with_file());
    assert!(matches!(report.checks[6].outcome, Outcome::NotApplicable(_)));
    assert_eq!(report.digest, Some(Hash::of(chain::FILE)));
    assert_eq!((report.tx, report.signer), (Some(world.call.id()), Some(chain::signer().public())));
}

#[test]
fn facts_come_only_from_checks_that_passed() {
    for Case { name, bytes, inputs, .. } in cases::all() {
        let report = verify(&bytes, &inputs);
        let passed = |check| report.passed(check);
        assert_eq!(report.fingerprint.is_some(), passed(CheckName::Genesis), "{name}");
        assert_eq!(report.height.is_some(), passed(CheckName::Header), "{name}");
        assert_eq!(report.account.is_some(), passed(CheckName::Account), "{name}");
        assert_eq!(report.digest.is_some(), report.tx.is_some() && !passed(CheckName::Signature), "{name}");
        assert!(report.index.is_none() || passed(CheckName::Path), "{name}");
        assert!(report.digest.is_none() || passed(CheckName::Path), "{name}");
        assert_eq!(report.signer.is_some(), report.tx.is_some(), "{name}");
    }
}

/// Every place of every kind of package, each with three other values.
#[test]
fn one_changed_byte_anywhere_is_noticed_and_named() {
    let world = World::new(true);
    for evidence in [world.transaction(), world.digest(), world.state()] {
        let good = evidence.to_bytes();
        for inputs in [world.trust(), Inputs::default()] {
            assert!(verify(&good, &inputs).is_valid());
            for at in 0..good.len() {
                let mut bytes = good.clone();
                bytes[at] ^= [0x01, 0x80, 0x1f][at % 3];
                let report = verify(&bytes, &inputs);
                assert!(!report.is_valid(), "byte {at}");
                assert!(report.failures().all(|check| !check.detail.is_empty()), "byte {at}");
            }
        }
    }
}

#[test]
fn a_cut_or_prolonged_package_is_no_package() {
    let world = World::new(true);
    let good = world.transaction().to_bytes();
    for n in 0..good.len() {
        assert_eq!(failures(&verify(&good[..n], &world.trust())), [CheckName::Format]);
    }
    for byte in 0..=255 {
        assert_eq!(failures(&verify(&[&good[..], &[byte]].concat(), &world.trust())), [CheckName::Format]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_change_is_noticed(kind in 0usize..3, at in 0usize..10_000, new in proptest::collection::vec(any::<u8>(), 1..9), removed in 0usize..9) {
        let world = World::new(true);
        let good = [world.transaction(), world.digest(), world.state()][kind].to_bytes();
        let at = at % good.len();
        let end = (at + removed).min(good.len());
        let bytes = [&good[..at], &new, &good[end..]].concat();
        prop_assert_eq!(verify(&bytes, &world.trust()).is_valid(), bytes == good);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(!verify(&bytes, &Inputs::default()).is_valid());
    }
}

#[test]
fn a_package_has_one_byte_form() {
    for case in cases::all() {
        if let Ok(evidence) = Evidence::from_bytes(&case.bytes) {
            assert_eq!(evidence.to_bytes(), case.bytes, "{}", case.name);
        }
    }
}

/// DESIGN §9: core ≤ 6 KB, and 1.2 KB more for every set change.
#[test]
fn packages_are_small() {
    let (world, plain) = (World::new(true), World::new(false));
    let (with, without) = (world.transaction().to_bytes().len(), plain.transaction().to_bytes().len());
    assert!(without <= 6_000, "{without}");
    assert!(with - without <= 1_200, "{}", with - without);
}

/// Our existence proof and that of the crate which makes the trees agree on every record, and on what is no record.
#[test]
fn the_state_proof_agrees_with_the_tree() {
    let records = chain::records();
    let tree = chain::Tree::of(&records);
    let accepts = |proof: &StateProof| proof.verify(&tree.root);
    for (key, value) in &records {
        let proof = tree.prove(key);
        assert_eq!(&proof.value, value);
        assert!(accepts(&proof));
        let mut changed = proof.clone();
        changed.value.push(0);
        assert!(!accepts(&changed) && !tree.holds(key, &changed.value));
        for at in 0..=proof.siblings.len() {
            let mut longer = proof.clone();
            longer.siblings.insert(at, crate::state::EMPTY_SUBTREE);
            assert!(!accepts(&longer));
        }
        for at in 0..proof.siblings.len() {
            let mut changed = proof.clone();
            changed.siblings[at].0[0] ^= 1;
            assert!(!accepts(&changed));
            let mut shorter = proof.clone();
            shorter.siblings.remove(at);
            assert!(!accepts(&shorter));
        }
    }
    let alone = chain::Tree::of(&records[..1]);
    assert!(alone.prove(&records[0].0).siblings.is_empty());
    assert!(alone.prove(&records[0].0).verify(&alone.root));
}

/// One signature that two rules judge differently must not decide a block.
#[test]
fn validators_are_held_to_the_strict_rule() {
    let case = cases::all().into_iter().find(|case| case.name == "validator-of-small-order").unwrap();
    let evidence = Evidence::from_bytes(&case.bytes).unwrap();
    let genesis = crate::Genesis::from_bytes(&evidence.genesis).unwrap();
    let set = genesis.validator_set();
    let lenient = evidence.certificate.signatures.iter().all(|(place, signature)| {
        let vote = crate::Vote {
            fingerprint: genesis.fingerprint(),
            kind: crate::VoteKind::Precommit,
            height: evidence.certificate.height,
            round: evidence.certificate.round,
            id: Some(evidence.certificate.id),
        };
        crypto::verify_zip215(&set.get(*place as usize).unwrap().consensus_key, &vote.to_bytes(), signature)
    });
    assert!(lenient);
    assert!(!verify(&case.bytes, &case.inputs).passed(CheckName::Certificate));
}
