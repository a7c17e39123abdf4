//! Lots: opening them, and what every operation on their items needs of them.

use std::collections::BTreeMap;

use chain_types::manifest::{CITY_OFFSET, Code, LotField};
use serde::Serialize;

use super::calls::{Happened, OpenLot};
use super::config::TraceConfig;
use super::state::{
    Action, BizStep, Disposition, EVENT, EventType, LOT, LOT_EVENT, Lot, LotRef, LotStatus, PRODUCT, Product,
    TraceEvent,
};
use crate::call::{CallContext, CallResult, ensure, refuse};
use crate::modules::fields::{ensure_date, ensure_not_future, ensure_range, ensure_text};

const MAX_PLACE: i64 = 100;
const MAX_QUANTITY: i64 = 1_000_000_000;
/// How far a caller's clock may be ahead of the chain's.
pub const MAX_AHEAD_MS: u64 = 10_000;

#[derive(Serialize)]
struct LotOpened<'a> {
    product: &'a str,
    lot: &'a str,
    organisation: &'a str,
    event: u64,
}

pub fn open_lot(call: &mut CallContext<'_, '_>, config: &TraceConfig, args: OpenLot) -> CallResult {
    let Some(product) = call.get::<Product>(PRODUCT, args.product.as_bytes())? else {
        return refuse(Code::ProductUnknown, [("product", args.product)]);
    };
    let own = product.organisation == call.account.organisation;
    ensure(own, Code::NotOwner, || [("organisation", product.organisation.clone())])?;
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    let named = (1..=config.lot_max).contains(&args.lot.len()) && args.lot.bytes().all(fits);
    ensure(named, Code::LotInvalid, || [("max", config.lot_max.to_string())])?;
    check_lot(config, &args)?;
    let reference = LotRef { product: args.product, lot: args.lot };
    let taken = call.contains(LOT, &reference.id())?;
    ensure(!taken, Code::LotExists, || [("lot", reference.lot.clone())])?;
    let lot = Lot {
        organisation: product.organisation,
        made_on: args.made_on,
        expire_on: args.expire_on,
        quantity: args.quantity,
        place: args.place,
        line: args.line,
        commissioned: 0,
        sold: 0,
        destroyed: 0,
        status: LotStatus::Active,
        recall: None,
        opened_at: call.block.time_ms,
    };
    call.put(LOT, &reference.id(), &lot)?;
    let mut happened = occurrence(call, &Happened::default(), BizStep::CreatingClassInstance, Disposition::Active)?;
    happened.action = Action::Add;
    happened.lots = vec![reference.clone()];
    let event = record(call, happened)?;
    let (product, lot) = (&reference.product, &reference.lot);
    call.emit("lot_opened", &LotOpened { product, lot, organisation: &call.account.organisation, event })
}

fn check_lot(config: &TraceConfig, args: &OpenLot) -> CallResult {
    let given = |field| match field {
        LotField::MadeOn => ("made_on", args.made_on.is_some()),
        LotField::ExpireOn => ("expire_on", args.expire_on.is_some()),
        LotField::Quantity => ("quantity", args.quantity.is_some()),
        LotField::Place => ("place", args.place.is_some()),
        LotField::Line => ("line", args.line.is_some()),
    };
    if let Some((name, _)) = config.lot_required.iter().map(|f| given(*f)).find(|(_, given)| !given) {
        return refuse(Code::FieldMissing, [("field", name.to_owned())]);
    }
    for (name, date) in [("made_on", &args.made_on), ("expire_on", &args.expire_on)] {
        date.iter().try_for_each(|date| ensure_date(name, date))?;
    }
    for (name, text) in [("place", &args.place), ("line", &args.line)] {
        text.iter().try_for_each(|text| ensure_text(name, text, MAX_PLACE))?;
    }
    args.quantity.iter().try_for_each(|n| ensure_range("quantity", *n, 1, MAX_QUANTITY))?;
    match (&args.made_on, &args.expire_on) {
        // Dates of this form sort as text.
        (Some(made), Some(expire)) if expire < made => {
            refuse(Code::DatesReversed, [("early", "made_on".to_owned()), ("late", "expire_on".to_owned())])
        }
        _ => Ok(()),
    }
}

/// The lots that one call touches: each read once, written once.
#[derive(Default)]
pub struct Lots(BTreeMap<LotRef, Lot>);

impl Lots {
    /// A lot that is there.
    pub fn get(&mut self, call: &mut CallContext<'_, '_>, reference: LotRef) -> CallResult<&mut Lot> {
        use std::collections::btree_map::Entry;
        match self.0.entry(reference) {
            Entry::Occupied(lot) => Ok(lot.into_mut()),
            Entry::Vacant(place) => match call.get(LOT, &place.key().id())? {
                Some(lot) => Ok(place.insert(lot)),
                None => refuse(Code::LotUnknown, [("lot", place.key().lot.clone())]),
            },
        }
    }

    /// Their names.
    pub fn names(&self) -> Vec<LotRef> {
        self.0.keys().cloned().collect()
    }

    /// Writes all of them.
    pub fn put(self, call: &mut CallContext<'_, '_>) -> CallResult {
        self.0.into_iter().try_for_each(|(reference, lot)| call.put(LOT, &reference.id(), &lot))
    }
}

/// An event of this call, to be completed and [recorded](record).
pub fn occurrence(
    call: &CallContext<'_, '_>,
    at: &Happened,
    step: BizStep,
    disposition: Disposition,
) -> CallResult<TraceEvent> {
    let time = at.time_ms.unwrap_or(call.block.time_ms);
    ensure_not_future(call, "at.time_ms", time, MAX_AHEAD_MS)?;
    for (name, place) in [("at.read_point", &at.read_point), ("at.biz_location", &at.biz_location)] {
        place.iter().try_for_each(|place| ensure_text(name, place, MAX_PLACE))?;
    }
    Ok(TraceEvent {
        kind: EventType::ObjectEvent,
        action: Action::Observe,
        event_time: time,
        event_time_zone_offset: CITY_OFFSET.to_owned(),
        record_time: call.block.time_ms,
        biz_step: step,
        disposition,
        read_point: at.read_point.clone(),
        biz_location: at.biz_location.clone(),
        epc_list: Vec::new(),
        lots: Vec::new(),
        organisation: call.account.organisation.clone(),
        destination: None,
        reason: None,
        recall: None,
        operator: call.kid,
        tx: call.tx,
    })
}

/// Stores an event and enters it for each of its lots; its number.
pub fn record(call: &mut CallContext<'_, '_>, event: TraceEvent) -> CallResult<u64> {
    let number = call.next_number(EVENT.as_bytes())?;
    put_event(call, number, event)?;
    Ok(number)
}

/// Stores an event whose number was taken before.
pub fn put_event(call: &mut CallContext<'_, '_>, number: u64, event: TraceEvent) -> CallResult {
    for lot in &event.lots {
        call.put(LOT_EVENT, &lot.event_id(number), &number)?;
    }
    call.put(EVENT, &number.to_be_bytes(), &event)
}
