//! Evidence and packages of chains that have public pages, for anybody: the node's bytes, verified before they are handed on;
//! and the verifier that needs neither them nor us.

use crate::app::App;
use crate::applications::public::is_public;
use crate::error::{Error, Result};
use crate::http::extract::{Path, Query, View};
use crate::names::Name;
use crate::text::Message;
use axum::Router;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chain_types::Hash;
use chain_types::evidence::package::MEDIA_TYPE;
use serde::Deserialize;

pub fn router() -> Router<App> {
    Router::new().route("/evidence/{chain}/{kind}/{id}", get(download)).route("/verify.html", get(offline_verifier))
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
    let kind = (header::CONTENT_TYPE, "text/html; charset=utf-8");
    let disposition = (header::CONTENT_DISPOSITION, "attachment; filename=\"verify.html\"");
    Ok(([kind, disposition], page.into_owned()).into_response())
}

async fn download(
    view: View,
    Path((chain, kind, id)): Path<(String, String, String)>,
    Query(form): Query<Form>,
) -> Result<Response> {
    super::within_rate(&view)?;
    let name = Name::parse(&chain).ok_or(Error::NotFound)?;
    if !is_public(&view.app, &name).await? {
        return Err(Error::NotFound);
    }
    let way = view.app.reach.find(&chain).ok_or_else(crate::applications::unreachable)?;
    let hash = || id.parse::<Hash>().map_err(|_| Error::NotFound);
    let tx = || id.parse().map_err(|_| Error::NotFound);
    let index = || id.parse().map_err(|_| Error::NotFound);
    let key = || hex::decode(&id).map_err(|_| Error::NotFound);
    let packed = form.package != 0;
    let proven = match (kind.as_str(), packed) {
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
    let (content_type, end) = if packed { (MEDIA_TYPE, "evp") } else { ("application/cbor", "evidence.cbor") };
    let short: String = id.chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect();
    let disposition = format!("attachment; filename=\"{chain}-{kind}-{short}.{end}\"");
    Ok(([(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)], proven.bytes)
        .into_response())
}
