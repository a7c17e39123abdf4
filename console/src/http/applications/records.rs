//! Generated lists and details: filters, search, pages, export; a record's content, versions, timeline and proof.

use super::Frame;
use crate::applications::records::{self as store, Asked, Record};
use crate::applications::shown::Words;
use crate::applications::{self, Deployed, calls, public};
use crate::auth::{Action, Principal};
use crate::error::{Error, Result};
use crate::http::download;
use crate::http::extract::{Path, Query, View};
use axum::response::Response;
use chain_types::manifest::{Action as Button, DetailPage, FieldType, ListPage, Page, Tab, Target};
use serde_json::{Value as Json, json};
use std::collections::HashMap;

const PER_PAGE: i64 = 50;
/// Rows of one export; beyond it a narrower filter helps.
const MOST_ROWS: i64 = 20_000;

pub type Parameters = Query<Vec<(String, String)>>;

fn parameter<'a>(pairs: &'a [(String, String)], name: &str) -> &'a str {
    pairs.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
}

pub async fn page(
    view: View,
    principal: Principal,
    Path((name, id)): Path<(String, String)>,
    Query(pairs): Parameters,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::UseApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let page = frame.deployed.page(&id).cloned().ok_or(Error::NotFound)?;
    if !frame.stale && !frame.person.sees(page.head().roles) {
        return Err(Error::Forbidden);
    }
    match &page {
        Page::List(list) | Page::Board(list) | Page::Ledger(list) | Page::Desk(list) => {
            list_page(&view, &frame, &id, list, &pairs).await
        }
        Page::Scan(scan) => super::desk::show(&view, &frame, &id, scan, &pairs).await,
        Page::Labels(labels) => super::labels::show(&view, &frame, &id, labels, &pairs).await,
        _ => Err(Error::NotFound),
    }
}

/// What a reader's address asks of a list.
fn asked<'a>(frame: &Frame, list: &ListPage, pairs: &'a [(String, String)], page: i64, per_page: i64) -> Asked<'a> {
    let equal = list.filters.iter().filter_map(|filter| {
        let value = parameter(pairs, filter);
        (!value.is_empty()).then(|| (filter.clone(), value.to_owned()))
    });
    let (days, equal) =
        equal.partition(|(filter, _)| kind_of_field(frame, &list.of, filter) == Some(FieldType::Datetime));
    Asked { text: parameter(pairs, "q"), equal, days, page, per_page }
}

async fn list_page(
    view: &View,
    frame: &Frame,
    id: &str,
    list: &ListPage,
    pairs: &[(String, String)],
) -> Result<Response> {
    let number = parameter(pairs, "page").parse::<i64>().unwrap_or(1).clamp(1, 1_000_000);
    let asked = asked(frame, list, pairs, number, PER_PAGE);
    let (records, total) = store::list(&view.app, &frame.deployed, &list.of, &asked).await?;
    let words = frame.words(view);
    let (instance, kind) = (list.of.instance.as_str(), store::kind_of(&list.of));
    let detail = frame.detail_of(instance, kind);
    let columns: Vec<String> = list.columns.iter().map(|column| words.label(instance, kind, column)).collect();
    let mut rows = Vec::new();
    for record in &records {
        let kept = kept_values(view, frame, record).await?;
        let cells: Vec<Json> = list.columns.iter().map(|column| json!(words.field(record, column, &kept))).collect();
        let href = detail.as_ref().map(|page| record_path(&frame.deployed, page, &record.id));
        let buttons = buttons(frame, &words, &list.actions, Some(record));
        rows.push(json!({ "cells": cells, "href": href, "buttons": buttons }));
    }
    let query: Vec<String> = pairs
        .iter()
        .filter(|(name, value)| name != "page" && !value.is_empty())
        .map(|(name, value)| format!("{name}={}", crate::http::middleware::percent_encode(value)))
        .collect();
    let form: serde_json::Map<String, Json> = pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let filters: Vec<Json> = list.filters.iter().map(|filter| filter_input(frame, &words, &list.of, filter)).collect();
    let topic = format!("tenant/{}/chain/{}", frame.deployed.tenant, frame.deployed.row.chain);
    let data = json!({
        "head": frame.head(view, id), "page_id": id, "page_title": list.title.as_ref().map(|title| words.pick(title)),
        "columns": columns, "rows": rows, "filters": filters, "total": total, "page": number, "per_page": PER_PAGE,
        "query": query.join("&"), "filtered": !asked.equal.is_empty() || !asked.days.is_empty() || !asked.text.is_empty(), "topic": topic,
        "actions": buttons(frame, &words, &list.actions, None), "form": form, "errors": {}, "error_list": [],
    });
    view.page_or_block("applications/records.html", "rows", &data)
}

fn record_path(deployed: &Deployed, page: &str, id: &str) -> String {
    format!("/applications/{}/pages/{page}/record?id={}", deployed.name(), crate::http::middleware::percent_encode(id))
}

/// The type of a field of a target's records.
fn kind_of_field(frame: &Frame, target: &Target, name: &str) -> Option<FieldType> {
    let (instance, module) = frame.deployed.instance(&target.instance)?;
    let kind = store::kind_of(target);
    let of_module =
        module.kinds.iter().filter(|of| of.name == kind || of.name.is_empty()).find_map(|of| of.field(name));
    instance.own_field(name).map(|field| field.kind).or(of_module.map(|field| field.kind))
}

fn filter_input(frame: &Frame, words: &Words<'_>, target: &Target, filter: &str) -> Json {
    let (instance, kind) = (target.instance.as_str(), store::kind_of(target));
    let field = frame.deployed.resolved.chain().instances.get(instance).and_then(|instance| instance.own_field(filter));
    let module = frame.deployed.instance(instance).map(|(_, module)| module);
    let of_kind = module.and_then(|module| module.kinds.iter().find(|of| of.name == kind || of.name.is_empty()));
    let module_kind = of_kind.and_then(|of| of.field(filter)).map(|field| field.kind);
    let mut choices: Vec<Json> = Vec::new();
    if filter == "status" {
        let states = of_kind.map(|of| of.states).unwrap_or_default();
        choices = states.iter().map(|state| json!({ "value": state, "label": words.state(state) })).collect();
    } else if let Some(field) = field.filter(|field| field.kind == FieldType::Enum) {
        choices =
            field.values.iter().map(|(value, title)| json!({ "value": value, "label": words.pick(title) })).collect();
    } else if module_kind == Some(FieldType::Organisation) {
        choices =
            frame.organisations.iter().map(|(id, title)| json!({ "value": id, "label": words.pick(title) })).collect();
    }
    let is_date = matches!(kind_of_field(frame, target, filter), Some(FieldType::Date | FieldType::Datetime));
    let kind_of_input = if !choices.is_empty() {
        "select"
    } else if is_date {
        "date"
    } else {
        "text"
    };
    json!({ "name": filter, "label": words.label(instance, kind, filter), "kind": kind_of_input, "choices": choices })
}

/// The buttons that the person may press: those of the record's state, or those that need no record.
fn buttons(frame: &Frame, words: &Words<'_>, actions: &[Button], record: Option<&Record>) -> Vec<Json> {
    if matches!(frame.deployed.row.state.as_str(), "removing" | "removed") {
        return Vec::new();
    }
    let shown = actions.iter().filter(|action| {
        let call = &action.call;
        let of_state = match record {
            Some(record) => action.states.contains(&record.status),
            None => action.states.is_empty(),
        };
        of_state && frame.person.may(&frame.deployed, &call.instance, &call.method) && frame.person.sees(&action.roles)
    });
    let one = |action: &Button| {
        let call = &action.call;
        let label =
            action.label.as_ref().map_or_else(|| words.call_title(&call.to_string()), |label| words.pick(label));
        let of = record.map(|record| {
            format!("?record={}&kind={}", crate::http::middleware::percent_encode(&record.id), record.kind)
        });
        let danger = matches!(call.method.as_str(), "withdraw" | "destroy" | "open_recall");
        json!({
            "label": label, "danger": danger,
            "href": format!("/applications/{}/act/{}/{}{}", frame.deployed.name(), call.instance, call.method, of.unwrap_or_default()),
        })
    };
    shown.map(one).collect()
}

/// Values that stay off chain, by field; of a record with versions, the latest of each.
async fn kept_values(view: &View, frame: &Frame, record: &Record) -> Result<HashMap<String, String>> {
    let mut all = HashMap::new();
    let later = record.fields.get("version").and_then(Json::as_u64).is_some_and(|version| version > 1);
    // A chain that does not answer leaves what came with the newest version.
    let versions = match later {
        true => store::versions(&view.app, &frame.deployed, &record.instance, &record.id).await.unwrap_or_default(),
        false => Vec::new(),
    };
    for tx in versions.iter().chain([record]).filter_map(|version| version.fields.get("tx")?.as_str()) {
        all.extend(calls::kept(&view.app, tx).await?.into_iter().map(|kept| (kept.field, kept.value)));
    }
    Ok(all)
}

/// CSV with a byte-order mark; codes are quoted as formulas of text, or a spreadsheet would round them.
pub async fn export(
    view: View,
    principal: Principal,
    Path((name, id)): Path<(String, String)>,
    Query(pairs): Parameters,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::UseApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let list = match frame.deployed.page(&id) {
        Some(Page::List(list) | Page::Board(list) | Page::Ledger(list) | Page::Desk(list)) => list.clone(),
        _ => return Err(Error::NotFound),
    };
    let (records, _) =
        store::list(&view.app, &frame.deployed, &list.of, &asked(&frame, &list, &pairs, 1, MOST_ROWS)).await?;
    let words = frame.words(&view);
    let (instance, kind) = (list.of.instance.as_str(), store::kind_of(&list.of));
    let mut text = String::from("\u{feff}");
    let head: Vec<String> = list.columns.iter().map(|column| quoted(&words.label(instance, kind, column))).collect();
    text.push_str(&head.join(","));
    text.push_str("\r\n");
    for record in &records {
        let kept = kept_values(&view, &frame, record).await?;
        let cells: Vec<String> =
            list.columns.iter().map(|column| cell(&words.field(record, column, &kept).text)).collect();
        text.push_str(&cells.join(","));
        text.push_str("\r\n");
    }
    Ok(download::file(&format!("{name}-{id}.csv"), download::CSV, text))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// Long digits would be rounded, and a text that begins like a formula would be one.
fn cell(text: &str) -> String {
    let long_number = text.len() > 11 && text.bytes().all(|b| b.is_ascii_digit());
    match text.starts_with(['=', '+', '-', '@', '\t']) {
        true => quoted(&format!("'{text}")),
        false if long_number => quoted(&format!("\t{text}")),
        false => quoted(text),
    }
}

pub async fn record(
    view: View,
    principal: Principal,
    Path((name, id)): Path<(String, String)>,
    Query(pairs): Parameters,
) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::UseApplication).await?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    let Some(Page::Detail(detail)) = frame.deployed.page(&id).cloned() else { return Err(Error::NotFound) };
    let record_id = parameter(&pairs, "id");
    let record = store::find(&view.app, &frame.deployed, &detail.of, record_id).await?.ok_or(Error::NotFound)?;
    let words = frame.words(&view);
    let (instance, kind) = (record.instance.as_str(), record.kind.as_str());
    let kept = kept_values(&view, &frame, &record).await?;
    let wanted = parameter(&pairs, "tab");
    let tabs: Vec<&str> = detail.tabs.iter().map(tab_name).collect();
    let current = if tabs.contains(&wanted) { wanted } else { tabs.first().copied().unwrap_or("content") };
    let path = record_path(&frame.deployed, &id, record_id);
    let links: Vec<Json> = tabs
        .iter()
        .map(|tab| {
            super::tab(
                &view.app.texts().get(view.lang(), &format!("application-tab-{tab}")),
                &format!("{path}&tab={tab}"),
                *tab == current,
            )
        })
        .collect();
    let publics = public::pages(&frame.deployed)
        .find(|(_, page)| page.of.instance == instance && store::kind_of(&page.of) == kind)
        .map(|(_, page)| format!("{}{}", view.app.config.public_url, public::path_of(&page.route, &record.id)));
    let qr = publics.as_deref().and_then(super::labels::qr_svg);
    let fields: Vec<Json> = field_names(&frame, instance, kind)
        .iter()
        .map(|name| words.field(&record, name, &kept))
        .filter(|shown| !shown.text.is_empty() || !shown.items.is_empty())
        .map(|shown| json!(shown))
        .collect();
    let list = frame
        .deployed
        .template()
        .pages
        .iter()
        .find(|(_, page)| matches!(page, Page::List(list) if list.of == detail.of));
    let data = json!({
        "head": frame.head(&view, list.map_or("", |(id, _)| id)), "record": record, "record_id": record.id,
        "status": words.field(&record, "status", &kept), "fields": fields, "links": links, "current": current,
        "buttons": buttons(&frame, &words, &detail.actions, Some(&record)),
        "public": publics, "qr": qr, "tx": record.fields.get("tx"), "chain": frame.deployed.row.chain,
        "state_key": hex::encode(store::state_key(frame.deployed.name(), instance, kind, &record.id)),
        "timeline": if current == "timeline" { timeline(&view, &frame, &detail, &record).await? } else { Vec::new() },
        "versions": if current == "versions" { versions(&view, &frame, &record).await? } else { Vec::new() },
        "fingerprint": frame.deployed.way(&view.app)?.client.fingerprint().to_string(),
    });
    view.page("applications/record.html", &data)
}

fn tab_name(tab: &Tab) -> &'static str {
    match tab {
        Tab::Content => "content",
        Tab::Versions => "versions",
        Tab::Proof => "proof",
        Tab::Timeline(_) => "timeline",
        Tab::Graph(_) => "graph",
    }
}

/// Every field of a kind, the manifest's first, then the module's.
fn field_names(frame: &Frame, instance: &str, kind: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let Some((of, module)) = frame.deployed.instance(instance) else { return names };
    let spec = module.kinds.iter().find(|spec| spec.name == kind || spec.name.is_empty());
    if kind == "record" {
        names.extend(of.record.as_ref().and_then(|record| record.number()).map(|(name, _)| name.to_owned()));
    }
    if spec.is_some_and(|spec| spec.own_fields) {
        names.extend(applications::arguments::own_fields(of).into_iter().map(|(name, _)| name.to_owned()));
    }
    names.extend(
        spec.into_iter()
            .flat_map(|spec| spec.fields)
            .map(|field| field.name.to_owned())
            .filter(|name| name != "status"),
    );
    names
}

async fn versions(view: &View, frame: &Frame, record: &Record) -> Result<Vec<Json>> {
    let words = frame.words(view);
    let mut all = Vec::new();
    let (none, versions) =
        (HashMap::new(), store::versions(&view.app, &frame.deployed, &record.instance, &record.id).await?);
    for version in versions.iter().rev() {
        let files: Vec<&Json> = version.fields.values().filter_map(Json::as_array).flatten().collect();
        all.push(json!({
            "version": version.fields.get("version"), "at_ms": version.changed_ms, "files": files, "tx": version.fields.get("tx"),
            "status": words.field(version, "status", &none), "reason": version.fields.get("reason"),
        }));
    }
    Ok(all)
}

async fn timeline(view: &View, frame: &Frame, detail: &DetailPage, record: &Record) -> Result<Vec<Json>> {
    let words = frame.words(view);
    let events = store::events(&view.app, &frame.deployed, &detail.of, record).await?;
    Ok(events.iter().map(|event| event_line(&words, event)).collect())
}

/// One line of a timeline: what, who, where, when.
pub fn event_line(words: &Words<'_>, event: &Record) -> Json {
    let text = |name: &str| event.fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let mut detail = vec![words.organisation(text("organisation"))];
    if !text("destination").is_empty() {
        detail.push(format!("→ {}", words.organisation(text("destination"))));
    }
    detail.extend(
        ["readPoint", "bizLocation", "reason"].map(text).into_iter().filter(|text| !text.is_empty()).map(str::to_owned),
    );
    let count = event.fields.get("epcList").and_then(Json::as_array).map_or(0, Vec::len);
    let status = match text("disposition") {
        "recalled" | "destroyed" | "no_pedigree_match" => "bad",
        "retail_sold" => "warn",
        _ => "ok",
    };
    json!({
        "title": words.step(text("bizStep")), "at_ms": event.fields.get("eventTime"), "detail": detail.join(" · "),
        "status": status, "count": count, "tx": text("tx"),
    })
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_spreadsheet_neither_rounds_codes_nor_runs_what_it_reads() {
        assert_eq!(cell("09506000134352"), "\"\t09506000134352\"");
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("say \"x\""), "\"say \"\"x\"\"\"");
        assert_eq!(cell("12"), "\"12\"");
    }
}
