//! The log for anybody, as C2SP writes it: checkpoint, tiles and entries (tlog-tiles), the policy that says whose
//! cosignatures count (tlog-policy), a portable proof of each entry (tlog-proof), and that the log only grows.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chain_types::Hash;
use chain_types::tlog::{Policy, Proof, Resource, TilePath, write_bundle};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::{Api, ApiError, Shared};
use crate::checkpoint::Cosigned;

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";
/// Tiles, once there, never change.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// How long a request waits for the checkpoint that covers a fresh entry.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(5);

/// A bundle can be 16 MB, so few are put together at a time.
static BUNDLES: Semaphore = Semaphore::const_new(2);

/// `GET /checkpoint` (tlog-checkpoint): the newest that a quorum of validators cosigned.
pub async fn checkpoint(State(api): State<Shared>) -> Result<Response, ApiError> {
    let latest = api.gossip.checkpoints.latest().ok_or_else(no_checkpoint)?;
    let kinds = [(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")];
    Ok((kinds, latest.signed.to_text()).into_response())
}

pub(super) fn no_checkpoint() -> ApiError {
    let detail = "no checkpoint has the cosignatures of a quorum yet; ask again in a second";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry(1)
}

/// `GET /tile/…` (tlog-tiles): hashes, and bundles of entries.
pub async fn tile(State(api): State<Shared>, Path(path): Path<String>) -> Result<Response, ApiError> {
    let wrong = |()| ApiError::bad_request("a tile is addressed as C2SP tlog-tiles says, such as /tile/0/x001/067.p/5");
    let path: TilePath = path.parse().map_err(wrong)?;
    let bytes = match path.resource {
        Resource::Hashes(level) => api.ledger.store().tile(level, path.index, path.width)?,
        Resource::Entries => bundle(&api, path.index, path.width).await?,
    };
    let missing = || ApiError::not_found(format!("the log has no tile {path}, or this node does not keep it"));
    let kinds = [(header::CONTENT_TYPE, BYTES), (header::CACHE_CONTROL, IMMUTABLE)];
    Ok((kinds, bytes.ok_or_else(missing)?).into_response())
}

async fn bundle(api: &Shared, index: u64, width: u16) -> Result<Option<Vec<u8>>, ApiError> {
    let first = index.saturating_mul(256);
    if first.saturating_add(width.into()) > api.ledger.tip().roots.log_size {
        return Ok(None);
    }
    let busy = |_| ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the node is stopping").retry(1);
    let _permit = BUNDLES.acquire().await.map_err(busy)?;
    let store = api.ledger.store().clone();
    let read = tokio::task::spawn_blocking(move || store.entries(first, width.into())).await;
    let entries = read.map_err(|e| ApiError::internal(e.to_string()))??;
    match entries {
        Some(entries) => Ok(write_bundle(entries.iter().map(Vec::as_slice))),
        None => Err(ApiError::gone(api.ledger.store().gone("these log entries"))),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyQuery {
    height: Option<u64>,
    /// Key id of one log key, hexadecimal: list that key alone.
    log: Option<String>,
}

/// `GET /policy` (tlog-policy): any of the validators' log keys, more than two thirds of their cosigners.
pub async fn policy(State(api): State<Shared>, Query(query): Query<PolicyQuery>) -> Result<Response, ApiError> {
    let next = api.ledger.tip().height.saturating_add(1);
    let height = query.height.unwrap_or(next);
    if height > next {
        return Err(ApiError::not_found(format!("the validators of height {height} are not decided yet")));
    }
    let store = api.ledger.store();
    let policy = Policy::of_validators(store.genesis(), &store.validators(height)?);
    let mut policy = policy.map_err(|e| ApiError::internal(e.to_string()))?;
    if let Some(id) = query.log {
        let id = hex::decode(&id).ok().and_then(|id| id.try_into().ok());
        let id = id.ok_or_else(|| ApiError::bad_request("log is the key id of a log key: 8 hexadecimal digits"))?;
        policy = policy.for_log(id).ok_or_else(|| ApiError::not_found("no validator has this log key"))?;
    }
    let origin = api.gossip.checkpoints.origin();
    let text = format!("# validators of {origin} at height {height}\n{}", policy.to_text());
    Ok(([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-cache")], text).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sizes {
    old: u64,
    new: u64,
}

/// `GET /consistency?old=&new=`: that the log of `old` entries is the beginning of that of `new` (RFC 9162 §2.1.4).
pub async fn consistency(State(api): State<Shared>, Query(sizes): Query<Sizes>) -> Result<Json<Vec<Hash>>, ApiError> {
    let Sizes { old, new } = sizes;
    let there = api.ledger.tip().roots.log_size;
    if old == 0 || old > new || new > there {
        let detail = format!("the log has {there} entries; ask for 0 < old <= new <= {there}");
        return Err(ApiError::bad_request(detail));
    }
    Ok(Json(api.ledger.store().log_consistency(old, new)?))
}

/// `GET /proof/{index}` (tlog-proof): one entry's place under the newest checkpoint.
pub async fn proof(State(api): State<Shared>, Path(index): Path<u64>) -> Result<Response, ApiError> {
    if index >= api.ledger.tip().roots.log_size {
        return Err(ApiError::not_found(format!("the log has no entry {index}")));
    }
    let cosigned = covering(&api, index).await.ok_or_else(no_checkpoint)?;
    let path = api.ledger.store().log_path(index, cosigned.size())?;
    let proof = Proof { extra: None, index, path, checkpoint: cosigned.signed.clone() };
    let name = format!("attachment; filename=\"{index}.tlog-proof\"");
    let kinds = [(header::CONTENT_TYPE, TEXT.to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((kinds, proof.to_text()).into_response())
}

/// The newest checkpoint that covers an entry, waited for a moment.
pub(super) async fn covering(api: &Api, index: u64) -> Option<Arc<Cosigned>> {
    let mut newest = api.gossip.checkpoints.watch();
    let covers = |c: &Option<Arc<Cosigned>>| c.as_ref().is_some_and(|c| c.size() > index);
    match tokio::time::timeout(CHECKPOINT_WAIT, newest.wait_for(covers)).await {
        Ok(Ok(found)) => found.clone(),
        _ => None,
    }
}
