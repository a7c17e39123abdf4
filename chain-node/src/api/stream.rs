//! Blocks as server-sent events: history first, then live, each with what is needed to verify it.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chain_types::api::BlockMessage;
use chain_types::encoding::Encode;
use futures::stream::{self, Stream};
use serde::Deserialize;

use super::Shared;
use crate::store::StoreError;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamQuery {
    /// First height to send; `Last-Event-ID` wins.
    from: Option<u64>,
}

/// `GET /blocks/stream`
pub async fn blocks(State(api): State<Shared>, Query(query): Query<StreamQuery>, headers: HeaderMap) -> Response {
    let last = headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<u64>().ok());
    let next = last.map(|last| last.saturating_add(1)).or(query.from).unwrap_or(api.ledger.tip().height + 1).max(1);
    let store = api.ledger.store();
    match store.oldest_block() {
        Ok(oldest) if next >= oldest => {}
        Ok(_) => return super::blocks::gone(store, next).into_response(),
        Err(e) => return super::ApiError::from(e).into_response(),
    }
    let sse = Sse::new(follow(api, next)).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)));
    // Proxies must not hold a quiet stream back.
    ([("x-accel-buffering", "no"), ("cache-control", "no-cache")], sse).into_response()
}

fn follow(api: Shared, next: u64) -> impl Stream<Item = Result<Event, Infallible>> {
    let tip = api.ledger.watch_tip();
    stream::unfold((api, tip, next), |(api, mut tip, next)| async move {
        tip.wait_for(|tip| tip.height >= next).await.ok()?;
        match message(&api, next) {
            Ok(Some(event)) => Some((Ok(event), (api, tip, next + 1))),
            Ok(None) => None,
            Err(e) => {
                tracing::error!(error = %e, height = next, "failed to stream a block");
                None
            }
        }
    })
}

fn message(api: &super::Api, height: u64) -> Result<Option<Event>, StoreError> {
    let Some(record) = api.ledger.store().block(height)? else { return Ok(None) };
    let results = api.ledger.store().results(height)?;
    let message = BlockMessage {
        height,
        block: hex::encode(record.block.to_bytes()),
        certificate: hex::encode(record.certificate.to_bytes()),
        results: results.iter().map(|outcome| hex::encode(outcome.to_bytes())).collect(),
    };
    Ok(Event::default().id(height.to_string()).json_data(message).ok())
}
