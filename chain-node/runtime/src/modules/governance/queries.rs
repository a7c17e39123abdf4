//! What readers ask.

use chain_types::state::{CHAIN_APP, key, prefix};
use chain_types::{PublicKey, Validator};
use serde::Serialize;

use super::state::{
    PARAMETERS, PROPOSAL, Parameters, Proposal, RULES, Rules, SET_CHANGE, STEWARD, SetChange, VALIDATORS,
};
use crate::queries::{page, record};
use crate::state::{StateError, StateView};

/// A proposal with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProposalView {
    pub number: u64,
    #[serde(flatten)]
    pub proposal: Proposal,
}

pub fn parameters<S: StateView>(view: &S) -> Result<Option<Parameters>, StateError> {
    record(view, &key(CHAIN_APP, "governance", PARAMETERS, b""))
}

pub fn steward<S: StateView>(view: &S) -> Result<Option<PublicKey>, StateError> {
    record(view, &key(CHAIN_APP, "governance", STEWARD, b""))
}

/// The set that the last change leads to, in force or about to be.
pub fn validators<S: StateView>(view: &S) -> Result<Vec<Validator>, StateError> {
    Ok(record(view, &key(CHAIN_APP, "governance", VALIDATORS, b""))?.unwrap_or_default())
}

/// The last change of the set of genesis, if there was one.
pub fn last_set_change<S: StateView>(view: &S) -> Result<Option<SetChange>, StateError> {
    record(view, &key(CHAIN_APP, "governance", SET_CHANGE, b""))
}

/// The execution rules of a height that is not executed yet.
pub fn rules<S: StateView>(view: &S, of_genesis: u32, height: u64) -> Result<u32, StateError> {
    let agreed: Option<Rules> = record(view, &key(CHAIN_APP, "governance", RULES, b""))?;
    Ok(match agreed {
        Some(rules) if height >= rules.from_height => rules.version,
        // One by one: before these there were those before them.
        Some(rules) => rules.version.saturating_sub(1),
        None => of_genesis,
    })
}

pub use super::turns::skipped;

pub fn proposal<S: StateView>(view: &S, number: u64) -> Result<Option<ProposalView>, StateError> {
    let found = record(view, &key(CHAIN_APP, "governance", PROPOSAL, &number.to_be_bytes()))?;
    Ok(found.map(|proposal| ProposalView { number, proposal }))
}

pub fn proposals<S: StateView>(view: &S, after: Option<u64>, limit: usize) -> Result<Vec<ProposalView>, StateError> {
    let prefix = prefix(CHAIN_APP, "governance", PROPOSAL);
    let after = after.map(u64::to_be_bytes);
    let records = page(view, &prefix, after.as_ref().map(|n| n.as_slice()), limit)?;
    let number = |id: Vec<u8>| match <[u8; 8]>::try_from(id.as_slice()) {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(StateError("a proposal's number is not a number".into())),
    };
    records.into_iter().map(|(id, proposal)| Ok(ProposalView { number: number(id)?, proposal })).collect()
}
