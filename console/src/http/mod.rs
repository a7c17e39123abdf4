//! The whole URL map. Each resource's file has its own `router()`; this one merges them and puts the layers around.
//!
//! To add a section: a file with `router()`, one line below, one row in `nav.rs`, templates under the same name, texts in both locales.

mod account;
pub mod api;
mod applications;
pub mod assets;
mod audit;
mod catalog;
mod chains;
pub mod cookie;
mod developers;
mod download;
mod events;
pub mod extract;
mod gallery;
mod health;
mod help;
pub mod middleware;
pub mod nav;
mod overview;
pub mod page;
mod public;
mod search;
mod session;
mod tenants;
#[cfg(test)]
pub(crate) mod tests;
mod users;

use crate::app::App;
use crate::error::Error;
use crate::text::Message;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use tower_http::compression::CompressionLayer;

/// Every address the console answers.
pub fn router(app: App) -> Router {
    let pages = Router::new()
        .merge(overview::router())
        .merge(session::router())
        .merge(account::router())
        .merge(chains::router())
        .merge(tenants::router())
        .merge(users::router())
        .merge(developers::router())
        .merge(api::router(app.clone()))
        .merge(audit::router())
        .merge(catalog::router())
        .merge(applications::router())
        .merge(public::router())
        .merge(search::router())
        .merge(events::router())
        .merge(help::router())
        .merge(gallery::router())
        .route("/static/{hash}/{*path}", get(assets::serve))
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::Refused {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "method-not-allowed",
            message: Message::new("error-method-not-allowed-help"),
        });
    pages
        .layer(DefaultBodyLimit::max(middleware::FORM_BYTES))
        .layer(from_fn_with_state(app.clone(), middleware::csrf))
        .layer(from_fn_with_state(app.clone(), middleware::context))
        // Probes need no session, no page and no cookie.
        .merge(health::router())
        .layer(CompressionLayer::new())
        .layer(from_fn(middleware::security_headers))
        .with_state(app)
}
