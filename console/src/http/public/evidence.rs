//! Evidence packages of chains that have public pages, for anybody: the node's bytes, verified before they are handed on.

use crate::app::App;
use crate::applications::public::is_public;
use crate::error::{Error, Result};
use crate::http::extract::{Path, View};
use crate::names::Name;
use crate::text::Message;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chain_types::Hash;

pub fn router() -> Router<App> {
    Router::new().route("/evidence/{chain}/{kind}/{id}", get(download))
}

async fn download(view: View, Path((chain, kind, id)): Path<(String, String, String)>) -> Result<Response> {
    super::within_rate(&view)?;
    let name = Name::parse(&chain).ok_or(Error::NotFound)?;
    if !is_public(&view.app, &name).await? {
        return Err(Error::NotFound);
    }
    let way = view.app.reach.find(&chain).ok_or_else(crate::applications::unreachable)?;
    let hash = || id.parse::<Hash>().map_err(|_| Error::NotFound);
    let proven = match kind.as_str() {
        "transactions" => way.client.evidence_of_transaction(id.parse().map_err(|_| Error::NotFound)?).await,
        "digests" => way.client.evidence_of_digest(hash()?).await,
        "entries" => way.client.evidence_of_entry(id.parse().map_err(|_| Error::NotFound)?).await,
        "state" => way.client.evidence_of_state(&hex::decode(&id).map_err(|_| Error::NotFound)?).await,
        _ => return Err(Error::NotFound),
    };
    let proven = proven.map_err(|error| match error.code() {
        Some("not_found") => Error::NotFound,
        _ => {
            tracing::warn!(chain = %chain, %error, "evidence couldn't be had");
            Error::unavailable("chain-unreachable", Message::new("application-chain-unreachable"))
        }
    })?;
    let short: String = id.chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect();
    let disposition = format!("attachment; filename=\"{chain}-{kind}-{short}.evidence.cbor\"");
    Ok((
        [(header::CONTENT_TYPE, "application/cbor".to_owned()), (header::CONTENT_DISPOSITION, disposition)],
        proven.bytes,
    )
        .into_response())
}
