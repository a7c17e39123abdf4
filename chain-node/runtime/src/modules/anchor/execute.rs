//! What the calls do.

use std::collections::BTreeMap;

use chain_types::Hash;
use chain_types::limits::MAX_DIGESTS;
use chain_types::manifest::{Code, Field, FieldType, FieldValue, Place};
use serde::Serialize;

use super::calls::{Anchor, Append, Digests, Withdraw};
use super::config::{AnchorConfig, RecordConfig};
use super::state::{RECORD, Record, RecordStatus, VERSION, version_id};
use crate::call::{CallContext, CallResult, ensure, ensure_size, refuse};
use crate::modules::fields::{ensure_not_future, ensure_text, invalid};
use crate::state::StateError;

const MAX_REASON: i64 = 500;

#[derive(Serialize)]
struct RecordChanged<'a> {
    number: &'a str,
    version: u32,
    organisation: &'a str,
    files: usize,
}

#[derive(Serialize)]
struct DigestsAnchored {
    count: usize,
}

pub fn anchor(call: &mut CallContext<'_, '_>, config: &AnchorConfig, args: Anchor) -> CallResult {
    let kind = record_type(call, config)?;
    check_fields(call, config, kind, &args.fields)?;
    if let Some((name, _)) = kind.fields.iter().find(|(name, f)| is_asked(f) && !args.fields.contains_key(*name)) {
        return refuse(Code::FieldMissing, [("field", name.to_owned())]);
    }
    check_files(kind, &args.files, true)?;
    let now = call.block.time_ms;
    let place = call.next_number(kind.number.sequence(now).as_bytes())?;
    // One sequence a year shown, one place a call: no two calls get one number, so nothing can be replaced here.
    let number = kind.number.number(now, place);
    let record = Record {
        status: RecordStatus::Anchored,
        version: 1,
        organisation: call.account.organisation.clone(),
        anchored_at: now,
        changed_at: now,
        fields: args.fields,
        files: args.files,
        tx: call.tx,
        by: call.kid,
        reason: None,
    };
    store(call, &number, record, "anchored")
}

pub fn append(call: &mut CallContext<'_, '_>, config: &AnchorConfig, args: Append) -> CallResult {
    let kind = record_type(call, config)?;
    let old = present(call, &args.number)?;
    if config.owner_appends_only {
        ensure_owner(call, &old)?;
    }
    check_fields(call, config, kind, &args.fields)?;
    check_files(kind, &args.files, false)?;
    let something = !args.fields.is_empty() || !args.files.is_empty();
    ensure(something, Code::FieldMissing, || [("field", "files".to_owned())])?;
    let mut record = replace(call, &args.number, old)?;
    record.fields.extend(args.fields);
    record.files = args.files;
    store(call, &args.number, record, "appended")
}

pub fn withdraw(call: &mut CallContext<'_, '_>, config: &AnchorConfig, args: Withdraw) -> CallResult {
    record_type(call, config)?;
    let old = present(call, &args.number)?;
    ensure_owner(call, &old)?;
    let reason = args.reason.filter(|r| !r.trim().is_empty());
    ensure(reason.is_some() || !config.withdraw_needs_reason, Code::ReasonMissing, || [])?;
    if let Some(reason) = &reason {
        ensure_text("reason", reason, MAX_REASON)?;
    }
    let mut record = replace(call, &args.number, old)?;
    record.status = RecordStatus::Withdrawn;
    record.files = Vec::new();
    record.reason = reason;
    store(call, &args.number, record, "withdrawn")
}

pub fn digests(call: &mut CallContext<'_, '_>, config: &AnchorConfig, args: Digests) -> CallResult {
    ensure(config.batch, Code::BatchNotAllowed, || [("instance", call.instance.to_owned())])?;
    ensure_size("digests", args.digests.len(), 1, MAX_DIGESTS)?;
    call.emit("digests_anchored", &DigestsAnchored { count: args.digests.len() })?;
    call.digests = args.digests;
    Ok(())
}

fn record_type<'c>(call: &CallContext<'_, '_>, config: &'c AnchorConfig) -> CallResult<&'c RecordConfig> {
    match &config.record {
        Some(kind) => Ok(kind),
        None => refuse(Code::RecordsNotAllowed, [("instance", call.instance.to_owned())]),
    }
}

fn is_asked(field: &Field) -> bool {
    field.required && field.place != Place::Private
}

fn check_fields(
    call: &CallContext<'_, '_>,
    config: &AnchorConfig,
    kind: &RecordConfig,
    fields: &BTreeMap<String, FieldValue>,
) -> CallResult {
    for (name, value) in fields {
        let field = match kind.fields.get(name) {
            Some(field) if field.place != Place::Private => field,
            _ => return refuse(Code::FieldUnknown, [("field", name.clone())]),
        };
        field.accepts(value).map_err(|fault| invalid(name, fault))?;
        if let (FieldType::Datetime, Some(limit_ms), FieldValue::Integer(ms)) =
            (field.kind, config.clock_offset_max_ms, value)
        {
            ensure_not_future(call, name, u64::try_from(*ms).unwrap_or(0), limit_ms)?;
        }
    }
    Ok(())
}

fn check_files(kind: &RecordConfig, files: &[Hash], first: bool) -> CallResult {
    match &kind.files {
        None => ensure(files.is_empty(), Code::FilesNotAllowed, || []),
        Some((name, field)) => {
            ensure(!(first && field.required && files.is_empty()), Code::FieldMissing, || [("field", name.clone())])?;
            if !first && files.is_empty() {
                return Ok(());
            }
            let value = FieldValue::Digests(files.to_vec());
            field.accepts(&value).map_err(|fault| invalid(name, fault).into())
        }
    }
}

/// The record, unless it is unknown or withdrawn.
fn present(call: &mut CallContext<'_, '_>, number: &str) -> CallResult<Record> {
    let Some(record) = call.get::<Record>(RECORD, number.as_bytes())? else {
        return refuse(Code::RecordUnknown, [("number", number.to_owned())]);
    };
    let standing = record.status == RecordStatus::Anchored;
    ensure(standing, Code::RecordWithdrawn, || [("number", number.to_owned())])?;
    Ok(record)
}

fn ensure_owner(call: &CallContext<'_, '_>, record: &Record) -> CallResult {
    let own = record.organisation == call.account.organisation;
    ensure(own, Code::NotOwner, || [("organisation", record.organisation.clone())])
}

/// Puts the present version among those before, and gives the one that follows it.
fn replace(call: &mut CallContext<'_, '_>, number: &str, old: Record) -> CallResult<Record> {
    call.put(VERSION, &version_id(number, old.version), &old)?;
    let version = old.version.checked_add(1).ok_or_else(|| StateError("versions are exhausted".into()))?;
    Ok(Record { version, changed_at: call.block.time_ms, tx: call.tx, by: call.kid, ..old })
}

fn store(call: &mut CallContext<'_, '_>, number: &str, record: Record, event: &str) -> CallResult {
    call.put(RECORD, number.as_bytes(), &record)?;
    let (version, files) = (record.version, record.files.len());
    call.emit(event, &RecordChanged { number, version, organisation: &record.organisation, files })?;
    call.digests = record.files;
    Ok(())
}
