//! Blocks: what is in them, and the bytes that prove them.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use chain_types::api::BlockInfo;
use chain_types::encoding::Encode;
use chain_types::{Transaction, TxId};
use serde::Deserialize;

use super::{ApiError, Shared};
use crate::store::BlockRecord;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// Heights below this.
    before: Option<u64>,
    /// At most 100.
    limit: Option<u64>,
}

/// `GET /blocks`: newest first.
pub async fn list(State(api): State<Shared>, Query(query): Query<ListQuery>) -> Result<Json<Vec<BlockInfo>>, ApiError> {
    let store = api.ledger.store();
    let top = query.before.map_or(u64::MAX, |before| before.saturating_sub(1)).min(api.ledger.tip().height);
    let limit = query.limit.unwrap_or(20).min(100);
    let heights = (1..=top).rev().take(usize::try_from(limit).unwrap_or(100));
    let blocks = heights.map(|height| store.block(height)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(blocks.into_iter().flatten().map(|record| info(&record)).collect()))
}

/// `GET /blocks/{height}`
pub async fn show(State(api): State<Shared>, Path(height): Path<u64>) -> Result<Json<BlockInfo>, ApiError> {
    Ok(Json(info(&find(&api, height)?)))
}

/// `GET /blocks/{height}/header`: deterministic CBOR, whose SHA-256 is the block's id.
pub async fn header(State(api): State<Shared>, Path(height): Path<u64>) -> Result<impl IntoResponse, ApiError> {
    Ok(([(header::CONTENT_TYPE, "application/cbor")], find(&api, height)?.block.header.to_bytes()))
}

/// `GET /blocks/{height}/certificate`: the signatures that decided it, as CBOR.
pub async fn certificate(State(api): State<Shared>, Path(height): Path<u64>) -> Result<impl IntoResponse, ApiError> {
    Ok(([(header::CONTENT_TYPE, "application/cbor")], find(&api, height)?.certificate.to_bytes()))
}

fn find(api: &super::Api, height: u64) -> Result<BlockRecord, ApiError> {
    let store = api.ledger.store();
    match store.block(height)? {
        Some(record) => Ok(record),
        None if (1..store.first_block()?).contains(&height) => Err(gone(store, height)),
        None => Err(ApiError::not_found(format!("block {height} is not committed here"))),
    }
}

pub fn gone(store: &crate::store::Store, height: u64) -> ApiError {
    ApiError::gone(store.gone(&format!("block {height}")))
}

fn info(record: &BlockRecord) -> BlockInfo {
    let header = &record.block.header;
    let ids: Vec<TxId> =
        record.block.txs.iter().filter_map(|tx| Transaction::decode(tx).ok()).map(|tx| tx.id()).collect();
    BlockInfo {
        height: header.height,
        id: record.id,
        parent: header.parent,
        time_ms: header.time_ms,
        round: header.round,
        proposer: header.proposer,
        txs: ids,
        size_bytes: record.block.txs.iter().map(|tx| tx.len() as u64).sum(),
        tx_root: header.tx_root,
        state_root: header.state_root,
        log_size: header.log_size,
        log_root: header.log_root,
        results_root: header.results_root,
        signers: record.certificate.signatures.iter().map(|(index, _)| *index).collect(),
    }
}
