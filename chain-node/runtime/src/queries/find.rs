//! Records of any application by kind and id, as JSON: what a generic API route and a generated page need.
//!
//! | module | kind | id | lists within |
//! |---|---|---|---|
//! | `anchor` | `record` (or empty) | number | |
//! | `anchor` | `version` | `number/version` | number |
//! | `trace` | `product` | code | |
//! | `trace` | `lot` | `product/lot` | product |
//! | `trace` | `item` | code | product |
//! | `trace` | `event` | number | `product/lot`, or an item's code |
//! | `trace` | `recall` | number | |

use chain_types::manifest::Module;
use serde::Serialize;
use serde_json::Value as Json;

use super::{
    anchor_record, anchor_records, anchor_versions, application, application_version, record_key, trace, version_key,
};
use crate::modules::trace::state::LotRef;
use crate::state::{StateError, StateView};

/// A record and what proves it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// State keys whose proofs together prove what is said: an item needs its lot's too.
    pub keys: Vec<Vec<u8>>,
    pub record: Json,
}

/// A record in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// What [`find`] takes, and what the next page's `after` is.
    pub id: String,
    pub record: Json,
}

/// An instance of an installed application.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub app: &'a str,
    pub instance: &'a str,
}

/// The module of an instance, if there is such an instance; uninstalled applications stay readable.
pub fn module_of<S: StateView>(view: &S, at: Place<'_>) -> Result<Option<Module>, StateError> {
    let Some(found) = application(view, at.app)? else { return Ok(None) };
    let version = application_version(view, at.app, found.application.revision)?;
    Ok(version.and_then(|v| v.manifest.instances.get(at.instance).map(|i| i.module)))
}

/// One record; `None` if there is no such application, instance, kind or record.
pub fn find<S: StateView>(view: &S, at: Place<'_>, kind: &str, id: &str) -> Result<Option<Found>, StateError> {
    let Place { app, instance } = at;
    let module = module_of(view, at)?;
    let (keys, record) = match (module, kind) {
        (Some(Module::Anchor), "" | "record") => {
            (vec![record_key(app, instance, id)], json(anchor_record(view, app, instance, id)?)?)
        }
        (Some(Module::Anchor), "version") => {
            let Some((number, version)) = split(id).and_then(|(n, v)| Some((n, v.parse::<u32>().ok()?))) else {
                return Ok(None);
            };
            let before = version.checked_sub(1);
            let found = anchor_versions(view, app, instance, number, before, 1)?.into_iter().next();
            let found = found.filter(|v| v.record.version == version);
            // The present version stands under the record's own key.
            let present = anchor_record(view, app, instance, number)?.is_some_and(|r| r.record.version == version);
            let replaced = version_key(app, instance, number, version);
            (vec![if present { record_key(app, instance, number) } else { replaced }], json(found)?)
        }
        (Some(Module::Trace), "product") => {
            (vec![trace::product_key(app, instance, id)], json(trace::product(view, app, instance, id)?)?)
        }
        (Some(Module::Trace), "lot") => match lot_ref(id) {
            Some(lot) => (vec![trace::lot_key(app, instance, &lot)], json(trace::lot(view, app, instance, &lot)?)?),
            None => return Ok(None),
        },
        (Some(Module::Trace), "item") => item(view, at, id)?,
        (Some(Module::Trace), "event") => match id.parse() {
            Ok(id) => (vec![trace::event_key(app, instance, id)], json(trace::event(view, app, instance, id)?)?),
            Err(_) => return Ok(None),
        },
        (Some(Module::Trace), "recall") => match id.parse() {
            Ok(id) => (vec![trace::recall_key(app, instance, id)], json(trace::recall(view, app, instance, id)?)?),
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(record.map(|record| Found { keys, record }))
}

fn item<S: StateView>(view: &S, at: Place<'_>, code: &str) -> Result<(Vec<Vec<u8>>, Option<Json>), StateError> {
    let found = trace::item(view, at.app, at.instance, code)?;
    let mut keys = vec![trace::item_key(at.app, at.instance, code)];
    if let Some(found) = &found {
        keys.push(trace::lot_key(at.app, at.instance, &found.item.lot_ref()));
        keys.push(trace::product_key(at.app, at.instance, &found.item.product));
    }
    Ok((keys, json(found)?))
}

/// Records of a kind; `None` if there is no such application, instance or kind, or `within` is missing.
pub fn list<S: StateView>(
    view: &S,
    at: Place<'_>,
    kind: &str,
    within: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Result<Option<Vec<Listed>>, StateError> {
    let Place { app, instance } = at;
    let number = after.and_then(|a| a.parse::<u64>().ok());
    let last = after.and_then(split).map(|(_, last)| last);
    Ok(match (module_of(view, at)?, kind, within) {
        (Some(Module::Anchor), "" | "record", None) => {
            let records = anchor_records(view, app, instance, after, limit)?;
            listed(records, |r| r.number.clone())?
        }
        (Some(Module::Anchor), "version", Some(of)) => {
            let after = last.and_then(|v| v.parse().ok());
            let records = anchor_versions(view, app, instance, of, after, limit)?;
            listed(records, |r| format!("{}/{}", r.number, r.record.version))?
        }
        (Some(Module::Trace), "product", None) => {
            listed(trace::products(view, app, instance, after, limit)?, |p| p.code.clone())?
        }
        (Some(Module::Trace), "lot", Some(product)) => {
            let lots = trace::lots(view, app, instance, product, last, limit)?;
            listed(lots, |l| format!("{}/{}", l.product, l.number))?
        }
        (Some(Module::Trace), "item", Some(product)) => {
            let items = trace::items(view, app, instance, product, after, limit)?;
            let one = |(id, item)| Ok(Listed { id, record: json(Some(item))?.unwrap_or_default() });
            Some(items.into_iter().map(one).collect::<Result<_, StateError>>()?)
        }
        (Some(Module::Trace), "event", Some(of)) => {
            let events = match lot_ref(of) {
                Some(lot) => trace::lot_events(view, app, instance, &lot, number, limit)?,
                None => trace::item_events(view, app, instance, of, number, limit)?,
            };
            listed(events, |e| e.id.to_string())?
        }
        (Some(Module::Trace), "recall", None) => {
            listed(trace::recalls(view, app, instance, number, limit)?, |r| r.number.to_string())?
        }
        _ => None,
    })
}

fn listed<T: Serialize>(records: Vec<T>, id: impl Fn(&T) -> String) -> Result<Option<Vec<Listed>>, StateError> {
    let one = |record: T| Ok(Listed { id: id(&record), record: json(Some(&record))?.unwrap_or_default() });
    records.into_iter().map(one).collect::<Result<_, _>>().map(Some)
}

fn json<T: Serialize>(record: Option<T>) -> Result<Option<Json>, StateError> {
    let json = record.map(|r| serde_json::to_value(r)).transpose();
    json.map_err(|e| StateError(format!("a record cannot be written as JSON: {e}")))
}

fn split(id: &str) -> Option<(&str, &str)> {
    id.rsplit_once('/')
}

fn lot_ref(id: &str) -> Option<LotRef> {
    let (product, lot) = split(id)?;
    Some(LotRef { product: product.to_owned(), lot: lot.to_owned() })
}
