//! The form for a new chain: one page, prefilled, with the arithmetic and the object as they would be; 422 keeps what was typed.

use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::chains::{City, spec};
use crate::error::{Error, FieldErrors, Result};
use crate::http::extract::{Form, Query, View};
use crate::provisioner::home;
use crate::service::chains::{self, Draft, Typed, prefilled, tenant_of, tolerance};
use crate::text::Message;
use crate::time::now_ms;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};

#[derive(Deserialize)]
pub struct For {
    #[serde(default)]
    tenant: String,
}

pub async fn ask(view: View, principal: Principal, Query(wanted): Query<For>) -> Result<Response> {
    principal.require(Action::CreateChain, &Resource::City)?;
    let city = view.app.chains.city();
    let typed = tenant_of(&view.app, &city, &wanted.tenant)
        .map(|tenant| prefilled(&view.app, &city, tenant))
        .unwrap_or_default();
    let data = data(&view, &city, &typed);
    view.form("chains/new.html", &typed, &FieldErrors::default(), &data)
}

/// The right-hand side while somebody types: tolerance, quota, object.
pub async fn preview(view: View, principal: Principal, Query(typed): Query<Typed>) -> Result<Response> {
    principal.require(Action::CreateChain, &Resource::City)?;
    let data = data(&view, &view.app.chains.city(), &typed);
    view.page("chains/preview.html", &data)
}

pub async fn create(view: View, principal: Principal, Form(typed): Form<Typed>) -> Result<Response> {
    principal.require(Action::CreateChain, &Resource::City)?;
    let city = view.app.chains.city();
    let created = match Draft::parse(&typed, &city) {
        Ok(draft) => chains::create(&view.app, &principal, view.lang(), &draft).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(name) => {
            wait_for(&view.app, &name).await;
            Ok(view.done(&format!("/chains/{name}/progress"), Message::new("chain-asked")))
        }
        Err(Error::Invalid(errors)) => {
            let data = data(&view, &city, &typed);
            view.form("chains/new.html", &typed, &errors, &data)
        }
        Err(error) => Err(error),
    }
}

/// The page that follows shows the chain, so its loop should have taken it up; it does so at once.
async fn wait_for(app: &App, name: &crate::names::Name) {
    for _ in 0..100 {
        if super::exists(app, name) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn data(view: &View, city: &City, typed: &Typed) -> Json {
    let tenant = tenant_of(&view.app, city, typed.get("tenant").map_or("", String::as_str));
    let choices: Vec<Json> = city
        .tenants
        .values()
        .map(|tenant| {
            let title = &tenant.object.spec.title;
            json!({ "value": tenant.object.name(), "label": view.lang().pick(&title.zh, &title.en) })
        })
        .collect();
    let organisations: Vec<Json> = tenant
        .map(|tenant| tenant.object.spec.organisations.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|own| {
            let typed = typed.get(&format!("validators-{}", own.id)).cloned().unwrap_or_default();
            json!({ "id": own.id, "title": own.title, "validators": typed, "custody": own.custody })
        })
        .collect();
    let operators: Vec<Json> = tenant
        .map(|tenant| tenant.object.spec.organisations.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|own| json!({ "value": own.id, "label": view.lang().pick(&own.title.zh, &own.title.en) }))
        .collect();
    let quorum = tolerance(typed);
    json!({
        "tenant_choices": choices,
        "operator_choices": operators,
        "organisations": organisations,
        "validators": quorum.validators,
        "enough": quorum.validators >= chain_plan::quorum::FEWEST_VALIDATORS,
        "fewest": chain_plan::quorum::FEWEST_VALIDATORS,
        "quorum": quorum.needed(),
        "faults": quorum.faults(),
        "quota": tenant.map(|tenant| quota(&view.app, tenant, quorum.validators, typed)),
        "version": typed.get("version").cloned().unwrap_or_default(),
        "no_program": city.versions.is_empty(),
        "build": city.build,
        "yaml": yaml(view, city, typed),
        "chain_id": format!("{}.{}.{}", view.app.config.city_name, typed.get("tenant").map_or("…", String::as_str), typed.get("name").map_or("…", String::as_str)),
    })
}

/// What the tenant would use with this chain, of what it may use.
fn quota(app: &App, tenant: &crate::chains::TenantView, validators: u32, typed: &Typed) -> Vec<Json> {
    let (used, quota) = (spec::usage(app, tenant.object.name()), tenant.object.spec.quota);
    let storage: u32 = typed.get("storage_gib").and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    let rows = [
        ("chains", used.chains + 1, quota.chains),
        ("validators", used.validators.saturating_add(validators), quota.validators),
        ("storage", used.storage_gib.saturating_add(storage.saturating_mul(validators)), quota.storage_gib),
    ];
    rows.into_iter()
        .map(|(key, used, allowed)| json!({ "key": key, "used": used, "allowed": allowed, "over": used > allowed }))
        .collect()
}

/// The object that would be written, and what is wrong with it now.
fn yaml(view: &View, city: &City, typed: &Typed) -> Json {
    let Ok(draft) = Draft::parse(typed, city) else { return Json::Null };
    let object = draft.object(now_ms().unsigned_abs());
    let wrong: Vec<String> = match spec::parse_new(&view.app, &object) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .iter()
            .map(spec::field_in_words)
            .map(|text| view.lang().pick(&text.zh, &text.en).to_owned())
            .collect(),
    };
    json!({ "text": home::object_text(&object).unwrap_or_default(), "wrong": wrong })
}
