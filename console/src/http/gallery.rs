//! `/gallery`: every component in every state, to be looked at in both themes and languages. Examples only, no data of the city.

use super::extract::View;
use crate::app::App;
use crate::auth::Principal;
use crate::error::Result;
use crate::text::Message;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new().route("/gallery", get(show)).route("/gallery/public", get(public))
}

async fn show(view: View, _: Principal) -> Result<Response> {
    // A page that shows an error summary as an example is not itself an error.
    let wrong = view.say(&Message::new("gallery-field-wrong"));
    let data = json!({
        "form": { "plain": "", "filled": "yunchuan", "wrong": "Yunchuan!", "choice": "b", "long": "", "agreed": "1", "secret": "" },
        "errors": { "wrong": wrong },
        "error_list": [{ "field": "wrong", "text": wrong }],
        "hash": "9f3c41d2b07a55e8c1d94a3be7f06a2281f5d3c98b44e07a1c6e2f90d7b8a1e7",
    });
    view.page("gallery.html", &data)
}

/// The parts of citizens' pages, on their own stylesheet.
async fn public(view: View, _: Principal) -> Result<Response> {
    view.page("gallery_public.html", &json!({}))
}
