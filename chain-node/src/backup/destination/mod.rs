//! Where backups are kept outside the chain: a bucket that speaks S3, or a folder, which is usually another machine's.
//!
//! ```text
//! <destination>/<run>/store/<file>
//! <destination>/<run>/manifest.json     last: a run without it is no backup
//! ```
//!
//! Every file is hashed on its way out and on its way back, so that what is found damaged is named. Nothing here decides
//! when a backup is made; what is too many is decided in [`retention`].

mod connection;
mod retention;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chain_types::Hash;
use futures::TryStreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::buffered::BufWriter;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{ObjectStore, ObjectStoreExt};
use sha2::Digest;
use tokio::io::AsyncWriteExt;

use super::{BackupError, FileEntry, MANIFEST, Manifest, STORE};
pub use retention::{Run, superfluous};

/// A part of a file on its way; two of them are in memory at once.
const PART_BYTES: usize = 8 << 20;
/// A run that has had no manifest for so long was given up.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// How a bucket is reached. The secrets are files, as they are mounted into a pod.
#[derive(Debug, Clone, Default)]
pub struct Bucket<'a> {
    /// `https://HOST:PORT`; Amazon's own for the region if there is none.
    pub endpoint: Option<&'a str>,
    pub region: Option<&'a str>,
    /// A folder with `access-key` and `secret-key`.
    pub credentials: Option<&'a Path>,
}

/// An open destination.
pub struct Destination {
    store: Arc<dyn ObjectStore>,
    root: Key,
    shown: String,
}

/// Why a destination could not be used.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    #[error("`{0}` is no destination: write s3://BUCKET/PREFIX or the path of a folder")]
    Unknown(String),
    #[error("`{0}` is not the name of a run: use letters, digits, `.`, `_` and `-`")]
    RunName(String),
    #[error("failed to read {path}; the folder of credentials holds `access-key` and `secret-key`")]
    Credentials { path: std::path::PathBuf, source: std::io::Error },
    #[error("failed to use {place}: {reason}")]
    Store { place: String, reason: String },
    #[error("{0} exists already; give the run another name")]
    Exists(String),
    #[error("there is no backup in {0}")]
    Nothing(String),
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl Destination {
    /// Opens `s3://BUCKET/PREFIX`, or a folder by its path, which is made if it is not there.
    pub fn open(address: &str, bucket: &Bucket<'_>) -> Result<Self, DestinationError> {
        let shown = address.trim_end_matches('/').to_owned();
        let failed = |e| DestinationError::Store { place: shown.clone(), reason: said(&e) };
        let Some(rest) = address.strip_prefix("s3://") else {
            let path = Path::new(address);
            if address.contains("://") || address.is_empty() {
                return Err(DestinationError::Unknown(address.into()));
            }
            fs::create_dir_all(path).map_err(|source| BackupError::Write { path: path.into(), source })?;
            let folder = LocalFileSystem::new_with_prefix(path).map_err(failed)?;
            let folder = folder.with_fsync(true).with_automatic_cleanup(true);
            return Ok(Self { store: Arc::new(folder), root: Key::default(), shown });
        };
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if name.is_empty() {
            return Err(DestinationError::Unknown(address.into()));
        }
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(bucket.region.unwrap_or("us-east-1"))
            .with_http_connector(connection::Connector);
        if let Some(endpoint) = bucket.endpoint {
            builder =
                builder.with_endpoint(endpoint.trim_end_matches('/')).with_allow_http(endpoint.starts_with("http://"));
        }
        if let Some(folder) = bucket.credentials {
            builder = builder
                .with_access_key_id(secret(&folder.join("access-key"))?)
                .with_secret_access_key(secret(&folder.join("secret-key"))?);
        }
        Ok(Self { store: Arc::new(builder.build().map_err(failed)?), root: Key::from(prefix), shown })
    }

    /// Every finished backup in it.
    pub async fn runs(&self) -> Result<Vec<Run>, DestinationError> {
        let mut runs = Vec::new();
        for name in self.folders().await? {
            match self.manifest(&name).await {
                Ok(manifest) => runs.push(Run { name, manifest }),
                // Unfinished, or something else that lies there.
                Err(DestinationError::Nothing(_) | DestinationError::Backup(_)) => {}
                Err(e) => return Err(e),
            }
        }
        Ok(runs)
    }

    /// The manifest of one.
    pub async fn manifest(&self, run: &str) -> Result<Manifest, DestinationError> {
        let key = self.key(run)?.join(MANIFEST);
        let text = match self.store.get(&key).await {
            Err(object_store::Error::NotFound { .. }) => return Err(DestinationError::Nothing(self.place(run))),
            Err(e) => return Err(self.failed(&key, e)),
            Ok(found) => found.bytes().await.map_err(|e| self.failed(&key, e))?,
        };
        Ok(Manifest::parse(&text, self.place(run).as_ref())?)
    }

    /// Brings a backup's folder there. The manifest goes last.
    pub async fn upload(&self, run: &str, from: &Path) -> Result<(), DestinationError> {
        let manifest = Manifest::load(from)?;
        let key = self.key(run)?;
        match self.store.head(&key.clone().join(MANIFEST)).await {
            Err(object_store::Error::NotFound { .. }) => {}
            Ok(_) => return Err(DestinationError::Exists(self.place(run))),
            Err(e) => return Err(self.failed(&key, e)),
        }
        for file in &manifest.files {
            self.send(&from.join(STORE).join(&file.name), key.clone().join(STORE).join(file.name.as_str()), file)
                .await?;
        }
        let path = from.join(MANIFEST);
        let text = fs::read(&path).map_err(|source| BackupError::Read { path, source })?;
        let key = key.join(MANIFEST);
        self.store.put(&key, text.into()).await.map_err(|e| self.failed(&key, e))?;
        Ok(())
    }

    async fn send(&self, from: &Path, key: Key, expected: &FileEntry) -> Result<(), DestinationError> {
        let failed = |source| BackupError::Read { path: from.into(), source };
        let mut file = File::open(from).map_err(failed)?;
        let mut writer = BufWriter::with_capacity(self.store.clone(), key.clone(), PART_BYTES).with_max_concurrency(1);
        let (mut hasher, mut bytes, mut buffer) = (sha2::Sha256::new(), 0u64, vec![0; 1 << 20]);
        loop {
            let n = file.read(&mut buffer).map_err(failed)?;
            let piece = buffer.get(..n).unwrap_or_default();
            if piece.is_empty() {
                break;
            }
            hasher.update(piece);
            bytes += n as u64;
            writer.put(Bytes::copy_from_slice(piece)).await.map_err(|e| self.failed(&key, e))?;
        }
        if (bytes, Hash(hasher.finalize().into())) != (expected.bytes, expected.sha256) {
            // What was sent of it is in nobody's way: without a manifest it is no backup.
            let _ = writer.abort().await;
            return Err(BackupError::Damaged(format!("{} changed while it was read", from.display())).into());
        }
        let closed = writer.shutdown().await;
        closed.map_err(|e| self.failed(&key, object_store::Error::Generic { store: "destination", source: e.into() }))
    }

    /// Brings a file of a run back, into one that does not exist, and holds it against the manifest.
    pub(super) async fn fetch(&self, run: &str, file: &FileEntry, to: &Path) -> Result<(), DestinationError> {
        let key = self.key(run)?.join(STORE).join(file.name.as_str());
        let damaged = |what: &str| {
            let place = format!("{}/{STORE}/{}", self.place(run), file.name);
            DestinationError::from(BackupError::Damaged(format!("{place} {what}")))
        };
        let found = match self.store.get(&key).await {
            Err(object_store::Error::NotFound { .. }) => return Err(damaged("is missing")),
            found => found.map_err(|e| self.failed(&key, e))?,
        };
        let failed = |source| BackupError::Write { path: to.into(), source };
        let mut target = File::create_new(to).map_err(failed)?;
        let (mut hasher, mut bytes, mut stream) = (sha2::Sha256::new(), 0u64, found.into_stream());
        while let Some(piece) = stream.try_next().await.map_err(|e| self.failed(&key, e))? {
            hasher.update(&piece);
            bytes += piece.len() as u64;
            target.write_all(&piece).map_err(failed)?;
        }
        target.sync_all().map_err(failed)?;
        match (bytes, Hash(hasher.finalize().into())) == (file.bytes, file.sha256) {
            true => Ok(()),
            false => Err(damaged("is not the file that was saved")),
        }
    }

    /// Removes a run. The manifest goes first, so that what a crash leaves is no backup.
    pub async fn remove(&self, run: &str) -> Result<(), DestinationError> {
        let key = self.key(run)?;
        let manifest = key.clone().join(MANIFEST);
        match self.store.delete(&manifest).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
            Err(e) => return Err(self.failed(&manifest, e)),
        }
        let objects: Vec<_> = self.store.list(Some(&key)).try_collect().await.map_err(|e| self.failed(&key, e))?;
        for object in objects {
            self.store.delete(&object.location).await.map_err(|e| self.failed(&object.location, e))?;
        }
        Ok(())
    }

    /// Removes runs that were begun and given up. One that another program is still writing is left alone.
    pub async fn remove_unfinished(&self, now_ms: u64) -> Result<(), DestinationError> {
        let objects = self.store.list(Some(&self.root)).try_collect::<Vec<_>>().await;
        let mut newest: BTreeMap<String, (bool, u64)> = BTreeMap::new();
        for object in objects.map_err(|e| self.failed(&self.root, e))? {
            let Some(mut parts) = object.location.prefix_match(&self.root) else { continue };
            let (Some(run), Some(next)) = (parts.next(), parts.next()) else { continue };
            let at = u64::try_from(object.last_modified.timestamp_millis()).unwrap_or(0);
            let entry = newest.entry(run.as_ref().to_owned()).or_default();
            *entry = (entry.0 || next.as_ref() == MANIFEST, entry.1.max(at));
        }
        let limit = u64::try_from(GIVEN_UP_AFTER.as_millis()).unwrap_or(u64::MAX);
        let given_up = |(has_manifest, at): &(bool, u64)| !has_manifest && now_ms.saturating_sub(*at) > limit;
        for (run, _) in newest.iter().filter(|(run, state)| is_run_name(run) && given_up(state)) {
            self.remove(run).await?;
        }
        Ok(())
    }

    async fn folders(&self) -> Result<Vec<String>, DestinationError> {
        let listed = self.store.list_with_delimiter(Some(&self.root)).await.map_err(|e| self.failed(&self.root, e))?;
        let names = listed.common_prefixes.iter().filter_map(|prefix| prefix.filename().map(str::to_owned));
        Ok(names.filter(|name| is_run_name(name)).collect())
    }

    fn key(&self, run: &str) -> Result<Key, DestinationError> {
        match is_run_name(run) {
            true => Ok(self.root.clone().join(run)),
            false => Err(DestinationError::RunName(run.into())),
        }
    }

    fn place(&self, run: &str) -> String {
        format!("{}/{run}", self.shown)
    }

    fn failed(&self, key: &Key, source: object_store::Error) -> DestinationError {
        let bucket = self.shown.strip_prefix("s3://").and_then(|rest| rest.split('/').next());
        let place = bucket.map_or_else(|| format!("{}/{key}", self.shown), |bucket| format!("s3://{bucket}/{key}"));
        DestinationError::Store { place, reason: said(&source) }
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

/// The whole sentence: the library's own says what was tried, and its last cause why that failed.
fn said(error: &object_store::Error) -> String {
    let (said, mut cause): (String, &dyn std::error::Error) = (error.to_string(), error);
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    let cause = cause.to_string();
    if said.contains(&cause) { said } else { format!("{said}: {cause}") }
}

/// A name that leads nowhere else.
fn is_run_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.chars().all(plain)
}

fn secret(path: &Path) -> Result<String, DestinationError> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|source| DestinationError::Credentials { path: path.into(), source })?;
    Ok(text.trim().to_owned())
}
