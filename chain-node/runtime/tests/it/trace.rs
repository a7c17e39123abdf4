//! Goods move only as the rules say, and a recall turns a whole lot at once.

use chain_runtime::modules::trace::queries::ItemState;
use chain_runtime::modules::trace::state::{BizStep, Disposition, LotRef, RecallStatus};
use chain_runtime::queries::trace as queries;
use chain_types::Hash;
use chain_types::manifest::Code;
use serde::Serialize;
use serde_json::{Value, json};

use crate::chain::*;

pub fn codes(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(code).collect()
}

fn product(code: &str) -> Value {
    json!({"product": code, "fields": {"name": "云川纯牛奶"}})
}

fn lot(name: &str) -> Value {
    json!({"product": PRODUCT, "lot": name, "made_on": "2026-01-01", "expire_on": "2026-01-10", "quantity": 4})
}

fn commission(lot: &str, codes: Vec<String>) -> Value {
    json!({"product": PRODUCT, "lot": lot, "codes": codes})
}

fn recall(lots: &[&str]) -> Value {
    let lots: Vec<Value> = lots.iter().map(|lot| json!({"product": PRODUCT, "lot": lot})).collect();
    json!({"lots": lots, "level": 2, "reason": "bacteria", "measures": "stop selling", "deadline": "2026-02-01"})
}

fn ship(codes: Vec<String>, to: &str) -> Value {
    json!({"codes": codes, "destination": to})
}

fn of(codes: Vec<String>) -> Value {
    json!({ "codes": codes })
}

/// Lot `L1` of four codes, held by the maker.
pub fn stocked(instance: &str) -> Chain {
    let mut chain = Chain::new();
    chain.ok(MAKER_DESK, APP, instance, "register_product", product(PRODUCT));
    chain.ok(MAKER_DESK, APP, instance, "open_lot", lot("L1"));
    chain.ok(MAKER_DESK, APP, instance, "commission", commission("L1", codes(0..4)));
    chain
}

fn state(chain: &Chain, instance: &str, n: u32) -> ItemState {
    queries::item(&chain.state, APP, instance, &code(n)).unwrap().unwrap().status
}

fn lot_of(chain: &Chain, instance: &str, name: &str) -> queries::LotView {
    let reference = LotRef { product: PRODUCT.to_owned(), lot: name.to_owned() };
    queries::lot(&chain.state, APP, instance, &reference).unwrap().unwrap()
}

#[test]
fn goods_go_from_maker_to_shop_to_consumer_and_every_step_is_kept() {
    let mut chain = stocked("goods");
    let at = json!({"time_ms": START_MS, "read_point": "gate 2", "biz_location": "云川市"});
    chain.ok(MAKER_DESK, APP, "goods", "ship", json!({"codes": codes(0..2), "destination": "shop", "at": at}));
    assert_eq!(state(&chain, "goods", 0), ItemState::InTransit);
    chain.ok(SHOP_DESK, APP, "goods", "receive", of(codes(0..2)));
    chain.ok(SHOP_DESK, APP, "goods", "sell", of(codes(0..1)));
    let item = queries::item(&chain.state, APP, "goods", &code(0)).unwrap().unwrap();
    assert_eq!((item.status, item.item.holder.as_str()), (ItemState::Sold, "shop"));
    assert_eq!(item.product.product.organisation, "maker");
    let events = queries::item_events(&chain.state, APP, "goods", &code(0), None, 10).unwrap();
    let steps: Vec<BizStep> = events.iter().map(|e| e.event.biz_step).collect();
    assert_eq!(steps, [BizStep::Commissioning, BizStep::Shipping, BizStep::Receiving, BizStep::RetailSelling]);
    assert_eq!((events[1].event.event_time, events[1].event.read_point.as_deref()), (START_MS, Some("gate 2")));
    let json = serde_json::to_value(&events[1]).unwrap();
    assert_eq!(json["type"], "ObjectEvent");
    assert_eq!(json["bizStep"], "shipping");
    assert_eq!(json["disposition"], "in_transit");
    assert_eq!(json["eventTimeZoneOffset"], "+08:00");
    assert_eq!(json["epcList"], json!(codes(0..2)));
    let reference = LotRef { product: PRODUCT.to_owned(), lot: "L1".to_owned() };
    let all = queries::lot_events(&chain.state, APP, "goods", &reference, None, 10).unwrap();
    assert_eq!(all.len(), 5, "opened, commissioned, shipped, received, sold");
    let rest = queries::lot_events(&chain.state, APP, "goods", &reference, Some(all[2].id), 10).unwrap();
    assert_eq!(rest, all[3..]);
    let counted = lot_of(&chain, "goods", "L1").lot;
    assert_eq!((counted.commissioned, counted.sold, counted.destroyed), (4, 1, 0));
    assert_eq!(queries::items(&chain.state, APP, "goods", PRODUCT, Some(&code(1)), 10).unwrap().len(), 2);
}

#[test]
fn an_item_is_sold_once() {
    let mut chain = stocked("goods");
    chain.ok(MAKER_DESK, APP, "goods", "sell", of(codes(0..1)));
    let refusal = chain.refused(MAKER_DESK, APP, "goods", "sell", of(codes(0..2)), Code::AlreadySold);
    assert_eq!(refusal.params["code"], code(0));
    assert_eq!(state(&chain, "goods", 1), ItemState::Active, "one sold item stops the whole call");
}

#[test]
fn a_recall_turns_every_item_with_one_write_and_closes_when_nothing_is_left() {
    let mut chain = stocked("goods");
    chain.ok(MAKER_DESK, APP, "goods", "sell", of(codes(0..1)));
    let tx = chain.sign(CLERK, APP, "goods", "open_recall", recall(&["L1"]));
    let effects = chain.block(&[tx]);
    let events = effects.txs[0].outcome.verdict.as_ref().unwrap();
    let number: u64 = field(events, "recall_opened", "recall").parse().unwrap();
    // Recall, lot, two sequences, the event and its entry for the lot: no item is written.
    assert_eq!(effects.changes.len(), 6);
    for n in 0..4 {
        assert_eq!(state(&chain, "goods", n), ItemState::Recalled);
    }
    chain.refused(MAKER_DESK, APP, "goods", "sell", of(codes(1..2)), Code::LotRecalled);
    let close = json!({"recall": number, "summary": "done"});
    let refusal = chain.refused(CLERK, APP, "goods", "close_recall", &close, Code::RecallOpenItems);
    assert_eq!(refusal.params["open"], "3");
    chain.ok(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes(0..4), "reason": "recalled"}));
    assert_eq!(state(&chain, "goods", 0), ItemState::Destroyed);
    chain.ok(CLERK, APP, "goods", "close_recall", &close);
    let closed = queries::recall(&chain.state, APP, "goods", number).unwrap().unwrap();
    assert_eq!(closed.recall.status, RecallStatus::Closed);
    let lot = serde_json::to_value(lot_of(&chain, "goods", "L1")).unwrap();
    assert_eq!((&lot["status"], &lot["recall"]), (&json!("recalled"), &json!(number)));
    assert_eq!(queries::recalls(&chain.state, APP, "goods", None, 10).unwrap().len(), 1);
}

#[test]
fn a_lot_that_is_not_recalled_says_so() {
    let chain = stocked("goods");
    let lot = serde_json::to_value(lot_of(&chain, "goods", "L1")).unwrap();
    assert_eq!((&lot["status"], &lot["recall"]), (&json!("active"), &Value::Null));
}

#[test]
fn goods_are_good_on_their_last_day_and_not_the_day_after() {
    let mut chain = stocked("goods");
    let last_midnight = START_MS - 8 * 3_600_000 + 10 * 86_400_000; // the end of 2026-01-10 in the city
    chain.context.time_ms = last_midnight - 1_000;
    chain.ok(MAKER_DESK, APP, "goods", "sell", of(codes(0..1)));
    chain.context.time_ms = last_midnight;
    chain.refused(MAKER_DESK, APP, "goods", "sell", of(codes(1..2)), Code::Expired);
}

#[test]
fn a_photo_of_the_destruction_reaches_the_log() {
    #[derive(Serialize)]
    struct Destroy {
        codes: Vec<String>,
        reason: &'static str,
        photo: Hash,
    }
    let mut chain = stocked("goods");
    let args = Destroy { codes: codes(0..1), reason: "broken", photo: Hash([5; 32]) };
    let tx = chain.sign(MAKER_DESK, APP, "goods", "destroy", args);
    assert_eq!(chain.block(&[tx]).txs[0].digests, [Hash([5; 32])]);
}

#[test]
fn scans_add_up() {
    let mut chain = stocked("goods");
    let scans = |count: u64, ms: u64| json!({"counts": [{"code": code(0), "count": count, "last_ms": ms}]});
    chain.ok(SHOP_DESK, APP, "goods", "record_scans", scans(3, START_MS));
    chain.ok(SHOP_DESK, APP, "goods", "record_scans", scans(2, START_MS + 500));
    let counted = queries::item(&chain.state, APP, "goods", &code(0)).unwrap().unwrap().scans;
    assert_eq!((counted.count, counted.first_at, counted.last_at), (5, START_MS, START_MS + 500));
}

/// The same acts in an instance without guards: each is allowed and, where it is odd, reported.
#[test]
fn each_guard_decides() {
    let mut c = stocked("loose");
    c.ok(SHOP_DESK, APP, "loose", "ship", of(codes(0..1)));
    c.ok(SHOP_DESK, APP, "loose", "receive", of(codes(0..1)));
    c.ok(MAKER_DESK, APP, "loose", "ship", ship(codes(1..2), "city"));
    let events = c.ok(SHOP_DESK, APP, "loose", "receive", of(codes(1..2)));
    let id: u64 = field(&events, "pedigree_broken", "event").parse().unwrap();
    let event = queries::event(&c.state, APP, "loose", id).unwrap().unwrap();
    assert_eq!(event.event.disposition, Disposition::NoPedigreeMatch);
    c.ok(MAKER_DESK, APP, "loose", "sell", of(codes(2..3)));
    let events = c.ok(MAKER_DESK, APP, "loose", "sell", of(codes(2..3)));
    assert_eq!(field(&events, "sold_again", "organisation"), "maker");
    assert_eq!(lot_of(&c, "loose", "L1").lot.sold, 1, "one item, sold twice, is one item sold");
    c.ok(MAKER_DESK, APP, "loose", "destroy", json!({"codes": codes(3..4), "reason": "x"}));
    c.ok(MAKER_DESK, APP, "loose", "ship", ship(codes(3..4), "shop"));
    assert_eq!(lot_of(&c, "loose", "L1").lot.destroyed, 0, "what moves is not destroyed");
    c.context.time_ms += 30 * 86_400_000;
    c.ok(MAKER_DESK, APP, "loose", "sell", of(codes(0..1)));
    let events = c.ok(CLERK, APP, "loose", "open_recall", recall(&["L1"]));
    c.ok(MAKER_DESK, APP, "loose", "sell", of(codes(1..2)));
    let number: u64 = field(&events, "recall_opened", "recall").parse().unwrap();
    c.ok(CLERK, APP, "loose", "close_recall", json!({"recall": number, "summary": "closed early"}));
}

/// Every refusal of the module.
pub fn refusals() {
    registration_refusals();
    movement_refusals();
    recall_refusals();
    goods_go_from_maker_to_shop_to_consumer_and_every_step_is_kept();
    an_item_is_sold_once();
    a_recall_turns_every_item_with_one_write_and_closes_when_nothing_is_left();
    goods_are_good_on_their_last_day_and_not_the_day_after();
    scans_add_up();
    each_guard_decides();
}

fn registration_refusals() {
    let mut c = stocked("goods");
    let mut maker = |method: &str, args: Value, code| drop(c.refused(MAKER_DESK, APP, "goods", method, args, code));
    maker("register_product", product("09506000134353"), Code::CodeInvalid);
    maker("register_product", product(PRODUCT), Code::ProductExists);
    maker("register_product", json!({"product": "00614141123452", "fields": {}}), Code::FieldMissing);
    maker(
        "register_product",
        json!({"product": "00614141123452", "fields": {"name": "a", "x": "b"}}),
        Code::FieldUnknown,
    );
    maker("register_product", json!({"product": "00614141123452", "fields": {"name": ""}}), Code::FieldInvalid);
    let changed = |name: &str, value: Value| {
        let mut lot = lot("L2");
        lot[name] = value;
        lot
    };
    maker("open_lot", changed("product", json!("00614141123452")), Code::ProductUnknown);
    maker("open_lot", lot("L1"), Code::LotExists);
    maker("open_lot", lot("L1 "), Code::LotInvalid);
    maker("open_lot", lot("LLLLLLLLL"), Code::LotInvalid);
    maker("open_lot", changed("made_on", json!("2026-02-30")), Code::FieldInvalid);
    maker("open_lot", changed("made_on", json!("2026-01-11")), Code::DatesReversed);
    maker("open_lot", changed("quantity", json!(0)), Code::FieldInvalid);
    maker("open_lot", changed("line", json!("")), Code::FieldInvalid);
    maker("open_lot", json!({"product": PRODUCT, "lot": "L2"}), Code::FieldMissing);
    maker("open_lot", json!({"product": PRODUCT, "lot": 2}), Code::BadArguments);
    maker("commission", commission("L9", codes(9..10)), Code::LotUnknown);
    maker("commission", commission("L1", codes(0..5)), Code::QuantityExceeded);
    maker("commission", commission("L1", vec![]), Code::ListSize);
    maker("commission", commission("L1", vec![code(9), code(9)]), Code::CodeRepeated);
    maker("commission", commission("L1", codes(0..1001)), Code::ListSize);
    let more =
        json!({"product": PRODUCT, "lot": "L2", "made_on": "2026-01-01", "expire_on": "2026-01-10", "quantity": 9});
    c.ok(MAKER_DESK, APP, "goods", "open_lot", more);
    let mut maker = |method: &str, args: Value, code| drop(c.refused(MAKER_DESK, APP, "goods", method, args, code));
    maker("commission", commission("L2", codes(0..1)), Code::CodeExists);
    maker("commission", commission("L2", vec!["0950600013435".to_owned()]), Code::CodeInvalid);
    maker("commission", commission("L2", vec![code(9).replace("0009", "000a")]), Code::CodeInvalid);
    maker("commission", commission("L2", vec![code(9).replace(PRODUCT, "00614141123452")]), Code::CodeOtherProduct);
    // A second maker has the role, and not the product.
    c.ok(
        CITY,
        "chain",
        "application",
        "admit",
        json!({"app": APP, "organisation": "city", "roles": ["clerk", "maker", "bureau"]}),
    );
    let roles = vec!["clerk", "maker", "bureau"];
    c.ok(CITY, "chain", "application", "assign", Assign { app: APP, key: key(CLERK).public(), roles });
    c.refused(CLERK, APP, "goods", "open_lot", lot("L3"), Code::NotOwner);
    c.refused(CLERK, APP, "goods", "commission", commission("L2", codes(9..10)), Code::NotOwner);
}

fn movement_refusals() {
    let mut c = stocked("goods");
    c.refused(MAKER_DESK, APP, "goods", "ship", of(codes(0..1)), Code::FieldMissing);
    c.refused(MAKER_DESK, APP, "goods", "ship", ship(codes(0..1), "maker"), Code::SameOrganisation);
    c.refused(MAKER_DESK, APP, "goods", "ship", ship(codes(0..1), "court"), Code::OrganisationUnknown);
    c.refused(MAKER_DESK, APP, "goods", "ship", ship(codes(8..9), "shop"), Code::CodeUnknown);
    c.refused(SHOP_DESK, APP, "goods", "ship", ship(codes(0..1), "city"), Code::NotHolder);
    let ahead = json!({"codes": codes(0..1), "destination": "shop", "at": {"time_ms": START_MS * 2}});
    c.refused(MAKER_DESK, APP, "goods", "ship", ahead, Code::TimeInFuture);
    let nowhere = json!({"codes": codes(0..1), "destination": "shop", "at": {"read_point": ""}});
    c.refused(MAKER_DESK, APP, "goods", "ship", nowhere, Code::FieldInvalid);
    c.ok(MAKER_DESK, APP, "goods", "ship", ship(codes(0..1), "city"));
    c.refused(MAKER_DESK, APP, "goods", "ship", ship(codes(0..1), "shop"), Code::ItemInTransit);
    c.refused(MAKER_DESK, APP, "goods", "sell", of(codes(0..1)), Code::ItemInTransit);
    c.refused(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes(0..1), "reason": "x"}), Code::ItemInTransit);
    c.refused(SHOP_DESK, APP, "goods", "receive", of(codes(0..1)), Code::ReceiverMismatch);
    c.refused(SHOP_DESK, APP, "goods", "receive", of(codes(1..2)), Code::ItemNotInTransit);
    c.ok(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes(1..2), "reason": "x"}));
    c.refused(MAKER_DESK, APP, "goods", "ship", ship(codes(1..2), "shop"), Code::ItemDestroyed);
    c.refused(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes(1..2), "reason": "x"}), Code::ItemDestroyed);
    c.refused(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes(2..3), "reason": ""}), Code::FieldInvalid);
    c.refused(MAKER_DESK, APP, "goods", "teleport", json!({}), Code::MethodUnknown);
    let scan = |n: u32, count: u64, ms: u64| json!({"code": code(n), "count": count, "last_ms": ms});
    let mut scans = |counts: Vec<Value>, code| {
        c.refused(SHOP_DESK, APP, "goods", "record_scans", json!({ "counts": counts }), code);
    };
    scans(vec![], Code::ListSize);
    scans(vec![scan(8, 1, START_MS)], Code::CodeUnknown);
    scans(vec![scan(0, 0, START_MS)], Code::FieldInvalid);
    scans(vec![scan(0, 1, START_MS * 2)], Code::TimeInFuture);
    scans(vec![scan(0, 1, START_MS), scan(0, 1, START_MS)], Code::CodeRepeated);
}

fn recall_refusals() {
    let mut c = stocked("goods");
    c.refused(CLERK, APP, "goods", "open_recall", recall(&[]), Code::ListSize);
    c.refused(CLERK, APP, "goods", "open_recall", recall(&["L9"]), Code::LotUnknown);
    c.refused(CLERK, APP, "goods", "open_recall", recall(&["L1", "L1"]), Code::LotRecalled);
    let mut badly = recall(&["L1"]);
    badly["level"] = json!(4);
    c.refused(CLERK, APP, "goods", "open_recall", badly, Code::FieldInvalid);
    c.refused(CLERK, APP, "goods", "close_recall", json!({"recall": 1, "summary": "x"}), Code::RecallUnknown);
    c.ok(CLERK, APP, "goods", "open_recall", recall(&["L1"]));
    c.refused(CLERK, APP, "goods", "open_recall", recall(&["L1"]), Code::LotRecalled);
    c.refused(MAKER_DESK, APP, "goods", "commission", commission("L1", codes(4..5)), Code::LotRecalled);
    c.refused(SHOP_DESK, APP, "goods", "close_recall", json!({"recall": 1, "summary": "x"}), Code::NotOwner);
    c.refused(CLERK, APP, "goods", "close_recall", json!({"recall": 1, "summary": "x"}), Code::RecallOpenItems);
    c.ok(MAKER_DESK, APP, "goods", "destroy", json!({"codes": codes(0..4), "reason": "x"}));
    c.ok(CLERK, APP, "goods", "close_recall", json!({"recall": 1, "summary": "x"}));
    c.refused(CLERK, APP, "goods", "close_recall", json!({"recall": 1, "summary": "x"}), Code::RecallIsClosed);
}
