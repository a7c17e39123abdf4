//! `testdata/package/`: packages, their reports, and what fails where one bit of a member is changed under a right
//! checksum; the browser's verifier is tested on them. `WRITE_TESTDATA=1` writes them anew.

use serde_json::{Value, json};

use super::cases::{members_of, raw, worlds};
use super::{Outcome, Report, failures, verify_package};

fn checks(report: &Report) -> Value {
    let one = |check: &super::super::super::Check| {
        let outcome = match &check.outcome {
            Outcome::Pass => "pass",
            Outcome::Fail(_) => "fail",
            Outcome::NotApplicable(_) => "not_applicable",
        };
        json!({ "name": check.name.code(), "outcome": outcome, "detail": check.detail })
    };
    report.checks.iter().map(one).collect()
}

fn expected() -> Value {
    let one = |case: &super::cases::Case| {
        let members = &members_of(&case.package);
        let changed = members.iter().filter(|(name, _)| *name != "evidence.cbor").flat_map(|(name, content)| {
            (0..content.len()).step_by(content.len() / 20 + 1).map(move |at| {
                let report = verify_package(&raw(members, name, at), &case.inputs);
                let failed: Vec<_> = failures(&report).into_iter().map(|name| name.code()).collect();
                json!([name, at, failed])
            })
        });
        json!({
            "name": case.name,
            "trust": case.inputs.trust,
            "file_hash": case.inputs.file,
            "checks": checks(&verify_package(&case.package.to_bytes(), &case.inputs)),
            "changed": changed.collect::<Vec<_>>(),
        })
    };
    worlds().iter().map(one).collect()
}

#[test]
fn the_committed_packages_are_what_this_code_says() {
    let folder = crate::evidence::tests::vectors::testdata().join("package");
    let expected = expected();
    if std::env::var_os("WRITE_TESTDATA").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        let lines: Vec<String> = expected.as_array().unwrap().iter().map(Value::to_string).collect();
        std::fs::write(folder.join("expected.json"), format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
        for case in worlds() {
            std::fs::write(folder.join(format!("{}.evp", case.name)), case.package.to_bytes()).unwrap();
        }
    }
    let committed: Value = serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
    assert!(committed == expected, "expected.json is out of date");
    for case in worlds() {
        let committed = std::fs::read(folder.join(format!("{}.evp", case.name))).unwrap();
        assert!(committed == case.package.to_bytes(), "{}.evp is out of date", case.name);
    }
}
