//! Changes of the validator set. A change executed in block h decides from block h+2 on; until that block is there, no
//! other is made, so that every set was proven by the one before it.

use chain_types::genesis::{Governance, Membership};
use chain_types::limits::MAX_VALIDATORS;
use chain_types::manifest::Code;
use chain_types::membership::{Change, ChangeError, MIN_VALIDATORS};
use chain_types::outcome::Refusal;
use chain_types::state::{CHAIN_APP, key};
use chain_types::{PublicKey, Validator, ValidatorSet};
use serde::Serialize;

use super::calls::ChangeValidators;
use super::execute::parameters;
use super::state::{SET_CHANGE, STEWARD, SetChange, VALIDATORS};
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::modules::identity::state::ORGANISATION;
use crate::overlay::Overlay;
use crate::state::StateError;

#[derive(Serialize)]
struct ValidatorsChanged {
    from_height: u64,
    added: Vec<PublicKey>,
    removed: Vec<PublicKey>,
    validators: usize,
}

/// The key that only the provisioner holds. It has no account and acts for no organisation.
pub fn steward(state: &mut Overlay<'_>) -> Result<Option<PublicKey>, StateError> {
    state.get(&key(CHAIN_APP, "governance", STEWARD, b""))
}

/// The steward's own call. Under `governance: self` members decide about their validators whatever `membership` says.
pub fn change(call: &mut CallContext<'_, '_>, args: ChangeValidators) -> CallResult {
    ensure(call.is_steward, Code::NotSteward, || [])?;
    let parameters = parameters(call)?;
    let delegated = parameters.membership == Membership::Delegated && parameters.governance == Governance::Platform;
    ensure(delegated, Code::MembershipByProposal, || [])?;
    carry_out(call, &args.change)
}

/// The set that a change would give now, or why it cannot be made now.
pub fn check(call: &mut CallContext<'_, '_>, change: &Change) -> CallResult<(ValidatorSet, ValidatorSet)> {
    let height = call.block.height;
    let last = call.state.get::<SetChange>(&key(CHAIN_APP, "governance", SET_CHANGE, b""))?;
    if let Some(last) = last.filter(|last| height < last.from_height) {
        return refuse(Code::SetChangePending, [("height", last.from_height.to_string())]);
    }
    if let Some(organisation) = change.organisation() {
        let known = call.state.contains(&key(CHAIN_APP, "identity", ORGANISATION, organisation.as_bytes()))?;
        ensure(known, Code::OrganisationUnknown, || [("organisation", organisation.to_owned())])?;
    }
    let found: Option<Vec<Validator>> = call.state.get(&key(CHAIN_APP, "governance", VALIDATORS, b""))?;
    let set = ValidatorSet::new(found.ok_or_else(|| StateError("the state has no validators".into()))?);
    let next = change.apply(&set).map_err(refusal)?;
    Ok((set, next))
}

pub fn carry_out(call: &mut CallContext<'_, '_>, change: &Change) -> CallResult {
    let (set, next) = check(call, change)?;
    let height = call.block.height;
    let from_height = height.checked_add(2).ok_or_else(|| StateError("heights are exhausted".into()))?;
    call.state.put(key(CHAIN_APP, "governance", VALIDATORS, b""), &next.validators())?;
    call.state.put(key(CHAIN_APP, "governance", SET_CHANGE, b""), &SetChange { height, from_height })?;
    let missing_in = |of: &ValidatorSet, other: &ValidatorSet| -> Vec<PublicKey> {
        let keys = of.validators().iter().map(|v| v.consensus_key);
        keys.filter(|key| other.index_of(key).is_none()).collect()
    };
    let (added, removed, validators) = (missing_in(&next, &set), missing_in(&set, &next), next.len());
    call.emit("validators_changed", &ValidatorsChanged { from_height, added, removed, validators })?;
    call.next_validators = Some(next);
    Ok(())
}

fn refusal(error: ChangeError) -> Refusal {
    match error {
        ChangeError::Unknown(key) => Code::ValidatorUnknown.refusal([("key", key.to_string())]),
        ChangeError::Taken(key) => Code::ValidatorKeyTaken.refusal([("key", key.to_string())]),
        ChangeError::Key(key) => Code::ValidatorKeyInvalid.refusal([("key", key.to_string())]),
        ChangeError::TooFew => Code::TooFewValidators.refusal([("min", MIN_VALIDATORS.to_string())]),
        ChangeError::TooMany => Code::TooManyValidators.refusal([("max", MAX_VALIDATORS.to_string())]),
    }
}
