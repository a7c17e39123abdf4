//! Backups: a copy of the store as it was after one height, with a manifest that says which chain, which height, who
//! certified it, and the SHA-256 of every file.
//!
//! A folder is a backup only if it holds `manifest.json`, and it gets its final name only when everything in it is on disk:
//! a crash leaves at most a folder called `….partial`, which nothing here takes for a backup and the next run replaces.
//! In a [`destination`] the manifest comes last for the same reason.
//! Keys, the consensus log and the identity file are never part of one: whoever restores starts as a fresh identity would.

pub mod destination;
mod make;
mod restore;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use chain_types::api::BackedUp;
use chain_types::encoding::{Decode, Encode};
use chain_types::{BlockId, CommitCertificate, Fingerprint, Hash};
use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError};

pub use make::finish;
pub use restore::{Restored, restore, restore_from};

/// Format of manifests; readers know every older one.
pub const FORMAT: u64 = 1;
/// In a backup's folder.
pub const MANIFEST: &str = "manifest.json";
/// The copied store, in a backup's folder.
pub const STORE: &str = "store";

/// `manifest.json`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u64,
    /// Format of the store inside.
    pub store_format: u64,
    /// The program that made it.
    pub version: String,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    pub chain_id: String,
    pub fingerprint: Fingerprint,
    /// Last block in it; 0 is genesis.
    pub height: u64,
    /// Id of that block's header.
    pub block_id: BlockId,
    pub block_time_ms: u64,
    /// The block's commit certificate as CBOR, hexadecimal; empty at height 0.
    pub certificate: String,
    pub state_root: Hash,
    pub log_size: u64,
    pub log_root: Hash,
    /// Everything in `store/`, by name.
    pub files: Vec<FileEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub name: String,
    pub bytes: u64,
    pub sha256: Hash,
}

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} exists; choose a folder that does not")]
    Exists(PathBuf),
    #[error("{0} holds a chain's data already; restore into an empty home, or move its `data` and `wal` away first")]
    Occupied(PathBuf),
    #[error("{path} is not a backup: {reason}")]
    NotABackup { path: PathBuf, reason: String },
    #[error("the backup was made in format {found}; this version reads up to {FORMAT}: install the newer version")]
    Newer { found: u64 },
    #[error("the backup is damaged: {0}; use another one")]
    Damaged(String),
    #[error("failed to write {path}: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("failed to read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Manifest {
    /// Reads the manifest of a backup's folder.
    pub fn load(from: &Path) -> Result<Self, BackupError> {
        let not = |reason: String| BackupError::NotABackup { path: from.into(), reason };
        let text = fs::read(from.join(MANIFEST)).map_err(|e| not(format!("{MANIFEST}: {e}")))?;
        Self::parse(&text, from)
    }

    /// Reads the manifest's text; `from` is where it lies, for errors.
    fn parse(text: &[u8], from: &Path) -> Result<Self, BackupError> {
        let not = |reason: String| BackupError::NotABackup { path: from.into(), reason };
        // The number first: a later format may have other fields.
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| not(e.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_u64) {
            Some(found) if found > FORMAT => return Err(BackupError::Newer { found }),
            Some(_) => {}
            None => return Err(not("its manifest has no format number".into())),
        }
        let manifest: Self = serde_json::from_value(value).map_err(|e| not(e.to_string()))?;
        let plain = |name: &str| Path::new(name).components().eq([std::path::Component::Normal(name.as_ref())]);
        match manifest.files.iter().find(|file| !plain(&file.name)) {
            // A name that leads out of the folder would let a forged backup write anywhere.
            Some(file) => Err(not(format!("`{}` is not the name of a file in it", file.name))),
            None => Ok(manifest),
        }
    }

    /// What it holds, for whoever started this.
    pub fn summary(&self) -> BackedUp {
        BackedUp {
            fingerprint: self.fingerprint,
            height: self.height,
            block_id: self.block_id,
            state_root: self.state_root,
            log_size: self.log_size,
            log_root: self.log_root,
            files: self.files.len() as u64,
            bytes: self.files.iter().map(|file| file.bytes).sum(),
        }
    }

    /// What a store holds, once its last block and the edge of its log are found to be what they should.
    fn describe(store: &Store, files: Vec<FileEntry>, created_ms: u64) -> Result<Self, StoreError> {
        let height = store.tip()?;
        let roots = store.roots(height)?;
        store.frontier_after(&roots)?;
        let genesis = store.genesis();
        let (block_id, block_time_ms, certificate) = match height {
            0 => (BlockId(store.fingerprint().0), genesis.time_ms, String::new()),
            _ => {
                let missing = || StoreError::Damaged(format!("block {height}, the last one, is missing"));
                let record = store.block(height)?.ok_or_else(missing)?;
                certified(store, height, record.id, &record.certificate)?;
                (record.id, record.block.header.time_ms, hex::encode(record.certificate.to_bytes()))
            }
        };
        Ok(Self {
            format: FORMAT,
            store_format: store.format()?,
            version: env!("CARGO_PKG_VERSION").into(),
            created_ms,
            chain_id: genesis.chain_id.clone(),
            fingerprint: store.fingerprint(),
            height,
            block_id,
            block_time_ms,
            certificate,
            state_root: roots.state_root,
            log_size: roots.log_size,
            log_root: roots.log_root,
            files,
        })
    }

    /// Whether a store is the one that the manifest tells of.
    fn agrees(&self, store: &Store) -> Result<(), BackupError> {
        let found = Self::describe(store, self.files.clone(), self.created_ms)?;
        let fields = [
            (found.fingerprint == self.fingerprint, "chain"),
            (found.height == self.height, "height"),
            (found.block_id == self.block_id, "block"),
            (found.state_root == self.state_root, "state root"),
            ((found.log_size, found.log_root) == (self.log_size, self.log_root), "log root"),
        ];
        if let Some((_, field)) = fields.into_iter().find(|(same, _)| !same) {
            return Err(BackupError::Damaged(format!("the store's {field} is not the manifest's")));
        }
        if self.height > 0 {
            let bytes = hex::decode(&self.certificate).unwrap_or_default();
            let certificate = CommitCertificate::from_bytes(&bytes);
            let certificate = certificate.map_err(|e| BackupError::Damaged(format!("commit certificate: {e}")))?;
            certified(store, self.height, self.block_id, &certificate)?;
        }
        Ok(())
    }
}

fn certified(store: &Store, height: u64, id: BlockId, certificate: &CommitCertificate) -> Result<(), StoreError> {
    let verdict = certificate.verify(store.fingerprint(), height, id, &store.validators(height)?);
    verdict.map_err(|e| StoreError::Damaged(format!("block {height}: {e}")))
}

/// `….partial`, where a backup or a restored store grows.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    path.with_file_name(name)
}

/// Removes what a crash left under that name.
fn clear(path: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(BackupError::Write { path: path.into(), source })
        }
        _ => Ok(()),
    }
}

/// Reads to the end through SHA-256, into `to` as well.
fn copy_hashed(from: &mut impl Read, to: &mut impl Write) -> io::Result<(u64, Hash)> {
    use sha2::Digest as _;
    let (mut hasher, mut bytes, mut buffer) = (sha2::Sha256::new(), 0u64, vec![0; 1 << 20]);
    loop {
        let n = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let piece = buffer.get(..n).unwrap_or_default();
        hasher.update(piece);
        to.write_all(piece)?;
        bytes += n as u64;
    }
    Ok((bytes, Hash(hasher.finalize().into())))
}

/// A name is on disk once its folder is.
fn sync_dir(path: &Path) -> Result<(), BackupError> {
    let synced = File::open(path).and_then(|dir| dir.sync_all());
    synced.map_err(|source| BackupError::Write { path: path.into(), source })
}
