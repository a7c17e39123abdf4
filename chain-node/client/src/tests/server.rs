//! A node that serves the chain made by hand, truthfully or with one lie.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chain_types::api::{BlockMessage, Problem, TxInfo, TxStatus};
use chain_types::encoding::Encode;
use chain_types::evidence::{Evidence, Subject};
use chain_types::{Hash, Transaction, TxId};
use futures::StreamExt;
use serde_json::json;

use super::chain::{FakeChain, certify, message};

/// What a node does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Nothing.
    None,
    /// Answers every question for evidence with other, true evidence.
    OtherEvidence,
    /// A byte of the package is changed.
    ChangedEvidence,
    /// Evidence, genesis, status and blocks of another chain.
    OtherChain,
    /// Block 3 with a certificate of another block.
    WrongCertificate,
    /// Block 3 with the signatures of only two validators.
    TooFewSigners,
    /// Block 2 without its transaction.
    CutBody,
    /// Block 2 with an applied call's result turned into a refusal.
    FalseResults,
    /// Block 2 with no results.
    NoResults,
    /// Block 3 is left out.
    Gap,
    /// Block 3 is another certified block, of other parents.
    OtherParent,
    /// Another transaction's status, other records of the state.
    OtherAnswers,
    /// 503 to everything.
    Unavailable,
    /// Says nothing that can be read.
    Noise,
}

pub struct Fake {
    pub chain: FakeChain,
    other: FakeChain,
    lie: Lie,
    /// Streams end after this many messages.
    cut_after: usize,
    pub streams: AtomicUsize,
}

pub async fn serve(lie: Lie) -> (reqwest::Url, Arc<Fake>) {
    serve_cut(lie, usize::MAX).await
}

pub async fn serve_cut(lie: Lie, cut_after: usize) -> (reqwest::Url, Arc<Fake>) {
    let chain = FakeChain::new("yunchuan.notary.notary");
    let other = FakeChain::new("yunchuan.other.other");
    let fake = Arc::new(Fake { chain, other, lie, cut_after, streams: AtomicUsize::new(0) });
    let router = Router::new()
        .route("/readyz", get(async || "ready"))
        .route("/status", get(status))
        .route("/genesis", get(async |State(fake): State<Arc<Fake>>| Json(fake.truth().genesis.clone())))
        .route("/transactions", post(submit))
        .route("/transactions/{id}", get(transaction))
        .route("/blocks/stream", get(stream))
        .route("/blocks/{height}/{part}", get(block_part))
        .route("/evidence/transactions/{id}", get(async |fake: State<Arc<Fake>>| evidence(fake, 0)))
        .route(
            "/evidence/entries/{index}",
            get(async |fake: State<Arc<Fake>>, Path(index): Path<u64>| evidence(fake, index)),
        )
        .route("/evidence/digests/{digest}", get(evidence_of_digest))
        .route("/evidence/state", get(async |fake: State<Arc<Fake>>| evidence(fake, u64::MAX)))
        .route("/state/list", get(state_list))
        .layer(axum::middleware::from_fn_with_state(fake.clone(), fail))
        .with_state(fake.clone());
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, fake)
}

impl Fake {
    fn truth(&self) -> &FakeChain {
        if self.lie == Lie::OtherChain { &self.other } else { &self.chain }
    }
}

fn problem(status: StatusCode, code: &str) -> Response {
    let body = Problem {
        kind: "about:blank".into(),
        title: code.into(),
        status: status.as_u16(),
        code: code.into(),
        detail: format!("try something else than {code}"),
    };
    let kind = [(header::CONTENT_TYPE, "application/problem+json"), (header::RETRY_AFTER, "7")];
    (status, kind, serde_json::to_vec(&body).unwrap()).into_response()
}

async fn fail(
    State(fake): State<Arc<Fake>>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    match fake.lie {
        Lie::Unavailable => problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        Lie::Noise => "<html>\u{0}".into_response(),
        _ => next.run(request).await,
    }
}

async fn status(State(fake): State<Arc<Fake>>) -> Response {
    let header = &fake.truth().blocks.last().unwrap().0.header;
    let zero = "0".repeat(64);
    Json(json!({
        "name": "validator-1", "chain_id": fake.truth().genesis.chain_id, "fingerprint": header.fingerprint,
        "version": "0", "pid": 1, "started_ms": 0, "consensus_key": zero, "validator": true,
        "height": header.height, "block_id": header.id(), "block_time_ms": header.time_ms, "round_height": 8,
        "round": 0, "peer_height": 7, "caught_up": true, "state_root": zero, "log_size": 3, "phase": "idle",
        "pending_since_ms": null, "pending": 0, "validators": 4, "quorum": 3, "peers": [], "disk_free_bytes": 1,
    }))
    .into_response()
}

async fn submit(State(fake): State<Arc<Fake>>, headers: HeaderMap, body: Bytes) -> Response {
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != "Bearer member") {
        return problem(StatusCode::UNAUTHORIZED, "unauthorised");
    }
    let Ok(tx) = Transaction::decode(&body) else { return problem(StatusCode::BAD_REQUEST, "malformed") };
    if tx.call().method == "flood" {
        return problem(StatusCode::TOO_MANY_REQUESTS, "mempool_full");
    }
    info(&fake, tx.id())
}

async fn transaction(State(fake): State<Arc<Fake>>, Path(id): Path<TxId>) -> Response {
    info(&fake, id)
}

fn info(fake: &Fake, id: TxId) -> Response {
    let id = if fake.lie == Lie::OtherAnswers { TxId([7; 32]) } else { id };
    Json(TxInfo { id, status: TxStatus::Pending }).into_response()
}

async fn block_part(State(fake): State<Arc<Fake>>, Path((height, part)): Path<(usize, String)>) -> Response {
    let Some((block, certificate, _)) = fake.truth().blocks.get(height - 1) else {
        return problem(StatusCode::NOT_FOUND, "not_found");
    };
    match (part.as_str(), fake.lie) {
        ("header", _) => block.header.to_bytes().into_response(),
        ("certificate", Lie::WrongCertificate) => fake.chain.blocks[0].1.to_bytes().into_response(),
        _ => certificate.to_bytes().into_response(),
    }
}

/// `u64::MAX` stands for the state.
fn evidence(State(fake): State<Arc<Fake>>, index: u64) -> Response {
    let of = |index: u64| -> Evidence {
        if index == u64::MAX { fake.truth().evidence_of_state() } else { fake.truth().evidence_of_entry(index) }
    };
    let mut package = match (fake.lie, index) {
        (Lie::OtherEvidence, u64::MAX) => of(1),
        (Lie::OtherEvidence, index) => of((index + 1) % 3),
        _ => of(index),
    };
    if fake.lie == Lie::ChangedEvidence {
        match &mut package.subject {
            Subject::Act { block, .. } => block.time_ms += 1,
            Subject::State(proof) => proof.value.push(0),
        }
    }
    package.to_bytes().into_response()
}

async fn evidence_of_digest(fake: State<Arc<Fake>>, Path(digest): Path<Hash>) -> Response {
    match super::chain::digests().iter().position(|known| *known == digest) {
        Some(position) => evidence(fake, position as u64 + 1),
        None => problem(StatusCode::NOT_FOUND, "not_found"),
    }
}

#[derive(serde::Deserialize)]
struct Listed {
    prefix: String,
    after: Option<String>,
}

async fn state_list(State(fake): State<Arc<Fake>>, Query(asked): Query<Listed>) -> Response {
    let prefix = if fake.lie == Lie::OtherAnswers { "00".into() } else { asked.prefix };
    let all = ["01", "02"].map(|end| json!({ "key": format!("{prefix}{end}"), "value": "a0", "json": {} }));
    let after = asked.after.unwrap_or_default();
    Json(all.into_iter().filter(|e| e["key"].as_str().unwrap() > after.as_str()).collect::<Vec<_>>()).into_response()
}

#[derive(serde::Deserialize)]
struct From {
    from: usize,
}

async fn stream(State(fake): State<Arc<Fake>>, Query(asked): Query<From>) -> Response {
    fake.streams.fetch_add(1, Ordering::SeqCst);
    let heights = asked.from..=fake.chain.blocks.len();
    let messages: Vec<BlockMessage> = heights.filter_map(|height| told(&fake, height)).collect();
    let ends = messages.len() > fake.cut_after;
    let texts = messages.into_iter().take(fake.cut_after).map(|m| {
        let (id, data) = (m.height, serde_json::to_string(&m).unwrap());
        Ok::<_, std::io::Error>(format!(": still here\nid: {id}\r\ndata: {data}\n\n"))
    });
    let texts: Vec<_> = texts.collect();
    let history = futures::stream::iter(texts);
    match ends {
        true => Body::from_stream(history).into_response(),
        false => Body::from_stream(history.chain(futures::stream::pending())).into_response(),
    }
}

/// A block as this node tells it.
fn told(fake: &Fake, height: usize) -> Option<BlockMessage> {
    let chain = fake.truth();
    let (block, certificate, results) = &chain.blocks[height - 1];
    match (fake.lie, height) {
        (Lie::Gap, 3) => None,
        (Lie::WrongCertificate, 3) => Some(message(block, &chain.blocks[1].1, results)),
        (Lie::TooFewSigners, 3) => {
            Some(message(block, &certify(&block.header, &chain.genesis.validator_set(), 2), results))
        }
        (Lie::CutBody, 2) => {
            let mut block = block.clone();
            block.txs.clear();
            Some(message(&block, certificate, &[]))
        }
        (Lie::NoResults, 2) => Some(message(block, certificate, &[])),
        (Lie::FalseResults, 2) => {
            let mut results = results.clone();
            results[0].verdict = Err(chain_types::outcome::Refusal { code: "no".into(), params: Default::default() });
            Some(message(block, certificate, &results))
        }
        (Lie::OtherParent, 3) => {
            let mut block = block.clone();
            block.header.parent = chain_types::BlockId([9; 32]);
            let certificate = certify(&block.header, &chain.genesis.validator_set(), 3);
            Some(message(&block, &certificate, results))
        }
        _ => Some(chain.message(height)),
    }
}
