//! `testdata/`: packages and signatures with the verdicts that every verifier must reach; the browser's is tested on them.
//!
//! `WRITE_TESTDATA=1 cargo test -p chain-types vectors` writes them anew, which a reviewer sees as a change of the
//! format or of the rules.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::super::{Inputs, Outcome, Report, verify};
use super::cases::{self, World};
use super::{failures, signatures};
use crate::{Hash, encoding};

pub fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn plain(report: &Report) -> Value {
    let check = |check: &super::super::Check| {
        let outcome = match &check.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::NotApplicable(_) => "not_applicable",
        };
        json!({ "name": check.name.code(), "outcome": outcome, "detail": comparable(&check.detail) })
    };
    let mut json = serde_json::to_value(report).unwrap();
    json["checks"] = report.checks.iter().map(check).collect();
    json["valid"] = report.is_valid().into();
    // A fact that no check established is left out.
    json.as_object_mut().unwrap().retain(|_, fact| !fact.is_null());
    json
}

/// For every byte of a package with one bit changed: three digits for the set of checks that failed, the first of them
/// the lowest bit, and five that mark what was said.
fn sweep(bytes: &[u8], inputs: &Inputs) -> (String, String) {
    let (mut failed, mut said) = (String::new(), String::new());
    for at in 0..bytes.len() {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 1 << (at % 8);
        let report = verify(&bytes, inputs);
        let set: u32 = failures(&report).iter().map(|name| 1 << *name as u32).sum();
        failed.push_str(&format!("{set:03x}"));
        let words: String =
            report.checks.iter().map(|c| format!("{} {}\n", c.name.code(), comparable(&c.detail))).collect();
        said.push_str(&Hash::of(words.as_bytes()).to_string()[..5]);
    }
    (failed, said)
}

/// What every verifier says in the same words: why bytes do not decode is left to each, as are numbers from 10^15 on.
fn comparable(detail: &str) -> String {
    let openings = ["not an evidence package", "genesis ", "transaction ", "not a digest entry", "the account record "];
    let detail = if detail.starts_with("validator `") { "genesis " } else { detail };
    if let Some(opening) = openings.into_iter().find(|opening| detail.starts_with(opening)) {
        return opening.into();
    }
    let number = |word: &str| word.len() > 15 && word.bytes().all(|b| b.is_ascii_digit());
    detail
        .split(' ')
        .map(|word| if number(word.trim_end_matches(',')) { "#" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Files of packages, by name.
fn packages() -> BTreeMap<String, Vec<u8>> {
    cases::all().into_iter().map(|case| (format!("{}.cbor", case.name), case.bytes)).collect()
}

fn expected() -> Value {
    let case = |case: cases::Case| {
        let report = plain(&verify(&case.bytes, &case.inputs));
        json!({
            "name": case.name,
            "trust": case.inputs.trust,
            "file_hash": case.inputs.file,
            "report": report,
        })
    };
    cases::all().into_iter().map(case).collect()
}

fn sweeps() -> Value {
    let world = World::new(true);
    let of = |case: cases::Case| {
        let (failed, said) = sweep(&case.bytes, &world.with_file());
        json!({ "name": case.name, "failed": failed, "said": said })
    };
    let swept = |case: &cases::Case| ["transaction", "digest-no-account", "state"].contains(&case.name);
    let of_each: Vec<Value> = cases::all().into_iter().filter(swept).map(of).collect();
    let inputs = world.with_file();
    json!({ "trust": inputs.trust, "file_hash": inputs.file, "packages": of_each })
}

/// Items of CBOR, and whether they are read.
fn readings() -> Value {
    let items = [
        "",
        "00",
        "17",
        "1818",
        "1800",
        "1817",
        "190001",
        "1900ff",
        "190100",
        "1a0000ffff",
        "1a00010000",
        "1b00000000ffffffff",
        "1b0000000100000000",
        "1c",
        "1f",
        "20",
        "3800",
        "3bffffffffffffffff",
        "40",
        "42ff",
        "5800",
        "5f4101ff",
        "60",
        "61ff",
        "62c328",
        "63e6b0b4",
        "63eda080",
        "64f0908080",
        "64f4908080",
        "63efbbbf",
        "80",
        "81",
        "8100",
        "9fff",
        "9bffffffffffffffff",
        "a0",
        "a10001",
        "a2616201616102",
        "a2616101616102",
        "a26161016261610a",
        "a2626161016162",
        "a26162016261610a",
        "bfff",
        "c100",
        "d28443",
        "e0",
        "f4",
        "f5",
        "f6",
        "f7",
        "f800",
        "f814",
        "f816",
        "f8f4",
        "f90000",
        "fa00000000",
        "fb0000000000000000",
        "ff",
        "0000",
        "820001",
        "82000100",
        "818181818181818181818181818181818100",
        "81818181818181818181818181818181818100",
        "a1a0a0",
        "a1810080",
    ];
    let read = |item: &&str| json!([item, encoding::read_value(&hex::decode(item).unwrap()).is_ok()]);
    items.iter().map(read).collect()
}

/// One entry a line, so that a change is one line of a review.
fn lines(json: &Value) -> String {
    match json {
        Value::Array(items) => {
            format!("[\n{}\n]\n", items.iter().map(Value::to_string).collect::<Vec<_>>().join(",\n"))
        }
        other => format!("{other:#}\n"),
    }
}

#[test]
fn the_committed_vectors_are_what_this_code_says() {
    let write = std::env::var_os("WRITE_TESTDATA").is_some();
    let folder = testdata().join("evidence");
    let texts = [
        (folder.join("expected.json"), expected()),
        (folder.join("changed-bytes.json"), sweeps()),
        (testdata().join("cbor.json"), readings()),
        (testdata().join("ed25519.json"), signatures::all().into()),
    ];
    let packages = packages();
    if write {
        std::fs::create_dir_all(&folder).unwrap();
        for (path, json) in &texts {
            std::fs::write(path, lines(json)).unwrap();
        }
        for (name, bytes) in &packages {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
    for (path, json) in &texts {
        // Compared as values: the order of an object's fields depends on features that other crates ask for.
        let committed: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert!(committed == *json, "{} is out of date", path.display());
    }
    for (name, bytes) in &packages {
        assert!(std::fs::read(folder.join(name)).unwrap() == *bytes, "{name} is out of date");
    }
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    let stray: Vec<_> = files
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.ends_with(".cbor") && !packages.contains_key(name))
        .collect();
    assert!(stray.is_empty(), "nothing expects {stray:?}");
}
