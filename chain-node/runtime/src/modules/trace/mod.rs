//! Products, lots and items, who holds them and what happened to them, with the field names of EPCIS 2.0.
//!
//! An item's code is its product's code and a serial. Operations work on lists of codes and store one event each; the
//! item keeps the ids of its events. Whether an item is recalled stands in its lot alone: a recall is one write a lot,
//! and "not recalled" is the proof of item and lot. A recalled lot stays recalled when the recall is closed; what was
//! sold of it is never good again.

pub mod calls;
mod config;
mod items;
mod lots;
mod products;
pub mod queries;
mod recalls;
mod scans;
pub mod state;

pub use config::TraceConfig;

use chain_types::Value;

use super::unknown_method;
use crate::call::{CallContext, CallResult};

/// Carries out a call of this module.
pub fn call(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: &Value) -> CallResult {
    match call.method {
        "register_product" => products::register_product(call, config, call.arguments(args)?),
        "open_lot" => lots::open_lot(call, config, call.arguments(args)?),
        "commission" => items::commission(call, config, call.arguments(args)?),
        "ship" => items::ship(call, config, call.arguments(args)?),
        "receive" => items::receive(call, config, call.arguments(args)?),
        "sell" => items::sell(call, config, call.arguments(args)?),
        "destroy" => items::destroy(call, config, call.arguments(args)?),
        "open_recall" => recalls::open_recall(call, call.arguments(args)?),
        "close_recall" => recalls::close_recall(call, config, call.arguments(args)?),
        "record_scans" => scans::record_scans(call, call.arguments(args)?),
        _ => unknown_method(call),
    }
}
