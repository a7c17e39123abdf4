//! Light clients of other chains, in this chain's own state: the city chain witnesses the tenants' chains (DESIGN §8).
//!
//! The operator's administrators say which chains, by genesis. From then on anybody with an account may bring headers:
//! each follows from the one stored before, set change by set change, and its log continues the other's log. What two
//! certified headers cannot both be freezes the client, for ever: what is stored stays, nothing is added. Trust that is
//! older than the other chain's trusting period adds nothing either, until an administrator has compared and renews it.
//!
//! Under rules before [`SINCE_RULES`] the instance does not exist, so that chains of mixed node versions stay one.

pub mod calls;
mod execute;
pub mod queries;
pub mod state;
mod step;

use chain_types::Value;

use super::unknown_method;
use crate::call::{CallContext, CallResult};

/// The first execution rules that have this module.
pub const SINCE_RULES: u32 = 3;

/// Carries out a call of this module.
pub fn call(call: &mut CallContext<'_, '_>, args: &Value) -> CallResult {
    match call.method {
        "create" => execute::create(call, call.arguments(args)?),
        "update" => execute::update(call, call.arguments(args)?),
        "renew" => execute::renew(call, call.arguments(args)?),
        "misbehaviour" => execute::misbehaviour(call, call.arguments(args)?),
        _ => unknown_method(call),
    }
}
