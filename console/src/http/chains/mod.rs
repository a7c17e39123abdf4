//! Chains: list, form, one chain's tabs, and what may be done to it. Every page works without JavaScript and follows the chain by itself
//! with it.

mod acts;
mod explorer;
mod new;
mod set;
mod show;

use super::extract::View;
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::chains::object_name;
use crate::error::{Error, Result};
use crate::names::Name;
use crate::service::chains::{self, Found, Summary};
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Value as Json, json};

pub fn router() -> Router<App> {
    Router::new()
        .route("/chains", get(list).post(new::create))
        .route("/chains/new", get(new::ask))
        .route("/chains/new/preview", get(new::preview))
        .route("/chains/{chain}", get(show::overview))
        .route("/chains/{chain}/progress", get(show::progress))
        .route("/chains/{chain}/validators", get(show::validators))
        .route("/chains/{chain}/validators/change", get(set::ask).post(set::confirm))
        .route("/chains/{chain}/validators/{validator}/{act}", post(acts::validator))
        .route("/chains/{chain}/blocks", get(explorer::blocks))
        .route("/chains/{chain}/blocks/{height}", get(explorer::block))
        .route("/chains/{chain}/blocks/{height}/{part}", get(explorer::raw))
        .route("/chains/{chain}/transactions", get(explorer::transactions))
        .route("/chains/{chain}/transactions/{id}", get(explorer::transaction))
        .route("/chains/{chain}/transactions/{id}/{part}", get(explorer::download))
        .route("/chains/{chain}/members", get(show::members))
        .route("/chains/{chain}/events", get(show::events))
        .route("/chains/{chain}/settings", get(show::settings))
        .route("/chains/{chain}/state/{act}", post(acts::state))
        .route("/chains/{chain}/delete", post(acts::delete))
}

/// A chain's name in an address; one that cannot be a name does not exist.
pub fn chain_name(text: &str) -> Result<Name> {
    Name::parse(text).ok_or(Error::NotFound)
}

async fn list(view: View, principal: Principal) -> Result<Response> {
    view.page_or_block("chains/list.html", "list", &cards(&view.app, &principal))
}

/// What the list and the overview show: the chains, worst first, and how far the node program is.
pub fn cards(app: &App, principal: &Principal) -> Json {
    let found = chains::list(app, principal);
    let topic = match &principal.tenant {
        None => "city/chains".to_owned(),
        Some(tenant) => format!("tenant/{tenant}/chains"),
    };
    let mut summaries: Vec<Summary> =
        found.iter().map(|found| Summary::of(app, found.entry.name.as_str(), &found.view)).collect();
    summaries.sort_by(|a, b| (a.level, &a.name).cmp(&(b.level, &b.name)));
    let city = app.chains.city();
    let can_create = principal.can(Action::CreateChain, &Resource::City);
    // A tenant that has none yet: what to do next.
    let without: Vec<Json> = city
        .tenants
        .values()
        .filter(|tenant| can_create && app.chains.of_tenant(tenant.object.name().as_str()).is_empty())
        .map(|tenant| json!({ "name": tenant.object.name(), "title": tenant.object.spec.title, "chain_title": chain_title(tenant) }))
        .collect();
    json!({
        "chains": summaries,
        "chains_topic": topic,
        "can_create_chain": can_create,
        "tenants_without_chain": without,
        "build": city.build.as_ref().filter(|_| city.versions.is_empty()),
        "no_program": city.versions.is_empty(),
        "home_problems": if principal.tenant.is_none() { city.problems.clone() } else { Vec::new() },
    })
}

/// What the tenant's chain would be called.
fn chain_title(tenant: &crate::chains::TenantView) -> Json {
    use crate::objects::tenant::{CHAIN_TITLE_EN, CHAIN_TITLE_ZH};
    let (object, annotations) = (&tenant.object.spec.title, &tenant.object.metadata.annotations);
    let zh = annotations.get(CHAIN_TITLE_ZH).cloned().unwrap_or_else(|| format!("{}链", object.zh));
    let en = annotations.get(CHAIN_TITLE_EN).cloned().unwrap_or_else(|| format!("{} chain", object.en));
    json!({ "zh": zh, "en": en })
}

/// What every page of a chain has: the chain, its tabs, what the reader may do.
pub struct Page {
    pub found: Found,
    pub name: Name,
    data: Json,
}

impl Page {
    pub async fn of(view: &View, principal: &Principal, chain: &str, tab: &'static str) -> Result<Self> {
        let name = chain_name(chain)?;
        let found = chains::find(&view.app, principal, &name)?;
        let resource = Resource::Tenant(&found.tenant);
        let summary = Summary::of(&view.app, name.as_str(), &found.view);
        let topic = format!("tenant/{0}/chain/{name}&topic=tenant/{0}/index/{name}", found.tenant);
        let transactions = crate::indexer::lists::count_txs(&view.app, name.as_str()).await?;
        let data = json!({
            "chain": summary,
            "tab": tab,
            "here": here(view),
            "topic": topic,
            "transactions": transactions,
            "can_change": principal.can(Action::ChangeChain, &resource),
            "can_delete": principal.can(Action::DeleteChain, &resource),
        });
        Ok(Self { found, name, data })
    }

    /// Adds what this tab shows.
    pub fn with(mut self, key: &str, value: impl serde::Serialize) -> Result<Self> {
        let value = serde_json::to_value(value).map_err(anyhow::Error::from)?;
        if let Some(data) = self.data.as_object_mut() {
            data.insert(key.to_owned(), value);
        }
        Ok(self)
    }

    pub fn data(&self) -> &Json {
        &self.data
    }

    /// The page, or the part of it that changed.
    pub fn show(&self, view: &View, template: &str) -> Result<Response> {
        view.page_or_block(template, "live", &self.data)
    }
}

/// The address of this page, to ask for its part again.
fn here(view: &View) -> String {
    match view.info.query.as_str() {
        "" => view.info.path.clone(),
        query => format!("{}?{query}", view.info.path),
    }
}

/// The chain's entry once more, for pages that outlive it.
pub fn exists(app: &App, chain: &Name) -> bool {
    app.chains.find(&object_name(chain)).is_some()
}
