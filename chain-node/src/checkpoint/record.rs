//! What this node endorsed last, in a file beside its keys: the memory that keeps it from ever endorsing a log that is
//! smaller than, or differs from, one it endorsed before.
//!
//! The file is not in the store, because a store can be restored from a backup or fetched anew, and what was signed
//! stays signed. It is replaced by a rename and both file and folder are synced *before* the endorsement leaves this
//! process: a crash leaves either the one before or the new one, and the new one may then never have been seen by
//! anybody, which harms nothing.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use chain_types::Hash;
use chain_types::encoding::{Decode, Encode};

use super::endorsement::Endorsement;

const FILE: &str = "endorsed.cbor";
/// The same log is endorsed again after this, so that verifiers see that its signers live.
const REFRESH_S: u64 = 60;

/// Why this node endorses nothing.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("failed to read {path}: {source}; this node endorses no checkpoint until it can")]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{path} is damaged; this node endorses no checkpoint until it is restored, or removed after comparing the log with its peers"
    )]
    Damaged { path: PathBuf },
    #[error("failed to write {path}: {source}; this node endorses no checkpoint until it can")]
    Write { path: PathBuf, source: std::io::Error },
}

/// The file.
#[derive(Debug)]
pub struct Record {
    folder: PathBuf,
    last: Option<Endorsement>,
}

/// What may be done with a log that a committed header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    Endorse,
    /// It was endorsed a moment ago.
    Unneeded,
    /// A larger one was endorsed: this node has not caught up with what it once knew.
    Smaller,
    /// It differs from one that was endorsed. Never happens to a node whose chain is the one it endorsed.
    Inconsistent,
}

impl Record {
    /// Reads what was endorsed last.
    pub fn open(home: &Path) -> Result<Self, RecordError> {
        let path = home.join(FILE);
        let last = match fs::read(&path) {
            Ok(bytes) => Some(Endorsement::from_bytes(&bytes).map_err(|_| RecordError::Damaged { path })?),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(source) => return Err(RecordError::Read { path, source }),
        };
        Ok(Self { folder: home.to_owned(), last })
    }

    pub fn last(&self) -> Option<&Endorsement> {
        self.last.as_ref()
    }

    /// Durable when it returns.
    pub fn write(&mut self, endorsement: &Endorsement) -> Result<(), RecordError> {
        let (path, new) = (self.folder.join(FILE), self.folder.join(format!("{FILE}.new")));
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(&endorsement.to_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|source| RecordError::Write { path: path.clone(), source })?;
        self.last = Some(endorsement.clone());
        Ok(())
    }
}

/// Whether a log of `size` and `root` may follow what was endorsed last. `root_at` gives the root that this node's log
/// had at a size.
pub fn permission<E>(
    last: Option<&Endorsement>,
    size: u64,
    root: Hash,
    now_s: u64,
    mut root_at: impl FnMut(u64) -> Result<Hash, E>,
) -> Result<Permission, E> {
    if root_at(size)? != root {
        return Ok(Permission::Inconsistent);
    }
    let Some(last) = last else { return Ok(Permission::Endorse) };
    Ok(match () {
        () if size < last.size => Permission::Smaller,
        () if root_at(last.size)? != last.root => Permission::Inconsistent,
        () if size == last.size && now_s < last.time_s.saturating_add(REFRESH_S) => Permission::Unneeded,
        () => Permission::Endorse,
    })
}
