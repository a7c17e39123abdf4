//! The web folder: built into the program, or read from disk with `--web`. Serves `web/static` under hashed addresses that may be cached for ever.

use crate::app::App;
use crate::error::{Error, Result};
use anyhow::Context;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(RustEmbed)]
#[folder = "../web"]
struct BuiltIn;

/// Where templates, texts, static files and the catalog come from.
#[derive(Clone)]
pub struct Web(Option<PathBuf>);

impl Web {
    pub fn built_in() -> Self {
        Self(None)
    }

    pub fn folder(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// Files may change while the program runs.
    pub fn changes(&self) -> bool {
        self.0.is_some()
    }

    /// Paths under `prefix` (`"templates/"`), sorted.
    pub fn list(&self, prefix: &str) -> Vec<String> {
        let mut paths: Vec<String> = match &self.0 {
            None => BuiltIn::iter().filter(|path| path.starts_with(prefix)).map(Cow::into_owned).collect(),
            Some(folder) => {
                files_below(&folder.join(prefix)).into_iter().map(|path| format!("{prefix}{path}")).collect()
            }
        };
        paths.sort();
        paths
    }

    pub fn bytes(&self, path: &str) -> Option<Cow<'static, [u8]>> {
        match &self.0 {
            None => BuiltIn::get(path).map(|file| file.data),
            Some(_) if path.split('/').any(|part| matches!(part, "" | "." | "..")) => None,
            Some(folder) => std::fs::read(folder.join(path)).ok().map(Cow::Owned),
        }
    }

    pub fn text(&self, path: &str) -> anyhow::Result<String> {
        let bytes = self.bytes(path).with_context(|| format!("the web folder has no {path}"))?;
        String::from_utf8(bytes.into_owned()).with_context(|| format!("{path} is not UTF-8"))
    }
}

fn files_below(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() {
            found.extend(files_below(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found
}

/// Path below `static/` → the address it is served at.
pub struct Addresses(HashMap<String, String>);

impl Addresses {
    pub fn of(web: &Web) -> Self {
        let files = web.list("static/").into_iter().filter_map(|path| {
            let hash = hex::encode(&Sha256::digest(web.bytes(&path)?)[..6]);
            let name = path.strip_prefix("static/")?.to_owned();
            let address = format!("/static/{hash}/{name}");
            Some((name, address))
        });
        Self(files.collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// `GET /static/{hash}/{path}`. The hash is the content's: a wrong one is answered 404, so an old page never gets a new file.
pub async fn serve(State(app): State<App>, Path((hash, path)): Path<(String, String)>) -> Result<Response> {
    let asked = format!("/static/{hash}/{path}");
    if app.pages.address(&path).as_deref() != Some(asked.as_str()) {
        return Err(Error::NotFound);
    }
    let bytes = app.pages.web().bytes(&format!("static/{path}")).ok_or(Error::NotFound)?;
    Ok((
        [(header::CONTENT_TYPE, content_type(&path)), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")],
        bytes.into_owned(),
    )
        .into_response())
}

/// The type by the end of the name; only what the web folder holds.
fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_folder_and_the_one_on_disk_hold_the_same_files() {
        let on_disk = Web::folder(concat!(env!("CARGO_MANIFEST_DIR"), "/../web").into());
        for prefix in ["templates/", "static/", "locales/"] {
            assert_eq!(Web::built_in().list(prefix), on_disk.list(prefix));
        }
        assert!(on_disk.bytes("../Cargo.toml").is_none());
        assert!(on_disk.bytes("templates//base.html").is_none());
    }

    #[test]
    fn vendored_files_are_what_their_manifest_says() {
        let web = Web::built_in();
        let manifest: HashMap<String, String> =
            serde_json::from_str(&web.text("static/vendor/manifest.json").unwrap()).unwrap();
        let mut files: Vec<_> =
            web.list("static/vendor/").into_iter().filter(|path| !path.ends_with("manifest.json")).collect();
        files.retain(|path| !path.ends_with("LICENSE"));
        assert_eq!(files.len(), manifest.len());
        for path in files {
            let name = path.strip_prefix("static/vendor/").unwrap();
            let hash = hex::encode(sha2::Sha384::digest(web.bytes(&path).unwrap()));
            assert_eq!(manifest.get(name), Some(&hash), "{name}");
        }
    }
}
