//! Snapshots for nodes that join, for members: what the state holds is for members too.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{ApiError, Shared};
use crate::snapshot::make::Ready;
use crate::store::{Store, StoreError};

fn cbor(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response()
}

/// `GET /snapshot`: the newest one's manifest. Made on demand: 503 until it is there.
pub async fn newest(State(api): State<Shared>) -> Result<Response, ApiError> {
    match api.snapshots.newest() {
        Some(ready) => Ok(cbor(ready.manifest.clone())),
        None => {
            let detail = "a snapshot is being made; ask again in a second";
            Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry(1))
        }
    }
}

/// `GET /snapshot/{height}/state/{piece}`: the records of one prefix of key hashes.
pub async fn state(State(api): State<Shared>, Path((height, piece)): Path<(u64, usize)>) -> Result<Response, ApiError> {
    piece_of(api, height, move |ready, _| Ok(ready.state(piece))).await
}

/// `GET /snapshot/{height}/tiles/{level}/{first}`: complete tiles of the log, 8 KiB each, at most 128.
pub async fn tiles(
    State(api): State<Shared>,
    Path((height, level, first)): Path<(u64, u8, u64)>,
) -> Result<Response, ApiError> {
    piece_of(api, height, move |ready, store| ready.tiles(store, level, first)).await
}

/// `GET /snapshot/{height}/blocks/{from}`: blocks with certificates and results, from one height downwards.
pub async fn blocks(State(api): State<Shared>, Path((height, from)): Path<(u64, u64)>) -> Result<Response, ApiError> {
    piece_of(api, height, move |ready, store| ready.blocks(store, from)).await
}

async fn piece_of(
    api: Shared,
    height: u64,
    read: impl FnOnce(&Ready, &Store) -> Result<Option<Vec<u8>>, StoreError> + Send + 'static,
) -> Result<Response, ApiError> {
    let gone = || ApiError::not_found(format!("no such piece of a snapshot of height {height}; begin with /snapshot"));
    let ready = api.snapshots.at(height).ok_or_else(gone)?;
    // Pieces are a mebibyte and more: read where it keeps nobody waiting.
    let piece = tokio::task::spawn_blocking(move || read(&ready, api.ledger.store())).await;
    let piece = piece.map_err(|e| ApiError::from(StoreError::Read(e.to_string())))??;
    piece.map(cbor).ok_or_else(gone)
}
