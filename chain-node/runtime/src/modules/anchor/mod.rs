//! Records of files, and digests without a record. A record is numbered when it is made, keeps every version, always
//! carries its status, and is withdrawn rather than deleted; each file's digest is a log entry of its own. Signed
//! statements of others (SCITT) are registered verbatim.

pub mod calls;
mod config;
mod execute;
pub mod queries;
mod register;
pub mod state;

pub use config::AnchorConfig;

use chain_types::Value;

use super::unknown_method;
use crate::call::{CallContext, CallResult};

/// Carries out a call of this module.
pub fn call(call: &mut CallContext<'_, '_>, config: &AnchorConfig, args: &Value) -> CallResult {
    match call.method {
        "anchor" => execute::anchor(call, config, call.arguments(args)?),
        "append" => execute::append(call, config, call.arguments(args)?),
        "withdraw" => execute::withdraw(call, config, call.arguments(args)?),
        "register" => register::register(call, config, call.arguments(args)?),
        "digests" => execute::digests(call, config, call.arguments(args)?),
        _ => unknown_method(call),
    }
}
