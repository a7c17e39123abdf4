//! The node's HTTP API. It takes signed bytes and signs nothing. What proves records is public; everything else needs a
//! member's token. Errors are problem documents (RFC 9457) with stable codes.

mod admin;
mod auth;
mod blocks;
mod error;
mod evidence;
mod log;
mod metrics;
mod openapi;
mod package;
mod registration;
mod snapshot;
mod state;
mod status;
mod stream;
mod transactions;

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use chain_types::crypto::SigningKey;
use chain_types::limits::MAX_TX_BYTES;
use chain_types::{Hash, PublicKey};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tower_http::compression::CompressionLayer;

use crate::admission::Admission;
use crate::config::{Access, Config};
use crate::consensus::{EnginePeers, Progress, now_ms};
use crate::gossip::Gossip;
use crate::identity::Guard;
use crate::keys::NodeKeys;
use crate::ledger::Ledger;
use crate::mempool::Mempool;
use crate::snapshot::make::Snapshots;

pub use error::ApiError;

/// What handlers share.
pub struct Api {
    config: Config,
    config_path: PathBuf,
    access: RwLock<Access>,
    /// Of the configuration that was loaded last.
    text_hash: RwLock<Option<Hash>>,
    consensus_key: PublicKey,
    started_ms: u64,
    ledger: Arc<Ledger>,
    mempool: Arc<Mempool>,
    admission: Arc<Admission>,
    gossip: Arc<Gossip>,
    progress: watch::Receiver<Progress>,
    /// The engine's peers; gossip has its own list.
    peers: EnginePeers,
    peer_key: SigningKey,
    heartbeat: Arc<Notify>,
    guard: Arc<Guard>,
    last_heartbeat: std::sync::Mutex<u64>,
    snapshots: Arc<Snapshots>,
    metrics: metrics::Counters,
}

/// The parts of the node that answers come from.
pub struct Parts {
    pub ledger: Arc<Ledger>,
    pub mempool: Arc<Mempool>,
    pub admission: Arc<Admission>,
    pub gossip: Arc<Gossip>,
    pub progress: watch::Receiver<Progress>,
    pub peers: EnginePeers,
    pub heartbeat: Arc<Notify>,
    pub guard: Arc<Guard>,
}

/// Handlers' state.
type Shared = Arc<Api>;

impl Api {
    pub fn new(config: &Config, config_path: PathBuf, keys: &NodeKeys, parts: Parts) -> Arc<Self> {
        let Parts { ledger, mempool, admission, gossip, progress, peers, heartbeat, guard } = parts;
        Arc::new(Self {
            snapshots: Snapshots::new(config.clone(), ledger.clone(), heartbeat.clone()),
            access: RwLock::new(config.access.clone()),
            text_hash: RwLock::new(config.text_hash),
            config: config.clone(),
            config_path,
            consensus_key: keys.consensus.public(),
            started_ms: now_ms(),
            ledger,
            mempool,
            admission,
            gossip,
            progress,
            peers,
            peer_key: keys.peer.clone(),
            heartbeat,
            guard,
            last_heartbeat: std::sync::Mutex::new(0),
            metrics: metrics::Counters::default(),
        })
    }
}

/// The whole URL map.
fn router(api: Shared) -> Router {
    let members = Router::new()
        .route("/transactions", post(transactions::submit))
        .route("/transactions/batch", post(transactions::submit_batch))
        .route("/transactions/{id}", get(transactions::show))
        .route("/transactions/{id}/envelope", get(transactions::envelope))
        .route("/blocks/stream", get(stream::blocks))
        .route("/state/value", get(state::value))
        .route("/state/list", get(state::list))
        .route("/heartbeat", post(status::heartbeat))
        .route("/entries", post(registration::register))
        .route("/snapshot", get(snapshot::newest))
        .route("/snapshot/{height}/state/{piece}", get(snapshot::state))
        .route("/snapshot/{height}/tiles/{level}/{first}", get(snapshot::tiles))
        .route("/snapshot/{height}/blocks/{from}", get(snapshot::blocks))
        .layer(axum::middleware::from_fn_with_state(api.clone(), auth::members))
        .layer(DefaultBodyLimit::max(MAX_TX_BYTES));
    Router::new()
        .route("/healthz", get(status::health))
        .route("/readyz", get(status::ready))
        .route("/status", get(status::show))
        .route("/genesis", get(status::genesis))
        .route("/validators", get(status::validators))
        .route("/blocks", get(blocks::list))
        .route("/blocks/{height}", get(blocks::show))
        .route("/blocks/{height}/header", get(blocks::header))
        .route("/blocks/{height}/certificate", get(blocks::certificate))
        .route("/evidence/transactions/{id}", get(evidence::of_transaction))
        .route("/evidence/entries/{index}", get(evidence::of_entry))
        .route("/evidence/digests/{digest}", get(evidence::of_digest))
        .route("/evidence/state", get(evidence::of_state))
        .route("/digests/{digest}", get(evidence::find_digest))
        .route("/checkpoint", get(log::checkpoint))
        .route("/tile/{*path}", get(log::tile).layer(CompressionLayer::new()))
        .route("/policy", get(log::policy))
        .route("/proof/{index}", get(log::proof))
        .route("/consistency", get(log::consistency))
        .route("/entries/{id}", get(registration::show))
        .route("/entries/{id}/statement", get(registration::transparent))
        .route("/.well-known/scitt-keys", get(registration::keys))
        .route("/.well-known/scitt-keys/{kid}", get(registration::key))
        .route("/openapi.json", get(openapi::show))
        .merge(members)
        .fallback(async || ApiError::not_found("there is nothing at this address; see /openapi.json"))
        .with_state(api)
}

/// Serves until told to stop; completes when all servers have.
pub fn serve(
    api: Shared,
    public: TcpListener,
    metrics: Option<TcpListener>,
    admin: Option<TcpListener>,
    stopping: watch::Receiver<bool>,
) -> impl Future<Output = ()> {
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let mut servers = tokio::task::JoinSet::new();
    servers.spawn(
        axum::serve(public, router(api.clone())).with_graceful_shutdown(stopped(stopping.clone())).into_future(),
    );
    if let Some(listener) = metrics {
        let app = Router::new().route("/metrics", get(metrics::show)).with_state(api.clone());
        servers.spawn(axum::serve(listener, app).with_graceful_shutdown(stopped(stopping.clone())).into_future());
    }
    if let Some(listener) = admin {
        let app = admin::router(api);
        servers.spawn(axum::serve(listener, app).with_graceful_shutdown(stopped(stopping)).into_future());
    }
    async move { while servers.join_next().await.is_some() {} }
}
