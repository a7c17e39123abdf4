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
use crate::encoding::Encode;
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
        json!({ "name": check.name.code(), "outcome": outcome, "detail": check.detail })
    };
    let mut json = serde_json::to_value(report).unwrap();
    json["checks"] = report.checks.iter().map(check).collect();
    json["valid"] = report.is_valid().into();
    json
}

/// One line of the checks that failed and a mark of everything that was said, for every changed byte of a package.
fn sweep(bytes: &[u8], inputs: &Inputs) -> Vec<String> {
    let one = |at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= mask(at);
        let report = verify(&bytes, inputs);
        let said: String = report.checks.iter().map(|c| format!("{} {}\n", c.name.code(), c.detail)).collect();
        let failed: Vec<&str> = failures(&report).iter().map(|name| name.code()).collect();
        format!("{} {}", failed.join(" "), &Hash::of(said.as_bytes()).to_string()[..8])
    };
    (0..bytes.len()).map(one).collect()
}

/// What the byte of a place is changed by.
fn mask(at: usize) -> u8 {
    1 << (at % 8)
}

/// Files of packages, by name; small ones only.
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
    let of = |name: &str, bytes: Vec<u8>| json!({ "name": name, "bytes": sweep(&bytes, &world.with_file()) });
    let packages = [
        ("transaction", world.transaction().to_bytes()),
        ("digest", world.digest().to_bytes()),
        ("state", world.state().to_bytes()),
    ];
    let of_each: Vec<Value> = packages.into_iter().map(|(name, bytes)| of(name, bytes)).collect();
    let inputs = world.with_file();
    json!({ "trust": inputs.trust, "file_hash": inputs.file, "packages": of_each })
}

/// Items of CBOR, and what reading one says.
fn readings() -> Value {
    let items = [
        "", "00", "17", "1818", "1800", "1817", "190001", "1900ff", "190100", "1a0000ffff", "1a00010000",
        "1b00000000ffffffff", "1b0000000100000000", "1c", "1f", "20", "3800", "3bffffffffffffffff", "40", "42ff", "5800",
        "5f4101ff", "60", "61ff", "62c328", "63e6b0b4", "63eda080", "64f0908080", "64f4908080", "63efbbbf", "80", "81",
        "8100", "9fff", "9bffffffffffffffff", "a0", "a10001", "a2616201616102", "a2616101616102", "a26161016261610a",
        "a2626161016162", "a26162016261610a", "bfff", "c100", "d28443", "e0", "f4", "f5", "f6", "f7", "f800", "f814",
        "f816", "f8f4", "f90000", "fa00000000", "fb0000000000000000", "ff", "0000", "820001", "82000100",
        "818181818181818181818181818181818100", "81818181818181818181818181818181818100", "a1a0a0", "a1810080",
    ];
    let read = |item: &&str| {
        let said = match encoding::read_value(&hex::decode(item).unwrap()) {
            Ok(_) => String::new(),
            Err(e) => e.to_string(),
        };
        json!([item, said])
    };
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
