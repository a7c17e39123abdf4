//! What a running node does beside its work: old blocks go into the archive, memtables into tables, and the disk is watched.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::NodeError;
use crate::config::Config;
use crate::ledger::Ledger;

/// A chain without a block for so long is at rest.
const AT_REST: Duration = Duration::from_secs(20);

/// Moves old blocks into the archive as the chain grows. A failure stops nothing but the dropping of blocks.
pub(super) async fn archive_old_blocks(ledger: Arc<Ledger>) {
    let mut tip = ledger.watch_tip();
    loop {
        let writer = ledger.clone();
        let written = tokio::task::spawn_blocking(move || writer.store().archive_next()).await;
        match written {
            Ok(Ok(Some((first, last)))) => {
                tracing::info!(first, last, "blocks archived");
                continue;
            }
            Ok(Ok(None)) => {}
            Ok(Err(e)) => tracing::error!(error = %e, "blocks stay in the store: the archive was not written"),
            Err(e) => tracing::error!(error = %e, "the archive's writer ended"),
        }
        // Segments are many blocks long; looking more often finds nothing.
        tokio::time::sleep(Duration::from_secs(2)).await;
        if tip.changed().await.is_err() {
            return;
        }
    }
}

/// Once no block has come for a while, what the load before left in memory goes into tables.
pub(super) async fn settle_at_rest(ledger: Arc<Ledger>) {
    let mut tip = ledger.watch_tip();
    while tip.changed().await.is_ok() {
        while let Ok(Ok(())) = tokio::time::timeout(AT_REST, tip.changed()).await {}
        let store = ledger.clone();
        match tokio::task::spawn_blocking(move || store.store().settle()).await {
            Ok(Ok(_)) => {}
            Ok(Err(e)) => tracing::error!(error = %e, "memtables stay in memory"),
            Err(e) => tracing::error!(error = %e, "the writing of memtables ended"),
        }
    }
}

/// Free bytes where the store is.
pub fn disk_free(config: &Config) -> Option<u64> {
    let stat = rustix::fs::statvfs(&config.home).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

pub(super) fn check_disk(config: &Config, reserve: u64) -> Result<(), NodeError> {
    match disk_free(config) {
        Some(free) if free < reserve => Err(NodeError::DiskFull { free, reserve }),
        _ => Ok(()),
    }
}

/// Whether the disk takes a write, as one tells. It may refuse one with bytes to spare: a quota, or no room for names.
pub(super) fn check_writes(config: &Config, reserve: u64) -> Result<(), NodeError> {
    check_disk(config, reserve)?;
    let path = config.home.join("write-check");
    let write = || {
        let mut file = std::fs::File::create(&path)?;
        file.write_all(&[0; 4_096])?;
        file.sync_all()?;
        std::fs::remove_file(&path)
    };
    write().map_err(|source| NodeError::DiskFailed { home: config.home.clone(), source })
}

/// Completes when the reserve is touched: the engine hangs when its write-ahead log cannot be written, so the node stops
/// itself before that.
pub(super) async fn disk_runs_low(config: &Config, reserve: u64) {
    let mut every = tokio::time::interval(Duration::from_secs(2));
    while check_disk(config, reserve).is_ok() {
        every.tick().await;
    }
}
