//! What readers ask.

use chain_types::state::{key, prefix};
use serde::Serialize;

use super::state::{
    EVENT, ITEM, Item, ItemStatus, LOT, LOT_EVENT, Lot, LotRef, LotStatus, PRODUCT, Product, RECALL, Recall, SCAN,
    Scans, TraceEvent,
};
use crate::modules::joined_id;
use crate::queries::{page, record, text};
use crate::state::{StateError, StateView};

/// A product with its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProductView {
    #[serde(rename = "product")]
    pub code: String,
    #[serde(flatten)]
    pub product: Product,
}

/// A lot with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LotView {
    pub product: String,
    #[serde(rename = "lot")]
    pub number: String,
    #[serde(flatten)]
    pub lot: Lot,
}

/// An event with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventView {
    pub id: u64,
    #[serde(flatten)]
    pub event: TraceEvent,
}

/// A recall with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecallView {
    #[serde(rename = "recall")]
    pub number: u64,
    #[serde(flatten)]
    pub recall: Recall,
}

/// What a reader is told about an item: its own record and what its lot says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    Active,
    InTransit,
    Sold,
    Destroyed,
    Recalled,
}

impl ItemState {
    /// The state of an item of a lot: a recall covers everything but what is destroyed.
    pub fn of(item: &Item, lot: &Lot) -> Self {
        match (item.status, lot.status) {
            (ItemStatus::Destroyed, _) => Self::Destroyed,
            (_, LotStatus::Recalled) => Self::Recalled,
            (ItemStatus::Active, _) => Self::Active,
            (ItemStatus::InTransit, _) => Self::InTransit,
            (ItemStatus::Sold, _) => Self::Sold,
        }
    }
}

/// An item with everything that a page says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemView {
    pub code: String,
    /// Item and lot together.
    pub status: ItemState,
    pub item: Item,
    pub lot: LotView,
    pub product: ProductView,
    pub scans: Scans,
}

/// Where records stand in the state, for proofs.
pub fn item_key(app: &str, instance: &str, code: &str) -> Vec<u8> {
    key(app, instance, ITEM, code.as_bytes())
}

pub fn lot_key(app: &str, instance: &str, lot: &LotRef) -> Vec<u8> {
    key(app, instance, LOT, &lot.id())
}

pub fn product_key(app: &str, instance: &str, code: &str) -> Vec<u8> {
    key(app, instance, PRODUCT, code.as_bytes())
}

pub fn event_key(app: &str, instance: &str, id: u64) -> Vec<u8> {
    key(app, instance, EVENT, &id.to_be_bytes())
}

pub fn recall_key(app: &str, instance: &str, number: u64) -> Vec<u8> {
    key(app, instance, RECALL, &number.to_be_bytes())
}

pub fn product<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    code: &str,
) -> Result<Option<ProductView>, StateError> {
    let found = record(view, &product_key(app, instance, code))?;
    Ok(found.map(|product| ProductView { code: code.to_owned(), product }))
}

pub fn products<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<ProductView>, StateError> {
    let records = page(view, &prefix(app, instance, PRODUCT), after.map(str::as_bytes), limit)?;
    records.into_iter().map(|(id, product)| Ok(ProductView { code: text(id)?, product })).collect()
}

pub fn lot<S: StateView>(view: &S, app: &str, instance: &str, lot: &LotRef) -> Result<Option<LotView>, StateError> {
    let found = record(view, &lot_key(app, instance, lot))?;
    Ok(found.map(|record| LotView { product: lot.product.clone(), number: lot.lot.clone(), lot: record }))
}

/// Lots of one product.
pub fn lots<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    product: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<LotView>, StateError> {
    let prefix = key(app, instance, LOT, &joined_id(product, b""));
    let records = page(view, &prefix, after.map(str::as_bytes), limit)?;
    let view = |(id, lot)| Ok(LotView { product: product.to_owned(), number: text(id)?, lot });
    records.into_iter().map(view).collect()
}

pub fn item<S: StateView>(view: &S, app: &str, instance: &str, code: &str) -> Result<Option<ItemView>, StateError> {
    let Some(item) = record::<_, Item>(view, &item_key(app, instance, code))? else { return Ok(None) };
    let missing = |what| StateError(format!("item {code} has no {what}"));
    let lot = lot(view, app, instance, &item.lot_ref())?.ok_or_else(|| missing("lot"))?;
    let product = product(view, app, instance, &item.product)?.ok_or_else(|| missing("product"))?;
    let scans = record(view, &key(app, instance, SCAN, code.as_bytes()))?.unwrap_or_default();
    let status = ItemState::of(&item, &lot.lot);
    Ok(Some(ItemView { code: code.to_owned(), status, item, lot, product, scans }))
}

/// Items of one product, by code.
pub fn items<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    product: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Item)>, StateError> {
    let prefix = key(app, instance, ITEM, product.as_bytes());
    let after = after.and_then(|code| code.strip_prefix(product));
    let records = page(view, &prefix, after.map(str::as_bytes), limit)?;
    records.into_iter().map(|(id, item)| Ok((format!("{product}{}", text(id)?), item))).collect()
}

pub fn event<S: StateView>(view: &S, app: &str, instance: &str, id: u64) -> Result<Option<EventView>, StateError> {
    let found = record(view, &event_key(app, instance, id))?;
    Ok(found.map(|event| EventView { id, event }))
}

/// Events of an item, the first first.
pub fn item_events<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    code: &str,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<EventView>, StateError> {
    let item: Option<Item> = record(view, &item_key(app, instance, code))?;
    let ids = item.map(|item| item.events).unwrap_or_default();
    let ids = ids.into_iter().filter(|id| after.is_none_or(|after| *id > after)).take(limit);
    ids.filter_map(|id| event(view, app, instance, id).transpose()).collect()
}

/// Events of a lot and of its items, the first first.
pub fn lot_events<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    lot: &LotRef,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<EventView>, StateError> {
    let prefix = key(app, instance, LOT_EVENT, &joined_id(&lot.product, &joined_id(&lot.lot, b"")));
    let after = after.map(u64::to_be_bytes);
    let ids: Vec<(Vec<u8>, u64)> = page(view, &prefix, after.as_ref().map(|id| id.as_slice()), limit)?;
    ids.into_iter().filter_map(|(_, id)| event(view, app, instance, id).transpose()).collect()
}

pub fn recall<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    number: u64,
) -> Result<Option<RecallView>, StateError> {
    let found = record(view, &recall_key(app, instance, number))?;
    Ok(found.map(|recall| RecallView { number, recall }))
}

pub fn recalls<S: StateView>(
    view: &S,
    app: &str,
    instance: &str,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<RecallView>, StateError> {
    let after = after.map(u64::to_be_bytes);
    let records = page(view, &prefix(app, instance, RECALL), after.as_ref().map(|n| n.as_slice()), limit)?;
    let number = |id: Vec<u8>| match <[u8; 8]>::try_from(id.as_slice()) {
        Ok(bytes) => Ok(u64::from_be_bytes(bytes)),
        Err(_) => Err(StateError("a recall's number is not a number".into())),
    };
    records.into_iter().map(|(id, recall)| Ok(RecallView { number: number(id)?, recall })).collect()
}
