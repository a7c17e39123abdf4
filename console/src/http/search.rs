//! `/search`: one box over everything the reader may see.

use super::extract::{Query, View};
use crate::app::App;
use crate::auth::Principal;
use crate::error::Result;
use crate::service::search;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new().route("/search", get(show))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
}

async fn show(view: View, principal: Principal, Query(asked): Query<Asked>) -> Result<Response> {
    let q = asked.q.trim();
    let hits = search::find(&view.app, &principal, q, view.lang()).await?;
    view.page("search.html", &json!({ "q": q, "hits": hits }))
}
