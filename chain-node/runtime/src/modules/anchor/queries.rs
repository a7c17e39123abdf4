//! What readers ask.

use chain_types::state::{key, prefix};
use serde::Serialize;

use super::state::{RECORD, Record, VERSION, version_id};
use crate::modules::joined_id;
use crate::queries::{page, record, text};
use crate::state::{StateError, StateView};

/// A record with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordView {
    pub number: String,
    #[serde(flatten)]
    pub record: Record,
}

/// Where a record stands in the state, for proofs.
pub fn record_key(app: &str, instance: &str, number: &str) -> Vec<u8> {
    key(app, instance, RECORD, number.as_bytes())
}

/// Where a replaced version stands in the state, for proofs.
pub fn version_key(app: &str, instance: &str, number: &str, version: u32) -> Vec<u8> {
    key(app, instance, VERSION, &version_id(number, version))
}

pub fn anchor_record<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    number: &str,
) -> Result<Option<RecordView>, StateError> {
    let found = record(view, &record_key(app, instance, number))?;
    Ok(found.map(|record| RecordView { number: number.to_owned(), record }))
}

/// All versions of a record, the first first; the last is the present one.
pub fn anchor_versions<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    number: &str,
    after: Option<u32>,
    limit: usize,
) -> Result<Vec<RecordView>, StateError> {
    let prefix = key(app, instance, VERSION, &joined_id(number, b""));
    let from = after.map(u32::to_be_bytes);
    let records = page(view, &prefix, from.as_ref().map(|v| v.as_slice()), limit)?;
    let mut versions: Vec<RecordView> =
        records.into_iter().map(|(_, record)| RecordView { number: number.to_owned(), record }).collect();
    if versions.len() < limit {
        let present = anchor_record(view, app, instance, number)?;
        versions.extend(present.filter(|p| after.is_none_or(|after| p.record.version > after)));
    }
    Ok(versions)
}

/// Records in the order of their numbers.
pub fn anchor_records<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<RecordView>, StateError> {
    let records = page(view, &prefix(app, instance, RECORD), after.map(str::as_bytes), limit)?;
    records.into_iter().map(|(id, record)| Ok(RecordView { number: text(id)?, record })).collect()
}
