//! Checks a package, offline, trusting only a genesis fingerprint.
//!
//! Every check is made whatever became of the others, so that a report names all that is wrong; a fact enters the report
//! only through the check that establishes it.

use super::city::{City, check_history};
use super::report::{CheckName, Report};
use super::{Evidence, Record, Subject};
use crate::block::Header;
use crate::bytes::{Fingerprint, Hash, PublicKey};
use crate::encoding::{Decode, Value};
use crate::light;
use crate::log_entry::{DigestEntry, call_entry};
use crate::merkle;
use crate::validator::ValidatorSet;
use crate::{Genesis, Transaction};

/// What a reader brings along.
#[derive(Debug, Clone, Copy, Default)]
pub struct Inputs {
    /// The chain that is trusted; without it the `genesis` check does not apply and nothing ties the package to a chain.
    pub trust: Option<Fingerprint>,
    /// SHA-256 of the original file.
    pub file: Option<Hash>,
}

/// Verifies `evidence.cbor` alone: `history` does not apply.
pub fn verify(bytes: &[u8], inputs: &Inputs) -> Report {
    verify_with_city(bytes, inputs, None)
}

/// Verifies `evidence.cbor`, and its history by what the city chain stored of the chain.
pub fn verify_with_city(bytes: &[u8], inputs: &Inputs, city: Option<&City<'_>>) -> Report {
    let mut report = Report::default();
    let evidence = match Evidence::from_bytes(bytes) {
        Ok(evidence) => evidence,
        Err(e) => {
            report.add(CheckName::Format, Err(format!("not an evidence package: {e}")));
            return report;
        }
    };
    report.add(CheckName::Format, Ok(format!("{} bytes", bytes.len())));
    check_chain(&evidence, inputs, &mut report);
    let signer = check_subject(&evidence, &mut report);
    check_account(&evidence, signer, &mut report);
    check_file(&evidence, inputs, &mut report);
    match city.map(|city| (city, city.trust)) {
        None => report.skip(CheckName::History, "this package carries no city-chain proof"),
        Some((_, None)) => report.skip(CheckName::History, "no fingerprint of the city chain was given"),
        Some((city, Some(trust))) => drop(report.add(CheckName::History, check_history(&evidence, city, trust))),
    }
    report.skip(CheckName::Cosignatures, "this package carries no cosigned checkpoint");
    report
}

fn check_chain(evidence: &Evidence, inputs: &Inputs, report: &mut Report) {
    let genesis = Genesis::from_bytes(&evidence.genesis).map_err(|e| format!("genesis does not decode: {e}"));
    let genesis = genesis.and_then(|g| g.check().map_err(|e| e.to_string()).map(|()| g));
    let fingerprint = evidence.fingerprint();
    match (&genesis, inputs.trust) {
        (Err(e), _) => drop(report.add(CheckName::Genesis, Err(e.clone()))),
        (Ok(_), Some(trust)) if trust != fingerprint => {
            let reason = format!("the package is about chain {fingerprint}, you trust {trust}");
            report.add(CheckName::Genesis, Err(reason));
        }
        (Ok(genesis), Some(_)) => {
            report.add(CheckName::Genesis, Ok(format!("{} {fingerprint}", genesis.chain_id)));
            report.fingerprint = Some(fingerprint);
            report.learn_genesis(genesis);
        }
        (Ok(genesis), None) => {
            report.skip(CheckName::Genesis, "no fingerprint was given to compare with");
            report.learn_genesis(genesis);
        }
    }
    let follow = |first| light::follow(fingerprint, first, 1, &evidence.set_changes, &evidence.sealing);
    let set = genesis.and_then(|genesis| follow(genesis.validator_set()).map_err(|e| e.to_string()));
    let count = |set: &ValidatorSet| format!("{} validators, {} changes", set.len(), evidence.set_changes.len());
    report.add(CheckName::Validators, set.as_ref().map(count).map_err(Clone::clone));
    let certified = set.and_then(|set| {
        let sealing = &evidence.sealing;
        let verdict = evidence.certificate.verify(fingerprint, sealing.height, sealing.id(), &set);
        verdict.map_err(|e| e.to_string())?;
        Ok(format!("{} of {} signed height {}", evidence.certificate.signatures.len(), set.len(), sealing.height))
    });
    report.add(CheckName::Certificate, certified);
}

/// Header, path and signature of what is proven; gives the signer.
fn check_subject(evidence: &Evidence, report: &mut Report) -> Option<PublicKey> {
    let sealing = &evidence.sealing;
    match &evidence.subject {
        Subject::State(proof) => {
            let before = sealing.height.checked_sub(1).map(|height| format!("state after height {height}"));
            if report.add(CheckName::Header, before.ok_or("no state is before height 0".into())) {
                (report.height, report.time_ms) = (Some(sealing.height), Some(sealing.time_ms));
            }
            let steps = proof.siblings.len();
            let path = proof.verify(&sealing.state_root).then(|| format!("{steps} steps to the state root"));
            report.add(CheckName::Path, path.ok_or("the record is not in the state with this root".into()));
            report.skip(CheckName::Signature, "a state is the work of many calls");
            None
        }
        Subject::Act { record, index, path, block } => {
            let sealed = check_sealing(block, sealing, *index);
            if report.add(CheckName::Header, sealed) {
                (report.height, report.time_ms) = (Some(block.height), Some(block.time_ms));
            }
            let entry = match record {
                Record::Transaction(bytes) => call_entry(bytes),
                Record::Digest(bytes) => bytes.clone(),
            };
            let included = merkle::verify_inclusion(&entry, *index, sealing.log_size, path, &sealing.log_root);
            let steps = format!("entry {index} of {}, {} steps", sealing.log_size, path.len());
            let verdict = included.then_some(steps).ok_or("the record is not in the log with this root".into());
            if report.add(CheckName::Path, verdict) {
                report.index = Some(*index);
            }
            check_signature(record, block, included, report)
        }
    }
}

/// The sealing header follows the block, and the entry is one that the block added.
fn check_sealing(block: &Header, sealing: &Header, index: u64) -> Result<String, String> {
    if sealing.parent != block.id() || Some(sealing.height) != block.height.checked_add(1) {
        return Err("the sealing header does not follow the record's block".into());
    }
    if sealing.fingerprint != block.fingerprint || sealing.time_ms <= block.time_ms {
        return Err("the sealing header belongs to another chain or is not later".into());
    }
    match (block.log_size..sealing.log_size).contains(&index) {
        true => Ok(format!("height {}, sealed by {}", block.height, sealing.height)),
        false => Err(format!("entry {index} was not added by block {}", block.height)),
    }
}

/// Gives the signer: of an envelope by its signature, of a digest by its place in the log, where only an applied call
/// could have put it.
fn check_signature(record: &Record, block: &Header, included: bool, report: &mut Report) -> Option<PublicKey> {
    match record {
        Record::Digest(bytes) => {
            let entry = match DigestEntry::from_bytes(bytes) {
                Ok(entry) => entry,
                Err(e) => {
                    report.add(CheckName::Signature, Err(format!("not a digest entry: {e}")));
                    return None;
                }
            };
            report.skip(CheckName::Signature, "the call's envelope is left out of a digest's evidence");
            if !included {
                return None;
            }
            (report.tx, report.digest) = (Some(entry.tx), Some(entry.digest));
            Some(entry.kid)
        }
        Record::Transaction(bytes) => {
            let tx = Transaction::decode(bytes).map_err(|e| e.to_string());
            let tx = tx.and_then(|tx| match tx.call().fingerprint == block.fingerprint {
                true => Ok(tx),
                false => Err("the call was signed for another chain".into()),
            });
            let verdict = tx.as_ref().map_err(Clone::clone).and_then(|tx| match tx.verify() {
                true => Ok(format!("{}.{}.{}", tx.call().app, tx.call().instance, tx.call().method)),
                false => Err("the signature does not verify".into()),
            });
            let verified = report.add(CheckName::Signature, verdict);
            let tx = tx.ok().filter(|_| verified)?;
            report.tx = Some(tx.id());
            Some(tx.kid())
        }
    }
}

fn check_account(evidence: &Evidence, signer: Option<PublicKey>, report: &mut Report) {
    report.signer = signer;
    if evidence.account.is_some() && matches!(evidence.subject, Subject::State(_)) {
        // Nothing would tie the record to the package: bytes that no check covers could be changed unnoticed.
        let reason = "a state has no one signer; its package carries no account record";
        report.add(CheckName::Account, Err(reason.into()));
        return;
    }
    let (Some(proof), Some(signer)) = (&evidence.account, signer) else {
        let reason = if signer.is_some() { "the package carries no account record" } else { "there is no one signer" };
        return report.skip(CheckName::Account, reason);
    };
    let account = proof.account_of(&signer).ok_or("the account record is not the signer's".to_owned());
    let verdict = account.and_then(|account| match proof.verify(&evidence.sealing.state_root) {
        true => Ok(account),
        false => Err("the account record is not in the state with this root".into()),
    });
    let text = |a: &crate::Account| {
        let custody = if a.custody == crate::Custody::Own { "self" } else { "platform" };
        format!("{} of {}, key custody: {custody}", a.label, a.organisation)
    };
    report.add(CheckName::Account, verdict.as_ref().map(text).map_err(Clone::clone));
    report.account = verdict.ok();
}

fn check_file(evidence: &Evidence, inputs: &Inputs, report: &mut Report) {
    let Some(file) = inputs.file else {
        return report.skip(CheckName::File, "no original file was given");
    };
    let holds = match &evidence.subject {
        Subject::Act { record: Record::Digest(bytes), .. } => {
            DigestEntry::from_bytes(bytes).is_ok_and(|entry| entry.digest == file)
        }
        Subject::Act { record: Record::Transaction(bytes), .. } => {
            Transaction::decode(bytes).is_ok_and(|tx| contains(&tx.call().args, &file))
        }
        Subject::State(_) => return report.skip(CheckName::File, "a state holds no file digest"),
    };
    let verdict = match holds {
        true => Ok(format!("sha-256 {file}")),
        false => Err(format!("sha-256 of the file is {file}; the record does not hold it")),
    };
    report.add(CheckName::File, verdict);
}

/// Whether a digest stands anywhere in the arguments of a signed call.
fn contains(args: &Value, digest: &Hash) -> bool {
    match args {
        Value::Bytes(bytes) => bytes.as_slice() == digest.0,
        Value::Array(items) => items.iter().any(|item| contains(item, digest)),
        Value::Map(pairs) => pairs.iter().any(|(_, value)| contains(value, digest)),
        _ => false,
    }
}
