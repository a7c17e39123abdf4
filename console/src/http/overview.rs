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
    let mut data = serde_json::to_value(&overview).map_err(anyhow::Error::from)?;
    // The chains are a part of their own: it asks again by itself when something changes.
    if let (Some(data), serde_json::Value::Object(chains)) =
        (data.as_object_mut(), super::chains::cards(&view.app, &principal))
    {
        data.extend(chains);
    }
    if view.info.partial {
        return view.page("chains/overview_part.html", &data);
    }
    view.page("overview.html", &data)
}
