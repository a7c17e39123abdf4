//! Records are found by kind and id, listed in pages without gaps or repeats, and named by the keys that prove them.

use chain_runtime::StateView;
use chain_runtime::queries::{Place, find, list};
use serde_json::json;

use crate::chain::*;
use crate::trace::{codes, stocked};

const GOODS: Place<'static> = Place { app: APP, instance: "goods" };
const PAPERS: Place<'static> = Place { app: APP, instance: "papers" };

/// All ids, read in pages of two.
fn ids(chain: &Chain, at: Place<'_>, kind: &str, within: Option<&str>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    loop {
        let page = list(&chain.state, at, kind, within, all.last().map(String::as_str), 2).unwrap().unwrap();
        if page.is_empty() {
            return all;
        }
        for one in page {
            // A version's record is shown whole either way; every listed id finds the record that was listed.
            assert!(find(&chain.state, at, kind, &one.id).unwrap().is_some(), "{kind} {}", one.id);
            all.push(one.id);
        }
    }
}

#[test]
fn every_kind_is_listed_whole_and_found_again() {
    let mut chain = stocked("goods");
    for _ in 0..5 {
        chain.ok(CLERK, APP, "papers", "anchor", json!({"fields": {"topic": "one"}}));
    }
    for topic in ["two", "one", "two"] {
        chain.ok(CLERK, APP, "papers", "append", json!({"number": "AB20260002", "fields": {"topic": topic}}));
    }
    chain.ok(MAKER_DESK, APP, "goods", "sell", json!({"codes": codes(0..1)}));
    let args = json!({"lots": [{"product": PRODUCT, "lot": "L1"}], "level": 1, "reason": "x", "measures": "y"});
    chain.ok(CLERK, APP, "goods", "open_recall", args);
    assert_eq!(ids(&chain, PAPERS, "record", None).len(), 5);
    let versions = ids(&chain, PAPERS, "version", Some("AB20260002"));
    assert_eq!(versions, ["AB20260002/1", "AB20260002/2", "AB20260002/3", "AB20260002/4"]);
    assert_eq!(ids(&chain, GOODS, "product", None), [PRODUCT]);
    let lot = format!("{PRODUCT}/L1");
    assert_eq!(ids(&chain, GOODS, "lot", Some(PRODUCT)), [lot.as_str()]);
    assert_eq!(ids(&chain, GOODS, "item", Some(PRODUCT)), codes(0..4));
    assert_eq!(ids(&chain, GOODS, "event", Some(&lot)).len(), 4);
    assert_eq!(ids(&chain, GOODS, "event", Some(&code(0))).len(), 2);
    assert_eq!(ids(&chain, GOODS, "recall", None), ["1"]);
}

#[test]
fn what_is_found_names_the_keys_that_prove_it() {
    let mut chain = stocked("goods");
    chain.ok(CLERK, APP, "papers", "anchor", json!({"fields": {"topic": "one"}}));
    chain.ok(CLERK, APP, "papers", "append", json!({"number": "AB20260001", "fields": {"topic": "two"}}));
    for (at, kind, id, keys) in [
        (PAPERS, "record", "AB20260001", 1),
        (PAPERS, "version", "AB20260001/1", 1),
        (PAPERS, "version", "AB20260001/2", 1),
        (GOODS, "item", code(0).as_str(), 3),
        (GOODS, "lot", format!("{PRODUCT}/L1").as_str(), 1),
        (GOODS, "event", "1", 1),
    ] {
        let found = find(&chain.state, at, kind, id).unwrap().unwrap();
        assert_eq!(found.keys.len(), keys, "{kind} {id}");
        assert!(found.keys.iter().all(|key| chain.state.get(key).unwrap().is_some()), "{kind} {id}");
    }
    let item = find(&chain.state, GOODS, "item", &code(0)).unwrap().unwrap().record;
    assert_eq!(item["status"], "active");
    assert_eq!(item["lot"]["recall"], json!(null));
    assert_eq!(item["product"]["fields"]["name"], "云川纯牛奶");
}

#[test]
fn what_is_not_there_is_not_found() {
    let chain = stocked("goods");
    for (kind, id) in
        [("item", "x"), ("lot", "x"), ("lot", "x/y"), ("event", "x"), ("recall", "1"), ("box", "1"), ("", "1")]
    {
        assert_eq!(find(&chain.state, GOODS, kind, id).unwrap(), None, "{kind} {id}");
    }
    assert_eq!(find(&chain.state, PAPERS, "version", "AB20260001/1").unwrap(), None);
    assert_eq!(find(&chain.state, Place { app: "other", instance: "goods" }, "item", &code(0)).unwrap(), None);
    assert_eq!(list(&chain.state, GOODS, "lot", None, None, 5).unwrap(), None);
    assert_eq!(list(&chain.state, GOODS, "lot", Some("x"), None, 5).unwrap(), Some(vec![]));
}
