//! What is installed, who may act in it, and which module carries out its calls. The chain is the truth about both.
//!
//! An application belongs to the organisation of the administrator who installed it; only that organisation's
//! administrators upgrade, suspend, uninstall it and admit organisations to roles. Every organisation's administrators
//! assign those roles to accounts of their own. An uninstalled application takes no calls; its records stay readable and
//! its name is never used again, because its records lie under it.

pub mod calls;
mod execute;
pub mod queries;
pub mod state;

use chain_types::Value;

use super::unknown_method;
use crate::call::{CallContext, CallResult};

/// Carries out a call of this module.
pub fn call(call: &mut CallContext<'_, '_>, args: &Value) -> CallResult {
    match call.method {
        "install" => execute::install(call, call.arguments(args)?),
        "upgrade" => execute::upgrade(call, call.arguments(args)?),
        "suspend" => execute::suspend(call, call.arguments(args)?),
        "resume" => execute::resume(call, call.arguments(args)?),
        "uninstall" => execute::uninstall(call, call.arguments(args)?),
        "admit" => execute::admit(call, call.arguments(args)?),
        "assign" => execute::assign(call, call.arguments(args)?),
        "unassign" => execute::unassign(call, call.arguments(args)?),
        _ => unknown_method(call),
    }
}
