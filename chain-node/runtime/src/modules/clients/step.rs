//! Whether a header follows from a stored one. Cheap questions first: signatures are checked only of what could be stored.

use chain_types::encoding::Decode;
use chain_types::light::{MAX_UPDATE_BYTES, StoredHeader, Update, UpdateError, header_key};
use chain_types::manifest::Code;
use chain_types::{Fingerprint, ValidatorSet};

use super::state::{Client, VALIDATORS, validators_id};
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::state::StateError;

/// How far the other chain's clock may be ahead of this one's.
pub const MAX_DRIFT_MS: u64 = 10_000;

/// A step whose header follows from `base` by the signatures of `set`.
pub struct Step {
    pub update: Update,
    pub base: StoredHeader,
    pub set: ValidatorSet,
}

pub fn invalid<T>(reason: &str) -> CallResult<T> {
    refuse(Code::UpdateInvalid, [("reason", reason.to_owned())])
}

pub fn decode(bytes: &[u8]) -> CallResult<Update> {
    let decoded = (bytes.len() <= MAX_UPDATE_BYTES).then(|| Update::from_bytes(bytes).ok()).flatten();
    decoded.map_or_else(|| invalid("form"), Ok)
}

/// The stored header that a step begins with.
pub fn base(call: &mut CallContext<'_, '_>, chain: &Fingerprint, height: u64) -> CallResult<StoredHeader> {
    let found = call.state.get(&header_key(chain, height))?;
    found.map_or_else(|| invalid("base"), Ok)
}

/// Refuses trust that is too old: whoever held keys then may hold them no more.
pub fn ensure_fresh(
    call: &CallContext<'_, '_>,
    chain: &Fingerprint,
    client: &Client,
    base: &StoredHeader,
) -> CallResult {
    // Genesis counts from when an administrator vouched for it, however old the chain was.
    let since = if base.height == 0 { base.stored_ms } else { base.time_ms };
    let until = since.saturating_add(client.trusting_period_ms);
    ensure(call.block.time_ms < until, Code::ClientExpired, || [("chain", chain.to_string())])
}

/// Refuses what no certificate can make good, then checks the certificates.
pub fn verify(
    call: &mut CallContext<'_, '_>,
    chain: &Fingerprint,
    update: Update,
    base: StoredHeader,
) -> CallResult<Step> {
    let latest = call.block.time_ms.saturating_add(MAX_DRIFT_MS);
    ensure(update.header.time_ms <= latest, Code::TimeInFuture, || {
        [("field", "header".to_owned()), ("limit_ms", MAX_DRIFT_MS.to_string())]
    })?;
    let set = call.get(VALIDATORS, &validators_id(chain, &base.validators_hash))?;
    let set = set.ok_or_else(|| StateError("a stored header's validators are not stored".into()))?;
    match update.certified_by(*chain, ValidatorSet::new(set)) {
        Ok(set) => Ok(Step { update, base, set }),
        Err(e) => refuse_error(&e),
    }
}

pub fn refuse_error<T>(error: &UpdateError) -> CallResult<T> {
    invalid(error.code())
}

impl Step {
    /// Whether no one chain can have both headers: time goes back, the log shrinks or differs at one size, or another set
    /// goes on than the base names.
    pub fn contradicts_base(&self) -> bool {
        let (header, base) = (&self.update.header, &self.base);
        let at_base = self.update.set_changes.first().map(|change| &change.header).filter(|h| h.height == base.height);
        let other_set = match at_base {
            Some(change) => change.id() != base.id,
            None => base.next_validators_hash != base.validators_hash,
        };
        other_set
            || header.time_ms <= base.time_ms
            || header.log_size < base.log_size
            || header.log_size == base.log_size && header.log_root != base.log_root
    }
}
