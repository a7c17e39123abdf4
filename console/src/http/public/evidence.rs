//! Evidence packages of chains that have public pages, for anybody: the node's bytes, verified before they are handed on.

use crate::app::App;
use crate::applications::public::is_public;
use crate::error::{Error, Result};
use crate::http::extract::{Path, View};
use crate::names::Name;
use crate::reach::Way;
use crate::service::witness;
use crate::text::Message;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chain_client::Proven;
use chain_types::Hash;
use std::sync::Arc;

pub fn router() -> Router<App> {
    Router::new()
        .route("/evidence/{chain}/{kind}/{id}", get(download))
        .route("/evidence/{chain}/{kind}/{id}/city-proof", get(city_proof))
}

async fn download(view: View, Path((chain, kind, id)): Path<(String, String, String)>) -> Result<Response> {
    let (_, proven) = find(&view, &chain, &kind, &id).await?;
    Ok(file(&format!("{chain}-{kind}-{}.evidence.cbor", last_twelve(&id)), proven.bytes))
}

/// What the city chain stored since: proves the history of the same evidence. A state's evidence is another at every height, so that no
/// proof would fit the one that somebody has.
async fn city_proof(view: View, Path((chain, kind, id)): Path<(String, String, String)>) -> Result<Response> {
    if kind == "state" {
        return Err(Error::NotFound);
    }
    let (way, proven) = find(&view, &chain, &kind, &id).await?;
    let proof = witness::proof(&view.app, &way, &proven).await?;
    Ok(file(&format!("{chain}-{kind}-{}.city-proof.cbor", last_twelve(&id)), proof))
}

async fn find(view: &View, chain: &str, kind: &str, id: &str) -> Result<(Arc<Way>, Proven)> {
    super::within_rate(view)?;
    let name = Name::parse(chain).ok_or(Error::NotFound)?;
    if !is_public(&view.app, &name).await? {
        return Err(Error::NotFound);
    }
    let way = view.app.reach.find(chain).ok_or_else(crate::applications::unreachable)?;
    let hash = || id.parse::<Hash>().map_err(|_| Error::NotFound);
    let proven = match kind {
        "transactions" => way.client.evidence_of_transaction(id.parse().map_err(|_| Error::NotFound)?).await,
        "digests" => way.client.evidence_of_digest(hash()?).await,
        "entries" => way.client.evidence_of_entry(id.parse().map_err(|_| Error::NotFound)?).await,
        "state" => way.client.evidence_of_state(&hex::decode(id).map_err(|_| Error::NotFound)?).await,
        _ => return Err(Error::NotFound),
    };
    let proven = proven.map_err(|error| match error.code() {
        Some("not_found") => Error::NotFound,
        _ => {
            tracing::warn!(chain = %chain, %error, "evidence couldn't be had");
            Error::unavailable("chain-unreachable", Message::new("application-chain-unreachable"))
        }
    })?;
    Ok((way, proven))
}

fn last_twelve(id: &str) -> &str {
    id.char_indices().rev().nth(11).map_or(id, |(at, _)| &id[at..])
}

fn file(name: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    let kind = (header::CONTENT_TYPE, "application/cbor".to_owned());
    ([kind, (header::CONTENT_DISPOSITION, disposition)], bytes).into_response()
}
