//! Single nodes, as whoever provisions them asks them: by address, each for itself. What they answer is their own word; only the
//! decisions of the chain count, and those are asked for with [`Client`](crate::Client).

use std::time::Duration;

use bytes::Bytes;
use chain_types::PublicKey;
use chain_types::api::{Status, ValidatorInfo};
use reqwest::{RequestBuilder, Url};
use serde::de::DeserializeOwned;

/// A node that has not answered after this long is taken to be unreachable.
const ANSWER_WITHIN: Duration = Duration::from_millis(900);
/// The same for blocks, which may have to be read from the disk.
const READ_WITHIN: Duration = Duration::from_secs(3);
const RELOAD_WITHIN: Duration = Duration::from_secs(5);

/// One node's API, or its admin address. `http` is shared: a pool of connections belongs to a program, not to a node.
pub struct Node<'a> {
    http: &'a reqwest::Client,
    /// `http://HOST:PORT`, and perhaps a path before the node's own.
    base: &'a str,
}

impl<'a> Node<'a> {
    pub fn at(http: &'a reqwest::Client, base: &'a str) -> Self {
        Self { http, base: base.trim_end_matches('/') }
    }

    /// Its account of itself.
    pub async fn status(&self) -> Result<Status, String> {
        self.json("/status").await
    }

    /// The consensus keys of the set that decides the next block, as it has it.
    pub async fn voters(&self) -> Result<Vec<PublicKey>, String> {
        let set: Vec<ValidatorInfo> = self.json("/validators").await?;
        Ok(set.iter().map(|validator| validator.consensus_key).collect())
    }

    /// Genesis as it has it: whoever takes it compares the fingerprint.
    pub async fn genesis(&self) -> Result<chain_types::Genesis, String> {
        self.json("/genesis").await
    }

    /// Header and commit certificate of the first block, as bytes.
    pub async fn first_block(&self) -> Result<(Vec<u8>, Vec<u8>), String> {
        let header = self.bytes("/blocks/1/header").await?;
        Ok((header.to_vec(), self.bytes("/blocks/1/certificate").await?.to_vec()))
    }

    /// Has it take over peers and tokens, at its admin address: of its file, or of `text` where the file follows later. The error is
    /// the node's own words.
    pub async fn reload(&self, admin_token: &str, text: Option<String>) -> Result<(), String> {
        let request = self.http.post(self.url("/reload")).bearer_auth(admin_token).timeout(RELOAD_WITHIN);
        let request = match text {
            Some(text) => request.body(text),
            None => request,
        };
        let response = request.send().await.map_err(|error| innermost(&error.without_url()))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(format!("it refused to reload: {}", response.text().await.unwrap_or_default()))
    }

    async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let body = answer(self.http.get(self.url(path)).timeout(ANSWER_WITHIN)).await?;
        serde_json::from_slice(&body).map_err(|error| format!("the answer is not what the API says: {error}"))
    }

    async fn bytes(&self, path: &str) -> Result<Bytes, String> {
        answer(self.http.get(self.url(path)).timeout(READ_WITHIN)).await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

async fn answer(request: RequestBuilder) -> Result<Bytes, String> {
    let read = async { request.send().await?.error_for_status()?.bytes().await };
    read.await.map_err(|error| innermost(&error.without_url()))
}

/// What a person can act upon: "connection refused" rather than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// `http://` and `host:port`.
pub fn http(address: &str) -> String {
    format!("http://{address}")
}

/// Addresses as [`Client`](crate::Client) takes them; one that is none is left out.
pub fn endpoints<'b>(bases: impl IntoIterator<Item = &'b str>) -> Vec<Url> {
    bases.into_iter().filter_map(|base| base.parse().ok()).collect()
}
