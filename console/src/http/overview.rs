//! `/`: what a signed-in person sees first, by role.

use super::extract::View;
use crate::app::App;
use crate::auth::Principal;
use crate::error::Result;
use crate::service::overview;
use axum::Router;
use axum::response::Response;
use axum::routing::get;

pub fn router() -> Router<App> {
    Router::new().route("/", get(show))
}

async fn show(view: View, principal: Principal) -> Result<Response> {
    let overview = overview::of(&view.app, &principal).await?;
    view.page("overview.html", &overview)
}
