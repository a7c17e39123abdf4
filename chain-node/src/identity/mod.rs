//! The identity guard: one consensus key votes from one place, whatever is copied, moved, restored or started twice
//! (DESIGN §7.5). It needs nobody else: no clock of a server, no lock in a cluster.
//!
//! [`file`] keeps, in the node's volume, which key signs here, which volume this is, and the last height and round that it
//! signed in, on disk before a vote leaves. [`decide`] says at the start whether that may be believed. A node that may not
//! vote follows the chain, and votes once blocks were decided since its start without a vote of its key; a node that sees
//! its key vote elsewhere stops for good. It must not be asked for leave after it stopped: it refuses.

mod adopt;
mod decide;
mod file;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chain_types::{BlockId, PublicKey, VoteKind};
use tokio::sync::watch;

pub use adopt::adopt;
pub use decide::{Found, Here, Standing, Why, decide};
pub use file::{IdentityFile, Position, Record, Volume};

use crate::consensus::now_ms;

/// Blocks decided since the start that a waiting node watches. A commit certificate holds the votes of a quorum, not of
/// all: three in a row without a live validator's vote are rare, and nodes tell each other of two holders besides.
const BLOCKS_TO_WATCH: u32 = 3;
/// A chain is being founded while its first blocks are no older than this when a node starts: its validators do not start
/// at one moment, and their volumes are all new.
const FOUNDING_MS: u64 = 60_000;
/// Own votes that are remembered, to tell them from another's: several rounds of a height, three of each.
const OWN_VOTES: usize = 256;

/// What the node must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stop, and not be started again: the key votes elsewhere.
    Duplicate,
    /// Start anew: it may vote now, or must wait now.
    Restart(&'static str),
    /// Stop: the identity file could not be written, so nothing is signed any more.
    Unwritten,
}

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("failed to write the identity file: {0}")]
    Write(#[from] std::io::Error),
    #[error("this node may not sign at height {0}: it signed later heights, or its key votes elsewhere")]
    Refused(u64),
}

/// The guard of a running node.
pub struct Guard {
    own: PublicKey,
    started_ms: u64,
    standing: Standing,
    /// There was no identity file before this start.
    is_new: bool,
    inner: Mutex<Inner>,
    verdict: watch::Sender<Option<Verdict>>,
}

struct Inner {
    file: IdentityFile,
    /// The last position that this process may sign at; votes of one round share a write.
    reserved: Option<Position>,
    /// Nothing later was signed here; the file may be ahead of it, by a round that is prepared.
    signed: Position,
    own_votes: BTreeMap<(Position, VoteKind), Option<BlockId>>,
    /// The highest height that the key signed elsewhere.
    foreign: Option<u64>,
    watched: u32,
    closed: bool,
}

impl Guard {
    /// Opens the guard of a node's home for this key; makes its file if there is none. `found` is what the store tells.
    pub fn open(home: &Path, own: PublicKey, found: &Found, rotated_from: Option<PublicKey>) -> std::io::Result<Self> {
        let path = home.join("identity");
        let (mut file, record) = IdentityFile::open(&path)?;
        let here = Here { key: own, volume: file.volume(), rotated_from };
        let standing = decide(record.as_ref(), found, &here);
        let is_new = record.is_none();
        let known = record.filter(|record| record.key == own);
        let last = known.map_or(Position::default(), |record| record.last).max(found.signed);
        let waits = matches!(standing, Standing::Waits(_));
        file.write(Record { key: own, volume: here.volume, last, waits })?;
        let own_votes = BTreeMap::new();
        let inner = Inner { file, reserved: None, signed: last, own_votes, foreign: None, watched: 0, closed: false };
        let verdict = watch::channel(None).0;
        Ok(Self { own, started_ms: now_ms(), standing, is_new, inner: Mutex::new(inner), verdict })
    }

    pub fn standing(&self) -> Standing {
        self.standing
    }

    pub fn waits(&self) -> bool {
        matches!(self.standing, Standing::Waits(_))
    }

    pub fn own_key(&self) -> PublicKey {
        self.own
    }

    /// Completes with what the node must do.
    pub async fn verdict(&self) -> Verdict {
        let mut verdict = self.verdict.subscribe();
        loop {
            if let Some(verdict) = *verdict.borrow_and_update() {
                return verdict;
            }
            if verdict.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Writes down a round that will probably be signed in, so that [`Guard::reserve`] finds it on disk when a vote waits
    /// for it. Blocking; a failure shows when something is signed.
    pub fn prepare(&self, position: Position) {
        let mut inner = self.lock();
        let record = inner.file.record();
        if !inner.closed && !self.waits() && position > record.last {
            let _ = self.write(&mut inner, Record { last: position, ..record });
        }
    }

    /// Before anything is signed in a round: on disk when it returns. Blocking, once a round.
    pub fn reserve(&self, position: Position) -> Result<(), GuardError> {
        let mut inner = self.lock();
        if inner.closed || self.waits() {
            return Err(GuardError::Refused(position.height));
        }
        if inner.reserved == Some(position) {
            return Ok(());
        }
        let record = inner.file.record();
        // Within a height the engine's own log keeps a restarted node to what it signed before, and replaying it may ask for
        // earlier rounds again. A watched height has no such log, and no log reaches behind the height that it is of.
        let watched = record.last.round == u32::MAX && position.height == record.last.height;
        if position.height < record.last.height || watched {
            // The store or that log is from earlier, or the guard's file is from elsewhere.
            self.write(&mut inner, Record { waits: true, ..record })?;
            inner.closed = true;
            return Err(GuardError::Refused(position.height));
        }
        if position > record.last {
            self.write(&mut inner, Record { last: position, ..record })?;
        }
        inner.reserved = Some(position);
        Ok(())
    }

    /// Remembers an own vote, to tell it from another's.
    pub fn signed(&self, position: Position, kind: VoteKind, id: Option<BlockId>) {
        let mut inner = self.lock();
        inner.signed = inner.signed.max(position);
        inner.own_votes.insert((position, kind), id);
        while inner.own_votes.len() > OWN_VOTES {
            inner.own_votes.pop_first();
        }
    }

    /// A valid vote of the own key was seen on the wire or in a certificate.
    pub fn saw(&self, position: Position, kind: VoteKind, id: Option<BlockId>) {
        let mut inner = self.lock();
        let other = inner.own_votes.get(&(position, kind)).is_some_and(|own| *own != id);
        if position > inner.signed || other {
            inner.foreign = inner.foreign.max(Some(position.height));
        }
        if other {
            tracing::error!(height = position.height, "another vote of this node's own key was seen in the same round");
            self.close(&mut inner, Verdict::Duplicate);
        }
    }

    /// Peers hear this node's peer key from two processes at once.
    pub fn told_of_another(&self) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        tracing::error!("peers hear this node's key from another process as well");
        self.close(&mut inner, Verdict::Duplicate);
    }

    /// Judges what was seen up to a block that is now committed.
    pub fn on_committed(&self, height: u64, block_time_ms: u64) {
        let mut inner = self.lock();
        if inner.closed {
            return;
        }
        let is_live = block_time_ms >= self.started_ms;
        let foreign = inner.foreign.take_if(|foreign| *foreign <= height);
        let record = inner.file.record();
        match (foreign, self.waits()) {
            (Some(at), _) if is_live => {
                tracing::error!(height = at, "this node's key signs elsewhere");
                self.close(&mut inner, Verdict::Duplicate);
            }
            // The key signed before this start what this volume does not know of: it is a copy from earlier.
            (Some(_), false) => {
                tracing::warn!(height, "this node's key signed blocks that its identity file does not know of");
                self.close(&mut inner, Verdict::Restart("its identity file is older than the chain"));
            }
            // A volume that is new on an old chain may be a wiped one.
            (None, false) if self.is_new && block_time_ms + FOUNDING_MS < self.started_ms => {
                self.close(&mut inner, Verdict::Restart("its volume is new and the chain is not"));
            }
            (Some(at), true) => {
                let last = record.last.max(Position { height: at, round: u32::MAX });
                let _ = self.write(&mut inner, Record { last, ..record });
            }
            (None, true) if is_live => {
                inner.watched += 1;
                if inner.watched >= BLOCKS_TO_WATCH {
                    let last = record.last.max(Position { height, round: u32::MAX });
                    if self.write(&mut inner, Record { last, waits: false, ..record }).is_ok() {
                        let verdict = Verdict::Restart("its key signs nowhere else, so it may vote");
                        self.verdict.send_replace(Some(verdict));
                    }
                }
            }
            (None, _) => {}
        }
    }

    /// Signs nothing any more, also after a restart, until blocks were watched.
    fn close(&self, inner: &mut Inner, verdict: Verdict) {
        inner.closed = true;
        let record = inner.file.record();
        // The reason to stop weighs more than that it could not be written down.
        let _ = self.write(inner, Record { waits: true, ..record });
        self.verdict.send_replace(Some(verdict));
    }

    fn write(&self, inner: &mut Inner, record: Record) -> std::io::Result<()> {
        let written = inner.file.write(record);
        if let Err(error) = &written {
            // Nothing is signed on it: the node ends, and its file as it is makes it wait or vote as before.
            inner.closed = true;
            tracing::error!(%error, "failed to write the identity file");
            self.verdict.send_replace(Some(Verdict::Unwritten));
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
