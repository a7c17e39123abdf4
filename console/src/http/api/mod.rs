//! The gateway's addresses under `/api/v1`. Recognises the key, counts and logs the request, calls one function of `gateway`, writes JSON.

mod statements;

use crate::app::App;
use crate::error::{Carried, Error, Result};
use crate::gateway::keys::{self, Caller, Scope};
use crate::gateway::requests::Request as Logged;
use crate::gateway::{anchors, openapi, trace, transactions};
use crate::http::download;
use crate::http::extract::{Info, Path, Query};
use crate::outbox::Outcome;
use crate::reach::{self, Way};
use crate::text::Message;
use crate::time::now_ms;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chain_types::Hash;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ten thousand digests in JSON, with room.
const BODY_BYTES: usize = 2 * 1024 * 1024;

pub fn router(app: App) -> Router<App> {
    Router::new()
        .route("/api/v1/chains", get(chains))
        .route("/api/v1/chains/{chain}/anchors", post(anchor))
        .route("/api/v1/chains/{chain}/anchors/{id}", get(show_anchor))
        .route("/api/v1/chains/{chain}/anchors/{id}/evidence", get(evidence))
        .route("/api/v1/chains/{chain}/anchors/{id}/city-proof", get(city_proof))
        .route("/api/v1/chains/{chain}/verify/digests/{digest}", get(verify))
        .route("/api/v1/chains/{chain}/entries", post(statements::register))
        .route("/api/v1/chains/{chain}/entries/{id}", get(statements::receipt))
        .route("/api/v1/chains/{chain}/.well-known/scitt-keys", get(statements::keys))
        .route("/api/v1/chains/{chain}/transactions", post(submit))
        .route("/api/v1/chains/{chain}/transactions/{id}", get(show_transaction))
        .route("/api/v1/chains/{chain}/trace/{application}/items/{code}", get(item))
        .route("/api/v1/chains/{chain}/trace/{application}/lots/{lot}", get(lot))
        .layer(from_fn_with_state(app, guard))
        .layer(DefaultBodyLimit::max(BODY_BYTES))
        .route("/api/v1/openapi.json", get(describe))
}

/// Lets only good keys in, at their rate, and logs how each request went.
async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let (started, at_ms) = (Instant::now(), now_ms());
    let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
    let id = request.extensions().get::<Arc<Info>>().map(|info| info.request_id.clone()).unwrap_or_default();
    let caller = match recognise(&app, request.headers()).await {
        Ok(caller) => caller,
        Err(error) => return error.into_response(),
    };
    let response = match keys::count(&app, &caller) {
        Ok(()) => {
            request.extensions_mut().insert(caller.clone());
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    let code = response.extensions().get::<Carried>().map_or("", |carried| carried.0.code());
    app.gateway.requests.add(Logged {
        id,
        at_ms,
        tenant: caller.tenant.as_str().to_owned(),
        key_id: caller.key_id.clone(),
        method,
        path,
        status: i64::from(response.status().as_u16()),
        elapsed_us: i64::try_from(started.elapsed().as_micros()).unwrap_or(i64::MAX),
        code: code.to_owned(),
    });
    response
}

async fn recognise(app: &App, headers: &HeaderMap) -> Result<Arc<Caller>> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret =
        sent.and_then(|value| value.strip_prefix("Bearer ")).map(str::trim).filter(|secret| !secret.is_empty());
    match secret {
        Some(secret) => keys::authenticate(app, secret).await,
        None => Err(keys::unauthorised("key-missing", Message::new("error-key-missing-help"))),
    }
}

/// The caller that `guard` recognised.
struct Known(Arc<Caller>);

impl FromRequestParts<App> for Known {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let caller = parts.extensions.get::<Arc<Caller>>().cloned();
        let caller =
            caller.ok_or_else(|| anyhow::anyhow!("a handler outside of the gateway's guard asked for its caller"))?;
        Ok(Self(caller))
    }
}

impl Known {
    /// The chain, if the caller may do this there.
    fn on(&self, app: &App, chain: &str, scope: Scope) -> Result<Arc<Way>> {
        self.0.require(scope)?;
        reach::of_tenant(app, &self.0.tenant, chain)
    }
}

async fn chains(State(app): State<App>, caller: Known) -> Json<Value> {
    let ways = app.reach.of_tenant(&caller.0.tenant);
    let chains = ways.iter().map(|way| json!({ "chain": way.chain.as_str(), "fingerprint": way.client.fingerprint() }));
    Json(
        json!({ "chains": chains.collect::<Vec<_>>(), "organisation": caller.0.organisation, "scopes": caller.0.scopes }),
    )
}

async fn anchor(
    State(app): State<App>,
    caller: Known,
    Path(chain): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response> {
    let body = whole(body)?;
    let way = caller.on(&app, &chain, Scope::AnchorWrite)?;
    // One that is no text is an empty one, which is refused.
    let key = headers.get("idempotency-key").map(|value| value.to_str().unwrap_or_default());
    let answer = anchors::create(&app, &caller.0, &way, key, &body).await?;
    let location = answer["links"]["self"].as_str().unwrap_or_default().to_owned();
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(answer)).into_response())
}

fn whole(body: Result<Bytes, axum::extract::rejection::BytesRejection>) -> Result<Bytes> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge,
        _ => Error::bad_request("bad-body", Message::new("error-bad-body-help")),
    })
}

async fn show_anchor(
    State(app): State<App>,
    caller: Known,
    Path((chain, id)): Path<(String, String)>,
) -> Result<Json<anchors::Anchor>> {
    let way = caller.on(&app, &chain, Scope::AnchorRead)?;
    Ok(Json(anchors::show(&app, &caller.0, &way, &id).await?))
}

#[derive(Deserialize)]
struct Which {
    digest: Option<String>,
}

async fn evidence(
    State(app): State<App>,
    caller: Known,
    Path((chain, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Response> {
    let way = caller.on(&app, &chain, Scope::AnchorRead)?;
    let bytes = anchors::evidence(&app, &caller.0, &way, &id, which.digest.as_deref()).await?;
    Ok(download::evidence(bytes))
}

async fn city_proof(
    State(app): State<App>,
    caller: Known,
    Path((chain, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Response> {
    let way = caller.on(&app, &chain, Scope::AnchorRead)?;
    let bytes = anchors::city_proof(&app, &caller.0, &way, &id, which.digest.as_deref()).await?;
    Ok(download::file("city-proof.cbor", download::CBOR, bytes))
}

async fn verify(
    State(app): State<App>,
    caller: Known,
    Path((chain, digest)): Path<(String, String)>,
) -> Result<Json<Value>> {
    let way = caller.on(&app, &chain, Scope::AnchorRead)?;
    let digest: Hash = digest.parse().map_err(|_| Error::Refused {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        code: "bad-digest",
        message: Message::new("error-bad-digest-help").with("digest", &digest),
    })?;
    match way.client.evidence_of_digest(digest).await {
        Ok(proven) => Ok(Json(json!({ "digest": digest, "anchored": true, "report": proven.report }))),
        Err(error) if error.is_not_found() => Ok(Json(json!({ "digest": digest, "anchored": false }))),
        Err(error) => Err(anchors::node_error(error)),
    }
}

#[derive(Deserialize)]
struct Waiting {
    #[serde(default)]
    wait_ms: u64,
}

async fn submit(
    State(app): State<App>,
    caller: Known,
    Path(chain): Path<String>,
    Query(waiting): Query<Waiting>,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Result<Response> {
    let body = whole(body)?;
    let way = caller.on(&app, &chain, Scope::TxWrite)?;
    let wait = Duration::from_millis(waiting.wait_ms.min(30_000));
    let standing = transactions::submit(&app, &caller.0, &way, &body, wait).await?;
    let done = matches!(standing.outcome, Outcome::Committed(_));
    let status = if done { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = format!("/api/v1/chains/{chain}/transactions/{}", standing.tx);
    Ok((status, [(header::LOCATION, location)], Json(standing)).into_response())
}

async fn show_transaction(
    State(app): State<App>,
    caller: Known,
    Path((chain, id)): Path<(String, String)>,
) -> Result<Json<Value>> {
    let way = caller.on(&app, &chain, Scope::AnchorRead)?;
    Ok(Json(transactions::show(&app, &way, &id).await?))
}

async fn item(
    State(app): State<App>,
    caller: Known,
    Path((chain, application, code)): Path<(String, String, String)>,
) -> Result<Json<Value>> {
    let way = caller.on(&app, &chain, Scope::TraceRead)?;
    Ok(Json(trace::item(&app, &way, &application, &code).await?))
}

async fn lot(
    State(app): State<App>,
    caller: Known,
    Path((chain, application, lot)): Path<(String, String, String)>,
) -> Result<Json<Value>> {
    let way = caller.on(&app, &chain, Scope::TraceRead)?;
    Ok(Json(trace::lot(&app, &way, &application, &lot).await?))
}

async fn describe(State(app): State<App>) -> Json<Value> {
    Json(openapi::document(&app.config.public_url))
}
