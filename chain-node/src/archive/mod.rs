//! Blocks that left the store, in files that are written once: one *segment* for a run of blocks, with what is needed to
//! find a block, a transaction, a log entry or a digest in it.
//!
//! A segment appears under its name only when all of it is on disk, and the store drops a block only after that: a crash
//! loses nothing and leaves at most a `….partial` file, which the next start removes. Segments never change, so they can
//! be copied, moved to cheaper disks and compared by their SHA-256; what they hold is proven by the blocks' own
//! certificates, not by the file.

mod segment;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chain_types::{Fingerprint, Hash, TxId};

use crate::store::{LogPlace, TxPlace, WholeBlock};
pub use segment::Segment;

/// Why an archive cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error("failed to write the archive at {path}: {source}; make room or mend its disk")]
    Write { path: PathBuf, source: io::Error },
    #[error("failed to read the archive at {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("segment {path} is damaged: {reason}; bring it back from a copy")]
    Damaged { path: PathBuf, reason: String },
    #[error("segment {path} belongs to chain {found}; point `archive` at this chain's folder")]
    OtherChain { path: PathBuf, found: Fingerprint },
}

/// A folder of segments of one chain.
#[derive(Debug)]
pub struct Archive {
    dir: PathBuf,
    fingerprint: Fingerprint,
    /// By height; without gaps.
    segments: RwLock<Vec<Arc<Segment>>>,
}

impl Archive {
    /// Opens a folder, making it if need be, and removes what a crash left half-written.
    pub fn open(dir: &Path, fingerprint: Fingerprint) -> Result<Self, ArchiveError> {
        let write = |source| ArchiveError::Write { path: dir.into(), source };
        std::fs::create_dir_all(dir).map_err(write)?;
        // The store drops what is in here: the folder's name must be as durable as its segments.
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(write)?;
        }
        let mut segments = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(write)? {
            let path = entry.map_err(write)?.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("partial") => std::fs::remove_file(&path).map_err(write)?,
                Some("archive") => segments.push(Arc::new(Segment::open(&path, fingerprint)?)),
                _ => {}
            }
        }
        segments.sort_by_key(|segment| segment.first());
        let broken = segments.windows(2).find_map(|pair| match pair {
            [a, b] if a.last() + 1 != b.first() => Some((a.last() + 1, b.path().to_owned())),
            _ => None,
        });
        match broken {
            Some((height, path)) => Err(ArchiveError::Damaged {
                path,
                reason: format!("the segment with block {height} is missing before it"),
            }),
            None => Ok(Self { dir: dir.into(), fingerprint, segments: RwLock::new(segments) }),
        }
    }

    fn segments(&self) -> Vec<Arc<Segment>> {
        self.segments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// First and last block that it holds.
    pub fn range(&self) -> Option<(u64, u64)> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        Some((segments.first()?.first(), segments.last()?.last()))
    }

    /// Bytes of all segments.
    pub fn size_bytes(&self) -> u64 {
        self.segments().iter().map(|segment| segment.bytes()).sum()
    }

    /// Adds the blocks after the last one. On disk, and found by every question, when it returns.
    pub fn append(&self, blocks: &[WholeBlock]) -> Result<(), ArchiveError> {
        let segment = Segment::write(&self.dir, self.fingerprint, blocks)?;
        self.segments.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(segment));
        Ok(())
    }

    pub fn block(&self, height: u64) -> Result<Option<WholeBlock>, ArchiveError> {
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.last() < height);
        match segments.get(at).filter(|segment| segment.first() <= height) {
            Some(segment) => segment.block(height).map(Some),
            None => Ok(None),
        }
    }

    pub fn find_transaction(&self, id: &TxId) -> Result<Option<TxPlace>, ArchiveError> {
        self.newest_first(|segment| segment.find_transaction(id))
    }

    /// The call that left a log entry, if it is in here.
    pub fn find_entry(&self, index: u64) -> Result<Option<LogPlace>, ArchiveError> {
        let segments = self.segments();
        let at = segments.partition_point(|segment| segment.log_end() <= index);
        segments.get(at).map_or(Ok(None), |segment| segment.find_entry(index))
    }

    /// Log entries that hold a digest, oldest first, at most `limit`.
    pub fn find_digest(&self, digest: &Hash, limit: usize) -> Result<Vec<u64>, ArchiveError> {
        let mut found = Vec::new();
        for segment in self.segments() {
            found.extend(segment.find_digest(digest, limit - found.len())?);
            if found.len() == limit {
                break;
            }
        }
        Ok(found)
    }

    /// Reads every byte of every segment; the first that is not as it was written is named.
    pub fn verify(&self) -> Result<(), ArchiveError> {
        self.segments().iter().try_for_each(|segment| segment.verify())
    }

    fn newest_first<T>(
        &self,
        find: impl Fn(&Segment) -> Result<Option<T>, ArchiveError>,
    ) -> Result<Option<T>, ArchiveError> {
        for segment in self.segments().iter().rev() {
            if let Some(found) = find(segment)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
