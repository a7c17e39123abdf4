//! Proofs of records and of their absence, held against the crate that a node's tree is made with, and against vectors.

use std::collections::BTreeMap;

use jmt::{KeyHash, RootHash, Sha256Jmt};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{AbsenceProof, EMPTY_SUBTREE, Neighbour, StateProof};
use crate::Hash;
use crate::encoding::{Decode, Encode};
use crate::evidence::tests::chain::Tree;

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn tree(records: &Records) -> Tree {
    Tree::of(&records.iter().map(|(key, value)| (key.clone(), value.clone())).collect::<Vec<_>>())
}

/// Whether the other crate believes that the key is absent.
fn is_absent(tree: &Tree, key: &[u8]) -> bool {
    let hash = KeyHash(Hash::of(key).0);
    let (value, proof) = Sha256Jmt::new(tree).get_with_proof(hash, 1).unwrap();
    value.is_none() && proof.verify_nonexistence(RootHash(tree.root.0), hash).is_ok()
}

fn records() -> impl Strategy<Value = Records> {
    prop::collection::btree_map(
        prop::collection::vec(any::<u8>(), 1..4),
        prop::collection::vec(any::<u8>(), 1..4),
        1..40,
    )
}

proptest! {
    #[test]
    fn a_key_is_proven_to_be_there_or_not_to_be_and_never_both(
        records in records(),
        asked in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..4), 1..20),
    ) {
        let tree = tree(&records);
        for key in records.keys().chain(&asked) {
            let there = records.contains_key(key);
            prop_assert_eq!(is_absent(&tree, key), !there);
            let absence = tree.prove_absence(key);
            prop_assert_eq!(absence.verify(&tree.root), !there);
            prop_assert_eq!(&AbsenceProof::from_bytes(&absence.to_bytes()).unwrap(), &absence);
            if there {
                prop_assert!(tree.prove(key).verify(&tree.root));
            }
        }
    }

    #[test]
    fn no_change_of_a_true_proof_makes_a_record_vanish(
        records in records(),
        pick in any::<prop::sample::Index>(),
        depth in 0usize..20,
        empty in any::<bool>(),
        neighbour in any::<prop::sample::Index>(),
    ) {
        let tree = tree(&records);
        let keys: Vec<&Vec<u8>> = records.keys().collect();
        let (key, other) = (*pick.get(&keys), *neighbour.get(&keys));
        let StateProof { siblings, .. } = tree.prove(key);
        let neighbour = (!empty).then(|| Neighbour { place: Hash::of(other), value: Hash::of(&records[other]) });
        let forged = AbsenceProof {
            key: key.clone(),
            neighbour: neighbour.clone(),
            siblings: siblings.iter().skip(depth.min(siblings.len())).copied().collect(),
        };
        prop_assert!(!forged.verify(&tree.root));
        let borrowed = AbsenceProof { key: key.clone(), neighbour, siblings: tree.prove(other).siblings };
        prop_assert!(!borrowed.verify(&tree.root));
    }

    #[test]
    fn one_changed_byte_of_an_absence_proof_proves_nothing_of_this_key(records in records(), key in prop::collection::vec(any::<u8>(), 4..6)) {
        let tree = tree(&records);
        let good = tree.prove_absence(&key);
        prop_assert!(good.verify(&tree.root));
        let bytes = good.to_bytes();
        for at in 0..bytes.len() {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            if let Ok(changed) = AbsenceProof::from_bytes(&bytes) {
                prop_assert!(changed.key != key || !changed.verify(&tree.root), "byte {}", at);
            }
        }
    }

    #[test]
    fn any_bytes_are_an_absence_proof_in_one_form_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(proof) = AbsenceProof::from_bytes(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
            let _ = proof.verify(&Hash::ZERO);
        }
    }
}

#[test]
fn nothing_is_in_an_empty_tree() {
    let proof = AbsenceProof { key: b"anything".to_vec(), neighbour: None, siblings: vec![] };
    assert!(proof.verify(&EMPTY_SUBTREE) && !proof.verify(&Hash::ZERO));
}

/// `testdata/state.json`: roots, keys, proofs and whether they hold; `WRITE_TESTDATA=1` writes it anew.
#[test]
fn the_committed_vectors_are_what_this_code_says() {
    let records: Records = (0u8..24).map(|n| (vec![b'k', n], vec![n; 3])).collect();
    let tree = tree(&records);
    let of = |name: &str, proof: AbsenceProof| {
        let holds = proof.verify(&tree.root);
        json!({ "name": name, "root": tree.root, "key": hex::encode(&proof.key), "absence": hex::encode(proof.to_bytes()), "holds": holds })
    };
    let mut vectors: Vec<Value> = (24u8..32).map(|n| of("absent", tree.prove_absence(&[b'k', n]))).collect();
    vectors.extend((0u8..4).map(|n| of("there is one", tree.prove_absence(&[b'k', n]))));
    let mut elsewhere = tree.prove_absence(&[b'k', 24]);
    elsewhere.key = vec![b'k', 0];
    vectors.push(of("path of another key", elsewhere));
    let mut shorter = tree.prove_absence(&[b'k', 25]);
    shorter.siblings.pop();
    vectors.push(of("a step is missing", shorter));
    assert!(vectors.iter().filter(|v| v["holds"] == true).count() == 8);
    let (with, without) =
        (24u8..32).map(|n| tree.prove_absence(&[b'k', n])).partition::<Vec<_>, _>(|p| p.neighbour.is_some());
    assert!(!with.is_empty() && !without.is_empty(), "both kinds of absence");
    let path = crate::evidence::tests::vectors::testdata().join("state.json");
    if std::env::var_os("WRITE_TESTDATA").is_some() {
        let lines: Vec<String> = vectors.iter().map(Value::to_string).collect();
        std::fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    }
    let committed: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(committed == vectors, "state.json is out of date");
}
