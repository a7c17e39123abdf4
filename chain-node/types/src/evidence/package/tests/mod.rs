//! The promise of a package: what goes in comes out, in one byte form; whatever is changed anywhere is noticed and named;
//! and other ZIPs are refused whatever they hold.

mod cases;
mod vectors;

use proptest::prelude::*;

use super::super::{CheckName, Inputs, Outcome, Report};
use super::zip::{self, ZipError, checksum};
use super::{MEMBERS, Package, PackageError, verify_file, verify_package};
use cases::{members_of, raw, worlds};

fn failures(report: &Report) -> Vec<CheckName> {
    report.failures().map(|check| check.name).collect()
}

fn outcome(report: &Report, name: CheckName) -> &Outcome {
    &report.checks.iter().find(|check| check.name == name).unwrap().outcome
}

#[test]
fn every_package_of_a_sound_record_passes_and_adds_what_its_members_prove() {
    for case in worlds() {
        let bytes = case.package.to_bytes();
        let report = verify_package(&bytes, &case.inputs);
        assert!(report.is_valid(), "{}: {:#?}", case.name, report.checks);
        let has_log = case.package.log.is_some();
        for name in [CheckName::Cosignatures, CheckName::Policy] {
            assert_eq!(report.passed(name), has_log, "{}: {name:?}", case.name);
        }
        let receipt = case.package.log.as_ref().is_some_and(|log| log.receipt.is_some());
        assert_eq!(report.passed(CheckName::Receipt), receipt, "{}", case.name);
        assert!(report.passed(CheckName::Package) && report.passed(CheckName::Reports), "{}", case.name);
        // The maker's word is never a proof.
        assert!(matches!(outcome(&report, CheckName::Provenance), Outcome::NotApplicable(_)), "{}", case.name);
        assert_eq!(verify_file(&bytes, &case.inputs), report);
        assert_eq!(verify_file(&case.package.evidence, &case.inputs).checks.len(), CheckName::ALL.len());
        let names: Vec<CheckName> = report.checks.iter().map(|check| check.name).collect();
        let [first, rest @ ..] = CheckName::OF_PACKAGE;
        assert_eq!(names, [&[first][..], &CheckName::ALL, &rest].concat());
    }
}

#[test]
fn a_package_is_one_sequence_of_bytes_and_small() {
    for case in worlds() {
        let bytes = case.package.to_bytes();
        let read = Package::from_bytes(&bytes).unwrap();
        assert_eq!(read, case.package);
        assert_eq!(read.to_bytes(), bytes);
        assert!(bytes.len() <= 16 * 1024, "{}: {} bytes", case.name, bytes.len());
    }
}

#[test]
fn a_changed_byte_of_any_member_fails_a_check_even_under_a_right_checksum() {
    for case in worlds() {
        let members = members_of(&case.package);
        for (name, content) in &members {
            // The core is swept byte by byte in its own tests.
            let stride = match *name {
                "evidence.cbor" => 97,
                "report.zh.html" | "report.en.html" => 53,
                _ => 7,
            };
            for at in (0..content.len()).step_by(stride) {
                let report = verify_package(&raw(&members, name, at), &case.inputs);
                let said = format!("{}: {name} byte {at}: {:?}", case.name, failures(&report));
                match *name {
                    // Unproven, and a check says so; what contradicts the evidence fails.
                    "provenance.json" if report.is_valid() => {
                        let found = outcome(&report, CheckName::Provenance);
                        assert!(matches!(found, Outcome::NotApplicable(_)), "{said}");
                    }
                    "report.zh.html" | "report.en.html" => {
                        assert!(failures(&report).iter().all(|n| [CheckName::Reports, CheckName::Package].contains(n)));
                        assert!(!report.is_valid(), "{said}");
                    }
                    "policy.txt" => {
                        assert!([CheckName::Policy, CheckName::Package].contains(&failures(&report)[0]), "{said}")
                    }
                    "proof.tlog-proof" | "sets.cbor" => {
                        assert!([CheckName::Cosignatures, CheckName::Package].contains(&failures(&report)[0]), "{said}")
                    }
                    "receipt.cose" => assert_eq!(failures(&report), [CheckName::Receipt], "{said}"),
                    _ => assert!(!report.is_valid(), "{said}"),
                }
            }
        }
    }
}

#[test]
fn a_changed_byte_anywhere_in_the_file_is_noticed() {
    for case in worlds() {
        let good = case.package.to_bytes();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            let report = verify_file(&bytes, &case.inputs);
            assert!(!report.is_valid(), "{}: byte {at}", case.name);
        }
    }
}

#[test]
fn parts_of_different_packages_do_not_make_one() {
    let all = worlds();
    let find = |name: &str| all.iter().find(|case| case.name == name).unwrap();
    let (call, digest, statement) = (find("transaction"), find("digest"), find("statement"));
    let with = |change: &dyn Fn(&mut Package)| {
        let mut package = call.package.clone();
        change(&mut package);
        verify_package(&package.to_bytes(), &call.inputs)
    };
    let swapped = with(&|p| p.log = digest.package.log.clone());
    assert_eq!(failures(&swapped), [CheckName::Cosignatures]);
    let foreign = with(&|p| {
        p.log.as_mut().unwrap().receipt = statement.package.log.as_ref().unwrap().receipt.clone();
    });
    assert_eq!(failures(&foreign), [CheckName::Receipt, CheckName::Reports]);
    let page = with(&|p| p.report_en = digest.package.report_en.clone());
    assert_eq!(failures(&page), [CheckName::Reports]);
    let elsewhere = with(&|p| p.provenance.chain = "another.city.chain".into());
    assert_eq!(failures(&elsewhere), [CheckName::Provenance]);
    let weaker = with(&|p| p.policy = p.policy.as_ref().map(|t| t.replace("validators 3 ", "validators 1 ")));
    assert_eq!(failures(&weaker), [CheckName::Policy]);
    // A log proof has no place beside a state.
    let mut state = find("state").package.clone();
    (state.log, state.policy) = (call.package.log.clone(), call.package.policy.clone());
    let state = verify_package(&state.to_bytes(), &find("state").inputs);
    assert!(failures(&state).contains(&CheckName::Cosignatures));
}

#[test]
fn a_checkpoint_without_a_quorum_is_no_proof() {
    let case = &worlds()[0];
    let mut package = case.package.clone();
    let log = package.log.as_mut().unwrap();
    // Two of four cosign; a line that is gone is not a line that is wrong.
    let lines: Vec<&str> = log.proof.lines().collect();
    log.proof = format!("{}\n", lines[..lines.len() - 2].join("\n"));
    assert_eq!(failures(&verify_package(&package.to_bytes(), &case.inputs)), [CheckName::Cosignatures]);
    // Whatever else is signed there is refused: nobody would notice if it changed.
    let mut package = case.package.clone();
    let log = package.log.as_mut().unwrap();
    log.proof.push_str("\u{2014} stranger AAAAAAAA\n");
    assert_eq!(failures(&verify_package(&package.to_bytes(), &case.inputs)), [CheckName::Cosignatures]);
}

#[test]
fn no_package_is_made_of_evidence_that_fails() {
    let case = &worlds()[0];
    let mut bytes = case.package.evidence.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let made = Package::new(bytes, None, None, case.package.provenance.clone());
    assert!(matches!(made, Err(PackageError::Evidence(_))));
}

#[test]
fn the_reports_hold_what_every_check_means_and_nothing_that_runs() {
    let case = &worlds()[0];
    for check in [&CheckName::ALL[1..], &[CheckName::Receipt]].concat() {
        let (zh, en) = check.meaning();
        assert!(case.package.report_zh.contains(zh) && case.package.report_en.contains(en), "{check:?}");
    }
    for page in [&case.package.report_zh, &case.package.report_en] {
        assert!(page.contains(&case.package.provenance.fingerprint.to_string()));
        assert!(!page.contains("{{") && !page.contains("<script") && !page.contains("://"), "{page}");
    }
}

#[test]
fn a_hostile_name_is_only_text_in_a_report() {
    let case = cases::named("a<script>\"&b");
    assert!(verify_package(&case.package.to_bytes(), &case.inputs).is_valid());
    assert!(case.package.report_en.contains("a&lt;script>&quot;&amp;b") && !case.package.report_en.contains("<script"));
}

#[test]
fn other_zips_are_refused_with_the_reason() {
    let members = [("evidence.cbor", &b"core"[..]), ("provenance.json", b"{}")];
    let good = zip::write(&members);
    assert_eq!(zip::read(&good, MEMBERS).unwrap()[0], Some(&b"core"[..]));
    let read = |bytes: &[u8]| zip::read(bytes, MEMBERS).unwrap_err();
    let named = |name: &'static str| zip::write(&[(name, b"x")]);
    for name in ["../evidence.cbor", "/etc/passwd", "EVIDENCE.CBOR", "", "evidence.cbor\0", "report.fr.html"] {
        assert!(matches!(read(&named(name)), ZipError::Name(_)), "{name}");
    }
    let reversed = [members[1], members[0]];
    assert_eq!(read(&zip::write(&reversed)), ZipError::Name("evidence.cbor".into()));
    assert_eq!(read(&zip::write(&[members[0], members[0]])), ZipError::Name("evidence.cbor".into()));
    let at = |at: usize, to: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    assert!(matches!(read(&at(8, &[8])), ZipError::Method(_)), "deflated");
    assert!(matches!(read(&at(6, &[1])), ZipError::Method(_)), "encrypted");
    assert!(matches!(read(&at(6, &[8])), ZipError::Method(_)), "sizes behind the data");
    // A claim of four gigabytes costs nothing.
    assert!(matches!(read(&at(22, &[0xff; 4])), ZipError::TooLarge("evidence.cbor")));
    assert_eq!(read(&at(14, &[0; 4])), ZipError::Checksum("evidence.cbor"));
    assert_eq!(read(&at(10, &[1])), ZipError::Form, "a time");
    assert_eq!(read(&at(28, &[1])), ZipError::Form, "an extra field");
    for bytes in [&good[..good.len() - 1], &[&good[..], b" "].concat(), &[b" ", &good[..]].concat(), &[], b"PK"] {
        assert_eq!(read(bytes), ZipError::Form);
    }
    assert_eq!(read(&good[..20]), ZipError::Cut);
    assert_eq!(Package::from_bytes(&good), Err(PackageError::Form("provenance.json")));
    assert_eq!(Package::from_bytes(&zip::write(&[])), Err(PackageError::Missing("evidence.cbor")));
    assert_eq!(checksum(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
}

proptest! {
    #[test]
    fn any_bytes_are_a_package_in_one_form_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let framed = [b"PK\x03\x04", &bytes[..]].concat();
        for bytes in [bytes, framed] {
            if let Ok(package) = Package::from_bytes(&bytes) {
                prop_assert_eq!(package.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn any_members_come_out_as_they_went_in(contents in prop::collection::vec(prop::option::of(prop::collection::vec(any::<u8>(), 0..60)), 9)) {
        let members: Vec<_> = MEMBERS
            .iter()
            .zip(&contents)
            .filter_map(|((name, _), content)| content.as_ref().map(|c| (*name, c.as_slice())))
            .collect();
        let bytes = zip::write(&members);
        let found = zip::read(&bytes, MEMBERS).unwrap();
        prop_assert_eq!(found, contents.iter().map(|c| c.as_deref()).collect::<Vec<_>>());
        let _ = Package::from_bytes(&bytes);
        let _ = verify_file(&bytes, &Inputs::default());
    }

    #[test]
    fn several_changed_bytes_never_make_another_package(changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..5)) {
        let good = worlds()[0].package.to_bytes();
        let mut bytes = good.clone();
        for (at, change) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= change;
        }
        if let Ok(package) = Package::from_bytes(&bytes) {
            prop_assert_eq!(package.to_bytes(), bytes);
        }
    }
}
