//! Who stands behind a key: accounts of organisations. Every organisation's administrators bind and suspend the
//! accounts of their own organisation and no others; organisations are admitted by governance.

pub mod calls;
mod execute;
pub mod queries;
pub mod state;

pub use execute::{check_organisation, create_organisation};

use chain_types::Value;

use super::unknown_method;
use crate::call::{CallContext, CallResult};

/// Carries out a call of this module.
pub fn call(call: &mut CallContext<'_, '_>, args: &Value) -> CallResult {
    match call.method {
        "bind_account" => execute::bind_account(call, call.arguments(args)?),
        "suspend_account" => execute::suspend_account(call, call.arguments(args)?),
        "resume_account" => execute::resume_account(call, call.arguments(args)?),
        _ => unknown_method(call),
    }
}
