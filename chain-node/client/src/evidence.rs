//! Whether a package is evidence for the question that was asked, of the chain that is trusted.

use chain_types::encoding::Decode;
use chain_types::evidence::package::{Package, verify_file};
use chain_types::evidence::{Evidence, Inputs, Record, Report, Subject};
use chain_types::{Fingerprint, Hash, TxId};

use crate::error::Error;

/// Evidence that has been verified against the fingerprint and fits its question.
#[derive(Debug, Clone)]
pub struct Proven {
    /// What was asked for, `evidence.cbor` or the package around it, to be kept or handed on.
    pub bytes: Vec<u8>,
    pub evidence: Evidence,
    pub report: Report,
}

/// What evidence is asked for.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Transaction(TxId),
    Entry(u64),
    Digest(Hash),
    State(Vec<u8>),
}

pub(crate) fn check(bytes: &[u8], trust: Fingerprint, wanted: &Wanted) -> Result<Proven, Error> {
    let report = verify_file(bytes, &Inputs { trust: Some(trust), file: None });
    if let Some(failed) = report.failures().next() {
        return Err(Error::unverified(format!("check {}: {}", failed.name.code(), failed.detail)));
    }
    let evidence = match Package::is_meant(bytes) {
        true => Evidence::from_bytes(&Package::from_bytes(bytes).map_err(Error::unverified)?.evidence),
        false => Evidence::from_bytes(bytes),
    };
    let evidence = evidence.map_err(Error::unverified)?;
    let fits = match (wanted, &evidence.subject) {
        (Wanted::Transaction(id), Subject::Act { record: Record::Transaction(_), .. }) => report.tx == Some(*id),
        (Wanted::Entry(index), Subject::Act { .. }) => report.index == Some(*index),
        (Wanted::Digest(digest), Subject::Act { record: Record::Digest(_), .. }) => report.digest == Some(*digest),
        (Wanted::State(key), Subject::State(proof)) => proof.key == *key,
        _ => false,
    };
    match fits && report.is_valid() {
        true => Ok(Proven { bytes: bytes.to_vec(), evidence, report }),
        false => Err(Error::unverified("the evidence is about something else than was asked")),
    }
}

impl Proven {
    /// The record of a state, if that is what is proven.
    pub fn state_value(&self) -> Option<&[u8]> {
        match &self.evidence.subject {
            Subject::State(proof) => Some(&proof.value),
            Subject::Act { .. } => None,
        }
    }
}
