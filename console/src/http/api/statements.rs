//! The gateway's SCITT addresses (SCRAPI draft-11): statements in, receipts out. What the caller can mend is answered as a
//! concise problem (RFC 9290), as that interface demands.

use super::{Known, whole};
use crate::app::App;
use crate::chains;
use crate::error::{Error, Result};
use crate::gateway::entries::{self, Registration};
use crate::gateway::keys::Scope;
use crate::http::extract::Path;
use crate::text::Lang;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chain_types::Hash;
use chain_types::encoding::Writer;
use chain_types::tlog::SignedStatement;

const COSE: &str = "application/cose";
const CBOR: &str = "application/cbor";

/// `POST …/entries`: 201 with the receipt, or 303 to where it will be.
pub async fn register(
    State(app): State<App>,
    caller: Known,
    Path(chain): Path<String>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    let answer = async {
        let body = whole(body)?;
        let way = caller.on(&app, &chain, Scope::AnchorWrite)?;
        let location = format!("/api/v1/chains/{chain}/entries/{}", SignedStatement::id(&body));
        Ok(match entries::register(&app, &caller.0, &way, &body).await? {
            Registration::Receipt(receipt) => {
                let kinds = [(header::CONTENT_TYPE, COSE.to_owned()), (header::LOCATION, location)];
                (StatusCode::CREATED, kinds, receipt).into_response()
            }
            Registration::Running => {
                let come_back = [(header::LOCATION, location), (header::RETRY_AFTER, "1".to_owned())];
                (StatusCode::SEE_OTHER, come_back).into_response()
            }
        })
    };
    concise(&app, answer.await)
}

/// `GET …/entries/{id}`
pub async fn receipt(State(app): State<App>, caller: Known, Path((chain, id)): Path<(String, String)>) -> Response {
    let answer = async {
        let way = caller.on(&app, &chain, Scope::AnchorRead)?;
        let id: Hash = id.parse().map_err(|_| Error::NotFound)?;
        let receipt = chains::client(&app, &way.chain).await?.bytes(&format!("/entries/{id}")).await?;
        Ok(([(header::CONTENT_TYPE, COSE)], receipt).into_response())
    };
    concise(&app, answer.await)
}

/// `GET …/.well-known/scitt-keys`
pub async fn keys(State(app): State<App>, caller: Known, Path(chain): Path<String>) -> Response {
    let answer = async {
        let way = caller.on(&app, &chain, Scope::AnchorRead)?;
        let keys = chains::client(&app, &way.chain).await?.bytes("/.well-known/scitt-keys").await?;
        Ok(([(header::CONTENT_TYPE, CBOR)], keys).into_response())
    };
    concise(&app, answer.await)
}

/// Faults of the console itself are logged and told as everywhere else.
fn concise(app: &App, answer: Result<Response>) -> Response {
    let error = match answer {
        Ok(response) => return response,
        Err(error) if error.status().is_server_error() => return error.into_response(),
        Err(error) => error,
    };
    let mut w = Writer::default();
    w.map(2).int(-1).text(error.code()).int(-2).text(&app.texts().say(Lang::En, &error.message()));
    let kind = [(header::CONTENT_TYPE, "application/concise-problem-details+cbor")];
    (error.status(), kind, w.into_bytes()).into_response()
}
