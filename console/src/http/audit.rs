//! The audit log: pages, CSV, and a check of the whole chain of rows.

use super::download;
use super::extract::{Path, Query, View};
use super::middleware::percent_encode;
use crate::app::App;
use crate::audit::Verdict;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::service::audit_anchor;
use crate::service::audit_log::{self, Filter};
use crate::service::tenants;
use crate::text::Message;
use crate::time;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new()
        .route("/audit", get(list))
        .route("/audit.csv", get(csv))
        .route("/audit/check", get(check))
        .route("/audit/anchor", post(anchor))
        .route("/audit/anchors/{root}/evidence", get(evidence))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(flatten)]
    filter: Filter,
    #[serde(default)]
    page: Option<String>,
}

async fn list(view: View, principal: Principal, Query(asked): Query<Asked>) -> Result<Response> {
    let number = asked.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1);
    let (page, errors) = match audit_log::page(&view.app, &principal, &asked.filter, number).await {
        Ok(page) => (page, FieldErrors::default()),
        Err(Error::Invalid(errors)) => {
            let empty = audit_log::Page { rows: Vec::new(), total: 0, page: 1, per_page: audit_log::PER_PAGE };
            (empty, errors)
        }
        Err(error) => return Err(error),
    };
    let tenants = if principal.can(Action::ListTenants, &Resource::City) {
        tenants::list(&view.app, &principal).await?
    } else {
        Vec::new()
    };
    let data = json!({
        "rows": page.rows, "total": page.total, "page": page.page, "per_page": page.per_page,
        "actions": audit_log::actions(&view.app, &principal).await?,
        "tenants": tenants,
        "head": audit_log::head(&view.app, &principal).await?,
        "anchors": audit_anchor::newest(&view.app, &principal).await?,
        "can_anchor": principal.can(Action::AnchorAudit, &Resource::City),
        "query": query_text(&asked.filter),
    });
    view.form("audit/list.html", &asked.filter, &errors, &data)
}

/// The filter as a query string, for links that keep it.
fn query_text(filter: &Filter) -> String {
    let Filter { who, action, tenant, result, from, to } = filter;
    let pairs = [("who", who), ("action", action), ("tenant", tenant), ("result", result), ("from", from), ("to", to)];
    let kept: Vec<String> = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", percent_encode(value)))
        .collect();
    kept.join("&")
}

async fn csv(view: View, principal: Principal, Query(filter): Query<Filter>) -> Result<Response> {
    let csv = audit_log::csv(&view.app, &principal, &filter).await?;
    Ok(download::file(&format!("audit-{}.csv", time::local_date(time::now_ms())), download::CSV, csv))
}

/// Anchors the log's end on the city chain.
async fn anchor(view: View, principal: Principal) -> Result<Response> {
    let head = audit_anchor::now(&view.app, &principal).await?;
    Ok(view.done("/audit", Message::new("audit-anchored").with("seq", head.seq)))
}

async fn evidence(view: View, principal: Principal, Path(root): Path<String>) -> Result<Response> {
    Ok(download::evidence(audit_anchor::evidence(&view.app, &principal, &root).await?))
}

async fn check(view: View, principal: Principal) -> Result<Response> {
    let data = match audit_log::check(&view.app, &principal).await? {
        Verdict::Intact(head) => json!({ "intact": true, "seq": head.seq, "hash": head.hash }),
        Verdict::Broken { seq } => json!({ "intact": false, "seq": seq, "hash": "" }),
    };
    view.page_or_block("audit/check.html", "verdict", &data)
}
