//! The tabs of one chain but blocks and transactions.

use super::Page;
use crate::auth::Principal;
use crate::chains::{newest_events, object_name};
use crate::error::Result;
use crate::http::extract::{Path, View};
use crate::indexer::lists::{self, RecordFilter, TxFilter};
use crate::service::chains::Typed;
use axum::response::Response;
use serde_json::{Value as Json, json};

pub async fn overview(view: View, principal: Principal, Path(chain): Path<String>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "overview").await?;
    let newest = lists::txs(&view.app, page.name.as_str(), &TxFilter::default(), 0, 8).await?;
    let events = newest_events(&view.app.db, &object_name(&page.name), 6).await?;
    page.with("newest_txs", newest)?.with("events", events)?.show(&view, "chains/show.html")
}

/// How the chain is being made; later the record of it.
pub async fn progress(view: View, principal: Principal, Path(chain): Path<String>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "progress").await?;
    let city = view.app.chains.city();
    let waiting = city.build.as_ref().filter(|_| city.versions.is_empty());
    let page = page.with("build", waiting)?.with("no_program", city.versions.is_empty())?;
    page.show(&view, "chains/progress.html")
}

pub async fn validators(view: View, principal: Principal, Path(chain): Path<String>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "validators").await?.with("refusal", "")?;
    let page = super::set::with_form(page, &Typed::new())?;
    page.show(&view, "chains/validators.html")
}

pub async fn members(view: View, principal: Principal, Path(chain): Path<String>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "members").await?;
    let city = view.app.chains.city();
    let object = page.found.view.object.as_ref();
    let genesis = page.found.view.plan.as_ref().and_then(|plan| plan.genesis.genesis());
    let tenant = object.and_then(|object| city.tenants.get(&object.spec.tenant));
    let rows = &page.found.view.status.validators;
    let organisations: Vec<Json> = match (genesis, tenant) {
        (Some(genesis), _) => genesis
            .organisations
            .iter()
            .map(|own| {
                json!({ "id": own.id, "title": { "zh": own.title.zh, "en": own.title.en }, "custody": own.custody,
                        "key": own.administrator.to_string(), "operator": own.id == genesis.operator,
                        "validators": rows.iter().filter(|row| row.voting && row.organisation.as_str() == own.id).count() })
            })
            .collect(),
        (None, Some(tenant)) => tenant
            .object
            .spec
            .organisations
            .iter()
            .map(|own| json!({ "id": own.id, "title": own.title, "custody": own.custody, "key": "", "operator": false, "validators": 0 }))
            .collect(),
        (None, None) => Vec::new(),
    };
    let filter = RecordFilter { app: "chain", kind: "account", ..RecordFilter::default() };
    let (accounts, total) = lists::records(&view.app, page.name.as_str(), &filter, 0, 100).await?;
    let steward = genesis.map(|genesis| genesis.steward.to_string()).unwrap_or_default();
    let page = page.with("organisations", organisations)?.with("accounts", accounts)?;
    page.with("accounts_total", total)?.with("steward", steward)?.show(&view, "chains/members.html")
}

pub async fn events(view: View, principal: Principal, Path(chain): Path<String>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "events").await?;
    let events = newest_events(&view.app.db, &object_name(&page.name), 200).await?;
    page.with("events", events)?.show(&view, "chains/events.html")
}

pub async fn settings(view: View, principal: Principal, Path(chain): Path<String>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "settings").await?;
    settings_page(&view, page, &crate::error::FieldErrors::default(), "", "")
}

/// With what was typed wrong into the dialog, or why something was refused.
pub fn settings_page(
    view: &View,
    page: Page,
    errors: &crate::error::FieldErrors,
    typed: &str,
    refusal: &str,
) -> Result<Response> {
    let object = page.found.view.object.as_ref().map(crate::objects::as_written);
    let text = object.as_ref().map(crate::provisioner::home::object_text);
    let yaml = text.transpose().map_err(anyhow::Error::from)?.unwrap_or_default();
    // Also shown as the answer to a form, whose address cannot be asked again.
    let here = format!("/chains/{}/settings", page.name);
    let page = page.with("yaml", yaml)?.with("refusal", refusal)?.with("here", here)?;
    if view.info.partial {
        // The part holds the form of the dialog too, as it is before anybody typed.
        let page =
            page.with("form", json!({ "typed": "" }))?.with("errors", json!({}))?.with("error_list", json!([]))?;
        return page.show(view, "chains/settings.html");
    }
    view.form("chains/settings.html", &json!({ "typed": typed }), errors, page.data())
}
