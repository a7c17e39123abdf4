//! Refusals for values of fields, shared by the modules that have them.

use chain_types::manifest::{Code, Fault, Field, FieldType, FieldValue};
use chain_types::outcome::Refusal;

use crate::call::{CallContext, CallResult, ensure};

/// A value that its field does not accept.
pub fn invalid(field: &str, fault: Fault) -> Refusal {
    let [kind, min, max] = fault.params();
    Code::FieldInvalid.refusal([("field", field.to_owned()), kind, min, max])
}

/// Refuses a text that is empty, too long or holds control characters.
pub fn ensure_text(name: &str, text: &str, max: i64) -> CallResult {
    let field = Field { max: Some(max), ..Field::plain(FieldType::Text) };
    ensure_value(name, &field, FieldValue::Text(text.to_owned()))
}

/// Refuses what is not a date.
pub fn ensure_date(name: &str, text: &str) -> CallResult {
    ensure_value(name, &Field::plain(FieldType::Date), FieldValue::Text(text.to_owned()))
}

/// Refuses a number outside its range.
pub fn ensure_range(name: &str, n: u64, min: i64, max: i64) -> CallResult {
    let field = Field { min: Some(min), max: Some(max), ..Field::plain(FieldType::Integer) };
    ensure_value(name, &field, FieldValue::Integer(i64::try_from(n).unwrap_or(i64::MAX)))
}

fn ensure_value(name: &str, field: &Field, value: FieldValue) -> CallResult {
    field.accepts(&value).map_err(|fault| invalid(name, fault).into())
}

/// Refuses a time that is further ahead of the chain's clock than clocks may differ.
pub fn ensure_not_future(call: &CallContext<'_, '_>, name: &str, time_ms: u64, limit_ms: u64) -> CallResult {
    let holds = time_ms <= call.block.time_ms.saturating_add(limit_ms);
    ensure(holds, Code::TimeInFuture, || [("field", name.to_owned()), ("limit_ms", limit_ms.to_string())])
}
