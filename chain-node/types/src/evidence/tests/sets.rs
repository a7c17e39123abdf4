//! Packages of a chain whose set changed more than once: four validators, then five, six, seven, and six again.

use super::super::{CheckName, Evidence, Inputs, Record, SetChange};
use super::cases::{CALL, Case};
use super::chain::{Chain, anchor, certify, entries_of, genesis, header, seeded, validator};
use crate::encoding::Encode;
use crate::{Hash, ValidatorSet};
use CheckName::{Certificate, Validators};

/// The set of the first so many keys.
fn first(n: u8) -> ValidatorSet {
    ValidatorSet::new((1..=n).map(|n| validator(seeded(n).public())).collect())
}

fn places(n: u32) -> Vec<u32> {
    (0..n).collect()
}

/// The last header of `old`, certified by so many of it, which names `next`.
fn change(chain: &Chain, height: u64, old: &ValidatorSet, signers: u32, next: &ValidatorSet) -> SetChange {
    let mut header = header(chain.genesis.fingerprint(), height, Hash::of(&height.to_be_bytes()));
    (header.validators_hash, header.next_validators_hash) = (old.hash(), next.hash());
    let certificate = certify(&header, old, &places(signers));
    SetChange { header, certificate, next: next.clone() }
}

pub fn all() -> Vec<Case> {
    let genesis = genesis("cloud-river.notary.main");
    let inputs = Inputs { trust: Some(genesis.fingerprint()), file: None };
    let call = anchor(genesis.fingerprint(), b"");
    let last = ValidatorSet::new((2..=7).map(|n| validator(seeded(n).public())).collect());
    let chain = Chain::with_sets(genesis, vec![first(4), last.clone()], false, entries_of(&call));
    let mut good = chain.act(Record::Transaction(call.bytes().to_vec()), CALL);
    good.set_changes = vec![
        change(&chain, 2, &first(4), 3, &first(5)),
        change(&chain, 4, &first(5), 4, &first(6)),
        change(&chain, 5, &first(6), 5, &first(7)),
        change(&chain, 8, &first(7), 5, &last),
    ];
    good.certificate = certify(&chain.sealing, &last, &places(5));
    let with = |name, change: &dyn Fn(&mut Evidence), fails: &[CheckName]| {
        let mut evidence = good.clone();
        change(&mut evidence);
        Case { name, bytes: evidence.to_bytes(), inputs, fails: fails.to_vec() }
    };
    let broken = &[Validators, Certificate];
    vec![
        with("sets-four-to-seven-to-six", &|_| (), &[]),
        with("sets-one-change-left-out", &|e| drop(e.set_changes.remove(1)), broken),
        with("sets-last-change-left-out", &|e| drop(e.set_changes.pop()), broken),
        with("sets-changes-in-another-order", &|e| e.set_changes.swap(1, 2), broken),
        with("sets-one-change-twice", &|e| e.set_changes.insert(1, e.set_changes[0].clone()), broken),
        with(
            "sets-change-below-its-quorum",
            &|e| e.set_changes[2] = change(&chain, 5, &first(6), 4, &first(7)),
            broken,
        ),
        with(
            "sets-change-certified-by-the-set-it-names",
            &|e| {
                let header = e.set_changes[1].header.clone();
                e.set_changes[1].certificate = certify(&header, &first(6), &[1, 2, 3, 4, 5]);
            },
            broken,
        ),
        with("sets-another-set-than-the-header-names", &|e| e.set_changes[3].next = first(6), broken),
        with(
            "sets-sealed-by-a-retired-set",
            &|e| e.certificate = certify(&e.sealing, &first(7), &places(5)),
            &[Certificate],
        ),
    ]
}
