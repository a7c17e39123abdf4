//! Administration, on a listener and with a token of its own.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chain_types::api::Status;
use serde::Deserialize;

use super::auth::token_hash;
use super::{ApiError, Shared};
use crate::config::Config;

pub fn router(api: Shared) -> Router {
    Router::new()
        .route("/status", get(status))
        .route("/reload", post(reload))
        .route("/copy", post(copy))
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

/// Takes over the tokens and the peers of the configuration file while the node runs; of the body, if there is one: who
/// mounts the file may be slow to replace it. Everything else needs a restart, and the answer says so.
async fn reload(State(api): State<Shared>, text: String) -> Result<Json<serde_json::Value>, ApiError> {
    let config = if text.is_empty() { Config::load(&api.config_path) } else { Config::parse(&text, &api.config_path) };
    let config = config.map_err(|e| ApiError::bad_request(e.to_string()))?;
    let restart = config.at_start() != api.config.at_start();
    api.peers.set(&config.peers).await.map_err(|e| ApiError::bad_request(e.to_string()))?;
    api.gossip.set_peers(config.peers, &api.peer_key).map_err(|e| ApiError::bad_request(e.to_string()))?;
    *api.access.write().unwrap_or_else(std::sync::PoisonError::into_inner) = config.access;
    *api.text_hash.write().unwrap_or_else(std::sync::PoisonError::into_inner) = config.text_hash;
    tracing::info!(restart_needed = restart, "configuration reloaded");
    Ok(Json(serde_json::json!({ "reloaded": ["access", "peers"], "restart_needed": restart })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CopyRequest {
    /// An absolute path that does not exist, in a folder that does.
    to: std::path::PathBuf,
}

/// `POST /copy`: the raw copy of the store that `chain-node backup` makes a backup of. The chain goes on meanwhile.
async fn copy(
    State(api): State<Shared>,
    Json(request): Json<CopyRequest>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let to = request.to;
    if !to.is_absolute() || to.exists() || !to.parent().is_some_and(std::path::Path::is_dir) {
        let detail = "`to` must be an absolute path that does not exist, in a folder that does";
        return Err(ApiError::bad_request(detail));
    }
    let (store, path) = (api.ledger.store().clone(), to.clone());
    let copied = tokio::task::spawn_blocking(move || store.copy_to(&path)).await;
    match copied {
        Ok(Ok(())) => {
            tracing::info!(to = %to.display(), "the store was copied for a backup");
            Ok(Json(serde_json::json!({ "to": to })))
        }
        Ok(Err(e)) => Err(ApiError::new(StatusCode::INSUFFICIENT_STORAGE, "copy_failed", e.to_string())),
        Err(e) => Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "copy_failed", e.to_string())),
    }
}
