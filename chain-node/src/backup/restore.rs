//! Puts a backup's store into an empty home.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::destination::{Destination, DestinationError};
use super::{BackupError, FileEntry, Manifest, STORE, clear, copy_hashed, partial, sync_dir};
use crate::store::Store;
use crate::store::check::{self, Summary};

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    pub manifest: Manifest,
    pub summary: Summary,
}

/// Restores into `home/data`: copies every file against its SHA-256, checks the whole store, and only then gives it its
/// name. A crash leaves `data.partial`, which no node opens and the next run replaces. `progress` is told of each height
/// that was checked.
pub fn restore(from: &Path, home: &Path, progress: impl FnMut(u64)) -> Result<Restored, BackupError> {
    let manifest = Manifest::load(from)?;
    let growing = begin(home)?;
    for file in &manifest.files {
        copy(&from.join(STORE), &growing, file)?;
    }
    complete(manifest, &growing, home, progress)
}

/// The same from a run in a destination, without a second copy on this disk.
pub async fn restore_from(
    destination: &Destination,
    run: &str,
    home: &Path,
    progress: impl FnMut(u64),
) -> Result<Restored, DestinationError> {
    let manifest = destination.manifest(run).await?;
    let growing = begin(home)?;
    for file in &manifest.files {
        destination.fetch(run, file, &growing.join(&file.name)).await?;
    }
    Ok(complete(manifest, &growing, home, progress)?)
}

/// The folder in which the store grows, empty.
fn begin(home: &Path) -> Result<PathBuf, BackupError> {
    for folder in ["data", "wal"].map(|name| home.join(name)) {
        if fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(BackupError::Occupied(folder));
        }
    }
    let growing = partial(&home.join("data"));
    clear(&growing)?;
    fs::create_dir_all(&growing).map_err(|source| BackupError::Write { path: growing.clone(), source })?;
    Ok(growing)
}

fn complete(
    manifest: Manifest,
    growing: &Path,
    home: &Path,
    progress: impl FnMut(u64),
) -> Result<Restored, BackupError> {
    sync_dir(growing)?;
    let summary = {
        let store = Store::open_existing(growing)?;
        manifest.agrees(&store)?;
        let summary = check::check(&store, progress)?;
        store.mark_copied()?;
        summary
    };
    let data = home.join("data");
    // An empty folder of that name is no store; `rename` replaces it and nothing else.
    fs::rename(growing, &data).map_err(|source| BackupError::Write { path: data.clone(), source })?;
    sync_dir(home)?;
    Ok(Restored { manifest, summary })
}

fn copy(from: &Path, to: &Path, file: &FileEntry) -> Result<(), BackupError> {
    let (source, target): (PathBuf, PathBuf) = (from.join(&file.name), to.join(&file.name));
    let mut reader = File::open(&source).map_err(|e| BackupError::Damaged(format!("{}: {e}", source.display())))?;
    let copied = File::create_new(&target).and_then(|mut writer| {
        let copied = copy_hashed(&mut reader, &mut writer)?;
        writer.sync_all()?;
        Ok(copied)
    });
    let (bytes, sha256) = copied.map_err(|source| BackupError::Write { path: target, source })?;
    match (bytes, sha256) == (file.bytes, file.sha256) {
        true => Ok(()),
        false => Err(BackupError::Damaged(format!("{} is not the file that was saved", source.display()))),
    }
}
