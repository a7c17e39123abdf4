//! The giving side: makes a snapshot when somebody asks for one, keeps it for as long as it is used, and answers for its
//! pieces. Only the state is written out, because it changes; tiles and blocks are read from the store.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chain_types::encoding::{Encode, Writer};
use chain_types::limits::VALIDITY_WINDOW_MS;
use tokio::sync::Notify;

use super::{Manifest, Turn, complete_tiles};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::store::{Store, StoreError};

/// A snapshot is given to newcomers for this long; whoever has begun with it may go on for as long as it is used.
const FRESH: Duration = Duration::from_secs(600);
/// Without a question for this long, a snapshot is deleted when a newer one is made.
const UNUSED: Duration = Duration::from_secs(300);
/// How long the block that seals the snapshot's may take.
const SEAL_WAIT: Duration = Duration::from_secs(30);
/// Blocks and bytes in one answer, beyond the first block.
const BLOCKS_AT_ONCE: u64 = 256;
const BLOCK_BYTES: usize = 2 << 20;
const TILES_AT_ONCE: u64 = 128;

/// A finished snapshot. Its files go with it.
pub struct Ready {
    pub height: u64,
    /// The manifest's bytes.
    pub manifest: Vec<u8>,
    log_size: u64,
    dir: PathBuf,
    made: Instant,
    used: Mutex<Instant>,
}

impl Drop for Ready {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[derive(Default)]
struct Shelf {
    making: bool,
    ready: Vec<Arc<Ready>>,
}

/// The snapshots of a node.
pub struct Snapshots {
    config: Config,
    ledger: Arc<Ledger>,
    heartbeat: Arc<Notify>,
    shelf: Mutex<Shelf>,
    made: AtomicU64,
}

impl Snapshots {
    /// Removes what an earlier run left.
    pub fn new(config: Config, ledger: Arc<Ledger>, heartbeat: Arc<Notify>) -> Arc<Self> {
        let _ = fs::remove_dir_all(folder(&config));
        Arc::new(Self { config, ledger, heartbeat, shelf: Mutex::default(), made: AtomicU64::new(0) })
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest snapshot, if it is fresh; otherwise one is being made now: ask again in a second.
    pub fn newest(self: &Arc<Self>) -> Option<Arc<Ready>> {
        let tip = self.ledger.tip().height;
        let mut shelf = self.shelf();
        let fresh = shelf.ready.last().filter(|r| r.made.elapsed() < FRESH || r.height + 1 >= tip).cloned();
        if fresh.is_none() && !shelf.making {
            shelf.making = true;
            let snapshots = self.clone();
            tokio::spawn(async move { snapshots.make_one().await });
        }
        fresh.inspect(|ready| ready.touch())
    }

    /// The snapshot of a height, if it is still here.
    pub fn at(&self, height: u64) -> Option<Arc<Ready>> {
        let found = self.shelf().ready.iter().find(|ready| ready.height == height).cloned();
        found.inspect(|ready| ready.touch())
    }

    async fn make_one(self: Arc<Self>) {
        let made = self.make().await;
        let mut shelf = self.shelf();
        shelf.making = false;
        match made {
            Ok(ready) => {
                tracing::info!(height = ready.height, "a snapshot is ready");
                shelf.ready.retain(|old| old.height != ready.height && old.idle() < UNUSED);
                shelf.ready.push(Arc::new(ready));
            }
            Err(e) => tracing::warn!(error = %e, "no snapshot could be made"),
        }
    }

    async fn make(&self) -> Result<Ready, StoreError> {
        let dir = folder(&self.config).join(self.made.fetch_add(1, Ordering::Relaxed).to_string());
        let size = self.ledger.store().state_bytes().saturating_mul(3);
        let free = crate::node::disk_free(&self.config).unwrap_or(u64::MAX);
        if free.saturating_sub(self.config.limits.disk_reserve_bytes) < size {
            return Err(StoreError::Write(format!("a snapshot needs {size} bytes beside the disk reserve")));
        }
        fs::create_dir_all(&dir).map_err(|e| StoreError::Write(format!("{}: {e}", dir.display())))?;
        let made = self.make_in(&dir).await;
        if made.is_err() {
            let _ = fs::remove_dir_all(&dir);
        }
        made
    }

    async fn make_in(&self, dir: &Path) -> Result<Ready, StoreError> {
        let (store, path) = (self.ledger.store().clone(), dir.to_owned());
        let export = tokio::task::spawn_blocking(move || store.export_state(&path)).await;
        let export = export.map_err(|e| StoreError::Read(e.to_string()))??;
        let store = self.ledger.store();
        // A block that changed nothing seals the one before: then the roots are certified already.
        let read = export.height;
        let height = match read.checked_sub(1).filter(|before| *before >= store.first_block().unwrap_or(1)) {
            Some(before) if is_same_state(store, before, read)? => before,
            _ => {
                self.heartbeat.notify_one();
                let mut tip = self.ledger.watch_tip();
                let sealed = tokio::time::timeout(SEAL_WAIT, tip.wait_for(|tip| tip.height > read)).await;
                sealed
                    .ok()
                    .and_then(Result::ok)
                    .ok_or_else(|| StoreError::Read("no block sealed the snapshot".into()))?;
                read
            }
        };
        let sealing =
            store.block(height + 1)?.ok_or_else(|| StoreError::Damaged(format!("no block {}", height + 1)))?;
        let (header, certificate) = (sealing.block.header, sealing.certificate);
        let (turns, next) = turns(store, height)?;
        let (bits, subtrees, log_size) = (export.bits, export.subtrees, header.log_size);
        let (fingerprint, edge) = (store.fingerprint(), store.edge_tiles(log_size)?);
        let manifest =
            Manifest { fingerprint, height, sealing: header, certificate, turns, next, bits, subtrees, edge };
        // What is given away is checked by the same rules that its taker will use.
        manifest.verify(store.genesis()).map_err(|e| StoreError::Damaged(e.to_string()))?;
        let (manifest, dir, made) = (manifest.to_bytes(), dir.to_owned(), Instant::now());
        Ok(Ready { height, manifest, log_size, dir, made, used: Mutex::new(made) })
    }
}

impl Ready {
    fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn idle(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// A piece of state; none if there is no such piece.
    pub fn state(&self, piece: usize) -> Option<Vec<u8>> {
        fs::read(self.dir.join(format!("state-{piece}"))).ok()
    }

    /// Complete tiles of the log, from `first` on; none if there is no such tile.
    pub fn tiles(&self, store: &Store, level: u8, first: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let count = complete_tiles(self.log_size, level).saturating_sub(first).min(TILES_AT_ONCE);
        match count {
            0 => Ok(None),
            _ => store.whole_tiles(level, first, count).map(Some),
        }
    }

    /// Blocks from a height downwards, as many as fit into one answer.
    pub fn blocks(&self, store: &Store, from: u64) -> Result<Option<Vec<u8>>, StoreError> {
        if from > self.height {
            return Ok(None);
        }
        let newest_ms = store.block(self.height)?.map_or(0, |record| record.block.header.time_ms);
        let (mut blocks, mut bytes) = (Vec::new(), 0);
        for height in (from.saturating_sub(BLOCKS_AT_ONCE) + 1..=from).rev() {
            let Some(whole) = store.whole_block(height)? else { break };
            let encoded = whole.to_bytes();
            bytes += encoded.len();
            if !blocks.is_empty() && bytes > BLOCK_BYTES {
                break;
            }
            blocks.push(encoded);
            // One that is older than what can be repeated shows that the others are all.
            if whole.block.header.time_ms.saturating_add(VALIDITY_WINDOW_MS) < newest_ms {
                break;
            }
        }
        if blocks.is_empty() {
            return Ok(None);
        }
        let mut w = Writer::default();
        w.array(blocks.len());
        for block in &blocks {
            w.raw(block);
        }
        Ok(Some(w.into_bytes()))
    }
}

fn folder(config: &Config) -> PathBuf {
    config.home.join("snapshots")
}

fn is_same_state(store: &Store, before: u64, after: u64) -> Result<bool, StoreError> {
    let (a, b) = (store.roots(before)?, store.roots(after)?);
    Ok(before > 0 && (a.state_root, a.log_size) == (b.state_root, b.log_size))
}

/// The blocks that handed over to another set up to a height, and the set that the header after it hands over to.
fn turns(store: &Store, height: u64) -> Result<(Vec<Turn>, Option<chain_types::ValidatorSet>), StoreError> {
    let (mut turns, mut after, mut set) = (Vec::new(), None, store.genesis().validator_set());
    for (from, next) in store.validator_changes()?.into_iter().filter(|(from, _)| *from <= height + 2) {
        if next == set {
            continue;
        }
        set = next.clone();
        if from == height + 2 {
            after = Some(next);
            continue;
        }
        let turn = store.block(from - 1)?;
        let turn = turn.ok_or_else(|| StoreError::Damaged(format!("block {} is missing", from - 1)))?;
        turns.push(Turn { block: turn.block, certificate: turn.certificate, next });
    }
    Ok((turns, after))
}
