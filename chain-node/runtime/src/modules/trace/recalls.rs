//! Recalls: one write a lot turns every item of it.

use chain_types::manifest::Code;
use serde::Serialize;

use super::calls::{CloseRecall, Happened, MAX_LOTS, OpenRecall};
use super::config::TraceConfig;
use super::lots::{Lots, occurrence, record};
use super::state::{BizStep, Disposition, LotRef, LotStatus, RECALL, Recall, RecallStatus};
use crate::call::{CallContext, CallResult, ensure, ensure_size, refuse};
use crate::modules::fields::{ensure_date, ensure_range, ensure_text};

const MAX_REASON: i64 = 500;
const MAX_MEASURES: i64 = 2_000;

#[derive(Serialize)]
struct RecallChanged<'a> {
    recall: u64,
    lots: &'a [LotRef],
    level: u64,
    organisation: &'a str,
    event: u64,
}

pub fn open_recall(call: &mut CallContext<'_, '_>, args: OpenRecall) -> CallResult {
    ensure_size("lots", args.lots.len(), 1, MAX_LOTS)?;
    ensure_range("level", args.level, 1, 3)?;
    ensure_text("reason", &args.reason, MAX_REASON)?;
    ensure_text("measures", &args.measures, MAX_MEASURES)?;
    args.deadline.iter().try_for_each(|date| ensure_date("deadline", date))?;
    let number = call.next_number(RECALL.as_bytes())?;
    let mut lots = Lots::default();
    for reference in args.lots {
        let name = reference.lot.clone();
        let lot = lots.get(call, reference)?;
        ensure(lot.status == LotStatus::Active, Code::LotRecalled, || [("lot", name)])?;
        lot.status = LotStatus::Recalled;
        lot.recall = Some(number);
    }
    let recall = Recall {
        level: args.level,
        reason: args.reason.clone(),
        measures: args.measures,
        deadline: args.deadline,
        lots: lots.names(),
        organisation: call.account.organisation.clone(),
        status: RecallStatus::Open,
        opened_at: call.block.time_ms,
        closed_at: None,
        summary: None,
    };
    lots.put(call)?;
    store(call, number, recall, BizStep::Holding, args.reason, "recall_opened")
}

pub fn close_recall(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: CloseRecall) -> CallResult {
    let param = || [("recall", args.recall.to_string())];
    let Some(mut recall) = call.get::<Recall>(RECALL, &args.recall.to_be_bytes())? else {
        return refuse(Code::RecallUnknown, param());
    };
    ensure(recall.status == RecallStatus::Open, Code::RecallIsClosed, param)?;
    let own = recall.organisation == call.account.organisation;
    ensure(own, Code::NotOwner, || [("organisation", recall.organisation.clone())])?;
    ensure_text("summary", &args.summary, MAX_MEASURES)?;
    let mut lots = Lots::default();
    for reference in recall.lots.iter().filter(|_| config.recall_closes_when_all_disposed) {
        let lot = lots.get(call, reference.clone())?;
        let open = lot.commissioned.saturating_sub(lot.sold).saturating_sub(lot.destroyed);
        ensure(open == 0, Code::RecallOpenItems, || [("lot", reference.lot.clone()), ("open", open.to_string())])?;
    }
    recall.status = RecallStatus::Closed;
    recall.closed_at = Some(call.block.time_ms);
    recall.summary = Some(args.summary.clone());
    store(call, args.recall, recall, BizStep::Decommissioning, args.summary, "recall_closed")
}

fn store(
    call: &mut CallContext<'_, '_>,
    number: u64,
    recall: Recall,
    step: BizStep,
    reason: String,
    name: &str,
) -> CallResult {
    let mut happened = occurrence(call, &Happened::default(), step, Disposition::Recalled)?;
    happened.lots.clone_from(&recall.lots);
    happened.recall = Some(number);
    happened.reason = Some(reason);
    let event = record(call, happened)?;
    let (level, organisation) = (recall.level, call.account.organisation.as_str());
    call.emit(name, &RecallChanged { recall: number, lots: &recall.lots, level, organisation, event })?;
    call.put(RECALL, &number.to_be_bytes(), &recall)
}
