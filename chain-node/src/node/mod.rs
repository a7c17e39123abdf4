//! The composition root: opens the store, starts each part in the order in which the next needs it, and stops cleanly.

mod upkeep;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chain_types::{Genesis, PublicKey, ValidatorSet};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};

use crate::admission::Admission;
use crate::api::{self, Api, Parts};
use crate::archive::Archive;
use crate::checkpoint::Checkpoints;
use crate::config::Config;
use crate::consensus::{self, ConsensusError, Left, Settings};
use crate::gossip::Gossip;
use crate::identity::{Found, Guard, Standing, Verdict};
use crate::keys::NodeKeys;
use crate::ledger::Ledger;
use crate::mempool::{Capacity, Mempool};
use crate::snapshot::fetch::{self, SyncError};
use crate::store::{Retention, Store, StoreError};

pub use upkeep::disk_free;
use upkeep::{archive_old_blocks, check_disk, check_writes, disk_runs_low, settle_at_rest};

/// Peers need two heartbeats of both holders of a key to tell.
const LISTEN_FIRST: Duration = Duration::from_secs(10);

/// Why the node ended. Supervisors decide by [`NodeError::exit_code`].
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("{0}")]
    Config(String),
    #[error("address {address} of `listen.{what}` cannot be used: {source}; stop what uses it, or change the address")]
    Listen { what: &'static str, address: SocketAddr, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    #[error(transparent)]
    Sync(#[from] SyncError),
    #[error("failed to start: {0}")]
    Start(String),
    #[error(
        "key {0} votes from another place as well; stop the other copy for good, or give this node a new key by a change \
         of the validators, then start it"
    )]
    DuplicateIdentity(PublicKey),
    #[error("only {free} bytes are free, {reserve} are kept in reserve; make room, then start the node again")]
    DiskFull { free: u64, reserve: u64 },
    #[error(
        "the disk of {home} cannot be written to: {source}; mend it, or make it writable, then start the node again"
    )]
    DiskFailed { home: PathBuf, source: std::io::Error },
    #[error("failed to write the identity file in {0}, without which nothing is signed; start the node again")]
    Identity(PathBuf),
}

impl NodeError {
    /// 20 disk reserve, 21 duplicate identity, 22 store damaged, 23 store newer, 24 configuration, 25 disk failed; 1 for
    /// what a restart may cure.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::DiskFull { .. } => 20,
            Self::DuplicateIdentity(_) => 21,
            Self::DiskFailed { .. } => 25,
            Self::Store(e) | Self::Consensus(ConsensusError::Store(e)) | Self::Sync(SyncError::Store(e)) => match e {
                StoreError::Newer { .. } | StoreError::Rules { .. } => 23,
                StoreError::Damaged(_) | StoreError::OtherChain { .. } | StoreError::Empty { .. } => 22,
                StoreError::Open { .. } | StoreError::Write(_) | StoreError::Read(_) => 1,
            },
            Self::Sync(SyncError::Token { .. } | SyncError::Untrusted { .. }) => 24,
            Self::Config(_) | Self::Consensus(ConsensusError::Address { .. } | ConsensusError::PeerKey { .. }) => 24,
            Self::Listen { .. } | Self::Start(_) | Self::Identity(_) | Self::Sync(_) | Self::Consensus(_) => 1,
        }
    }

    /// Whether a disk that takes no writes may be behind it.
    fn may_be_the_disk(&self) -> bool {
        match self {
            Self::Start(_) | Self::Identity(_) | Self::Store(_) | Self::Consensus(_) => self.exit_code() == 1,
            Self::Sync(e) => matches!(e, SyncError::Write { .. } | SyncError::Store(_)) && self.exit_code() == 1,
            _ => false,
        }
    }
}

/// How a node ended that nothing is wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By a signal.
    Stopped,
    /// To be started again at once, for this reason.
    Restart(&'static str),
}

/// Runs until a signal, a reason to start anew, or an error that makes going on unsafe.
pub async fn run(config: Config, config_path: PathBuf) -> Result<Ended, NodeError> {
    match run_parts(&config, config_path).await {
        // One write tells whether starting it again may help; the error alone does not.
        Err(e) if e.may_be_the_disk() => {
            Err(check_writes(&config, config.limits.disk_reserve_bytes).err().unwrap_or(e))
        }
        ended => ended,
    }
}

async fn run_parts(config: &Config, config_path: PathBuf) -> Result<Ended, NodeError> {
    let genesis = read_genesis(config)?;
    let keys = NodeKeys::load(&config.keys_dir()).map_err(|e| NodeError::Config(e.to_string()))?;
    // Let go of while a snapshot is fetched: a peer that asks this node for one must be refused, not kept waiting.
    drop(Listeners::bind(config).await?);
    let reserve = config.limits.disk_reserve_bytes;
    check_writes(config, reserve)?;
    fetch::join(config, &genesis).await?;
    let listeners = Listeners::bind(config).await?;
    check_disk(config, reserve)?;
    let store = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || open_store(&config, &genesis)).await
    };
    let store = store.map_err(|e| NodeError::Start(e.to_string()))??;
    let ledger = Arc::new(Ledger::open(store)?);
    let (keys, rotated_from) = take_over_rotated(keys, config, &ledger)?;
    let guard = Arc::new(guard(config, &keys, rotated_from, &ledger)?);
    let capacity = Capacity { txs: config.limits.mempool_txs, bytes: config.limits.mempool_bytes };
    let mempool = Arc::new(Mempool::new(capacity));
    let rate = config.limits.account_rate_per_s;
    let admission = Admission::start(ledger.clone(), mempool.clone(), rate);
    let admission = Arc::new(admission.map_err(|e| NodeError::Start(e.to_string()))?);
    let peers = config.peers.clone();
    let checkpoints = Checkpoints::open(&config.home, &keys, ledger.clone());
    let (gossip, peer_height) = {
        let (mempool, admission) = (mempool.clone(), admission.clone());
        Gossip::new(peers, ledger.clone(), mempool, admission, checkpoints.clone(), guard.clone())
    };
    let heartbeat = Arc::new(Notify::new());
    let settings = Settings {
        config,
        keys: &keys,
        ledger: ledger.clone(),
        mempool: mempool.clone(),
        peer_height,
        heartbeat: heartbeat.clone(),
        guard: guard.clone(),
    };
    gossip.start(listeners.gossip, &keys).map_err(|e| NodeError::Start(e.to_string()))?;
    listen_first(&guard).await?;
    let running = consensus::start(settings).await?;
    let (progress, peers) = (running.progress.clone(), running.peers);
    gossip.announce(running.progress);
    tokio::spawn(checkpoints.run());
    if ledger.store().archive().is_some() {
        tokio::spawn(archive_old_blocks(ledger.clone()));
    }
    tokio::spawn(settle_at_rest(ledger.clone()));
    let (stop, stopping) = watch::channel(false);
    let parts =
        Parts { ledger: ledger.clone(), mempool, admission, gossip, progress, peers, heartbeat, guard: guard.clone() };
    let api = Api::new(config, config_path, &keys, parts);
    let servers = api::serve(api, listeners.api, listeners.metrics, listeners.admin, stopping);
    tracing::info!(name = config.name, height = ledger.tip().height, api = %config.listen.api, "the node runs");
    let ended = tokio::select! {
        ended = running.task => match ended {
            Ok(result) => result.map_err(NodeError::from).map(|()| Ended::Stopped),
            Err(e) => Err(NodeError::Start(format!("consensus ended: {e}"))),
        },
        behind = fetch::left_behind(config, &ledger) => Err(behind.into()),
        () = disk_runs_low(config, reserve) => check_disk(config, reserve).map(|()| Ended::Stopped),
        verdict = guard.verdict() => match verdict {
            Verdict::Restart(why) => Ok(Ended::Restart(why)),
            Verdict::Duplicate => Err(NodeError::DuplicateIdentity(keys.consensus.public())),
            Verdict::Unwritten => Err(NodeError::Identity(config.home.clone())),
        },
        () = rotated(&keys, config, &ledger) => Ok(Ended::Restart("its keys were rotated")),
        () = signal() => Ok(Ended::Stopped),
    };
    // Consensus is not asked to finish: everything that was acknowledged is on disk, and a restart goes on from there.
    stop.send_replace(true);
    let _ = tokio::time::timeout(Duration::from_secs(2), servers).await;
    ended
}

/// Whether the chain has rotated this node from its keys to those that wait.
fn next_keys(keys: &NodeKeys, config: &Config, set: &ValidatorSet) -> Result<Option<NodeKeys>, NodeError> {
    if set.index_of(&keys.consensus.public()).is_some() {
        return Ok(None);
    }
    let next = keys.next(&config.keys_dir()).map_err(|e| NodeError::Config(e.to_string()))?;
    Ok(next.filter(|next| set.index_of(&next.consensus.public()).is_some()))
}

/// The keys to run with, and the consensus key that they replaced just now.
fn take_over_rotated(
    keys: NodeKeys,
    config: &Config,
    ledger: &Ledger,
) -> Result<(NodeKeys, Option<PublicKey>), NodeError> {
    let Some(next) = next_keys(&keys, config, &ledger.tip().validators)? else { return Ok((keys, None)) };
    NodeKeys::promote(&config.keys_dir()).map_err(|e| NodeError::Config(e.to_string()))?;
    tracing::info!(from = keys.consensus.public().short(), to = next.consensus.public().short(), "took over new keys");
    Ok((next, Some(keys.consensus.public())))
}

/// Whether this volume may vote with this key, from its identity file and what the store and the consensus log tell.
fn guard(
    config: &Config,
    keys: &NodeKeys,
    rotated_from: Option<PublicKey>,
    ledger: &Ledger,
) -> Result<Guard, NodeError> {
    let (own, store) = (keys.consensus.public(), ledger.store());
    let unmended =
        |e: std::io::Error| NodeError::Start(format!("the consensus log in {}: {e}", config.wal_dir().display()));
    let left = consensus::mend_log(&config.wal_dir()).map_err(unmended)?;
    let found = Found {
        tip: ledger.tip().height,
        had_identity: store.had_identity()?,
        signed: store.last_signed(&own)?,
        has_log: left == Left::Log,
    };
    let failed = |e: std::io::Error| NodeError::Start(format!("the identity file in {}: {e}", config.home.display()));
    let guard = Guard::open(&config.home, own, &found, rotated_from).map_err(failed)?;
    if let Standing::Waits(why) = guard.standing() {
        tracing::warn!(%why, "this node follows without voting until it has seen that its key votes nowhere else");
        tracing::warn!("if all validators were moved, so that there are no blocks to see, use `chain-node adopt`");
    }
    store.mark_identity()?;
    Ok(guard)
}

/// A node that must wait lets its peers tell of another holder of its key before its engine connects: two connections
/// with one key could cost the rightful holder its own.
async fn listen_first(guard: &Guard) -> Result<(), NodeError> {
    if !guard.waits() {
        return Ok(());
    }
    match tokio::time::timeout(LISTEN_FIRST, guard.verdict()).await {
        Ok(_) => Err(NodeError::DuplicateIdentity(guard.own_key())),
        Err(_) => Ok(()),
    }
}

/// Completes when the set that decides the next height holds the keys that wait instead of the present ones.
async fn rotated(keys: &NodeKeys, config: &Config, ledger: &Ledger) {
    let mut tip = ledger.watch_tip();
    loop {
        let set = tip.borrow_and_update().validators.clone();
        match next_keys(keys, config, &set) {
            Ok(Some(_)) => return,
            Ok(None) => {}
            Err(e) => tracing::error!(error = %e, "failed to read the keys of the rotation"),
        }
        if tip.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn open_store(config: &Config, genesis: &Genesis) -> Result<Store, StoreError> {
    let path = config.data_dir();
    std::fs::create_dir_all(&path).map_err(|e| StoreError::Write(e.to_string()))?;
    let store = Store::open(&path, genesis, config.limits.state_history)?;
    let retention = retention(&config.retention, store.fingerprint())?;
    Ok(store.with_retention(retention))
}

fn retention(
    config: &crate::config::Retention,
    fingerprint: chain_types::Fingerprint,
) -> Result<Retention, StoreError> {
    let archive = config.archive.as_deref().map(|dir| Archive::open(dir, fingerprint)).transpose()?;
    Ok(Retention { keep_blocks: config.keep_blocks, archive, address: config.address.clone() })
}

fn read_genesis(config: &Config) -> Result<Genesis, NodeError> {
    let path = &config.genesis;
    let bad = |e: String| NodeError::Config(format!("genesis file {}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let genesis: Genesis = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    genesis.check().map_err(|e| bad(e.to_string()))?;
    Ok(genesis)
}

struct Listeners {
    api: TcpListener,
    gossip: TcpListener,
    metrics: Option<TcpListener>,
    admin: Option<TcpListener>,
}

impl Listeners {
    /// All addresses before anything else: a port in use should cost nothing but this sentence.
    async fn bind(config: &Config) -> Result<Self, NodeError> {
        let listen = &config.listen;
        // The engine binds this one itself, later and less clearly; try it now and let it go.
        drop(bind("consensus", listen.consensus).await?);
        let optional = async |what, address| match address {
            Some(address) => bind(what, address).await.map(Some),
            None => Ok(None),
        };
        Ok(Self {
            api: bind("api", listen.api).await?,
            gossip: bind("gossip", listen.gossip).await?,
            metrics: optional("metrics", listen.metrics).await?,
            admin: optional("admin", listen.admin).await?,
        })
    }
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<TcpListener, NodeError> {
    TcpListener::bind(address).await.map_err(|source| NodeError::Listen { what, address, source })
}

async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
}
