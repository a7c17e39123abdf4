//! Checkpoints of the log: this node's own endorsements, those of its peers, and the checkpoint that it serves.
//!
//! Outside consensus: nothing here can stop a block. A validator endorses only the log of a header that it has
//! committed, remembers durably what it endorsed ([`record`]), and tells its peers through gossip; every node puts the
//! endorsements of a quorum together ([`board`]) and serves them for logs that are its own.

mod board;
mod endorsement;
mod moment;
mod record;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use chain_types::tlog;
use chain_types::{Hash, Validator};
use tokio::sync::watch;

use crate::consensus::now_ms;
use crate::keys::NodeKeys;
use crate::ledger::{Ledger, Tip};
use crate::store::{Store, StoreError};

pub use board::Cosigned;
pub use endorsement::{Endorsement, Signer};

use board::{Board, Heard};
use moment::{REST_MS, opens_a_second};
use record::{Permission, Record, RecordError, permission};

/// An endorsement may be this far ahead of this node's clock.
const CLOCK_AHEAD_S: u64 = 60;
/// Headers between two glances at the tip that are looked at one by one.
const MISSED: u64 = 8;

/// Why a header's log was not endorsed.
#[derive(Debug, thiserror::Error)]
enum NotEndorsed {
    #[error(
        "the log of {0} entries differs from one that this node endorsed before; compare its `endorsed.cbor` and store with its peers'"
    )]
    Inconsistent(u64),
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Endorsements and the checkpoint they make.
pub struct Checkpoints {
    ledger: Arc<Ledger>,
    origin: String,
    signer: Signer,
    /// None if what was endorsed before cannot be known: then nothing is endorsed.
    record: Mutex<Option<Record>>,
    board: Mutex<Board>,
    own: watch::Sender<Option<Arc<Endorsement>>>,
    cosigned: watch::Sender<Option<Arc<Cosigned>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Checkpoints {
    /// Recalls what this node endorsed last, which it tells its peers again.
    pub fn open(home: &Path, keys: &NodeKeys, ledger: Arc<Ledger>) -> Arc<Self> {
        let record = Record::open(home);
        let record = record.inspect_err(|e| tracing::error!(error = %e, "no checkpoint is endorsed")).ok();
        let last = record.as_ref().and_then(Record::last).cloned();
        let checkpoints = Self {
            origin: tlog::origin(ledger.store().genesis()),
            signer: Signer { log: keys.log.clone(), cosigner: keys.cosigner.clone() },
            record: Mutex::new(record),
            board: Mutex::default(),
            own: watch::channel(None).0,
            cosigned: watch::channel(None).0,
            ledger,
        };
        if let Some(last) = last {
            checkpoints.own.send_replace(Some(Arc::new(last.clone())));
            checkpoints.receive(last);
        }
        Arc::new(checkpoints)
    }

    /// The log's origin line.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// This node's newest endorsement, for its peers.
    pub fn watch_own(&self) -> watch::Receiver<Option<Arc<Endorsement>>> {
        self.own.subscribe()
    }

    /// The newest checkpoint of a quorum.
    pub fn latest(&self) -> Option<Arc<Cosigned>> {
        self.cosigned.borrow().clone()
    }

    /// Changes with every checkpoint, and when another validator joins one.
    pub fn watch(&self) -> watch::Receiver<Option<Arc<Cosigned>>> {
        self.cosigned.subscribe()
    }

    /// Takes an endorsement that came over the network, or back from disk: who made it is looked up, then three
    /// signatures are checked, and only then is it kept.
    pub fn receive(&self, endorsement: Endorsement) {
        let tip = self.ledger.tip();
        let Some(validator) = cosigner(&tip, &endorsement) else { return };
        let ahead = endorsement.time_s.saturating_sub(now_ms() / 1_000) > CLOCK_AHEAD_S;
        if ahead || lock(&self.board).knows(&endorsement) {
            return;
        }
        if !endorsement.verify(self.ledger.store().genesis(), validator) {
            tracing::warn!(cosigner = endorsement.cosigner.short(), "an endorsement with a bad signature was dropped");
            return;
        }
        self.keep(endorsement);
    }

    fn keep(&self, endorsement: Endorsement) {
        let mut board = lock(&self.board);
        match board.add(endorsement.clone()) {
            Heard::New => self.assemble(&board),
            Heard::Known => {}
            Heard::Conflict(other) => tracing::error!(
                cosigner = endorsement.cosigner.short(), size = endorsement.size, root = %endorsement.root,
                other_root = %other.root, "a validator signed two different logs of one size"
            ),
        }
    }

    /// Puts together what the board has; a smaller checkpoint never replaces a larger one. The board stays locked until
    /// the result is published, or what an earlier look found could replace what a later one did.
    fn assemble(&self, board: &Board) {
        let (tip, store) = (self.ledger.tip(), self.ledger.store());
        let latest = self.latest();
        let is_latest = |size: u64, root: &Hash| {
            latest.as_ref().is_some_and(|l| l.size() == size && l.signed.checkpoint.root == *root)
        };
        let is_ours = |size: u64, root: &Hash| match size <= tip.roots.log_size {
            _ if is_latest(size, root) => Ok(true),
            true => store.log_root_at(size).map(|ours| {
                if ours != *root {
                    tracing::error!(size, ours = %ours, theirs = %root, "a quorum endorses a log that is not ours");
                }
                ours == *root
            }),
            // Ahead of this node; looked at again when it has caught up.
            false => Ok(false),
        };
        match board.assemble(store.genesis(), &tip.validators, tip.height.saturating_add(1), is_ours) {
            Ok(Some(found)) => {
                self.cosigned.send_if_modified(|now| {
                    let newer = now.as_ref().is_none_or(|now| found.size() >= now.size() && found.signed != now.signed);
                    if newer {
                        *now = Some(Arc::new(found));
                    }
                    newer
                });
            }
            Ok(None) => {}
            Err(e) => tracing::error!(error = %e, "failed to put a checkpoint together"),
        }
    }

    /// Endorses as the chain goes on. Ends with the ledger.
    pub async fn run(self: Arc<Self>) {
        let mut tips = self.ledger.watch_tip();
        let mut seen = tips.borrow_and_update().clone();
        let mut at_rest = false;
        loop {
            let rest = tokio::time::sleep(Duration::from_millis(REST_MS));
            tokio::select! {
                changed = tips.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let tip = tips.borrow_and_update().clone();
                    lock(&self.board).retain([&tip.validators, &tip.next_validators]);
                    if let Some((size, root)) = self.opening(&seen, &tip) {
                        self.clone().endorse_aside(size, root).await;
                    }
                    if tip.validators != seen.validators || self.is_behind_board(&tip) {
                        self.assemble(&lock(&self.board));
                    }
                    (seen, at_rest) = (tip, false);
                }
                () = rest, if !at_rest => {
                    at_rest = true;
                    if let Some((size, root)) = last_header_log(self.ledger.store(), &seen) {
                        self.clone().endorse_aside(size, root).await;
                    }
                    self.assemble(&lock(&self.board));
                }
            }
        }
    }

    fn is_behind_board(&self, tip: &Tip) -> bool {
        self.latest().is_none_or(|latest| latest.size() < tip.roots.log_size)
    }

    /// The log that the newest header which opens a second commits to, among those after `seen`.
    fn opening(&self, seen: &Tip, tip: &Tip) -> Option<(u64, Hash)> {
        let now = now_ms();
        if tip.height == seen.height.saturating_add(1) {
            // The usual case needs nothing from disk: a header commits to the log after its parent.
            let opens = opens_a_second(seen.time_ms, tip.time_ms, now);
            return opens.then_some((seen.roots.log_size, seen.roots.log_root));
        }
        let mut later = tip.time_ms;
        let first = seen.height.max(tip.height.saturating_sub(MISSED));
        for height in (first..tip.height).rev() {
            let parent_ms = if height == seen.height { seen.time_ms } else { self.header_time(height)? };
            if opens_a_second(parent_ms, later, now) {
                let roots = self.ledger.store().roots(height).ok()?;
                return Some((roots.log_size, roots.log_root));
            }
            later = parent_ms;
        }
        None
    }

    fn header_time(&self, height: u64) -> Option<u64> {
        self.ledger.store().block(height).ok().flatten().map(|record| record.block.header.time_ms)
    }

    /// Writing the record waits for the disk, so it is done aside.
    async fn endorse_aside(self: Arc<Self>, size: u64, root: Hash) {
        let endorsed = tokio::task::spawn_blocking(move || self.endorse(size, root)).await;
        if let Ok(Err(e)) = endorsed {
            tracing::error!(error = %e, "a checkpoint was not endorsed");
        }
    }

    /// Endorses a log that a committed header names, if this node votes and what it endorsed before allows it.
    fn endorse(&self, size: u64, root: Hash) -> Result<(), NotEndorsed> {
        let (tip, store) = (self.ledger.tip(), self.ledger.store());
        let own = (self.signer.cosigner.public(), self.signer.log.public());
        if !tip.validators.validators().iter().any(|v| (v.cosigner_key, v.log_key) == own) {
            return Ok(());
        }
        let mut record = lock(&self.record);
        let Some(record) = record.as_mut() else { return Ok(()) };
        let now_s = now_ms() / 1_000;
        match permission(record.last(), size, root, now_s, |size| root_at(store, &tip, size))? {
            Permission::Unneeded | Permission::Smaller => return Ok(()),
            Permission::Inconsistent => return Err(NotEndorsed::Inconsistent(size)),
            Permission::Endorse => {}
        }
        let time_s = record.last().map_or(now_s, |last| last.time_s.max(now_s));
        let endorsement = self.signer.endorse(&self.origin, size, root, time_s);
        // Before anybody sees it.
        record.write(&endorsement)?;
        self.own.send_replace(Some(Arc::new(endorsement.clone())));
        self.keep(endorsement);
        Ok(())
    }
}

/// The validator, present or next, whose endorsement it says it is.
fn cosigner<'t>(tip: &'t Tip, endorsement: &Endorsement) -> Option<&'t Validator> {
    let mut sets = tip.validators.validators().iter().chain(tip.next_validators.validators());
    sets.find(|v| v.cosigner_key == endorsement.cosigner)
}

/// A node that was set back to before what it endorsed has no root for that size; none equals none that was signed.
fn root_at(store: &Store, tip: &Tip, size: u64) -> Result<Hash, StoreError> {
    match size <= tip.roots.log_size {
        true => store.log_root_at(size),
        false => Ok(Hash::ZERO),
    }
}

/// The log that the tip's header commits to.
fn last_header_log(store: &Store, tip: &Tip) -> Option<(u64, Hash)> {
    let parent = tip.height.checked_sub(1)?;
    store.roots(parent).ok().map(|roots| (roots.log_size, roots.log_root))
}
