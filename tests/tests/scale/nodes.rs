//! The nodes of every chain at once: one address answers for all of them, each by its path, from what the operator itself has
//! written: genesis, configurations and keys. Every node is at block 1, which all founders have signed with their own keys.

use std::future::ready;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chain_types::certificate::{Vote, VoteKind};
use chain_types::crypto::SigningKey;
use chain_types::encoding::Encode;
use chain_types::{BlockId, CommitCertificate, Genesis, Hash, Header};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::reflector::{ObjectRef, Store, store};
use kube::runtime::{reflector, watcher};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Where `.make/scale` tells the operator that all nodes are.
const ADDRESS: &str = "10.244.0.1:9180";

/// What the operator has written of all chains.
#[derive(Clone)]
struct Written {
    secrets: Store<Secret>,
    texts: Store<ConfigMap>,
    started_ms: u64,
}

/// Ends when it is dropped.
pub struct Nodes(tokio::task::JoinHandle<()>);

impl Drop for Nodes {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Answers from now on.
pub async fn serve() -> Nodes {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::try_default().await.unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let started_ms = u64::try_from(now.as_millis()).unwrap();
    let written = Written { secrets: followed(&client), texts: followed(&client), started_ms };
    let app = Router::new()
        .route("/{namespace}/{chain}/{validator}/reload", post(|| ready(StatusCode::OK)))
        .route("/{namespace}/{chain}/{validator}/{*what}", get(answer))
        .with_state(written);
    let listener = tokio::net::TcpListener::bind(ADDRESS).await.unwrap();
    Nodes(tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}

/// All objects of a kind that belong to a chain, as they are now.
fn followed<K>(client: &Client) -> Store<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (reader, writer) = store();
    let ours = watcher::Config::default().labels("citychain.dev/chain");
    let changes = reflector(writer, watcher(Api::<K>::all(client.clone()), ours).default_backoff());
    tokio::spawn(changes.for_each(|_| ready(())));
    reader
}

impl Written {
    fn text(&self, namespace: &str, name: &str, entry: &str) -> Option<String> {
        let found = self.texts.get(&ObjectRef::new(name).within(namespace))?;
        found.data.as_ref()?.get(entry).cloned()
    }

    fn genesis(&self, namespace: &str, chain: &str) -> Option<Genesis> {
        serde_json::from_str(&self.text(namespace, &format!("{chain}-genesis"), "genesis.json")?).ok()
    }

    fn consensus_key(&self, namespace: &str, chain: &str, validator: &str) -> Option<SigningKey> {
        let name = format!("{chain}-{validator}-keys");
        let secret = self.secrets.get(&ObjectRef::new(&name).within(namespace))?;
        let text = String::from_utf8(secret.data.as_ref()?.get("consensus.key")?.0.clone()).ok()?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).ok()?;
        Some(SigningKey::from_seed(&seed))
    }

    fn status(&self, namespace: &str, chain: &str, validator: &str) -> Option<Value> {
        let genesis = self.genesis(namespace, chain)?;
        let founder = genesis.validators.iter().find(|founder| founder.name == validator)?;
        let config = self.text(namespace, &format!("{chain}-{validator}-config"), "node.toml")?;
        let first = first_block(&genesis);
        Some(json!({
            "name": validator, "chain_id": genesis.chain_id, "fingerprint": genesis.fingerprint(), "version": super::VERSION,
            "pid": 1, "started_ms": self.started_ms, "consensus_key": founder.validator.consensus_key, "validator": true,
            "height": 1, "block_id": first.id(), "block_time_ms": self.started_ms, "round_height": 2, "round": 0,
            "peer_height": 1, "caught_up": true, "state_root": first.state_root, "log_size": 0, "phase": "idle",
            "pending_since_ms": null, "pending": 0, "validators": genesis.validators.len(), "quorum": 3, "peers": [],
            "disk_free_bytes": 1u64 << 40, "config": Hash::of(config.as_bytes()),
        }))
    }

    fn certificate(&self, namespace: &str, chain: &str) -> Option<CommitCertificate> {
        let genesis = self.genesis(namespace, chain)?;
        let (set, id) = (genesis.validator_set(), first_block(&genesis).id());
        let fingerprint = genesis.fingerprint();
        let vote = Vote { fingerprint, kind: VoteKind::Precommit, height: 1, round: 0, id: Some(id) };
        let mut signatures = Vec::new();
        for founder in &genesis.validators {
            let key = self.consensus_key(namespace, chain, &founder.name)?;
            signatures.push((u32::try_from(set.index_of(&key.public())?).ok()?, key.sign(&vote.to_bytes())));
        }
        signatures.sort_by_key(|(place, _)| *place);
        Some(CommitCertificate { height: 1, round: 0, id, signatures })
    }
}

fn first_block(genesis: &Genesis) -> Header {
    let (fingerprint, set) = (genesis.fingerprint(), genesis.validator_set());
    let (validators_hash, nothing) = (set.hash(), Hash::of(&[]));
    Header {
        version: genesis.rules,
        fingerprint,
        height: 1,
        round: 0,
        time_ms: genesis.time_ms + 1,
        parent: BlockId(fingerprint.0),
        tx_root: nothing,
        validators_hash,
        next_validators_hash: validators_hash,
        proposer: genesis.validators[0].validator.consensus_key,
        state_root: nothing,
        log_size: 0,
        log_root: nothing,
        results_root: nothing,
    }
}

fn validators(genesis: &Genesis) -> Value {
    let set = genesis.validator_set();
    let row = |(index, validator): (usize, &chain_types::Validator)| json!({"index": index, "consensus_key": validator.consensus_key, "organisation": validator.organisation, "power": 1});
    set.validators().iter().enumerate().map(row).collect()
}

async fn answer(
    State(written): State<Written>,
    Path((namespace, chain, validator, what)): Path<(String, String, String, String)>,
) -> Response {
    let genesis = || written.genesis(&namespace, &chain);
    let answer = match what.as_str() {
        "status" => written.status(&namespace, &chain, &validator).map(|status| Json(status).into_response()),
        "validators" => genesis().map(|genesis| Json(validators(&genesis)).into_response()),
        "genesis" => genesis().map(|genesis| Json(genesis).into_response()),
        "blocks/1/header" => genesis().map(|genesis| first_block(&genesis).to_bytes().into_response()),
        "blocks/1/certificate" => {
            written.certificate(&namespace, &chain).map(|certificate| certificate.to_bytes().into_response())
        }
        _ => None,
    };
    answer.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}
