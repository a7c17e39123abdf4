//! Which records of the state an applied call touched, by the modules' events, and what they hold now. The modules are native and
//! few, so their keys are written down here; an event that is not known touches nothing.

use crate::reach::Way;
use chain_client::{ChainBlock, Error};
use chain_types::Value;
use chain_types::state::{CHAIN_APP, account_key, key, prefix};
use chain_types::{Event, PublicKey};
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;

const FETCH_AT_ONCE: usize = 16;
const LIST_PAGE: u32 = 500;

/// A record that may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    pub key: Vec<u8>,
    pub app: String,
    pub instance: String,
    pub kind: &'static str,
    /// For people.
    pub id: String,
}

/// A record as it is now; `None` if it is gone.
pub struct Found {
    pub touched: Touched,
    pub json: Option<serde_json::Value>,
    pub height: u64,
}

/// Everything that the block's applied calls touched.
pub fn touched(block: &ChainBlock) -> Vec<Touched> {
    let mut all = Vec::new();
    for (transaction, result) in block.txs.iter().zip(&block.results) {
        for event in result.verdict.as_ref().ok().into_iter().flatten() {
            of_event(event, &transaction.call().args, &mut all);
        }
    }
    all
}

fn of_event(event: &Event, args: &Value, all: &mut Vec<Touched>) {
    let fields = &event.fields;
    let mut add = |kind: &'static str, id: &[u8], shown: String| {
        let key = key(&event.app, &event.instance, kind, id);
        all.push(Touched { key, app: event.app.clone(), instance: event.instance.clone(), kind, id: shown });
    };
    let mut add_text = |kind: &'static str, id: Option<&str>| {
        if let Some(id) = id {
            add(kind, id.as_bytes(), id.to_owned());
        }
    };
    match event.name.as_str() {
        "anchored" | "appended" | "withdrawn" => add_text("record", text(fields, "number")),
        "product_registered" => add_text("product", text(fields, "product")),
        "scans_recorded" => {
            for one in list(args, "counts") {
                add_text("scan", text(one, "code"));
            }
        }
        "installed" | "upgraded" | "suspended" | "resumed" | "uninstalled" if event.app == CHAIN_APP => {
            add_text("application", text(fields, "app"));
        }
        "lot_opened" => {
            add_lot(fields, &mut add);
            add_number("event", integer(fields, "event"), &mut add);
        }
        "recall_opened" | "recall_closed" => {
            add_number("recall", integer(fields, "recall"), &mut add);
            add_number("event", integer(fields, "event"), &mut add);
            list(fields, "lots").iter().for_each(|lot| add_lot(lot, &mut add));
        }
        "commissioned" | "shipped" | "received" | "pedigree_broken" | "sold" | "sold_again" | "destroyed" => {
            add_number("event", integer(fields, "event"), &mut add);
            list(fields, "lots").iter().for_each(|lot| add_lot(lot, &mut add));
            for code in list(fields, "codes").iter().filter_map(Value::as_text) {
                add("item", code.as_bytes(), code.to_owned());
            }
        }
        "account_bound" | "account_suspended" | "account_resumed" => add_account(fields, "key", all),
        "organisation_admitted" => add_account(fields, "administrator", all),
        _ => {}
    }
}

fn add_account(fields: &Value, name: &str, all: &mut Vec<Touched>) {
    let Some(kid) = field(fields, name).and_then(Value::as_bytes).and_then(|bytes| PublicKey::from_slice(bytes)) else {
        return;
    };
    all.push(account(&kid));
}

fn account(kid: &PublicKey) -> Touched {
    Touched {
        key: account_key(kid),
        app: CHAIN_APP.to_owned(),
        instance: "identity".to_owned(),
        kind: "account",
        id: kid.to_string(),
    }
}

fn add_number(kind: &'static str, number: Option<u64>, add: &mut impl FnMut(&'static str, &[u8], String)) {
    if let Some(number) = number {
        add(kind, &number.to_be_bytes(), number.to_string());
    }
}

/// A lot's id is its product's code, length first, and its number.
fn add_lot(lot: &Value, add: &mut impl FnMut(&'static str, &[u8], String)) {
    let (Some(product), Some(number)) = (text(lot, "product"), text(lot, "lot")) else { return };
    let mut id = vec![u8::try_from(product.len()).unwrap_or(u8::MAX)];
    id.extend_from_slice(product.as_bytes());
    id.extend_from_slice(number.as_bytes());
    add("lot", &id, format!("{product}/{number}"));
}

fn field<'a>(map: &'a Value, name: &str) -> Option<&'a Value> {
    map.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn text<'a>(map: &'a Value, name: &str) -> Option<&'a str> {
    field(map, name)?.as_text()
}

fn integer(map: &Value, name: &str) -> Option<u64> {
    u64::try_from(field(map, name)?.as_integer()?).ok()
}

fn list<'a>(map: &'a Value, name: &str) -> &'a [Value] {
    field(map, name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What the records hold now. That may be later than the block that touched them; a later block touches them again then.
pub async fn fetch(way: &Way, touched: BTreeSet<Touched>) -> Result<Vec<Found>, Error> {
    futures::stream::iter(touched)
        .map(async |touched| {
            let value = way.client.state_value(&touched.key).await?;
            let height = value.as_ref().map_or(0, |value| value.height);
            Ok(Found { touched, json: value.map(|value| value.json), height })
        })
        .buffer_unordered(FETCH_AT_ONCE)
        .try_collect()
        .await
}

/// Every account as it is now, those of genesis among them.
pub async fn all_accounts(way: &Way) -> Result<Vec<Found>, Error> {
    let prefix = prefix(CHAIN_APP, "identity", "account");
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = way.client.state_list(&prefix, after.as_deref(), LIST_PAGE).await?;
        let whole = page.len() < LIST_PAGE as usize;
        after = page.last().map(|entry| entry.key.clone());
        for entry in page {
            let kid = entry.key.get(prefix.len()..).and_then(PublicKey::from_slice);
            all.extend(kid.map(|kid| Found { touched: account(&kid), json: Some(entry.json), height: 0 }));
        }
        if whole {
            return Ok(all);
        }
    }
}
