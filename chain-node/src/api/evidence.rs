//! Evidence packages. Public: whoever knows a record's id may have its proof.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use chain_types::Hash;
use serde::Deserialize;

use super::transactions::parse_id;
use super::{ApiError, Shared};
use crate::evidence;

fn package(bytes: Vec<u8>) -> Response {
    let kind = (header::CONTENT_TYPE, "application/cbor");
    let name = (header::CONTENT_DISPOSITION, "attachment; filename=\"evidence.cbor\"");
    ([kind, name], bytes).into_response()
}

/// `GET /evidence/transactions/{id}`
pub async fn of_transaction(State(api): State<Shared>, Path(id): Path<String>) -> Result<Response, ApiError> {
    Ok(package(evidence::of_transaction(&api.ledger, &parse_id(&id)?).await?))
}

/// `GET /evidence/entries/{index}`
pub async fn of_entry(State(api): State<Shared>, Path(index): Path<u64>) -> Result<Response, ApiError> {
    Ok(package(evidence::of_entry(&api.ledger, index).await?))
}

/// `GET /evidence/digests/{sha-256}`: of the oldest entry with this digest.
pub async fn of_digest(State(api): State<Shared>, Path(digest): Path<String>) -> Result<Response, ApiError> {
    Ok(package(evidence::of_digest(&api.ledger, &parse_digest(&digest)?).await?))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    /// The state key, hexadecimal.
    key: String,
}

/// `GET /evidence/state?key=`
pub async fn of_state(State(api): State<Shared>, Query(query): Query<StateQuery>) -> Result<Response, ApiError> {
    let key = hex::decode(&query.key).map_err(|_| ApiError::bad_request("key is written in hexadecimal"))?;
    Ok(package(evidence::of_state(&api.ledger, &key).await?))
}

/// `GET /digests/{sha-256}`: all log entries with this digest, oldest first, at most 100.
pub async fn find_digest(
    State(api): State<Shared>,
    Path(digest): Path<String>,
) -> Result<Json<serde_json::Value>, ApiError> {
    let entries = api.ledger.store().find_digest(&parse_digest(&digest)?, 100)?;
    Ok(Json(serde_json::json!({ "entries": entries })))
}

fn parse_digest(text: &str) -> Result<Hash, ApiError> {
    text.parse().map_err(|_| ApiError::bad_request("a SHA-256 digest is written as 64 hexadecimal digits"))
}
