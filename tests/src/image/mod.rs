//! Image archives from scratch: one layer of given files, as an OCI layout that `kind` and `ctr` import and with the index
//! that `docker load` reads. Decides the bytes from the inputs alone: no clock, no owner, no order of a folder.

pub mod program;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use sha2::{Digest, Sha256};

/// A file of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Absolute in the image.
    pub path: String,
    pub executable: bool,
    pub bytes: Vec<u8>,
}

impl Item {
    /// The file at `source`, or what a link there leads to, for `path` in the image.
    pub fn read(source: &Path, path: &str) -> anyhow::Result<Self> {
        let read = || -> std::io::Result<Self> {
            let executable = std::fs::metadata(source)?.permissions().mode() & 0o111 != 0;
            Ok(Self { path: path.to_owned(), executable, bytes: std::fs::read(source)? })
        };
        read().with_context(|| format!("{} cannot be read", source.display()))
    }
}

/// What an archive is made of.
pub struct Image {
    /// Reference with its tag, e.g. `localhost/citychain/operator:0.1.0`.
    pub name: String,
    /// `uid:gid`.
    pub user: String,
    pub entrypoint: Vec<String>,
    pub labels: Vec<(String, String)>,
    pub items: Vec<Item>,
}

impl Image {
    /// The image's digest and its archive. Two different files at one path are refused.
    pub fn archive(&self) -> anyhow::Result<(String, Vec<u8>)> {
        let layer = self.layer()?;
        let configuration = serde_json::to_vec(&json!({
            "architecture": architecture(),
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "User": self.user,
                "Entrypoint": self.entrypoint,
                "Env": ["PATH=/usr/local/bin:/bin"],
                "WorkingDir": "/",
                "Labels": self.labels.iter().cloned().collect::<BTreeMap<_, _>>(),
            },
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
        }))?;
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &configuration),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
        }))?;
        let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["annotations"] =
            json!({"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": self.name});
        let index = serde_json::to_vec(&json!({"schemaVersion": 2, "manifests": [entry]}))?;
        let docker = serde_json::to_vec(&json!([
            {"Config": blob(&configuration), "RepoTags": [self.name], "Layers": [blob(&layer)]}
        ]))?;
        let mut archive = tar::Builder::new(Vec::new());
        put(&mut archive, "oci-layout", 0o644, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        put(&mut archive, "index.json", 0o644, &index)?;
        put(&mut archive, "manifest.json", 0o644, &docker)?;
        for bytes in [&configuration, &manifest, &layer] {
            put(&mut archive, &blob(bytes), 0o644, bytes)?;
        }
        Ok((digest(&manifest), archive.into_inner()?))
    }

    fn layer(&self) -> anyhow::Result<Vec<u8>> {
        let mut files: BTreeMap<&str, &Item> = BTreeMap::new();
        for item in &self.items {
            let path = item.path.strip_prefix('/').with_context(|| format!("{} has to begin with /", item.path))?;
            if files.insert(path, item).is_some_and(|other| other != item) {
                anyhow::bail!("two different files would stand at {}: give each a path of its own", item.path);
            }
        }
        let folders: BTreeSet<&Path> =
            files.keys().flat_map(|path| Path::new(path).ancestors().skip(1)).filter(|folder| *folder != Path::new("")).collect();
        let mut layer = tar::Builder::new(Vec::new());
        for folder in folders {
            let mut header = header(0o755, 0);
            header.set_entry_type(tar::EntryType::Directory);
            layer.append_data(&mut header, folder.join(""), std::io::empty())?;
        }
        for (path, item) in files {
            put(&mut layer, path, if item.executable { 0o755 } else { 0o644 }, &item.bytes)?;
        }
        Ok(layer.into_inner()?)
    }
}

fn put(archive: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) -> std::io::Result<()> {
    archive.append_data(&mut header(mode, bytes.len() as u64), path, bytes)
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

fn blob(bytes: &[u8]) -> String {
    format!("blobs/sha256/{}", hex::encode(Sha256::digest(bytes)))
}

fn descriptor(kind: &str, bytes: &[u8]) -> serde_json::Value {
    json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
}

/// This machine's architecture as images call it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
