//! The step from a stored header to a later one, as one byte string: the argument of the calls that feed a light client.
//!
//! `["citychain/light-update/1", base height, set changes, header, commit certificate, log consistency path]`.

use super::{FollowError, follow};
use crate::block::Header;
use crate::bytes::{Fingerprint, Hash};
use crate::certificate::{CertificateError, CommitCertificate};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::evidence::SetChange;
use crate::merkle::{empty_root, verify_consistency};
use crate::validator::ValidatorSet;

const DOMAIN: &str = "citychain/light-update/1";
/// Set changes of one step. More of them are several steps, each ending at a header that names another set.
pub const MAX_UPDATE_CHANGES: usize = 8;
/// A step with that many changes of the largest sets is smaller.
pub const MAX_UPDATE_BYTES: usize = 128 * 1024;
/// Hashes of a consistency path in a log of 2^64 entries.
const MAX_CONSISTENCY: usize = 65;

/// A header with all that makes it follow from a stored one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// Height of the stored header that trust begins with; 0 is genesis.
    pub base: u64,
    /// From the set that certified the base; the base itself may be the first.
    pub set_changes: Vec<SetChange>,
    pub header: Header,
    pub certificate: CommitCertificate,
    /// RFC 9162 §2.1.4, from the base's log to the header's.
    pub consistency: Vec<Hash>,
}

/// Why a step is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    #[error(transparent)]
    Sets(#[from] FollowError),
    #[error("the header: {0}")]
    Certificate(#[from] CertificateError),
    #[error("the header's log does not continue the one before")]
    Log,
}

impl UpdateError {
    /// A stable name, for refusals.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Sets(_) => "sets",
            Self::Certificate(_) => "certificate",
            Self::Log => "log",
        }
    }
}

impl Update {
    /// Checks sets and signatures, given the set that decided the base (for genesis: its own). Gives the header's set.
    pub fn certified_by(&self, chain: Fingerprint, base_set: ValidatorSet) -> Result<ValidatorSet, UpdateError> {
        let set = follow(chain, base_set, self.base.max(1), &self.set_changes, &self.header)?;
        self.certificate.verify(chain, self.header.height, self.header.id(), &set)?;
        Ok(set)
    }

    /// Whether the header's log has the base's for its beginning.
    pub fn continues_log(&self, base_size: u64, base_root: &Hash) -> Result<(), UpdateError> {
        let (size, root) = (self.header.log_size, &self.header.log_root);
        let holds = match base_size {
            // Nothing was to be kept; RFC 9162 knows no proof of that.
            0 => *base_root == empty_root() && self.consistency.is_empty(),
            _ => verify_consistency(base_size, size, &self.consistency, base_root, root),
        };
        if holds { Ok(()) } else { Err(UpdateError::Log) }
    }
}

impl Encode for Update {
    fn encode(&self, w: &mut Writer) {
        w.array(6).text(DOMAIN).uint(self.base).array(self.set_changes.len());
        for change in &self.set_changes {
            change.encode(w);
        }
        self.header.encode(w);
        self.certificate.encode(w);
        w.array(self.consistency.len());
        for hash in &self.consistency {
            hash.encode(w);
        }
    }
}

impl Decode for Update {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 6)?;
        let base = r.uint()?;
        let n = r.array()?;
        if n > MAX_UPDATE_CHANGES {
            return Err(r.invalid("number of set changes"));
        }
        let set_changes = (0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?;
        let (header, certificate) = (Decode::decode(r)?, Decode::decode(r)?);
        let n = r.array()?;
        if n > MAX_CONSISTENCY {
            return Err(r.invalid("number of consistency hashes"));
        }
        let consistency = (0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?;
        Ok(Self { base, set_changes, header, certificate, consistency })
    }
}
