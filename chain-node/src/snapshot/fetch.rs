//! The taking side: decides at a start whether blocks are enough, fetches a snapshot if not, and puts it in the store's
//! place. Peers are asked one after the other; nothing that they say is kept before it is checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chain_types::encoding::Decode;
use chain_types::{Genesis, Header};
use reqwest::StatusCode;

use super::{MAX_PIECE_BYTES, Manifest};
use crate::config::{Config, SyncMode};
use crate::ledger::Ledger;
use crate::store::{Next, Staging, StagingError, Store, StoreError};

/// A peer that does not answer is asked again for this long.
const PATIENCE: Duration = Duration::from_secs(30);
/// All peers together; a supervisor starts the node again, and it goes on with the piece that it was at.
const GIVE_UP: Duration = Duration::from_secs(300);
/// A node that has not moved for this long asks whether its peers still have the next block.
const STANDING_STILL: Duration = Duration::from_secs(10);
/// How long a peer may take to say whether it has a block.
const PROBE: Duration = Duration::from_secs(3);
/// How long a peer may take to make its snapshot.
const MAKING: Duration = Duration::from_secs(600);

/// Why no snapshot could be taken.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    #[error("sync.token_file {path}: {source}")]
    Token { path: PathBuf, source: std::io::Error },
    #[error("this node needs a snapshot and no peer of `sync.from` gave one: {0}")]
    NoPeer(String),
    #[error("the header of `sync.trust` is not on the chain that {peer} gives: {reason}; ask the chain's operator")]
    Untrusted { peer: String, reason: String },
    #[error("the peers no longer have block {}; start the node again, and it takes a snapshot", .0 + 1)]
    LeftBehind(u64),
    #[error("failed to write {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What went wrong with one peer.
#[derive(Debug, thiserror::Error)]
enum PeerError {
    #[error("{0}")]
    Unreachable(String),
    /// It does not have this snapshot any more.
    #[error("its snapshot is gone")]
    Gone,
    #[error("{0}")]
    Forged(super::Forged),
    #[error(transparent)]
    Fatal(#[from] SyncError),
}

impl From<StagingError> for PeerError {
    fn from(e: StagingError) -> Self {
        match e {
            StagingError::Forged(e) => Self::Forged(e),
            StagingError::Store(e) => Self::Fatal(e.into()),
        }
    }
}

/// Fetches a snapshot if this node cannot go on from blocks. Called before the store is opened.
pub async fn join(config: &Config, genesis: &Genesis) -> Result<(), SyncError> {
    recover(config)?;
    if config.sync.from.is_empty() || config.sync.mode == SyncMode::Blocks {
        return Ok(());
    }
    let peers = Peers::new(config)?;
    let tip = tip_of(&config.data_dir())?;
    let begun = staging_dir(config).join("CURRENT").exists();
    let height = tip.unwrap_or(0);
    let needed = match peers.next_block(height + 1).await {
        Held::Dropped => true,
        Held::Here => begun || (config.sync.mode == SyncMode::Snapshot && height == 0),
        // A chain that begins now, or peers that start with this node: they must not wait for each other.
        Held::NotYet => false,
        Held::Unknown => begun,
    };
    if !needed {
        return Ok(());
    }
    tracing::info!(height, "this node takes a snapshot");
    let (start, mut last) = (Instant::now(), String::from("none was asked"));
    while start.elapsed() < GIVE_UP {
        for peer in &config.sync.from {
            match peers.take(peer, config, genesis).await {
                Ok(height) => {
                    promote(config)?;
                    tracing::info!(height, %peer, "the snapshot is in place");
                    return Ok(());
                }
                Err(PeerError::Fatal(e)) => return Err(e),
                Err(e) => {
                    tracing::warn!(%peer, error = %e, "no snapshot from this peer");
                    if matches!(e, PeerError::Gone | PeerError::Forged(_)) {
                        discard(&staging_dir(config))?;
                    }
                    last = format!("{peer}: {e}");
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Err(SyncError::NoPeer(last))
}

fn staging_dir(config: &Config) -> PathBuf {
    config.home.join("data.syncing")
}

fn discard(path: &Path) -> Result<(), SyncError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(SyncError::Write { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

fn tip_of(data: &Path) -> Result<Option<u64>, SyncError> {
    match Store::open_read_only(data) {
        Ok(store) => Ok(Some(store.tip()?)),
        Err(StoreError::Empty { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Finishes what a crash between the last check and the rename left.
fn recover(config: &Config) -> Result<(), SyncError> {
    let staged = staging_dir(config);
    if staged.join("CURRENT").exists() && Store::open_read_only(&staged).is_ok() {
        promote(config)?;
    }
    match config.data_dir().exists() {
        true => discard(&behind(config)),
        false => Ok(()),
    }
}

fn behind(config: &Config) -> PathBuf {
    config.home.join("data.behind")
}

/// Gives the finished staging the store's name. At every moment one of the two names holds a complete store.
fn promote(config: &Config) -> Result<(), SyncError> {
    let (data, old) = (config.data_dir(), behind(config));
    let rename =
        |from: &Path, to: &Path| fs::rename(from, to).map_err(|source| SyncError::Write { path: to.into(), source });
    if data.exists() {
        discard(&old)?;
        rename(&data, &old)?;
    }
    rename(&staging_dir(config), &data)?;
    let synced = fs::File::open(&config.home).and_then(|dir| dir.sync_all());
    synced.map_err(|source| SyncError::Write { path: config.home.clone(), source })?;
    discard(&old)
}

/// Completes when a running node can go on only from a snapshot: it has stood still, and every peer that answers has
/// dropped the block that it needs. Its next start takes one.
pub async fn left_behind(config: &Config, ledger: &Ledger) -> SyncError {
    let peers = match Peers::new(config) {
        Ok(peers) if !peers.from.is_empty() && config.sync.mode != SyncMode::Blocks => peers,
        _ => return std::future::pending().await,
    };
    loop {
        let height = ledger.tip().height;
        tokio::time::sleep(STANDING_STILL).await;
        if ledger.tip().height == height && peers.next_block(height + 1).await == Held::Dropped {
            return SyncError::LeftBehind(height);
        }
    }
}

/// What peers say of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Here,
    NotYet,
    Dropped,
    /// Nobody answered.
    Unknown,
}

struct Peers {
    http: reqwest::Client,
    token: Option<String>,
    from: Vec<String>,
}

impl Peers {
    fn new(config: &Config) -> Result<Self, SyncError> {
        let read =
            |path: &PathBuf| fs::read_to_string(path).map_err(|source| SyncError::Token { path: path.clone(), source });
        let token = config.sync.token_file.as_ref().map(read).transpose()?.map(|token| token.trim().to_owned());
        let http = reqwest::Client::builder().no_proxy().connect_timeout(Duration::from_secs(5));
        let http = http.timeout(Duration::from_secs(120)).build();
        let http = http.map_err(|e| SyncError::NoPeer(e.to_string()))?;
        Ok(Self { http, token, from: config.sync.from.clone() })
    }

    /// What the peers say of a block; one that has it is enough. All are asked at once: after a power cut of all nodes,
    /// none must wait long for another that is only starting.
    async fn next_block(&self, height: u64) -> Held {
        let ask = async |peer: &String| {
            let request = self.http.get(format!("{peer}/blocks/{height}/header")).timeout(PROBE);
            match request.send().await.map(|answer| answer.status()) {
                Ok(StatusCode::OK) => Held::Here,
                Ok(StatusCode::GONE) => Held::Dropped,
                Ok(_) => Held::NotYet,
                Err(e) => {
                    tracing::debug!(%peer, error = %e, "no answer");
                    Held::Unknown
                }
            }
        };
        let held = futures::future::join_all(self.from.iter().map(ask)).await;
        let answers = [Held::Here, Held::Dropped, Held::NotYet];
        answers.into_iter().find(|answer| held.contains(answer)).unwrap_or(Held::Unknown)
    }

    /// Takes a whole snapshot, or goes on with one. Gives its height.
    async fn take(&self, peer: &str, config: &Config, genesis: &Genesis) -> Result<u64, PeerError> {
        let (path, chain) = (staging_dir(config), genesis.clone());
        let begun = blocking(move || Staging::open(&path, &chain, None)).await?;
        let staging = match begun {
            Some(staging) => staging,
            None => self.begin(peer, config, genesis).await?,
        };
        let (staging, mut told) = (Arc::new(staging), Instant::now());
        let height = staging.manifest().height;
        loop {
            let next = staging.next().map_err(SyncError::from)?;
            let place = match next {
                Next::Nothing => break,
                Next::State(piece) => format!("state/{piece}"),
                Next::Tiles(level, first, _) => format!("tiles/{level}/{first}"),
                Next::Blocks(from) => format!("blocks/{from}"),
            };
            if told.elapsed() > Duration::from_secs(5) {
                tracing::info!(height, ?next, %peer, "fetching a snapshot");
                told = Instant::now();
            }
            let bytes = self.patiently(&format!("{peer}/snapshot/{height}/{place}"), PATIENCE).await?;
            let keeper = staging.clone();
            blocking(move || match next {
                Next::State(piece) => keeper.add_state(piece, &bytes),
                Next::Tiles(level, first, _) => keeper.add_tiles(level, first, &bytes),
                Next::Blocks(from) => keeper.add_blocks(from, &bytes),
                Next::Nothing => Ok(()),
            })
            .await?;
        }
        let Some(staging) = Arc::into_inner(staging) else {
            return Err(PeerError::Unreachable("a piece is still being written".into()));
        };
        blocking(move || staging.finish()).await?;
        Ok(height)
    }

    async fn begin(&self, peer: &str, config: &Config, genesis: &Genesis) -> Result<Staging, PeerError> {
        let bytes = self.patiently(&format!("{peer}/snapshot"), MAKING).await?;
        let manifest = Manifest::from_bytes(&bytes).map_err(|e| PeerError::Forged(super::Forged(e.to_string())))?;
        let sets = manifest.verify(genesis).map_err(PeerError::Forged)?;
        if let Some(trust) = &config.sync.trust {
            self.check_trust(peer, trust, &manifest, &sets).await?;
        }
        let path = staging_dir(config);
        discard(&path)?;
        let chain = genesis.clone();
        let staging = blocking(move || Staging::open(&path, &chain, Some(manifest))).await?;
        staging.ok_or_else(|| PeerError::Unreachable("its manifest was not kept".into()))
    }

    /// The header that the operator trusts must name the validator sets that were followed. Keys that were retired long
    /// ago could certify another past; they cannot make it agree with a header from elsewhere.
    async fn check_trust(
        &self,
        peer: &str,
        trust: &crate::config::Trust,
        manifest: &Manifest,
        sets: &[(u64, chain_types::ValidatorSet)],
    ) -> Result<(), PeerError> {
        let untrusted = |reason: &str| SyncError::Untrusted { peer: peer.into(), reason: reason.into() };
        if trust.height > manifest.sealing.height {
            return Err(PeerError::Unreachable(format!("its snapshot is older than block {}", trust.height)));
        }
        let header = match trust.height == manifest.sealing.height {
            true => manifest.sealing.clone(),
            false => {
                let bytes = self.patiently(&format!("{peer}/blocks/{}/header", trust.height), PATIENCE).await?;
                Header::from_bytes(&bytes).map_err(|e| untrusted(&e.to_string()))?
            }
        };
        let set = |height: u64| sets.iter().rev().find(|(from, _)| *from <= height).map(|(_, set)| set.hash());
        let agrees = set(header.height) == Some(header.validators_hash)
            && set(header.height + 1) == Some(header.next_validators_hash);
        match header.id() == trust.id && header.height == trust.height && agrees {
            true => Ok(()),
            false => Err(untrusted("another block stands there").into()),
        }
    }

    /// Asks until there is an answer: a peer may be busy, restarting, or still making its snapshot.
    async fn patiently(&self, url: &str, patience: Duration) -> Result<Vec<u8>, PeerError> {
        let start = Instant::now();
        loop {
            match self.get(url).await {
                Err(PeerError::Unreachable(e)) if start.elapsed() < patience => {
                    tracing::debug!(url, error = %e, "asking again");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                answer => return answer,
            }
        }
    }

    async fn get(&self, url: &str) -> Result<Vec<u8>, PeerError> {
        let unreachable = |e: reqwest::Error| PeerError::Unreachable(e.to_string());
        let mut request = self.http.get(url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let mut answer = request.send().await.map_err(unreachable)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(PeerError::Gone),
            StatusCode::UNAUTHORIZED => {
                let reason = "it wants a member's token: set `sync.token_file`".into();
                return Err(PeerError::Fatal(SyncError::NoPeer(reason)));
            }
            status => return Err(PeerError::Unreachable(format!("it answered {status}"))),
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if bytes.len() + piece.len() > MAX_PIECE_BYTES {
                return Err(PeerError::Forged(super::Forged("an answer without end".into())));
            }
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes)
    }
}

/// Hashing and writing, away from the network's thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StagingError> + Send + 'static,
) -> Result<T, PeerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(e) => Err(PeerError::Fatal(StoreError::Write(e.to_string()).into())),
    }
}
