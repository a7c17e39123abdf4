//! Signatures at the edges of Ed25519, judged under both rules and written down for other verifiers.
//!
//! `testdata/ed25519-published.json` holds published inputs: RFC 8032 §7.1 and the cases of "Taming the many EdDSAs"
//! (Chalkias, Garillot, Nikolaenko 2020; ed25519-speccheck, Apache-2.0). The 196 pairs of small-order encodings are those
//! that ZIP 215 is specified with.

use serde_json::{Value, json};

use super::chain::seeded;
use crate::crypto::{verify_strict, verify_zip215};
use crate::{PublicKey, Signature};

/// The points of order 1, 2, 4, 4, 8, 8, 8, 8 and the six ways of writing some of them that are not canonical.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

/// The order of the group, little-endian.
const ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn judged(name: &str, key: &str, message: &[u8], signature: &str) -> Value {
    let (a, s): (PublicKey, Signature) = (key.parse().unwrap(), signature.parse().unwrap());
    json!({
        "name": name,
        "key": key,
        "message": hex::encode(message),
        "signature": signature,
        "strict": verify_strict(&a, message, &s),
        "zip215": verify_zip215(&a, message, &s),
    })
}

/// Published cases, with the verdicts that their authors name where both rules are settled.
fn published() -> Vec<Value> {
    let file = super::vectors::testdata().join("ed25519-published.json");
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let text = |case: &Value, field: &str| case[field].as_str().unwrap().to_owned();
    let judge = |case: &Value| {
        let message = hex::decode(text(case, "message")).unwrap();
        judged(&text(case, "name"), &text(case, "key"), &message, &text(case, "signature"))
    };
    cases.iter().map(judge).collect()
}

fn small_order() -> Vec<Value> {
    let pairs = (0..SMALL_ORDER.len()).flat_map(|a| (0..SMALL_ORDER.len()).map(move |r| (a, r)));
    let one = |(a, r): (usize, usize)| {
        let signature = format!("{}{}", SMALL_ORDER[r], "00".repeat(32));
        judged(&format!("small order {a} {r}"), SMALL_ORDER[a], b"Zcash", &signature)
    };
    pairs.map(one).collect()
}

/// Ordinary signatures of growing messages, and each with one thing wrong.
fn ordinary() -> Vec<Value> {
    let order = hex::decode(ORDER).unwrap();
    let mut cases = Vec::new();
    for n in 0..12u8 {
        let (key, message) = (seeded(100 + n), vec![n; usize::from(n) * 23]);
        let (public, good) = (key.public().to_string(), key.sign(&message));
        cases.push(judged(&format!("ordinary {n}"), &public, &message, &good.to_string()));
        let mut changed = good;
        changed.0[usize::from(n) * 5] ^= 1 << (n % 8);
        cases.push(judged(&format!("changed {n}"), &public, &message, &changed.to_string()));
        // s + ℓ satisfies the equation as well; only the range check refuses it.
        let (mut larger, mut carry) = (good, 0u16);
        for (byte, add) in larger.0[32..].iter_mut().zip(&order) {
            carry += u16::from(*byte) + u16::from(*add);
            *byte = carry as u8;
            carry >>= 8;
        }
        cases.push(judged(&format!("beyond the order {n}"), &public, &message, &larger.to_string()));
    }
    let message = b"no point";
    let signature = seeded(1).sign(message).to_string();
    for y in 2..40u8 {
        // About half of these are no points; two are not canonical.
        let mut key = [0xff; 32];
        (key[0], key[31]) = (0xff - y + 2, 0x7f);
        cases.push(judged(&format!("key near p {y}"), &PublicKey(key).to_string(), message, &signature));
    }
    cases
}

pub fn all() -> Vec<Value> {
    [published(), small_order(), ordinary()].concat()
}

fn verdicts(cases: &[Value], rule: &str) -> Vec<bool> {
    cases.iter().map(|case| case[rule].as_bool().unwrap()).collect()
}

#[test]
fn zip_215_takes_all_small_order_points_and_the_strict_rule_none() {
    let cases = small_order();
    assert_eq!(cases.len(), 196);
    assert!(verdicts(&cases, "zip215").iter().all(|valid| *valid));
    assert!(!verdicts(&cases, "strict").iter().any(|valid| *valid));
}

#[test]
fn published_signatures_get_the_published_verdicts() {
    for case in published() {
        let name = case["name"].as_str().unwrap();
        if name.starts_with("RFC 8032") {
            assert_eq!((&case["strict"], &case["zip215"]), (&json!(true), &json!(true)), "{name}");
        }
        // Small order, s out of range and forms that are not canonical are what the strict rule is for; of the twelve
        // it leaves the two with points of mixed order that satisfy the equation without the cofactor.
        if let Some(n) = name.strip_prefix("speccheck ") {
            assert_eq!(case["strict"], json!(n == "3"), "{name}");
            assert_eq!(case["zip215"], json!(!matches!(n, "6" | "7" | "8")), "{name}");
        }
    }
}

#[test]
fn a_signature_is_valid_in_one_form_only() {
    for case in ordinary() {
        let valid = json!(case["name"].as_str().unwrap().starts_with("ordinary"));
        assert_eq!((&case["strict"], &case["zip215"]), (&valid, &valid), "{case}");
    }
}
