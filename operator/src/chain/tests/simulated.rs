//! A cluster in memory: the mock API server, pods that "run" when the test says so, and nodes that answer over HTTP from what the
//! Secrets and ConfigMaps say.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::AtomicBool},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use chain_types::{
    PublicKey, Transaction, ValidatorSet,
    api::{Committed, TxInfo, TxStatus, ValidatorInfo},
    crypto::SigningKey,
    encoding::from_value,
    membership::Change,
};
use operator_api::ChainStatus;
use serde_json::{Value, json};

use crate::{
    chain::{
        city::{City, KnownTenant},
        keys,
        worker::{Common, Worker},
    },
    clock::now_ms,
    config::{Config, tests::FILE},
    context::Context,
    mock::ApiServer,
};

pub const CHAIN: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chains/main";
const TENANT: &str = "/apis/citychain.dev/v1alpha1/tenants/notary";
const CORE: &str = "/api/v1/namespaces/tenant-notary";

/// Simulated nodes: the answer of each validator's `/status` and `/validators`.
#[derive(Clone, Default)]
pub struct Nodes(Arc<Mutex<Answers>>);

#[derive(Default)]
struct Answers {
    status: BTreeMap<String, Value>,
    set: Option<ValidatorSet>,
    /// Every change of the set that was made.
    changes: Vec<Change>,
    genesis: Value,
}

impl Nodes {
    pub fn stop_all(&self) {
        self.0.lock().unwrap().status.clear();
    }

    /// Every change of the voting set so far.
    pub fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap().changes.clone()
    }

    pub fn voters(&self) -> Vec<PublicKey> {
        let answers = self.0.lock().unwrap();
        answers.set.iter().flat_map(ValidatorSet::validators).map(|validator| validator.consensus_key).collect()
    }
}

pub struct Cluster {
    pub server: ApiServer,
    pub nodes: Nodes,
    common: Arc<Common>,
}

impl Cluster {
    /// With tenant and chain, and nothing else.
    pub async fn start() -> Self {
        let (server, nodes) = (ApiServer::default(), Nodes::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new()
            .route("/{namespace}/{chain}/{validator}/{*what}", get(answer).post(submit))
            .with_state(nodes.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let mut config = Config::parse(FILE).unwrap();
        config.node_address = Some(format!("http://{address}/{{namespace}}/{{chain}}/{{validator}}"));
        let context = Context::new(server.client(), config, "operator-0").unwrap();
        let common = Common { context, city: City::default().into(), monitors: AtomicBool::new(false) };
        let cluster = Self { server, nodes, common: Arc::new(common) };
        cluster.put_tenant();
        cluster.put_chain();
        cluster
    }

    /// A chain whose four validators run.
    pub async fn running(&self) -> Worker {
        let mut worker = self.operator();
        self.passes(&mut worker, 6).await;
        self.run_pods();
        self.passes(&mut worker, 3).await;
        assert_eq!(self.status().validators_ready, 4);
        self.server.writes();
        worker
    }

    fn put_tenant(&self) {
        let organisation = |id: &str, key: u8| {
            let public = SigningKey::from_seed(&[key; 32]).public().to_string();
            json!({"id": id, "title": {"zh": id, "en": id}, "custody": "self", "publicKey": public})
        };
        let tenant = json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "notary"},
            "spec": {
                "title": {"zh": "公证处", "en": "Notary office"},
                "organisations": [organisation("notary-office", 1), organisation("court", 2)],
                "quota": {"chains": 2, "validators": 16, "storageGib": 200},
            },
        });
        self.server.put(TENANT, tenant);
        let stored = serde_json::from_value(self.server.get(TENANT).unwrap()).unwrap();
        let tenant = KnownTenant::read(&stored).unwrap();
        self.common.city.write().unwrap().tenants.insert("notary".parse().unwrap(), tenant);
    }

    /// The self-check is remembered as done: simulated nodes have no blocks to check.
    pub fn put_chain(&self) {
        let done = json!([{"id": "self-check", "state": "done", "startedMs": 1, "endedMs": 2}]);
        let chain = json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "Chain",
            "metadata": {"name": "main", "generation": 1, "creationTimestamp": "2026-03-01T08:00:00Z"},
            "spec": {
                "tenant": "notary", "title": {"zh": "公证链", "en": "Notary chain"},
                "validators": {"count": 4}, "version": "0.1.0",
            },
            "status": {"steps": done},
        });
        self.server.put(CHAIN, chain);
    }

    pub fn operator(&self) -> Worker {
        Worker::new(self.common.clone())
    }

    /// Passes as if some child had changed before each.
    pub async fn passes(&self, worker: &mut Worker, count: usize) {
        for _ in 0..count {
            let Some(chain) = self.server.get(CHAIN) else { return };
            worker.pass(&serde_json::from_value(chain).unwrap(), true).await.unwrap();
        }
    }

    pub fn change(&self, path: &str, change: impl FnOnce(&mut Value)) {
        let mut object = self.server.get(path).unwrap();
        change(&mut object);
        self.server.put(path, object);
    }

    pub fn set(&self, number: u32) -> Value {
        let path = format!("/apis/apps/v1/namespaces/tenant-notary/statefulsets/main-validator-{number}");
        self.server.get(&path).unwrap()
    }

    pub fn status(&self) -> ChainStatus {
        serde_json::from_value(self.server.get(CHAIN).unwrap()["status"].clone()).unwrap()
    }

    pub fn end_pods(&self) {
        for number in 1..=4 {
            self.server.remove(&format!("{CORE}/pods/main-validator-{number}-0"));
        }
    }

    /// Every set has a running pod of its template, with a volume, and its node answers.
    pub fn run_pods(&self) {
        let genesis = self.server.get(&format!("{CORE}/configmaps/main-genesis")).unwrap();
        let genesis: Value = serde_json::from_str(genesis["data"]["genesis.json"].as_str().unwrap()).unwrap();
        let parsed: chain_types::Genesis = serde_json::from_value(genesis.clone()).unwrap();
        let mut answers = self.nodes.0.lock().unwrap();
        answers.set.get_or_insert_with(|| parsed.validator_set());
        answers.genesis = genesis;
        for (number, founder) in (1u64..).zip(&parsed.validators) {
            let (name, stateful) = (&founder.name, self.set(u32::try_from(number).unwrap()));
            let pod = format!("{CORE}/pods/main-{name}-0");
            if self.server.get(&pod).is_some_and(|pod| pod["metadata"]["deletionTimestamp"].is_null()) {
                continue;
            }
            self.server.remove(&pod);
            let metadata = &stateful["spec"]["template"]["metadata"];
            self.server.put(&pod, json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"labels": metadata["labels"], "annotations": metadata["annotations"], "creationTimestamp": "2026-03-01T08:00:00Z"},
                "spec": {"nodeName": format!("machine-{number}")},
                "status": {"phase": "Running", "containerStatuses": [{
                    "name": "chain-node", "image": "", "imageID": "", "ready": true, "restartCount": 0,
                    "state": {"running": {"startedAt": "2026-03-01T08:00:05Z"}},
                }]},
            }));
            let claim = format!("{CORE}/persistentvolumeclaims/data-main-{name}-0");
            if self.server.get(&claim).is_none() {
                let room = &stateful["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"];
                self.server.put(&claim, json!({
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"labels": metadata["labels"]},
                    "spec": {"storageClassName": "local", "resources": {"requests": room}}, "status": {"capacity": room},
                }));
            }
            let config = self.server.get(&format!("{CORE}/configmaps/main-{name}-config")).unwrap();
            let peer = |other: &chain_types::genesis::GenesisValidator| {
                json!({
                    "name": other.name, "organisation": other.validator.organisation, "connected": true, "height": 12, "since_ms": 1,
                    "version": "0.1.0", "clock_offset_ms": 0,
                })
            };
            let peers: Vec<Value> = parsed.validators.iter().filter(|other| other.name != *name).map(peer).collect();
            let loaded = chain_types::Hash::of(config["data"]["node.toml"].as_str().unwrap().as_bytes());
            answers.status.insert(name.clone(), json!({
                "name": name, "chain_id": parsed.chain_id, "fingerprint": parsed.fingerprint(), "version": "0.1.0", "pid": 1,
                "started_ms": 1, "consensus_key": founder.validator.consensus_key, "validator": true, "height": 12,
                "block_id": chain_types::Hash([0; 32]), "block_time_ms": now_ms() - 8_000, "round_height": 13, "round": 0, "peer_height": 12,
                "caught_up": true, "state_root": chain_types::Hash([0; 32]), "log_size": 0, "phase": "idle", "pending_since_ms": null,
                "pending": 0, "validators": 4, "quorum": 3, "peers": peers, "disk_free_bytes": 1u64 << 40, "config": loaded,
            }));
        }
    }

    /// Its pod seems to run and answers nothing any more.
    pub fn silence(&self, number: u32) {
        self.nodes.0.lock().unwrap().status.remove(&format!("validator-{number}"));
    }

    pub fn secret(&self, number: u32) -> Value {
        self.server.get(&format!("{CORE}/secrets/main-validator-{number}-keys")).unwrap()
    }

    /// The public side of an entry of a validator's Secret.
    pub fn public(&self, number: u32, entry: &str) -> Option<PublicKey> {
        let secret = serde_json::from_value(self.secret(number)).unwrap();
        keys::public(&secret, entry)
    }

    /// What happens by itself: each node holds what its Secret has, and takes over what the set names.
    pub fn nodes_go_on(&self) {
        for number in 1..=4 {
            let next = self.public(number, &keys::next_entry(keys::CONSENSUS));
            let voters = self.nodes.voters();
            let mut answers = self.nodes.0.lock().unwrap();
            let Some(status) = answers.status.get_mut(&format!("validator-{number}")) else { continue };
            let own: PublicKey = serde_json::from_value(status["consensus_key"].clone()).unwrap();
            let held: Option<PublicKey> = serde_json::from_value(status["next_key"].clone()).unwrap();
            // What it held before the vote is what it takes over.
            let now = held.filter(|key| voters.contains(key)).unwrap_or(own);
            status["consensus_key"] = json!(now);
            status["validator"] = json!(voters.contains(&now));
            status["next_key"] = json!(next.filter(|key| *key != now));
        }
    }
}

async fn submit(
    State(nodes): State<Nodes>,
    Path((_, _, _, what)): Path<(String, String, String, String)>,
    body: Bytes,
) -> Result<Json<TxInfo>, StatusCode> {
    if what != "transactions" {
        return Err(StatusCode::NOT_FOUND);
    }
    let tx = Transaction::decode(&body).map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    let chain_types::Value::Map(args) = &tx.call().args else { return Err(StatusCode::UNPROCESSABLE_ENTITY) };
    let change: Change = from_value(&args[0].1).map_err(|_| StatusCode::UNPROCESSABLE_ENTITY)?;
    let mut answers = nodes.0.lock().unwrap();
    let set = answers.set.as_ref().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    let after = change.apply(set).map_err(|_| StatusCode::CONFLICT)?;
    answers.set = Some(after);
    answers.changes.push(change);
    let committed = Committed {
        height: 13,
        position: 0,
        time_ms: now_ms(),
        sealed: false,
        applied: true,
        refusal: None,
        events: Vec::new(),
        entry: None,
        entries: 1,
    };
    Ok(Json(TxInfo { id: tx.id(), status: TxStatus::Committed(committed) }))
}

async fn answer(
    State(nodes): State<Nodes>,
    Path((_, _, validator, what)): Path<(String, String, String, String)>,
) -> Result<Json<Value>, StatusCode> {
    let answers = nodes.0.lock().unwrap();
    let status = answers.status.get(&validator).ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    match what.as_str() {
        "status" => Ok(Json(status.clone())),
        "validators" => {
            let set = answers.set.iter().flat_map(ValidatorSet::validators);
            let one = |(index, validator): (u64, &chain_types::Validator)| ValidatorInfo {
                index,
                consensus_key: validator.consensus_key,
                organisation: validator.organisation.clone(),
                power: 1,
            };
            Ok(Json(json!((0..).zip(set).map(one).collect::<Vec<_>>())))
        }
        "genesis" => Ok(Json(answers.genesis.clone())),
        _ => Err(StatusCode::NOT_FOUND),
    }
}
