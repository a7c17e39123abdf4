//! The package `.evp`: evidence together with what other verifiers and people want beside it, in one file.
//!
//! `evidence.cbor` is the core and is all that is needed to be convinced; the members around it say the same in other
//! standards' words (tlog-proof, tlog-policy, COSE receipt), lead further (city proof), or are for reading (reports,
//! provenance). Each is tied to the core by a check of its own, or a check says that it is not proven.

mod page;
mod verify;
mod zip;

#[cfg(test)]
mod tests;

pub use verify::verify_package;
pub use zip::ZipError;

use serde::{Deserialize, Serialize};

use super::{Evidence, Inputs, Report, SetChange};
use crate::bytes::Fingerprint;
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::tlog::{Policy, Proof};

/// Media type of a package.
pub const MEDIA_TYPE: &str = "application/vnd.citychain.evidence+zip";
/// The largest package that is read, in bytes.
pub const MAX_PACKAGE_BYTES: usize = 32 << 20;

const MIB: usize = 1 << 20;
/// Members in their order.
const MEMBERS: &zip::Members = &[
    ("evidence.cbor", 16 * MIB),
    ("proof.tlog-proof", MIB / 4),
    ("policy.txt", MIB / 4),
    ("sets.cbor", 8 * MIB),
    ("receipt.cose", MIB / 64),
    ("city-proof.cbor", 4 * MIB),
    ("provenance.json", MIB / 256),
    ("report.zh.html", MIB / 16),
    ("report.en.html", MIB / 16),
];

/// Why bytes are not a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    #[error("a package has at most {MAX_PACKAGE_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    Zip(#[from] ZipError),
    #[error("the package has no member `{0}`")]
    Missing(&'static str),
    #[error("member `{0}` is not in its one form")]
    Form(&'static str),
    #[error("the package carries `{0}` without a `{1}` to go with it")]
    Alone(&'static str, &'static str),
    #[error("no package can be made of this evidence: {0}")]
    Evidence(String),
}

/// Who put a package together. Nobody signs it: it helps to ask back, and proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The chain's label.
    pub chain: String,
    pub fingerprint: Fingerprint,
    /// Name of the node or program.
    pub made_by: String,
    pub version: String,
    /// Milliseconds since 1970, by the maker's clock.
    pub made_at_ms: u64,
}

/// The record's place in the log under a checkpoint that validators cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// As a `.tlog-proof` file.
    pub proof: String,
    /// Set changes after those of the evidence, up to the set that cosigned; usually none.
    pub later: Vec<SetChange>,
    /// A registered statement's receipt (RFC 9942) under the same checkpoint.
    pub receipt: Option<Vec<u8>>,
}

/// A package that was read, or is to be written. What its members say is for [`verify_package`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// `evidence.cbor`.
    pub evidence: Vec<u8>,
    pub log: Option<LogProof>,
    pub policy: Option<String>,
    /// What the city chain holds of this chain.
    pub city_proof: Option<Vec<u8>>,
    pub provenance: Provenance,
    pub report_zh: String,
    pub report_en: String,
}

impl Package {
    /// Puts a package together: derives policy and reports from the evidence. The same parts give the same bytes.
    ///
    /// Fails if the evidence fails a check, trusting its own fingerprint.
    pub fn new(
        evidence: Vec<u8>,
        log: Option<LogProof>,
        city_proof: Option<Vec<u8>>,
        provenance: Provenance,
    ) -> Result<Self, PackageError> {
        let refused = |reason: String| PackageError::Evidence(reason);
        let read = Evidence::from_bytes(&evidence).map_err(|e| refused(e.to_string()))?;
        let report = super::verify(&evidence, &Inputs { trust: Some(read.fingerprint()), file: None });
        let pages = page::pages(&read, &report, log.as_ref(), city_proof.is_some());
        let pages = pages.ok_or_else(|| refused("it fails a check".into()))?;
        let policy = log.as_ref().map(|log| verify::policy(&read, &log.later).map(|(_, _, policy)| policy.to_text()));
        let policy = policy.transpose().map_err(refused)?;
        let [report_zh, report_en] = pages;
        Ok(Self { evidence, log, policy, city_proof, provenance, report_zh, report_en })
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let later = self.log.as_ref().map(|log| log.later.as_slice()).unwrap_or_default();
        let sets = (!later.is_empty()).then(|| encode_sets(later));
        let provenance = self.provenance.to_text();
        let text = |text: &'static str, of: Option<&String>| of.map(|of| (text, of.clone().into_bytes()));
        let bytes = |name: &'static str, of: Option<&Vec<u8>>| of.map(|of| (name, of.clone()));
        let log = self.log.as_ref();
        let members = [
            bytes("evidence.cbor", Some(&self.evidence)),
            text("proof.tlog-proof", log.map(|log| &log.proof)),
            text("policy.txt", self.policy.as_ref()),
            bytes("sets.cbor", sets.as_ref()),
            bytes("receipt.cose", log.and_then(|log| log.receipt.as_ref())),
            bytes("city-proof.cbor", self.city_proof.as_ref()),
            text("provenance.json", Some(&provenance)),
            text("report.zh.html", Some(&self.report_zh)),
            text("report.en.html", Some(&self.report_en)),
        ];
        let members: Vec<_> = members.iter().flatten().map(|(name, bytes)| (*name, bytes.as_slice())).collect();
        zip::write(&members)
    }

    /// Reads a package strictly: its one ZIP form, closed names, members that belong together. Verifies nothing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PackageError> {
        if bytes.len() > MAX_PACKAGE_BYTES {
            return Err(PackageError::TooLarge);
        }
        let found: [Option<&[u8]>; 9] =
            zip::read(bytes, MEMBERS)?.try_into().map_err(|_| PackageError::Zip(ZipError::Form))?;
        let [evidence, proof, policy, sets, receipt, city_proof, provenance, report_zh, report_en] = found;
        let sets = sets.map(|b| decode_sets(b).map_err(|_| PackageError::Form("sets.cbor"))).transpose()?;
        let log = match proof {
            Some(proof) => Some(LogProof {
                proof: text("proof.tlog-proof", Some(proof))?,
                later: sets.unwrap_or_default(),
                receipt: receipt.map(<[u8]>::to_vec),
            }),
            None if sets.is_some() => return Err(PackageError::Alone("sets.cbor", "proof.tlog-proof")),
            None if receipt.is_some() => return Err(PackageError::Alone("receipt.cose", "proof.tlog-proof")),
            None => None,
        };
        let policy = policy.map(|policy| text("policy.txt", Some(policy))).transpose()?;
        match (&log, &policy) {
            (Some(_), None) => return Err(PackageError::Alone("proof.tlog-proof", "policy.txt")),
            (None, Some(_)) => return Err(PackageError::Alone("policy.txt", "proof.tlog-proof")),
            _ => {}
        }
        Ok(Self {
            evidence: evidence.ok_or(PackageError::Missing("evidence.cbor"))?.to_vec(),
            log,
            policy,
            city_proof: city_proof.map(<[u8]>::to_vec),
            provenance: Provenance::from_text(&text("provenance.json", provenance)?)?,
            report_zh: text("report.zh.html", report_zh)?,
            report_en: text("report.en.html", report_en)?,
        })
    }

    /// Whether bytes are meant as a package rather than as `evidence.cbor`.
    pub fn is_meant(bytes: &[u8]) -> bool {
        bytes.starts_with(b"PK")
    }
}

/// Verifies a file, whichever of the two it is: a package or `evidence.cbor`.
pub fn verify_file(bytes: &[u8], inputs: &Inputs) -> Report {
    verify_file_with_city(bytes, inputs, None, None)
}

/// Verifies a file and its history, by the proof that is given or the package's own, of the city chain that is trusted.
pub fn verify_file_with_city(bytes: &[u8], inputs: &Inputs, proof: Option<&[u8]>, city: Option<Fingerprint>) -> Report {
    if Package::is_meant(bytes) {
        return verify::verify_package_with_city(bytes, inputs, proof, city);
    }
    let city = proof.map(|proof| super::City { proof, trust: city });
    super::verify_with_city(bytes, inputs, city.as_ref())
}

impl Provenance {
    fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    fn from_text(text: &str) -> Result<Self, PackageError> {
        let read: Option<Self> = serde_json::from_str(text).ok();
        read.filter(|read| read.to_text() == text).ok_or(PackageError::Form("provenance.json"))
    }
}

fn text(name: &'static str, bytes: Option<&[u8]>) -> Result<String, PackageError> {
    let bytes = bytes.ok_or(PackageError::Missing(name))?;
    String::from_utf8(bytes.to_vec()).map_err(|_| PackageError::Form(name))
}

fn encode_sets(changes: &[SetChange]) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(changes.len());
    for change in changes {
        change.encode(&mut w);
    }
    w.into_bytes()
}

/// At least one: none is written as no member.
fn decode_sets(bytes: &[u8]) -> Result<Vec<SetChange>, DecodeError> {
    let mut r = Reader::new(bytes);
    let n = r.array()?;
    if !(1..=super::MAX_SET_CHANGES).contains(&n) {
        return Err(r.invalid("number of set changes"));
    }
    let changes = (0..n).map(|_| Decode::decode(&mut r)).collect::<Result<_, _>>()?;
    r.end()?;
    Ok(changes)
}

/// The parts of a log proof, as a verifier reads them.
fn read_proof(text: &str) -> Result<Proof, String> {
    let proof = Proof::parse(text).map_err(|e| e.to_string())?;
    // What nobody signed could be changed by anybody.
    match proof.extra.is_none() && proof.to_text() == text {
        true => Ok(proof),
        false => Err("the proof is not in its one form".into()),
    }
}

/// Every signature line must be by a key of the policy: others prove nothing and could be put there by anybody.
fn only_known(policy: &Policy, proof: &Proof) -> Result<(), String> {
    match proof.checkpoint.signatures.iter().find(|line| !policy.names(line)) {
        Some(line) => {
            Err(format!("the checkpoint carries a signature of `{}`, whom the policy does not name", line.name))
        }
        None => Ok(()),
    }
}
