//! Administration, on a listener and with a token of its own.

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chain_types::api::Status;

use super::auth::token_hash;
use super::{ApiError, Shared};
use crate::config::Config;

pub fn router(api: Shared) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/reload", post(reload))
        .layer(from_fn_with_state(api.clone(), administrators))
        .with_state(api)
}

async fn administrators(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let expected = api.access.read().unwrap_or_else(std::sync::PoisonError::into_inner).admin_token_hash;
    match expected.is_some() && token_hash(request.headers()) == expected {
        true => next.run(request).await,
        false => ApiError::unauthorised().into_response(),
    }
}

async fn status(State(api): State<Shared>) -> Json<Status> {
    Json(api.status())
}

/// Takes over the tokens and the peers of the configuration file while the node runs. Everything else needs a restart,
/// and the answer says so.
async fn reload(State(api): State<Shared>) -> Result<Json<serde_json::Value>, ApiError> {
    let config = Config::load(&api.config_path).map_err(|e| ApiError::bad_request(e.to_string()))?;
    let restart = config.at_start() != api.config.at_start();
    api.peers.set(&config.peers).await.map_err(|e| ApiError::bad_request(e.to_string()))?;
    api.gossip.set_peers(config.peers, &api.peer_key).map_err(|e| ApiError::bad_request(e.to_string()))?;
    *api.access.write().unwrap_or_else(std::sync::PoisonError::into_inner) = config.access;
    tracing::info!(restart_needed = restart, "configuration reloaded");
    Ok(Json(serde_json::json!({ "reloaded": ["access", "peers"], "restart_needed": restart })))
}
