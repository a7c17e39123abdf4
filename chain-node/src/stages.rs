//! Where a transaction's time goes: seconds, calls and items of each stage since the process started. For whoever
//! measures; nothing is decided by it. A stage costs two readings of the clock for a block or a batch, never for one
//! transaction, and three relaxed additions.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Checking signatures, in batches, on the signature thread. Items: transactions.
pub static CHECK: Stage = Stage::new("check");
/// Taking what peers send: decoding and every check that is cheaper than a signature. Items: transactions.
pub static GOSSIP: Stage = Stage::new("gossip");
/// Making an own block: choosing, building, putting it on disk. Items: transactions.
pub static PROPOSE: Stage = Stage::new("propose");
/// Judging another's block, once its last part is here, and putting it on disk. Items: blocks.
pub static JUDGE: Stage = Stage::new("judge");
/// From the start of a height to its decision, with whatever of the above falls into it. Items: blocks.
pub static ORDER: Stage = Stage::new("order");
/// Executing a decided block. Items: transactions.
pub static EXECUTE: Stage = Stage::new("execute");
/// Everything a block changes, made into one write, and that write. Items: transactions.
pub static COMMIT: Stage = Stage::new("commit");
/// The store's synced writes, which propose, judge and commit wait for. Items: bytes.
pub static WRITE: Stage = Stage::new("write");
/// Synced writes of the identity guard's file. Items: none.
pub static GUARD: Stage = Stage::new("guard");

pub static ALL: [&Stage; 9] = [&CHECK, &GOSSIP, &PROPOSE, &JUDGE, &ORDER, &EXECUTE, &COMMIT, &WRITE, &GUARD];

static EPOCH: LazyLock<Instant> = LazyLock::new(Instant::now);

/// One stage's totals.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    nanoseconds: AtomicU64,
    calls: AtomicU64,
    items: AtomicU64,
    /// When an open stretch began, in nanoseconds since [`EPOCH`], plus one; 0 if none is open.
    open: AtomicU64,
}

impl Stage {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            nanoseconds: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            items: AtomicU64::new(0),
            open: AtomicU64::new(0),
        }
    }

    /// Counts until the answer is dropped.
    pub fn time(&self, items: usize) -> Timer<'_> {
        Timer { stage: self, items: items as u64, start: Instant::now() }
    }

    /// Opens a stretch that ends elsewhere; one that is open already begins anew.
    pub fn begin(&self) {
        self.open.store(now_ns().saturating_add(1), Ordering::Relaxed);
    }

    /// Closes it. Nothing is counted if none is open.
    pub fn end(&self, items: usize) {
        let open = self.open.swap(0, Ordering::Relaxed);
        if let Some(began) = open.checked_sub(1) {
            self.add(now_ns().saturating_sub(began), items as u64);
        }
    }

    fn add(&self, nanoseconds: u64, items: u64) {
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.items.fetch_add(items, Ordering::Relaxed);
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn seconds(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9
    }

    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub fn items(&self) -> u64 {
        self.items.load(Ordering::Relaxed)
    }
}

/// A stretch of a stage that is under way.
#[derive(Debug)]
#[must_use]
pub struct Timer<'a> {
    stage: &'a Stage,
    items: u64,
    start: Instant,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.stage.add(nanoseconds(self.start), self.items);
    }
}

fn nanoseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

fn now_ns() -> u64 {
    nanoseconds(*EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_counts_what_passes_and_nothing_that_never_began() {
        let stage = Stage::new("test");
        drop(stage.time(3));
        stage.end(5);
        assert_eq!((stage.calls(), stage.items()), (1, 3));
        stage.begin();
        std::thread::yield_now();
        stage.end(5);
        stage.end(7);
        assert_eq!((stage.calls(), stage.items()), (2, 8));
        assert!(stage.seconds() > 0.0);
    }
}
