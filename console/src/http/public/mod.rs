//! What anybody sees without signing in: checking by file or number, the page of a record, evidence to download. Works without JavaScript;
//! with it the reader's own device checks the chain's proofs.

mod evidence;

use super::extract::{Query, View, redirect};
use crate::app::App;
use crate::applications::records::{self, Record};
use crate::applications::shown::Words;
use crate::applications::{Deployed, organisations, public, scans};
use crate::auth::limit::RateLimit;
use crate::error::{Error, Result};
use crate::text::Message;
use crate::time::now_ms;
use axum::Router;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use chain_types::Hash;
use chain_types::evidence::CheckName;
use chain_types::manifest::{Level, PublicPage};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::sync::LazyLock;

pub fn router() -> Router<App> {
    Router::new()
        .route("/v", get(check))
        .route("/v/{code}", get(show))
        .route("/t/{class}/{code}", get(show))
        .route("/l/{code}", get(show))
        .route("/c/{code}", get(show))
        .merge(evidence::router())
}

/// Looks at public pages per address and minute: far more than a person makes, far less than a crawler of codes needs.
static LOOKS: LazyLock<RateLimit> = LazyLock::new(|| RateLimit::new(240, 60_000));

fn within_rate(view: &View) -> Result<()> {
    let (address, now) = (view.info.ip, now_ms());
    match LOOKS.wait_s(address, now) {
        Some(retry_after_s) => Err(Error::TooMany { retry_after_s }),
        None => {
            LOOKS.count(address, now);
            Ok(())
        }
    }
}

#[derive(Default, Deserialize)]
struct Asked {
    #[serde(default)]
    number: String,
    #[serde(default)]
    sha256: String,
}

/// `/v`: drop a file, or type a number or a fingerprint.
async fn check(view: View, Query(asked): Query<Asked>) -> Result<Response> {
    within_rate(&view)?;
    let (number, digest) = (asked.number.trim(), asked.sha256.trim());
    if !number.is_empty() {
        let published = public::published(&view.app).await?;
        let is_code = number.len() <= 80 && number.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
        if is_code {
            for deployed in &published {
                for (_, page) in public::pages(deployed) {
                    if records::find(&view.app, deployed, &page.of, number).await?.is_some() {
                        return Ok(redirect(&public::path_of(&page.route, number)));
                    }
                }
            }
        }
        let wrong = view.say(&Message::new("public-number-unknown"));
        return form(&view, StatusCode::NOT_FOUND, json!({ "number": number, "wrong": wrong }));
    }
    if digest.is_empty() {
        return form(&view, StatusCode::OK, json!({}));
    }
    let Ok(parsed) = digest.parse::<Hash>() else {
        let wrong = view.say(&Message::new("public-digest-form"));
        return form(&view, StatusCode::UNPROCESSABLE_ENTITY, json!({ "sha256": digest, "wrong_digest": wrong }));
    };
    let found = public::look_up(&view.app, parsed).await?;
    if let Some(path) = found.first().and_then(|found| found.path.clone()) {
        return Ok(redirect(&format!("{path}?sha256={parsed}")));
    }
    let entry = found.first().map(|found| {
        json!({ "chain": found.way.chain.as_str(), "index": found.entry, "fingerprint": found.way.client.fingerprint().to_string(),
                "packages": [package(&view, "digest", &format!("/evidence/{}/digests/{parsed}", found.way.chain), Some(parsed), None)] })
    });
    let status = if entry.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    form(&view, status, json!({ "sha256": parsed.to_string(), "looked": true, "entry": entry }))
}

fn form(view: &View, status: StatusCode, data: Json) -> Result<Response> {
    let base = json!({ "number": "", "sha256": "", "wrong": "", "wrong_digest": "", "looked": false, "entry": null, "words": words(view) });
    let mut whole = base;
    if let (Some(whole), Json::Object(data)) = (whole.as_object_mut(), data) {
        whole.extend(data);
    }
    view.page_with(status, "public/check.html", &whole)
}

/// The checks that a reader's device makes of a package, with what each shows.
fn checks(view: &View, kind: &str) -> Vec<Json> {
    let of_kind = |name: &&CheckName| match name {
        CheckName::File => kind == "digest",
        CheckName::Signature | CheckName::Account => kind == "act",
        CheckName::Cosignatures => false,
        _ => true,
    };
    let one = |name: &CheckName| {
        let (zh, en) = name.meaning();
        let label = view.app.texts().get(view.lang(), &format!("evidence-check-{}", name.code()));
        json!({ "name": name.code(), "label": label, "meaning": view.lang().pick(zh, en) })
    };
    CheckName::ALL.iter().filter(of_kind).map(one).collect()
}

/// A package that the reader's device verifies. `status` is what the page says and the proven record must say too.
fn package(view: &View, kind: &str, address: &str, file: Option<Hash>, status: Option<&str>) -> Json {
    let title = view.app.texts().get(view.lang(), &format!("evidence-of-{kind}"));
    json!({ "kind": if kind == "act" || kind == "digest" { kind } else { "state" }, "title": title, "address": address,
            "file": file.map(|file| file.to_string()), "status": status,
            "word": status.map(|state| view.app.texts().find(view.lang(), &format!("app-state-{state}"), None).unwrap_or_else(|| state.to_owned())), "checks": checks(view, if kind == "act" || kind == "digest" { kind } else { "state" }) })
}

/// Words that the page's script says.
fn words(view: &View) -> Json {
    let keys = [
        "proof-running",
        "proof-passed",
        "proof-failed",
        "proof-unreachable",
        "proof-other-state",
        "proof-state-is",
        "hashing",
        "file-read-failed",
    ];
    let say = |key: &str| (key.to_owned(), json!(view.app.texts().get(view.lang(), &format!("public-{key}"))));
    Json::Object(keys.iter().map(|key| say(key)).collect())
}

/// `/v/{number}`, `/t/{class}/{code}`: whatever application knows the address.
async fn show(view: View, Query(asked): Query<Asked>) -> Result<Response> {
    within_rate(&view)?;
    let path = view.info.path.clone();
    let digest = match asked.sha256.trim() {
        "" => None,
        text => text.parse::<Hash>().ok(),
    };
    let mut first: Option<(Deployed, PublicPage, String)> = None;
    let mut unreachable = None;
    for deployed in public::published(&view.app).await? {
        let pages: Vec<PublicPage> = public::pages(&deployed).map(|(_, page)| page.clone()).collect();
        for page in pages {
            let Some(code) = public::code_of(&page.route, &path).map(str::to_owned) else { continue };
            match public::examine(&view.app, &deployed, &page, &code, digest).await {
                Ok(seen) if seen.record.is_some() => {
                    return found(&view, &deployed, &page, &code, digest).await;
                }
                Ok(_) => first = first.or(Some((deployed.clone(), page, code))),
                Err(error) => unreachable = Some(error),
            }
        }
    }
    match (first, unreachable) {
        // A chain that does not answer may know it: nobody is told that a code does not exist because of that.
        (_, Some(error)) => Err(error),
        (Some((deployed, page, code)), None) => missing(&view, &deployed, &page, &code).await,
        (None, None) => {
            let data = json!({ "title": view.say(&Message::new("public-missing-title")), "level": "bad", "code": "" });
            view.page_with(StatusCode::NOT_FOUND, "public/missing.html", &data)
        }
    }
}

async fn missing(view: &View, deployed: &Deployed, page: &PublicPage, code: &str) -> Result<Response> {
    let seen = public::examine(&view.app, deployed, page, code, None).await?;
    let data =
        json!({ "title": view.lang().pick(&seen.text.zh, &seen.text.en), "level": level(seen.level), "code": code });
    view.page_with(StatusCode::NOT_FOUND, "public/missing.html", &data)
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Bad => "bad",
    }
}

async fn found(
    view: &View,
    deployed: &Deployed,
    page: &PublicPage,
    code: &str,
    digest: Option<Hash>,
) -> Result<Response> {
    if page.counts_scans && digest.is_none() {
        scans::count(&view.app, deployed, &page.of.instance, code).await?;
    }
    let seen = public::examine(&view.app, deployed, page, code, digest).await?;
    let record = seen.record.ok_or(Error::NotFound)?;
    let organisations = organisations(&view.app, &deployed.tenant).await?;
    let texts = view.app.texts();
    let words_of = Words { deployed, texts: &texts, lang: view.lang(), organisations: &organisations };
    let none = HashMap::new();
    let facts: Vec<Json> = page
        .show
        .iter()
        .map(|name| words_of.field(&record, name, &none))
        .filter(|shown| shown.name != "status" && !shown.text.is_empty())
        .map(|shown| json!(shown))
        .collect();
    let timeline = match &page.timeline {
        Some(_) => records::events(&view.app, deployed, &page.of, &record).await?,
        None => Vec::new(),
    };
    let lines: Vec<Json> = timeline.iter().map(|event| event_line(&words_of, event)).collect();
    let way = deployed.way(&view.app)?;
    let data = json!({
        "title": words_of.pick(&seen.text), "level": level(seen.level), "code": code, "facts": facts, "timeline": lines,
        "status": words_of.state(&record.status),
        "scans": page.counts_scans.then(|| record.fields.get("scans").cloned()).flatten(),
        "first_scan_ms": record.fields.get("first_scan_at").and_then(Json::as_i64).filter(|ms| *ms > 0),
        "name": record.fields.get("name"), "page_title": page.title.as_ref().map(|title| words_of.pick(title)),
        "accepts": page.accepts.is_some(), "matches": seen.matches, "sha256": digest.map(|digest| digest.to_string()),
        "packages": packages(view, deployed, page, &record, &timeline, digest.filter(|_| seen.matches == Some(true))),
        "fingerprint": way.client.fingerprint().to_string(), "chain": deployed.row.chain, "words": words(view),
        "path": public::path_of(&page.route, code),
    });
    view.page("public/record.html", &data)
}

/// The proofs of a page: the newest act, and the state of the record and of what it depends on.
fn packages(
    view: &View,
    deployed: &Deployed,
    page: &PublicPage,
    record: &Record,
    timeline: &[Record],
    file: Option<Hash>,
) -> Vec<Json> {
    let chain = &deployed.row.chain;
    let mut all = Vec::new();
    if let Some(file) = file {
        all.push(package(view, "digest", &format!("/evidence/{chain}/digests/{file}"), Some(file), None));
    }
    let newest = timeline.first().and_then(|event| event.fields.get("tx"));
    if let Some(tx) = newest.or_else(|| record.fields.get("tx")).and_then(Json::as_str) {
        all.push(package(view, "act", &format!("/evidence/{chain}/transactions/{tx}"), None, None));
    }
    let state = |kind: &str, id: &str| {
        let key = hex::encode(records::state_key(deployed.name(), &page.of.instance, kind, id));
        format!("/evidence/{chain}/state/{key}")
    };
    let text = |name: &str| record.fields.get(name).and_then(Json::as_str).unwrap_or_default();
    if record.kind == "item" {
        let lot = format!("{}/{}", text("product"), text("lot"));
        let recalled =
            record.status == "recalled" || record.fields.get("recall").is_some_and(|recall| !recall.is_null());
        all.push(package(view, "lot", &state("lot", &lot), None, Some(if recalled { "recalled" } else { "active" })));
        let own = (record.status != "recalled").then_some(record.status.as_str());
        all.push(package(view, "item", &state("item", &record.id), None, own));
    } else {
        all.push(package(view, "record", &state(&record.kind, &record.id), None, Some(&record.status)));
    }
    all
}

/// One line of a timeline in plain words.
fn event_line(words: &Words<'_>, event: &Record) -> Json {
    let text = |name: &str| event.fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let mut detail = vec![words.organisation(text("organisation"))];
    if !text("destination").is_empty() {
        detail.push(format!("→ {}", words.organisation(text("destination"))));
    }
    detail.extend(["bizLocation", "reason"].map(text).into_iter().filter(|text| !text.is_empty()).map(str::to_owned));
    let bad = matches!(text("disposition"), "recalled" | "destroyed" | "no_pedigree_match");
    json!({ "title": words.step(text("bizStep")), "at_ms": event.fields.get("eventTime"), "detail": detail.join(" · "), "bad": bad })
}
