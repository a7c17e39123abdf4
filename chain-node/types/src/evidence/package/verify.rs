//! Checks a package: the core by its own checks, then each member around it against the core.

use super::super::city::{City, check_history};
use super::super::report::{Check, CheckName, Outcome, Report};
use super::super::verify::verify;
use super::super::{Evidence, Inputs, Record, SetChange, Subject};
use super::{LogProof, Package, only_known, page, read_proof};
use crate::Genesis;
use crate::bytes::{Fingerprint, Hash};
use crate::encoding::Decode;
use crate::light;
use crate::log_entry::call_entry;
use crate::merkle::inclusion_root;
use crate::tlog::{Policy, Proof, Receipt, key_thumbprint, origin};
use crate::validator::ValidatorSet;

/// Verifies a package, offline. The report holds the core's checks in their order between those of the package.
pub fn verify_package(bytes: &[u8], inputs: &Inputs) -> Report {
    verify_package_with_city(bytes, inputs, None, None)
}

/// Verifies a package, and its history by the city chain that is trusted: by the proof that is given, or else by the
/// package's own.
pub fn verify_package_with_city(
    bytes: &[u8],
    inputs: &Inputs,
    proof: Option<&[u8]>,
    city: Option<Fingerprint>,
) -> Report {
    let mut report = Report::default();
    let package = match Package::from_bytes(bytes) {
        Ok(package) => package,
        Err(e) => {
            report.add(CheckName::Package, Err(e.to_string()));
            return report;
        }
    };
    report.add(CheckName::Package, Ok(format!("{} bytes", bytes.len())));
    let core = verify(&package.evidence, inputs);
    report = Report { checks: report.checks.into_iter().chain(core.checks.clone()).collect(), ..core.clone() };
    let Ok(evidence) = Evidence::from_bytes(&package.evidence) else { return report };
    check_log(&package, &evidence, &mut report);
    let proof = proof.or(package.city_proof.as_deref());
    check_city(&evidence, proof.map(|proof| City { proof, trust: city }), &mut report);
    check_reports(&package, &evidence, &core, &mut report);
    check_provenance(&package, &evidence, &mut report);
    report
}

/// The set that cosigns, with the chain's genesis and the policy that follows from them.
pub(super) fn policy(evidence: &Evidence, later: &[SetChange]) -> Result<(Genesis, ValidatorSet, Policy), String> {
    let genesis = Genesis::from_bytes(&evidence.genesis).map_err(|e| format!("genesis does not decode: {e}"))?;
    genesis.check().map_err(|e| e.to_string())?;
    let changes = evidence.set_changes.iter().chain(later);
    let followed = light::follow_changes(evidence.fingerprint(), genesis.validator_set(), 1, changes);
    let (set, _) = followed.map_err(|e| e.to_string())?;
    let policy = Policy::of_validators(&genesis, &set).map_err(|e| e.to_string())?;
    Ok((genesis, set, policy))
}

/// `cosignatures`, `policy` and `receipt`.
fn check_log(package: &Package, evidence: &Evidence, report: &mut Report) {
    let Some(log) = &package.log else {
        report.skip(CheckName::Policy, "this package carries no cosigned checkpoint");
        return report.skip(CheckName::Receipt, "this package carries no receipt");
    };
    let derived = policy(evidence, &log.later);
    let cosigned = derived.as_ref().map_err(Clone::clone).and_then(|(_, _, policy)| cosigned(log, evidence, policy));
    let (outcome, detail) = match &cosigned {
        Ok((_, detail)) => (Outcome::Pass, detail.clone()),
        Err(reason) => (Outcome::Fail(reason.clone()), reason.clone()),
    };
    if let Some(check) = report.checks.iter_mut().find(|check| check.name == CheckName::Cosignatures) {
        *check = Check { name: CheckName::Cosignatures, outcome, detail };
    }
    let same = derived.as_ref().map_err(Clone::clone).and_then(|(_, set, policy)| {
        let same = package.policy.as_deref() == Some(&policy.to_text());
        let found = format!("{} of {} validators must cosign", set.len() * 2 / 3 + 1, set.len());
        same.then_some(found).ok_or("policy.txt is not what follows from the validator set".into())
    });
    report.add(CheckName::Policy, same);
    let Some(receipt) = &log.receipt else {
        let reason = if evidence.statement().is_some() {
            "this package carries no receipt"
        } else {
            "the record is no registered statement"
        };
        return report.skip(CheckName::Receipt, reason);
    };
    let received = derived.and_then(|(genesis, set, _)| {
        let (proof, _) = cosigned?;
        check_receipt(receipt, evidence, &proof, &genesis, &set)
    });
    report.add(CheckName::Receipt, received);
}

/// The proof, if it leads from the evidence's own entry to a checkpoint that the policy accepts.
fn cosigned(log: &LogProof, evidence: &Evidence, policy: &Policy) -> Result<(Proof, String), String> {
    let Subject::Act { record, index, .. } = &evidence.subject else {
        return Err("a state has no place in the log; its package carries no log proof".into());
    };
    let entry = match record {
        Record::Transaction(bytes) => call_entry(bytes),
        Record::Digest(bytes) => bytes.clone(),
    };
    let proof = read_proof(&log.proof)?;
    only_known(policy, &proof)?;
    if proof.index != *index {
        return Err(format!("the proof is about entry {}, the evidence about entry {index}", proof.index));
    }
    let proven = proof.verify(&entry, policy).map_err(|e| e.to_string())?;
    let detail = format!("{} validators cosigned a log of {} entries", proven.accepted.cosigners.len(), proven.size);
    Ok((proof, detail))
}

/// The receipt is of the statement inside the call, by a validator's log key, over the root that the others cosigned.
fn check_receipt(
    bytes: &[u8],
    evidence: &Evidence,
    proof: &Proof,
    genesis: &Genesis,
    set: &ValidatorSet,
) -> Result<String, String> {
    let statement = evidence.statement().ok_or("the record is no registered statement, yet there is a receipt")?;
    let receipt = Receipt::from_bytes(bytes).map_err(|e| e.to_string())?;
    let key = set.validators().iter().map(|v| v.log_key).find(|key| key_thumbprint(key) == receipt.kid);
    let key = key.ok_or("the receipt is signed by no validator of the set")?;
    receipt.verify(&statement, &origin(genesis), &key).map_err(|e| e.to_string())?;
    // The signature covers the root alone; size and path are held to the checkpoint's.
    let checkpoint = &proof.checkpoint.checkpoint;
    let root: Option<Hash> = inclusion_root(&statement, receipt.index, receipt.size, &receipt.path);
    match receipt.size == checkpoint.size && root == Some(checkpoint.root) {
        true => Ok(format!("statement at entry {}", receipt.index)),
        false => Err("the receipt is not under the checkpoint of the proof".into()),
    }
}

fn check_city(evidence: &Evidence, city: Option<City<'_>>, report: &mut Report) {
    let Some(city) = city else { return };
    let (outcome, detail) = match city.trust.map(|trust| check_history(evidence, &city, trust)) {
        Some(Ok(detail)) => (Outcome::Pass, detail),
        Some(Err(reason)) => (Outcome::Fail(reason.clone()), reason),
        None => {
            let reason = "no fingerprint of the city chain was given".to_owned();
            (Outcome::NotApplicable(reason.clone()), reason)
        }
    };
    if let Some(check) = report.checks.iter_mut().find(|check| check.name == CheckName::History) {
        *check = Check { name: CheckName::History, outcome, detail };
    }
}

/// Reports are made from the evidence; one that says anything else is refused.
fn check_reports(package: &Package, evidence: &Evidence, core: &Report, report: &mut Report) {
    let Some([zh, en]) = page::pages(evidence, core, package.log.as_ref(), package.city_proof.is_some()) else {
        return report.skip(CheckName::Reports, "evidence that fails a check has no report");
    };
    let same = zh == package.report_zh && en == package.report_en;
    let verdict = same.then(|| "both say what the evidence says".to_owned());
    report.add(CheckName::Reports, verdict.ok_or("a report says something else than the evidence".into()));
}

/// What contradicts the evidence fails; the rest is the maker's word.
fn check_provenance(package: &Package, evidence: &Evidence, report: &mut Report) {
    let provenance = &package.provenance;
    let chain = Genesis::from_bytes(&evidence.genesis).map(|genesis| genesis.chain_id);
    if chain.ok().as_ref() != Some(&provenance.chain) || provenance.fingerprint != evidence.fingerprint() {
        report.add(CheckName::Provenance, Err("the package says that it was made from another chain".into()));
        return;
    }
    report.skip(CheckName::Provenance, "who made the package, and when, is its maker's word alone");
}
