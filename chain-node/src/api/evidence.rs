//! Evidence packages. Public: whoever knows a record's id may have its proof.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chain_types::Hash;
use chain_types::evidence::package::MEDIA_TYPE;
use serde::Deserialize;

use super::transactions::parse_id;
use super::{ApiError, Shared, package};
use crate::evidence::{self, NoEvidence};

/// `?package=1`, or the package's media type in `Accept`, asks for the package (`.evp`) instead of the core alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    #[serde(default)]
    package: u8,
}

async fn answer(api: &Shared, core: Vec<u8>, headers: &HeaderMap, form: u8) -> Result<Response, ApiError> {
    let (bytes, kind, name) = match form != 0 || package::is_accepted(headers) {
        true => (package::around(api, core).await?, MEDIA_TYPE, "attachment; filename=\"evidence.evp\""),
        false => (core, "application/cbor", "attachment; filename=\"evidence.cbor\""),
    };
    let headers = [(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name), (header::VARY, "accept")];
    Ok((headers, bytes).into_response())
}

/// `GET /evidence/transactions/{id}`
pub async fn of_transaction(
    State(api): State<Shared>,
    Path(id): Path<String>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let core = evidence::of_transaction(&api.ledger, &parse_id(&id)?).await?;
    answer(&api, core, &headers, form.package).await
}

/// `GET /evidence/entries/{index}`: of a registered statement, the package is that of the call which registered it, with
/// the statement's receipt.
pub async fn of_entry(
    State(api): State<Shared>,
    Path(index): Path<u64>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let core = match evidence::of_entry(&api.ledger, index).await {
        Err(NoEvidence::Statement { .. }) if form.package != 0 || package::is_accepted(&headers) => {
            evidence::of_carrier(&api.ledger, index).await
        }
        core => core,
    };
    answer(&api, core?, &headers, form.package).await
}

/// `GET /evidence/digests/{sha-256}`: of the oldest entry with this digest.
pub async fn of_digest(
    State(api): State<Shared>,
    Path(digest): Path<String>,
    Query(form): Query<Form>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let core = evidence::of_digest(&api.ledger, &parse_digest(&digest)?).await?;
    answer(&api, core, &headers, form.package).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateQuery {
    /// The state key, hexadecimal.
    key: String,
    #[serde(default)]
    package: u8,
}

/// `GET /evidence/state?key=`
pub async fn of_state(
    State(api): State<Shared>,
    Query(query): Query<StateQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let key = hex::decode(&query.key).map_err(|_| ApiError::bad_request("key is written in hexadecimal"))?;
    answer(&api, evidence::of_state(&api.ledger, &key).await?, &headers, query.package).await
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
