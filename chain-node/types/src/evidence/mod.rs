//! Evidence: a portable package that proves one record to somebody who has only a genesis fingerprint (DESIGN §4.5).
//!
//! `evidence.cbor` is one deterministic CBOR array:
//! `["citychain/evidence/1", genesis, set changes, subject, account, sealing header, commit certificate]`.
//! The sealing header is the one after the block: it commits to what the block did, and its certificate covers the block
//! itself as its parent. An act is proven by its place in the log; a state by its record under `state_root`.

mod city;
pub mod package;
mod report;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

pub use city::{City, CityProof, Link, MAX_LINK_HEADERS};
pub use report::{Check, CheckName, Outcome, Report};
pub use verify::{Inputs, verify, verify_with_city};

use crate::block::Header;
use crate::bytes::{Fingerprint, Hash};
use crate::certificate::CommitCertificate;
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::state::StateProof;
use crate::transaction::Transaction;
use crate::validator::ValidatorSet;

const DOMAIN: &str = "citychain/evidence/1";
/// Set changes that a package may carry; each costs a reader three signature checks.
const MAX_SET_CHANGES: usize = 10_000;
/// Steps of a path in a log of 2^64 entries.
const MAX_PATH: usize = 64;

/// A header, certified by the set before it, that names another set as its successor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetChange {
    pub header: Header,
    pub certificate: CommitCertificate,
    pub next: ValidatorSet,
}

/// The log entry that an act left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// The signed call, verbatim.
    Transaction(Vec<u8>),
    /// A [`crate::log_entry::DigestEntry`] of an anchor call; the call itself is left out.
    Digest(Vec<u8>),
}

/// What is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "a package has one subject and is handled alone")]
pub enum Subject {
    Act {
        record: Record,
        /// Place in the log, from 0.
        index: u64,
        /// RFC 6962 path to the sealing header's `log_root`.
        path: Vec<Hash>,
        /// The block that applied the call.
        block: Header,
    },
    State(StateProof),
}

/// The package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Genesis as CBOR; its hash is the chain's fingerprint.
    pub genesis: Vec<u8>,
    /// From genesis' validator set to the one that sealed the block.
    pub set_changes: Vec<SetChange>,
    pub subject: Subject,
    /// The signer's account record under the sealing header's `state_root`.
    pub account: Option<StateProof>,
    pub sealing: Header,
    pub certificate: CommitCertificate,
}

impl Evidence {
    /// What the package says its chain is; believe it only after comparing it with a fingerprint from elsewhere.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Hash::of(&self.genesis).0)
    }

    /// The statement that the call registered (`chain/anchor.register`), if that is what it did.
    pub fn statement(&self) -> Option<Vec<u8>> {
        let Subject::Act { record: Record::Transaction(bytes), .. } = &self.subject else { return None };
        let tx = Transaction::decode(bytes).ok()?;
        let call = tx.call();
        let pairs = call.args.as_map().filter(|_| call.instance == "anchor" && call.method == "register")?;
        let statement = pairs.iter().find(|(name, _)| name.as_text() == Some("statement"));
        statement.and_then(|(_, value)| value.as_bytes().cloned())
    }

    /// Milliseconds since 1970: the block of an act, the sealing header of a state.
    pub fn time_ms(&self) -> u64 {
        match &self.subject {
            Subject::Act { block, .. } => block.time_ms,
            Subject::State(_) => self.sealing.time_ms,
        }
    }
}

impl Encode for Evidence {
    fn encode(&self, w: &mut Writer) {
        w.array(7).text(DOMAIN).bytes(&self.genesis).array(self.set_changes.len());
        for change in &self.set_changes {
            change.encode(w);
        }
        match &self.subject {
            Subject::Act { record, index, path, block } => {
                let (kind, bytes) = match record {
                    Record::Transaction(bytes) => ("transaction", bytes),
                    Record::Digest(bytes) => ("digest", bytes),
                };
                w.array(5).text(kind).bytes(bytes).uint(*index).array(path.len());
                for hash in path {
                    hash.encode(w);
                }
                block.encode(w);
            }
            Subject::State(proof) => {
                w.array(2).text("state");
                proof.encode(w);
            }
        }
        match &self.account {
            Some(proof) => proof.encode(w),
            None => drop(w.null()),
        }
        self.sealing.encode(w);
        self.certificate.encode(w);
    }
}

impl Decode for Evidence {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 7)?;
        let genesis = r.bytes()?.to_vec();
        let n = r.array()?;
        if n > MAX_SET_CHANGES {
            return Err(r.invalid("number of set changes"));
        }
        let set_changes = (0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?;
        Ok(Self {
            genesis,
            set_changes,
            subject: decode_subject(r)?,
            account: if r.null() { None } else { Some(Decode::decode(r)?) },
            sealing: Decode::decode(r)?,
            certificate: Decode::decode(r)?,
        })
    }
}

impl Encode for SetChange {
    fn encode(&self, w: &mut Writer) {
        w.array(3);
        self.header.encode(w);
        self.certificate.encode(w);
        self.next.encode(w);
    }
}

impl Decode for SetChange {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(3)?;
        Ok(Self { header: Decode::decode(r)?, certificate: Decode::decode(r)?, next: Decode::decode(r)? })
    }
}

fn decode_subject(r: &mut Reader<'_>) -> Result<Subject, DecodeError> {
    let n = r.array()?;
    match (r.text()?, n) {
        ("state", 2) => Ok(Subject::State(Decode::decode(r)?)),
        (kind @ ("transaction" | "digest"), 5) => {
            let bytes = r.bytes()?.to_vec();
            let record = if kind == "digest" { Record::Digest(bytes) } else { Record::Transaction(bytes) };
            let index = r.uint()?;
            let n = r.array()?;
            if n > MAX_PATH {
                return Err(r.invalid("number of path steps"));
            }
            let path = (0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?;
            Ok(Subject::Act { record, index, path, block: Decode::decode(r)? })
        }
        _ => Err(r.invalid("subject")),
    }
}
