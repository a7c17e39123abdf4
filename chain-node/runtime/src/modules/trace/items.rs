//! Operations on items by their codes.
//!
//! Every operation reads each item and its lot once, checks all, then writes all with one event. An item that is on its
//! way moves no further until somebody received it, whatever the guards: that is what "in transit" says.

use std::collections::BTreeSet;

use chain_types::manifest::{Code, Date};
use chain_types::state::{CHAIN_APP, key};
use serde::Serialize;

use super::calls::{Commission, Destroy, MAX_CODES, Receive, Sell, Ship};
use super::config::TraceConfig;
use super::lots::{Lots, occurrence, put_event};
use super::state::{Action, BizStep, Disposition, EVENT, ITEM, Item, ItemStatus, Lot, LotRef, LotStatus, TraceEvent};
use crate::call::{CallContext, CallResult, ensure, ensure_size, refuse};
use crate::modules::fields::ensure_text;
use crate::modules::identity::state::ORGANISATION;
use crate::state::StateError;

const MAX_REASON: i64 = 500;
/// Events of one item: far beyond any trade, and an end to goods that are shipped in circles.
const MAX_EVENTS: usize = 500;

#[derive(Serialize)]
struct Moved<'a> {
    event: u64,
    codes: &'a [String],
    lots: &'a [LotRef],
    organisation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination: Option<&'a str>,
}

pub fn commission(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: Commission) -> CallResult {
    ensure_codes(&args.codes)?;
    let reference = LotRef { product: args.product, lot: args.lot };
    let mut lots = Lots::default();
    let lot = lots.get(call, reference.clone())?;
    let own = lot.organisation == call.account.organisation;
    ensure(own, Code::NotOwner, || [("organisation", lot.organisation.clone())])?;
    ensure(lot.status == LotStatus::Active, Code::LotRecalled, || [("lot", reference.lot.clone())])?;
    let total = add(lot.commissioned, args.codes.len())?;
    if let Some(quantity) = lot.quantity {
        ensure(total <= quantity, Code::QuantityExceeded, || {
            [("lot", reference.lot.clone()), ("left", quantity.saturating_sub(lot.commissioned).to_string())]
        })?;
    }
    lot.commissioned = total;
    let mut event = occurrence(call, &args.at, BizStep::Commissioning, Disposition::Active)?;
    event.action = Action::Add;
    let number = call.next_number(EVENT.as_bytes())?;
    let item = Item {
        product: reference.product.clone(),
        lot: reference.lot,
        holder: call.account.organisation.clone(),
        destination: None,
        status: ItemStatus::Active,
        events: vec![number],
        changed_at: call.block.time_ms,
    };
    for code in &args.codes {
        match config.product_of(code) {
            None => return refuse(Code::CodeInvalid, [("code", code.clone())]),
            Some(product) => ensure(product == item.product, Code::CodeOtherProduct, || {
                [("code", code.clone()), ("product", item.product.clone())]
            })?,
        }
        let taken = call.contains(ITEM, code.as_bytes())?;
        ensure(!taken, Code::CodeExists, || [("code", code.clone())])?;
        call.put(ITEM, code.as_bytes(), &item)?;
    }
    finish(call, number, event, args.codes, lots, "commissioned")
}

pub fn ship(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: Ship) -> CallResult {
    ensure_codes(&args.codes)?;
    match &args.destination {
        None => ensure(!config.needs_destination, Code::FieldMissing, || [("field", "destination".to_owned())])?,
        Some(to) => {
            ensure(*to != call.account.organisation, Code::SameOrganisation, || [])?;
            let known = call.state.contains(&key(CHAIN_APP, "identity", ORGANISATION, to.as_bytes()))?;
            ensure(known, Code::OrganisationUnknown, || [("organisation", to.clone())])?;
        }
    }
    let mut event = occurrence(call, &args.at, BizStep::Shipping, Disposition::InTransit)?;
    event.destination = args.destination.clone();
    each(call, config, event, args.codes, "shipped", |_, code, item, lot| {
        ensure_movable(config, code, item)?;
        set_status(lot, item, ItemStatus::InTransit)?;
        item.destination = args.destination.clone();
        Ok(())
    })
}

pub fn receive(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: Receive) -> CallResult {
    ensure_codes(&args.codes)?;
    let own = call.account.organisation.clone();
    let event = occurrence(call, &args.at, BizStep::Receiving, Disposition::SellableAccessible)?;
    let event = TraceEvent { destination: Some(own.clone()), ..event };
    each(call, config, event, args.codes, "received", |broken, code, item, lot| {
        let on_its_way = item.status == ItemStatus::InTransit;
        ensure(on_its_way, Code::ItemNotInTransit, || [("code", code.to_owned())])?;
        if let Some(to) = item.destination.take().filter(|to| *to != own) {
            ensure(!config.receiver_matches, Code::ReceiverMismatch, || [("code", code.to_owned()), ("to", to)])?;
            *broken = true;
        }
        set_status(lot, item, ItemStatus::Active)?;
        item.holder.clone_from(&own);
        Ok(())
    })
}

pub fn sell(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: Sell) -> CallResult {
    ensure_codes(&args.codes)?;
    let today = Date::of_ms(call.block.time_ms).to_string();
    let event = occurrence(call, &args.at, BizStep::RetailSelling, Disposition::RetailSold)?;
    each(call, config, event, args.codes, "sold", |again, code, item, lot| {
        ensure_movable(config, code, item)?;
        let recalled = config.recall_blocks_sale && lot.status == LotStatus::Recalled;
        ensure(!recalled, Code::LotRecalled, || [("lot", item.lot.clone())])?;
        // The last day itself is still good.
        if let Some(date) = lot.expire_on.as_ref().filter(|date| config.not_expired_to_sell && **date < today) {
            return refuse(Code::Expired, [("lot", item.lot.clone()), ("date", date.clone())]);
        }
        *again |= item.status == ItemStatus::Sold;
        set_status(lot, item, ItemStatus::Sold)
    })
}

pub fn destroy(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: Destroy) -> CallResult {
    ensure_codes(&args.codes)?;
    ensure_text("reason", &args.reason, MAX_REASON)?;
    let mut event = occurrence(call, &args.at, BizStep::Destroying, Disposition::Destroyed)?;
    event.action = Action::Delete;
    event.reason = Some(args.reason);
    call.digests.extend(args.photo);
    each(call, config, event, args.codes, "destroyed", |_, code, item, lot| {
        ensure_not_in_transit(code, item)?;
        let gone = config.no_event_after_destroyed && item.status == ItemStatus::Destroyed;
        ensure(!gone, Code::ItemDestroyed, || [("code", code.to_owned())])?;
        set_status(lot, item, ItemStatus::Destroyed)
    })
}

/// Carries out an operation on every item, then stores it as one event. The step changes one item and its lot; its flag
/// says that something is odd, though no guard forbids it.
fn each(
    call: &mut CallContext<'_, '_>,
    config: &TraceConfig,
    mut event: TraceEvent,
    codes: Vec<String>,
    name: &str,
    mut step: impl FnMut(&mut bool, &str, &mut Item, &mut Lot) -> CallResult,
) -> CallResult {
    let number = call.next_number(EVENT.as_bytes())?;
    let own = call.account.organisation.clone();
    let (mut lots, mut odd) = (Lots::default(), false);
    for code in &codes {
        let Some(mut item) = call.get::<Item>(ITEM, code.as_bytes())? else {
            return refuse(Code::CodeUnknown, [("code", code.clone())]);
        };
        // Whoever receives is not the holder yet.
        let held = event.biz_step == BizStep::Receiving || !config.holder_of_record || item.holder == own;
        ensure(held, Code::NotHolder, || [("code", code.clone()), ("holder", item.holder.clone())])?;
        let lot = lots.get(call, item.lot_ref())?;
        step(&mut odd, code, &mut item, lot)?;
        ensure_size("events", item.events.len(), 0, MAX_EVENTS - 1)?;
        item.events.push(number);
        item.changed_at = call.block.time_ms;
        call.put(ITEM, code.as_bytes(), &item)?;
    }
    if odd && event.biz_step == BizStep::Receiving {
        event.disposition = Disposition::NoPedigreeMatch;
    }
    let extra = match (odd, event.biz_step) {
        (true, BizStep::Receiving) => Some("pedigree_broken"),
        (true, BizStep::RetailSelling) => Some("sold_again"),
        _ => None,
    };
    if let Some(extra) = extra {
        let (lots, organisation) = (lots.names(), own.as_str());
        call.emit(extra, &Moved { event: number, codes: &codes, lots: &lots, organisation, destination: None })?;
    }
    finish(call, number, event, codes, lots, name)
}

fn finish(
    call: &mut CallContext<'_, '_>,
    number: u64,
    mut event: TraceEvent,
    codes: Vec<String>,
    lots: Lots,
    name: &str,
) -> CallResult {
    event.lots = lots.names();
    event.epc_list = codes;
    lots.put(call)?;
    let moved = Moved {
        event: number,
        codes: &event.epc_list,
        lots: &event.lots,
        organisation: &event.organisation,
        destination: event.destination.as_deref(),
    };
    call.emit(name, &moved)?;
    put_event(call, number, event)
}

fn ensure_codes(codes: &[String]) -> CallResult {
    ensure_size("codes", codes.len(), 1, MAX_CODES)?;
    let mut seen = BTreeSet::new();
    match codes.iter().find(|code| !seen.insert(*code)) {
        Some(code) => refuse(Code::CodeRepeated, [("code", code.clone())]),
        None => Ok(()),
    }
}

fn ensure_not_in_transit(code: &str, item: &Item) -> CallResult {
    ensure(item.status != ItemStatus::InTransit, Code::ItemInTransit, || {
        let to = item.destination.clone().unwrap_or_else(|| "?".to_owned());
        [("code", code.to_owned()), ("to", to)]
    })
}

fn ensure_movable(config: &TraceConfig, code: &str, item: &Item) -> CallResult {
    ensure_not_in_transit(code, item)?;
    let sold = config.sold_once && item.status == ItemStatus::Sold;
    ensure(!sold, Code::AlreadySold, || [("code", code.to_owned())])?;
    let gone = config.no_event_after_destroyed && item.status == ItemStatus::Destroyed;
    ensure(!gone, Code::ItemDestroyed, || [("code", code.to_owned())])
}

/// Changes an item's state and its lot's counters together, so that they always agree.
fn set_status(lot: &mut Lot, item: &mut Item, status: ItemStatus) -> CallResult {
    let wrong = || StateError("the counters of a lot do not agree with its items".into());
    match item.status {
        ItemStatus::Sold => lot.sold = lot.sold.checked_sub(1).ok_or_else(wrong)?,
        ItemStatus::Destroyed => lot.destroyed = lot.destroyed.checked_sub(1).ok_or_else(wrong)?,
        ItemStatus::Active | ItemStatus::InTransit => {}
    }
    match status {
        ItemStatus::Sold => lot.sold = add(lot.sold, 1)?,
        ItemStatus::Destroyed => lot.destroyed = add(lot.destroyed, 1)?,
        ItemStatus::Active | ItemStatus::InTransit => {}
    }
    item.status = status;
    Ok(())
}

fn add(a: u64, b: usize) -> Result<u64, StateError> {
    a.checked_add(b as u64).ok_or_else(|| StateError("a counter is full".into()))
}
