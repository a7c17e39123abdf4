//! Which module carries out a call, and whether the caller may make it.
//!
//! The chain's own modules decide by the caller's account. A call of an application needs, all together: the application
//! installed and active, the instance, the method, and a role that the manifest allows the method, the account was
//! assigned and its organisation is admitted to. Everything else is refused.

pub mod anchor;
pub mod application;
pub mod clients;
pub mod governance;
pub mod identity;
pub mod trace;

mod describe;
mod fields;
mod installed;

pub use describe::{ModuleDescription, describe};
pub use installed::Applications;

use chain_types::Value;
use chain_types::manifest::Code;
use chain_types::state::CHAIN_APP;

use crate::call::{CallContext, CallResult, refuse};
use anchor::AnchorConfig;
use installed::InstanceConfig;

/// Carries out a call, or refuses it because nothing allows it.
pub fn dispatch(call: &mut CallContext<'_, '_>, applications: &mut Applications, args: &Value) -> CallResult {
    if call.app != CHAIN_APP {
        let config = applications.authorise(call)?;
        return match &*config {
            InstanceConfig::Anchor(config) => anchor::call(call, config, args),
            InstanceConfig::Trace(config) => trace::call(call, config, args),
        };
    }
    match call.instance {
        "identity" => identity::call(call, args),
        "governance" => governance::call(call, args),
        "application" => application::call(call, args),
        // Any active account may anchor digests: they say nothing, and the log is what the chain is for.
        "anchor" => anchor::call(call, &AnchorConfig::built_in(), args),
        "clients" if call.block.version >= clients::SINCE_RULES => clients::call(call, args),
        _ => refuse(Code::InstanceUnknown, [("app", call.app.to_owned()), ("instance", call.instance.to_owned())]),
    }
}

/// Refuses a method that the module does not have.
fn unknown_method(call: &CallContext<'_, '_>) -> CallResult {
    let params = [("instance", call.instance.to_owned()), ("method", call.method.to_owned())];
    refuse(Code::MethodUnknown, params)
}

/// An id made of a name and what belongs to it: length first, so that no two names make one id.
fn joined_id(name: &str, rest: &[u8]) -> Vec<u8> {
    let mut id = Vec::with_capacity(1 + name.len() + rest.len());
    id.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    id.extend_from_slice(name.as_bytes());
    id.extend_from_slice(rest);
    id
}
