//! Turns the raw copy of a store into a backup.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{BackupError, FileEntry, MANIFEST, Manifest, STORE, clear, copy_hashed, partial, sync_dir};
use crate::consensus::now_ms;
use crate::store::Store;

/// Makes the backup `to`. `copy` writes the raw copy into the folder that it is given, which does not exist yet: in this
/// process for a stopped node, by asking a running one otherwise. Hashing and checking happen here, so that a validator
/// spends no time on them.
///
/// The folder appears under its name as the last act, when all of it is on disk.
pub async fn finish<E: From<BackupError>>(
    to: &Path,
    copy: impl AsyncFnOnce(PathBuf) -> Result<(), E>,
) -> Result<Manifest, E> {
    if to.exists() {
        return Err(BackupError::Exists(to.into()).into());
    }
    let growing = partial(to);
    clear(&growing)?;
    fs::create_dir_all(&growing).map_err(|source| BackupError::Write { path: growing.clone(), source })?;
    let store = growing.join(STORE);
    copy(store.clone()).await?;
    let manifest = describe(&store)?;
    write_manifest(&growing, &manifest)?;
    sync_dir(&store)?;
    sync_dir(&growing)?;
    fs::rename(&growing, to).map_err(|source| BackupError::Write { path: to.into(), source })?;
    match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent)?,
        _ => sync_dir(Path::new("."))?,
    }
    Ok(manifest)
}

fn describe(path: &Path) -> Result<Manifest, BackupError> {
    let manifest = {
        let store = Store::open_read_only(path)?;
        Manifest::describe(&store, Vec::new(), now_ms())?
    };
    let failed = |source| BackupError::Read { path: path.into(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // What RocksDB tells of itself, and its lock, are no part of the data.
        match name == "LOCK" || name.starts_with("LOG") {
            true => fs::remove_file(entry.path()).map_err(failed)?,
            false => files.push(hash(&entry.path(), name)?),
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Manifest { files, ..manifest })
}

fn hash(path: &Path, name: String) -> Result<FileEntry, BackupError> {
    let hashed = File::open(path).and_then(|mut file| {
        let hashed = copy_hashed(&mut file, &mut io::sink())?;
        file.sync_all()?;
        Ok(hashed)
    });
    let (bytes, sha256) = hashed.map_err(|source| BackupError::Read { path: path.into(), source })?;
    Ok(FileEntry { name, bytes, sha256 })
}

fn write_manifest(dir: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let path = dir.join(MANIFEST);
    let written = serde_json::to_vec_pretty(manifest).map_err(io::Error::other).and_then(|text| {
        let mut file = File::create_new(&path)?;
        io::Write::write_all(&mut file, &text)?;
        file.sync_all()
    });
    written.map_err(|source| BackupError::Write { path, source })
}
