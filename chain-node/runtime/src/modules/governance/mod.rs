//! How the chain itself is changed: proposals, carried out by the approval that reaches the threshold of genesis.
//!
//! `platform`: the operator's organisation alone approves. `self`: more than half of the founding organisations, each
//! once, with keys that they hold themselves; a key that the platform holds never counts, whoever it belongs to.
//! The steward changes the validator set by itself where genesis delegates membership to it, and proposes otherwise; it
//! may do nothing else.

pub mod calls;
mod execute;
pub mod queries;
mod rules;
pub mod state;
pub mod turns;
mod validators;

pub use execute::parameters;
pub use validators::steward;

use chain_types::Value;

use super::unknown_method;
use crate::call::{CallContext, CallResult};

/// Carries out a call of this module.
pub fn call(call: &mut CallContext<'_, '_>, args: &Value) -> CallResult {
    match call.method {
        "propose" => execute::propose(call, call.arguments(args)?),
        "approve" => execute::approve(call, call.arguments(args)?),
        "change_validators" => validators::change(call, call.arguments(args)?),
        _ => unknown_method(call),
    }
}
