//! A chain of one validator inside the test process: real headers, certificates, log and evidence, a handful of calls. It stands where a
//! node would, because a node is another crate's; journeys on real nodes are the workspace's tests.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event as SseEvent, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use chain_client::Client;
use chain_types::account::AccountStatus;
use chain_types::api::{BlockMessage, Problem, TxInfo, TxStatus, value_to_json};
use chain_types::crypto::SigningKey;
use chain_types::encoding::{Encode, from_value, read_value, to_value, to_vec};
use chain_types::evidence::{Evidence, Record, Subject};
use chain_types::genesis::{GenesisOrganisation, GenesisValidator, Governance, Membership, Text};
use chain_types::log_entry::{DigestEntry, call_entry};
use chain_types::merkle::{Frontier, inclusion_proof, leaf_hash, root_of_leaves};
use chain_types::outcome::{Refusal, results_root};
use chain_types::state::{account_key, key};
use chain_types::{
    Account, Block, BlockId, CommitCertificate, Custody, Event, Genesis, Hash, Header, PublicKey, Transaction, TxId,
    TxOutcome, Validator, Value, Vote, VoteKind,
};
use futures::stream;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

pub const TOKEN: &str = "member";

struct Inner {
    blocks: Vec<(Block, CommitCertificate, Vec<TxOutcome>)>,
    log: Vec<Vec<u8>>,
    state: BTreeMap<Vec<u8>, Vec<u8>>,
    places: HashMap<TxId, (u64, u64)>,
}

pub struct Node {
    pub genesis: Genesis,
    key: SigningKey,
    inner: Mutex<Inner>,
    tip: watch::Sender<u64>,
    /// Takes transactions and forgets them.
    pub forgetful: AtomicBool,
    /// Answers 503.
    pub down: AtomicBool,
    pub submissions: AtomicU64,
    /// The clock's lead.
    pub ahead_ms: AtomicU64,
    pub url: String,
}

type Shared = State<Arc<Node>>;

impl Node {
    /// A running chain on which `administrator` acts for the organisation `notary`.
    pub async fn start(administrator: PublicKey) -> Arc<Self> {
        let key = SigningKey::from_seed(&[1; 32]);
        let public = key.public();
        let validator = Validator {
            consensus_key: public,
            cosigner_key: public,
            log_key: public,
            power: 1,
            organisation: "notary".into(),
        };
        let genesis = Genesis {
            chain_id: "yunchuan.notary.notary".into(),
            profile: "intl".into(),
            rules: 1,
            time_ms: 1_000,
            governance: Governance::Platform,
            membership: Membership::Delegated,
            heartbeat_ms: 600_000,
            trusting_period_ms: 14 * 86_400_000,
            steward: public,
            validators: vec![GenesisValidator { name: "validator-1".into(), validator }],
            organisations: vec![GenesisOrganisation {
                id: "notary".into(),
                title: Text { zh: "公证处".into(), en: "Notary".into() },
                administrator,
                custody: Custody::Platform,
            }],
            operator: "notary".into(),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner { blocks: vec![], log: vec![], state: BTreeMap::new(), places: HashMap::new() };
        let node = Arc::new(Self {
            genesis,
            key,
            inner: Mutex::new(inner),
            tip: watch::channel(0).0,
            forgetful: AtomicBool::new(false),
            down: AtomicBool::new(false),
            submissions: AtomicU64::new(0),
            ahead_ms: AtomicU64::new(0),
            url: format!("http://{}/", listener.local_addr().unwrap()),
        });
        bind(&mut node.lock(), administrator, "administrator", true);
        node.append(vec![]);
        let router = router(node.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        node
    }

    pub fn client(&self) -> Client {
        Client::new(vec![self.url.parse().unwrap()], self.genesis.fingerprint(), Some(TOKEN.into())).unwrap()
    }

    pub fn height(&self) -> u64 {
        *self.tip.borrow()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Whether a committed transaction holds this statement among its arguments.
    pub fn carried(&self, statement: &[u8]) -> bool {
        let inner = self.lock();
        let mut txs = inner.blocks.iter().flat_map(|(block, ..)| &block.txs);
        txs.any(|tx| {
            let tx = Transaction::decode(tx).unwrap();
            argument(&tx, "statement").and_then(Value::as_bytes).is_some_and(|bytes| bytes == statement)
        })
    }

    /// Adds a block; one with transactions is sealed by an empty one.
    pub fn append(&self, txs: Vec<Transaction>) {
        let mut inner = self.lock();
        let again = !txs.is_empty();
        self.add(&mut inner, txs);
        if again {
            self.add(&mut inner, vec![]);
        }
        let height = inner.blocks.len() as u64;
        drop(inner);
        self.tip.send_replace(height);
    }

    fn add(&self, inner: &mut Inner, txs: Vec<Transaction>) {
        let (height, set) = (inner.blocks.len() as u64 + 1, self.genesis.validator_set());
        let (parent, results_root, after) = match inner.blocks.last() {
            Some((block, _, results)) => (block.header.id(), results_root(results), block.header.time_ms),
            None => (BlockId(self.genesis.fingerprint().0), results_root(&[]), self.genesis.time_ms),
        };
        let clock = crate::time::now_ms().unsigned_abs() + self.ahead_ms.load(Ordering::SeqCst);
        let envelopes: Vec<Arc<[u8]>> = txs.iter().map(Transaction::shared_bytes).collect();
        let header = Header {
            version: 1,
            fingerprint: self.genesis.fingerprint(),
            height,
            round: 0,
            time_ms: clock.max(after + 1),
            parent,
            tx_root: Block::tx_root(&envelopes),
            validators_hash: set.hash(),
            next_validators_hash: set.hash(),
            proposer: self.key.public(),
            state_root: Hash::ZERO,
            log_size: inner.log.len() as u64,
            log_root: root_of_leaves(inner.log.iter().map(|entry| leaf_hash(entry))),
            results_root,
        };
        let (fingerprint, id) = (header.fingerprint, header.id());
        let vote = Vote { fingerprint, kind: VoteKind::Precommit, height, round: 0, id: Some(id) };
        let signatures = vec![(0, self.key.sign(&vote.to_bytes()))];
        let certificate = CommitCertificate { height, round: 0, id, signatures };
        let results = txs.iter().map(|tx| execute(inner, height, tx)).collect();
        inner.blocks.push((Block { header, txs: envelopes }, certificate, results));
    }
}

fn bind(inner: &mut Inner, kid: PublicKey, label: &str, administrator: bool) {
    let account = Account {
        organisation: "notary".into(),
        administrator,
        custody: Custody::Platform,
        status: AccountStatus::Active,
        label: label.into(),
    };
    inner.state.insert(account_key(&kid), to_vec(&account).unwrap());
}

fn argument<'a>(tx: &'a Transaction, name: &str) -> Option<&'a Value> {
    tx.call().args.as_map()?.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

/// The few calls that tests make.
fn execute(inner: &mut Inner, height: u64, tx: &Transaction) -> TxOutcome {
    let call = tx.call();
    let first_entry = inner.log.len() as u64;
    let digests: Vec<Hash> = argument(tx, "digests").map(|list| from_value(list).unwrap()).unwrap_or_default();
    let fields = match call.method.as_str() {
        "digests" => json!({ "count": digests.len() }),
        "register" => json!({ "issuer": "notary.example" }),
        "bind_account" => {
            let kid: PublicKey = from_value(argument(tx, "key").unwrap()).unwrap();
            bind(inner, kid, "gateway", false);
            let fields = Value::Map(vec![
                ("key".into(), Value::from(kid.0.as_slice())),
                ("organisation".into(), "notary".into()),
            ]);
            return applied(inner, height, tx, "account_bound", fields, &[]);
        }
        "anchor" => {
            let record = json!({ "status": "anchored", "organisation": "notary", "fields": { "title": "deed" } });
            let key = key(&call.app, &call.instance, "record", b"N-1");
            inner.state.insert(key, to_vec(&record).unwrap());
            json!({ "number": "N-1", "version": 1, "organisation": "notary", "files": 0 })
        }
        _ => {
            let refusal = Refusal { code: "unknown_method".into(), params: Default::default() };
            return TxOutcome { tx: tx.id(), verdict: Err(refusal), first_entry, entries: 0 };
        }
    };
    let name = if call.method == "digests" { "digests_anchored" } else { "anchored" };
    applied(inner, height, tx, name, to_value(&fields).unwrap(), &digests)
}

fn applied(inner: &mut Inner, height: u64, tx: &Transaction, name: &str, fields: Value, digests: &[Hash]) -> TxOutcome {
    let first_entry = inner.log.len() as u64;
    inner.places.insert(tx.id(), (height, first_entry));
    inner.log.push(call_entry(tx.bytes()));
    for (position, digest) in digests.iter().enumerate() {
        let entry = DigestEntry { digest: *digest, tx: tx.id(), position: position as u64, kid: tx.kid() };
        inner.log.push(entry.to_bytes());
    }
    let (app, instance) = (tx.call().app.clone(), tx.call().instance.clone());
    let event = Event { app, instance, name: name.into(), fields };
    TxOutcome { tx: tx.id(), verdict: Ok(vec![event]), first_entry, entries: 1 + digests.len() as u64 }
}

fn router(node: Arc<Node>) -> Router {
    let down = async |State(node): Shared, request: axum::extract::Request, next: axum::middleware::Next| -> Response {
        match node.down.load(Ordering::SeqCst) {
            true => problem(StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            false => next.run(request).await,
        }
    };
    Router::new()
        .route("/readyz", get(async || "ready"))
        .route("/genesis", get(async |State(node): Shared| Json(node.genesis.clone())))
        .route("/transactions", post(submit))
        .route("/blocks/stream", get(blocks))
        .route("/heartbeat", post(async |State(node): Shared| node.append(vec![])))
        .route("/state/value", get(value))
        .route("/state/list", get(list))
        .route("/evidence/transactions/{id}", get(of_transaction))
        .route("/evidence/entries/{index}", get(async |node: Shared, Path(index): Path<u64>| evidence(&node, index)))
        .route("/evidence/digests/{digest}", get(of_digest))
        .route("/digests/{digest}", get(entries))
        .layer(axum::middleware::from_fn_with_state(node.clone(), down))
        .with_state(node)
}

fn problem(status: StatusCode, code: &str) -> Response {
    let title = code.to_owned();
    let body = Problem {
        kind: "about:blank".into(),
        status: status.as_u16(),
        code: code.into(),
        detail: title.clone(),
        title,
    };
    (status, Json(body)).into_response()
}

async fn submit(State(node): Shared, headers: HeaderMap, body: Bytes) -> Response {
    node.submissions.fetch_add(1, Ordering::SeqCst);
    if headers.get(header::AUTHORIZATION).is_none_or(|value| value != format!("Bearer {TOKEN}").as_str()) {
        return problem(StatusCode::UNAUTHORIZED, "unauthorised");
    }
    let Ok(tx) = Transaction::decode(&body) else { return problem(StatusCode::BAD_REQUEST, "malformed") };
    if !tx.verify() {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "signature");
    }
    if !node.lock().state.contains_key(&account_key(&tx.kid())) {
        return problem(StatusCode::FORBIDDEN, "unknown_account");
    }
    let known = node.lock().blocks.iter().any(|(block, _, _)| block.txs.iter().any(|other| **other == *tx.bytes()));
    if !known && !node.forgetful.load(Ordering::SeqCst) {
        node.append(vec![tx.clone()]);
    }
    Json(TxInfo { id: tx.id(), status: TxStatus::Pending }).into_response()
}

#[derive(serde::Deserialize)]
struct From {
    from: u64,
}

async fn blocks(State(node): Shared, Query(asked): Query<From>) -> Response {
    let tip = node.tip.subscribe();
    let stream = stream::unfold((node, tip, asked.from), |(node, mut tip, next)| async move {
        tip.wait_for(|tip| *tip >= next).await.ok()?;
        let (block, certificate, results) = node.lock().blocks[next as usize - 1].clone();
        let message = BlockMessage {
            height: next,
            block: hex::encode(block.to_bytes()),
            certificate: hex::encode(certificate.to_bytes()),
            results: results.iter().map(|result| hex::encode(result.to_bytes())).collect(),
        };
        let event = SseEvent::default().id(next.to_string()).json_data(message).unwrap();
        Some((Ok::<_, Infallible>(event), (node, tip, next + 1)))
    });
    Sse::new(stream).into_response()
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    key: String,
    #[serde(default)]
    prefix: String,
}

fn record(key: &[u8], value: &[u8], height: u64) -> serde_json::Value {
    let json = value_to_json(&read_value(value).unwrap());
    json!({ "key": hex::encode(key), "value": hex::encode(value), "json": json, "height": height })
}

async fn value(State(node): Shared, Query(asked): Query<Asked>) -> Response {
    let key = hex::decode(asked.key).unwrap();
    match node.lock().state.get(&key) {
        Some(value) => Json(record(&key, value, node.height())).into_response(),
        None => problem(StatusCode::NOT_FOUND, "not_found"),
    }
}

async fn list(State(node): Shared, Query(asked): Query<Asked>) -> Response {
    let prefix = hex::decode(asked.prefix).unwrap();
    let inner = node.lock();
    let found = inner.state.iter().filter(|(key, _)| key.starts_with(&prefix));
    Json(found.map(|(key, value)| record(key, value, 0)).collect::<Vec<_>>()).into_response()
}

async fn of_transaction(node: Shared, Path(id): Path<TxId>) -> Response {
    let place = node.lock().places.get(&id).copied();
    place.map_or_else(|| problem(StatusCode::NOT_FOUND, "not_found"), |(_, entry)| evidence(&node, entry))
}

async fn of_digest(node: Shared, Path(digest): Path<Hash>) -> Response {
    match find(&node, digest).first() {
        Some(index) => evidence(&node, *index),
        None => problem(StatusCode::NOT_FOUND, "not_found"),
    }
}

async fn entries(node: Shared, Path(digest): Path<Hash>) -> Response {
    Json(json!({ "entries": find(&node, digest) })).into_response()
}

fn find(node: &Node, digest: Hash) -> Vec<u64> {
    use chain_types::encoding::Decode;
    let inner = node.lock();
    let holds = |entry: &Vec<u8>| DigestEntry::from_bytes(entry).is_ok_and(|entry| entry.digest == digest);
    inner.log.iter().enumerate().filter(|(_, entry)| holds(entry)).map(|(index, _)| index as u64).collect()
}

fn evidence(node: &Node, index: u64) -> Response {
    let inner = node.lock();
    let Some(entry) = inner.log.get(index as usize).cloned() else {
        return problem(StatusCode::NOT_FOUND, "not_found");
    };
    let record = match Transaction::decode(&entry) {
        Ok(_) => Record::Transaction(entry),
        Err(_) => Record::Digest(entry),
    };
    let (height, _) =
        *inner.places.values().filter(|(_, first)| *first <= index).max_by_key(|(_, first)| *first).unwrap();
    let (block, sealing) = (&inner.blocks[height as usize - 1].0.header, &inner.blocks[height as usize]);
    let (mut frontier, mut nodes) = (Frontier::default(), HashMap::new());
    for entry in &inner.log[..sealing.0.header.log_size as usize] {
        frontier.append(leaf_hash(entry), |id, hash| {
            nodes.insert(id, hash);
        });
    }
    let path = inclusion_proof(index, sealing.0.header.log_size, |id| nodes.get(&id).copied().ok_or(id)).unwrap();
    let evidence = Evidence {
        genesis: node.genesis.to_bytes(),
        set_changes: vec![],
        subject: Subject::Act { record, index, path, block: block.clone() },
        account: None,
        sealing: sealing.0.header.clone(),
        certificate: sealing.1.clone(),
    };
    evidence.to_bytes().into_response()
}
