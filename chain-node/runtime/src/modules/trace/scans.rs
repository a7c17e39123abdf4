//! Scan counters: what anonymous visitors did is counted off chain and added here, one call a minute.

use std::collections::BTreeSet;

use chain_types::manifest::Code;
use serde::Serialize;

use super::calls::{MAX_CODES, RecordScans};
use super::lots::MAX_AHEAD_MS;
use super::state::{ITEM, SCAN, Scans};
use crate::call::{CallContext, CallResult, ensure, ensure_size};
use crate::modules::fields::{ensure_not_future, ensure_range};

/// More scans of one code in one report are a mistake.
const MAX_COUNT: i64 = 1_000_000_000;

#[derive(Serialize)]
struct ScansRecorded {
    codes: usize,
    scans: u64,
}

pub fn record_scans(call: &mut CallContext<'_, '_>, args: RecordScans) -> CallResult {
    ensure_size("counts", args.counts.len(), 1, MAX_CODES)?;
    let (mut seen, mut total) = (BTreeSet::new(), 0u64);
    for one in &args.counts {
        ensure(seen.insert(&one.code), Code::CodeRepeated, || [("code", one.code.clone())])?;
        ensure_range("count", one.count, 1, MAX_COUNT)?;
        ensure_not_future(call, "last_ms", one.last_ms, MAX_AHEAD_MS)?;
        let known = call.contains(ITEM, one.code.as_bytes())?;
        ensure(known, Code::CodeUnknown, || [("code", one.code.clone())])?;
        let mut scans: Scans = call.get(SCAN, one.code.as_bytes())?.unwrap_or_default();
        if scans.count == 0 {
            scans.first_at = one.last_ms;
        }
        scans.count = scans.count.saturating_add(one.count);
        scans.last_at = scans.last_at.max(one.last_ms);
        total = total.saturating_add(one.count);
        call.put(SCAN, one.code.as_bytes(), &scans)?;
    }
    call.emit("scans_recorded", &ScansRecorded { codes: args.counts.len(), scans: total })
}
