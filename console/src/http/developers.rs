//! Pages for developers: quick start, API keys, request log, reference.

use super::download;
use super::extract::{Form, Path, Query, View};
use super::middleware::percent_encode;
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::gateway::keys::{self, Key, NewKey};
use crate::gateway::{openapi, requests};
use crate::names::random_bytes;
use crate::service::developers;
use crate::text::Message;
use crate::time::now_ms;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use chain_types::Hash;
use serde::Deserialize;
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new()
        .route("/developers", get(start))
        .route("/developers/transactions", get(live))
        .route("/developers/anchors/{id}/evidence", get(evidence))
        .route("/developers/keys", get(list).post(create))
        .route("/developers/keys/new", get(ask))
        .route("/developers/keys/{id}/revoke", post(revoke))
        .route("/developers/requests", get(log))
        .route("/developers/reference", get(reference))
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chosen {
    chain: String,
}

/// The quick start, for a key that was just made or the place where one goes.
async fn start(view: View, principal: Principal, Query(chosen): Query<Chosen>) -> Result<Response> {
    let data = quick_start(&view, &principal, &chosen.chain, None).await?;
    view.page("developers/start.html", &data)
}

async fn quick_start(
    view: &View,
    principal: &Principal,
    chain: &str,
    secret: Option<&str>,
) -> Result<serde_json::Value> {
    let tenant = keys::own_tenant(principal)?;
    principal.require(Action::ViewApiKeys, &Resource::Tenant(&tenant))?;
    let chains = developers::chains(&view.app, principal).await?;
    let chain = chains.iter().find(|known| known.as_str() == chain).or(chains.first()).cloned().unwrap_or_default();
    let active: Vec<Key> = keys::list(&view.app, principal).await?.into_iter().filter(is_active).collect();
    Ok(json!({
        "chains": chains,
        "chain": chain,
        "tenant": tenant,
        "fingerprint": view.app.reach.find(&chain).map(|way| way.client.fingerprint().to_string()).unwrap_or_default(),
        "secret": secret,
        "keys": active.len(),
        // A digest that nobody anchored before, so that whoever copies the line sees their own.
        "sample": Hash::of(&random_bytes::<16>()).to_string(),
        "anchors": if chain.is_empty() { Vec::new() } else { developers::newest_anchors(&view.app, principal, &chain).await? },
        "can_manage": principal.can(Action::ManageApiKeys, &Resource::Tenant(&tenant)),
    }))
}

fn is_active(key: &Key) -> bool {
    key.revoked_ms.is_none() && key.expires_ms.is_none_or(|at| at > now_ms())
}

/// The part of the quick start that changes while one looks.
async fn live(view: View, principal: Principal, Query(chosen): Query<Chosen>) -> Result<Response> {
    let data = quick_start(&view, &principal, &chosen.chain, None).await?;
    view.page_or_block("developers/start.html", "live", &data)
}

async fn evidence(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    Ok(download::evidence(developers::evidence(&view.app, &principal, &id).await?))
}

async fn list(view: View, principal: Principal) -> Result<Response> {
    let keys = keys::list(&view.app, &principal).await?;
    let tenant = keys::own_tenant(&principal)?;
    let can_manage = principal.can(Action::ManageApiKeys, &Resource::Tenant(&tenant));
    view.page("developers/keys.html", &json!({ "keys": keys, "now_ms": now_ms(), "can_manage": can_manage }))
}

async fn ask(view: View, principal: Principal) -> Result<Response> {
    let tenant = keys::own_tenant(&principal)?;
    let organisations = keys::organisations(&view.app, &tenant).await?;
    let own = principal.organisation.as_deref();
    let first = own.or(organisations.first().map(|(name, ..)| name.as_str())).unwrap_or_default();
    key_form(&view, &principal, &NewKey::offered(first), &FieldErrors::default()).await
}

async fn key_form(view: &View, principal: &Principal, form: &NewKey, errors: &FieldErrors) -> Result<Response> {
    let tenant = keys::own_tenant(principal)?;
    principal.require(Action::ManageApiKeys, &Resource::Tenant(&tenant))?;
    let organisations = keys::organisations(&view.app, &tenant).await?;
    let organisations: Vec<_> =
        organisations.into_iter().map(|(name, zh, en)| json!({ "name": name, "zh": zh, "en": en })).collect();
    let numbers = |list: [i64; 4]| list.map(|n| n.to_string());
    let data = json!({ "organisations": organisations, "rates": numbers(keys::RATES), "days": numbers(keys::DAYS) });
    view.form("developers/key_new.html", form, errors, &data)
}

/// The only page that ever shows a secret: the answer to the form itself, so that it is in no address and no history.
async fn create(view: View, principal: Principal, Form(form): Form<NewKey>) -> Result<Response> {
    match keys::create(&view.app, &principal, &form).await {
        Ok((key, secret)) => {
            let mut data = quick_start(&view, &principal, "", Some(&secret)).await?;
            data["key"] = json!(key);
            view.page("developers/start.html", &data)
        }
        Err(Error::Invalid(errors)) => key_form(&view, &principal, &form, &errors).await,
        Err(error) => Err(error),
    }
}

async fn revoke(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    keys::revoke(&view.app, &principal, &id).await?;
    Ok(view.done("/developers/keys", Message::new("key-revoked")))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(flatten)]
    filter: requests::Filter,
    #[serde(default)]
    page: Option<String>,
}

async fn log(view: View, principal: Principal, Query(asked): Query<Asked>) -> Result<Response> {
    let number = asked.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1);
    let (rows, total, page) = requests::page(&view.app, &principal, &asked.filter, number).await?;
    let requests::Filter { key, method, status, path, id } = &asked.filter;
    let pairs = [("key", key), ("method", method), ("status", status), ("path", path), ("id", id)];
    let kept = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = kept.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    let data = json!({
        "rows": rows, "total": total, "page": page, "per_page": requests::PER_PAGE,
        "keys": keys::list(&view.app, &principal).await?, "query": query.join("&"),
    });
    view.form("developers/requests.html", &asked.filter, &FieldErrors::default(), &data)
}

async fn reference(view: View, principal: Principal) -> Result<Response> {
    let tenant = keys::own_tenant(&principal)?;
    principal.require(Action::ViewApiKeys, &Resource::Tenant(&tenant))?;
    let errors: Vec<_> =
        openapi::ERRORS.iter().map(|(status, code)| json!({ "status": status, "code": code })).collect();
    view.page("developers/reference.html", &json!({ "operations": openapi::OPERATIONS, "failures": errors }))
}
