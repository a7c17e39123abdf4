//! A light client of another chain: from a validator set that is trusted to a later header, set change by set change, each
//! certified by more than two thirds of the set before it (ICS-07 with adjacent sets, so that no trust level is needed).
//!
//! Evidence follows the sets since genesis; a chain that witnesses another follows them since the header that it stored
//! last. Both call [`follow`]. How old trust may be and what two certified headers at one height mean is decided where
//! state is: in the runtime's module `clients`.

mod stored;
mod update;

pub use stored::{CLIENTS, StoredHeader, client_key, header_key, header_prefix};
pub use update::{MAX_UPDATE_BYTES, MAX_UPDATE_CHANGES, Update, UpdateError};

use crate::block::Header;
use crate::bytes::Fingerprint;
use crate::certificate::CertificateError;
use crate::evidence::SetChange;
use crate::validator::ValidatorSet;

/// Why a header does not follow from a trusted set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    #[error("the set change at height {0} does not follow the one before")]
    Order(u64),
    #[error("the set after height {0} is not the one its header names")]
    OtherSet(u64),
    #[error("the set change at height {height}: {error}")]
    Certificate { height: u64, error: CertificateError },
    #[error("the sealing header names another validator set")]
    Header,
}

/// The set that decides `header`, given the set `first` that decides height `from`.
///
/// # Errors
///
/// As [`follow_changes`], or the header is not one that the set they lead to decides.
pub fn follow(
    chain: Fingerprint,
    first: ValidatorSet,
    from: u64,
    changes: &[SetChange],
    header: &Header,
) -> Result<ValidatorSet, FollowError> {
    let (set, from) = follow_changes(chain, first, from, changes)?;
    match header.fingerprint == chain && header.height >= from && header.validators_hash == set.hash() {
        true => Ok(set),
        false => Err(FollowError::Header),
    }
}

/// The set that a series of changes leads to, and the first height that it decides; `first` decides height `from`.
///
/// # Errors
///
/// The first change that another chain, another set or too few signatures stand behind.
pub fn follow_changes<'c>(
    chain: Fingerprint,
    first: ValidatorSet,
    from: u64,
    changes: impl IntoIterator<Item = &'c SetChange>,
) -> Result<(ValidatorSet, u64), FollowError> {
    let (mut set, mut from) = (first, from);
    for change in changes {
        let at = &change.header;
        let next = at.height.checked_add(1).ok_or(FollowError::Order(at.height))?;
        if at.fingerprint != chain || at.height < from || at.validators_hash != set.hash() {
            return Err(FollowError::Order(at.height));
        }
        if change.next.hash() != at.next_validators_hash {
            return Err(FollowError::OtherSet(at.height));
        }
        let verdict = change.certificate.verify(chain, at.height, at.id(), &set);
        verdict.map_err(|error| FollowError::Certificate { height: at.height, error })?;
        (set, from) = (change.next.clone(), next);
    }
    Ok((set, from))
}
