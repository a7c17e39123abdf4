//! How the console talks to a chain's nodes: the addresses of those that answer, and the bearer token that opens their reads. The token
//! is made once a chain, sealed in SQL; the nodes' configuration holds its hash.
//!
//! What comes back is not verified here: whoever needs proof asks for evidence or follows blocks with their certificates.

use super::object_name;
use crate::app::App;
use crate::error::{Error, Result};
use crate::names::{Name, random_bytes};
use crate::text::Message;
use crate::time::now_ms;
use chain_types::Hash;
use chain_types::api::Problem;
use serde::de::DeserializeOwned;
use std::time::Duration;
use zeroize::Zeroizing;

/// A way to a chain's nodes.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Those that answer and are caught up first.
    bases: Vec<String>,
    token: Zeroizing<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The node understood and said no.
    #[error("{code}: {detail}", code = .0.code, detail = .0.detail)]
    Refused(Problem),
    #[error("no validator of the chain answers")]
    Unreachable,
    #[error("the node's answer does not fit: {0}")]
    Answer(String),
}

impl NodeError {
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(problem) if problem.status == 404)
    }
}

impl From<NodeError> for Error {
    fn from(error: NodeError) -> Self {
        match error {
            NodeError::Refused(problem) if problem.status == 404 => Self::NotFound,
            NodeError::Unreachable => Self::unavailable("chain-unreachable", Message::new("chain-unreachable")),
            other => anyhow::anyhow!("{other}").into(),
        }
    }
}

/// The way to `chain`; an error if there is no such chain. A chain whose nodes are all down has a client that says so when used.
pub async fn client(app: &App, chain: &Name) -> Result<Client> {
    let entry = app.chains.find(&object_name(chain)).ok_or(Error::NotFound)?;
    let view = entry.view();
    let mut nodes: Vec<(bool, bool, String)> = Vec::new();
    for row in &view.status.validators {
        let seen = view.observed.node(row.name);
        if row.voting {
            nodes.extend(row.api.clone().map(|api| (!row.ready, !seen.reachable, format!("http://{api}"))));
        }
    }
    nodes.sort();
    let bases = nodes.into_iter().map(|(.., base)| base).collect();
    Ok(Client { http: app.http.clone(), bases, token: member_token(app, chain).await? })
}

/// The token that opens the chain's nodes; made if there is none yet.
async fn member_token(app: &App, chain: &Name) -> Result<Zeroizing<String>> {
    let purpose = format!("chain-token/{chain}");
    let find = async || {
        sqlx::query_as::<_, (Vec<u8>,)>("select sealed from chain_token where chain = $1")
            .bind(chain.as_str())
            .fetch_optional(app.db.pool())
            .await
    };
    let sealed = match find().await? {
        Some((sealed,)) => sealed,
        None => {
            let token = Zeroizing::new(hex::encode(*Zeroizing::new(random_bytes::<32>())));
            sqlx::query(
                "insert into chain_token (chain, hash, sealed, created_ms) values ($1, $2, $3, $4) on conflict (chain) do nothing",
            )
            .bind(chain.as_str())
            .bind(Hash::of(token.as_bytes()).to_string())
            .bind(app.sealing.seal(&purpose, token.as_bytes()))
            .bind(now_ms())
            .execute(app.db.pool())
            .await?;
            find().await?.ok_or(Error::NotFound)?.0
        }
    };
    let opened =
        app.sealing.open(&purpose, &sealed).map_err(|error| anyhow::anyhow!("the token of {chain}: {error}"))?;
    let text = String::from_utf8(opened.to_vec()).map_err(|_| anyhow::anyhow!("the token of {chain} is no text"))?;
    Ok(Zeroizing::new(text))
}

/// What the nodes of the chain know the token by.
pub async fn member_token_hash(app: &App, chain: &Name) -> Result<Hash> {
    Ok(Hash::of(member_token(app, chain).await?.as_bytes()))
}

impl Client {
    /// `http://address:port` of each validator, the best first.
    pub fn bases(&self) -> &[String] {
        &self.bases
    }

    /// The bearer token for what is not public.
    pub fn token(&self) -> &str {
        &self.token
    }

    pub fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Reads JSON from the first node that answers. `path` starts with a slash.
    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, NodeError> {
        let bytes = self.bytes(path).await?;
        serde_json::from_slice(&bytes).map_err(|error| NodeError::Answer(error.to_string()))
    }

    /// Reads bytes from the first node that answers. A node that says no is believed: it has an answer.
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>, NodeError> {
        for base in &self.bases {
            let request = self.http.get(format!("{base}{path}")).bearer_auth(self.token.as_str());
            let Ok(response) = request.timeout(Duration::from_secs(8)).send().await else { continue };
            if response.status().is_server_error() {
                continue;
            }
            return body(response).await;
        }
        Err(NodeError::Unreachable)
    }
}

async fn body(response: reqwest::Response) -> Result<Vec<u8>, NodeError> {
    let status = response.status();
    let bytes = response.bytes().await.map_err(|error| NodeError::Answer(error.to_string()))?;
    if status.is_success() {
        return Ok(bytes.to_vec());
    }
    Err(NodeError::Refused(serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem {
        kind: "about:blank".to_owned(),
        title: status.to_string(),
        status: status.as_u16(),
        code: "unexpected".to_owned(),
        detail: String::from_utf8_lossy(&bytes).chars().take(200).collect(),
    })))
}
