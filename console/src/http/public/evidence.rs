//! Evidence and packages of chains that have public pages, for anybody: the node's bytes, verified before they are handed on;
//! and the verifier that needs neither them nor us.

use crate::app::App;
use crate::applications::public::is_public;
use crate::error::{Error, Result};
use crate::http::download::{CBOR, file};
use crate::http::extract::{Path, Query, View};
use crate::names::Name;
use crate::reach::Way;
use crate::service::witness;
use crate::text::Message;
use axum::Router;
use axum::response::Response;
use axum::routing::get;
use chain_client::Proven;
use chain_types::Hash;
use chain_types::evidence::package::MEDIA_TYPE;
use serde::Deserialize;
use std::sync::Arc;

pub fn router() -> Router<App> {
    Router::new()
        .route("/evidence/{chain}/{kind}/{id}", get(download))
        .route("/evidence/{chain}/{kind}/{id}/city-proof", get(city_proof))
        .route("/verify.html", get(offline_verifier))
}

#[derive(Default, Deserialize)]
struct Form {
    /// `1`: the package (`.evp`) instead of the core alone, which is what a browser checks on the page.
    #[serde(default)]
    package: u8,
}

/// The one-file verifier, to be kept: on a USB stick it checks packages with the network off.
async fn offline_verifier(view: View) -> Result<Response> {
    super::within_rate(&view)?;
    let page = view.app.pages.web().bytes("static/verify.html").ok_or(Error::NotFound)?;
    Ok(file("verify.html", "text/html; charset=utf-8", page.into_owned()))
}

async fn download(
    view: View,
    Path((chain, kind, id)): Path<(String, String, String)>,
    Query(form): Query<Form>,
) -> Result<Response> {
    let packed = form.package != 0;
    let (_, proven) = find(&view, &chain, &kind, &id, packed).await?;
    let (content_type, end) = if packed { (MEDIA_TYPE, "evp") } else { (CBOR, "evidence.cbor") };
    Ok(file(&format!("{chain}-{kind}-{}.{end}", last_twelve(&id)), content_type, proven.bytes))
}

/// What the city chain stored since: proves the history of the same evidence. A state's evidence is another at every
/// height, so that no proof would fit the one that somebody has.
async fn city_proof(view: View, Path((chain, kind, id)): Path<(String, String, String)>) -> Result<Response> {
    if kind == "state" {
        return Err(Error::NotFound);
    }
    let (way, proven) = find(&view, &chain, &kind, &id, false).await?;
    let proof = witness::proof(&view.app, &way, &proven).await?;
    Ok(file(&format!("{chain}-{kind}-{}.city-proof.cbor", last_twelve(&id)), CBOR, proof))
}

async fn find(view: &View, chain: &str, kind: &str, id: &str, packed: bool) -> Result<(Arc<Way>, Proven)> {
    super::within_rate(view)?;
    let name = Name::parse(chain).ok_or(Error::NotFound)?;
    if !is_public(&view.app, &name).await? {
        return Err(Error::NotFound);
    }
    let way = view.app.reach.find(chain).ok_or_else(crate::applications::unreachable)?;
    let hash = || id.parse::<Hash>().map_err(|_| Error::NotFound);
    let tx = || id.parse().map_err(|_| Error::NotFound);
    let index = || id.parse().map_err(|_| Error::NotFound);
    let key = || hex::decode(id).map_err(|_| Error::NotFound);
    let proven = match (kind, packed) {
        ("transactions", false) => way.client.evidence_of_transaction(tx()?).await,
        ("transactions", true) => way.client.package_of_transaction(tx()?).await,
        ("digests", false) => way.client.evidence_of_digest(hash()?).await,
        ("digests", true) => way.client.package_of_digest(hash()?).await,
        ("entries", false) => way.client.evidence_of_entry(index()?).await,
        ("entries", true) => way.client.package_of_entry(index()?).await,
        ("state", false) => way.client.evidence_of_state(&key()?).await,
        ("state", true) => way.client.package_of_state(&key()?).await,
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
