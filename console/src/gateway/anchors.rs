//! Anchors: digests, alone or in batches, or a record of an application; how each stands, and its evidence.

use super::idempotency::{self, Claimed};
use super::keys::Caller;
use super::{accounts, applications, batches};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::error::{Error, Result};
use crate::names::random_id;
use crate::outbox::{self, Origin, Outcome, Standing};
use crate::reach::Way;
use crate::service::witness;
use crate::text::Message;
use crate::time::now_ms;
use axum::http::StatusCode;
use chain_client::Proven;
use chain_types::api::{Committed, TxStatus};
use chain_types::limits::MAX_DIGESTS;
use chain_types::manifest::{arguments_from_json, module_spec};
use chain_types::{Hash, TxId};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// The body of `POST /anchors`: `digest`, or `digests`, or `application` with `fields` and `files`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Body {
    pub digest: Option<String>,
    pub digests: Option<Vec<String>>,
    pub application: Option<String>,
    pub instance: Option<String>,
    pub fields: Option<Json>,
    pub files: Option<Json>,
}

/// An anchor as it stands.
#[derive(Debug, Serialize)]
pub struct Anchor {
    pub id: String,
    pub chain: String,
    /// queued | committed | provable | refused | rejected
    pub state: &'static str,
    pub count: i64,
    /// The first twenty.
    pub digests: Vec<String>,
    pub tx: String,
    pub created_ms: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_ms: Option<u64>,
    /// Place of the first digest in the chain's log; the others follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// Of a record: what it was given by the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Json>,
    /// The last difficulty of what is still queued.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    chain: String,
    root: String,
    position: i64,
    count: i64,
    digests: Vec<u8>,
    created_ms: i64,
}

fn unprocessable(code: &'static str, message: Message) -> Error {
    Error::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, code, message }
}

/// Takes digests or a record to be anchored.
pub async fn create(
    app: &App,
    caller: &Caller,
    way: &Arc<Way>,
    idempotency_key: Option<&str>,
    body: &[u8],
) -> Result<Json> {
    let parsed = parse(body).map_err(|error| {
        Error::bad_request("bad-json", Message::new("error-bad-json-help").with("reason", error.to_string()))
    })?;
    let path = format!("{}/anchors", way.chain);
    let claim = match idempotency::claim(app, &caller.key_id, idempotency_key, &path, body).await? {
        Claimed::Free => None,
        Claimed::First(claim) => Some(claim),
        Claimed::Answered(answer) => return Ok(answer),
    };
    match (&parsed.digest, &parsed.digests, &parsed.application) {
        (Some(digest), None, None) => {
            let digests = digests_of(std::slice::from_ref(digest))?;
            let signer = accounts::signer(app, caller, way).await?;
            batches::add(app, way, signer, &caller.key_id, digests, claim).await
        }
        (None, Some(digests), None) => {
            let digests = digests_of(digests)?;
            let signer = accounts::signer(app, caller, way).await?;
            batches::add(app, way, signer, &caller.key_id, digests, claim).await
        }
        (None, None, Some(application)) => record(app, caller, way, application, &parsed, claim).await,
        _ => Err(unprocessable("anchor-what", Message::new("error-anchor-what-help"))),
    }
}

/// An object and nothing else: a list of values would be read by the order of the fields.
fn parse(body: &[u8]) -> Result<Body, serde_json::Error> {
    let object: serde_json::Map<String, Json> = serde_json::from_slice(body)?;
    serde_json::from_value(Json::Object(object))
}

fn digests_of(texts: &[String]) -> Result<Vec<Hash>> {
    if texts.is_empty() || texts.len() > MAX_DIGESTS {
        return Err(unprocessable("digest-count", Message::new("error-digest-count-help").with("n", MAX_DIGESTS)));
    }
    let digest = |text: &String| {
        text.parse()
            .map_err(|_| unprocessable("bad-digest", Message::new("error-bad-digest-help").with("digest", text)))
    };
    texts.iter().map(digest).collect()
}

async fn record(
    app: &App,
    caller: &Caller,
    way: &Way,
    application: &str,
    body: &Body,
    claim: Option<idempotency::Claim>,
) -> Result<Json> {
    let (name, instance) = applications::instance(way, application, body.instance.as_deref()).await?;
    let spec = module_spec(instance.module).and_then(|module| module.calls.iter().find(|call| call.name == "anchor"));
    let spec = spec.ok_or(Error::NotFound)?;
    let mut given = json!({ "fields": body.fields.clone().unwrap_or_else(|| json!({})) });
    if let Some(files) = &body.files {
        given["files"] = files.clone();
    }
    let args = arguments_from_json(spec, Some(&instance), &given).map_err(|fault| {
        let message =
            Message::new("error-bad-argument-help").with("path", &fault.path).with("reason", &fault.reason.en);
        unprocessable("bad-argument", message)
    })?;
    let files = files_of(body)?;
    let signer = accounts::signer(app, caller, way).await?;
    let transaction = outbox::sign(app, way.chain.as_str(), &signer, (application, &name, "anchor"), args).await?;
    let id = random_id();
    let answer = batches::answer(way, &id, files.len(), &transaction);
    let mut tx = app.db.write().await?;
    let origin = Origin { what: "anchors", signer: Some(&signer) };
    let root = outbox::send(&mut tx, &way.chain, &transaction, origin).await?.to_string();
    let after = json!({ "application": application, "instance": name, "tx": root, "key": caller.key_id });
    let entry = Entry::done("anchor.record", "chain", way.chain.as_str()).of(Some(&caller.tenant)).after(after);
    audit::record(&mut tx, Actor::System, entry).await?;
    sqlx::query(
        "insert into anchor (id, tenant, chain, key_id, root, position, count, digests, created_ms)
         values ($1, $2, $3, $4, $5, 0, $6, $7, $8)",
    )
    .bind(&id)
    .bind(caller.tenant.as_str())
    .bind(way.chain.as_str())
    .bind(&caller.key_id)
    .bind(&root)
    .bind(files.len() as i64)
    .bind(files.iter().flat_map(|digest| digest.0).collect::<Vec<u8>>())
    .bind(now_ms())
    .execute(&mut *tx)
    .await?;
    if let Some(claim) = &claim {
        idempotency::keep(&mut tx, claim, &answer).await?;
    }
    tx.commit().await?;
    app.outbox.wake();
    Ok(answer)
}

fn files_of(body: &Body) -> Result<Vec<Hash>> {
    let Some(files) = &body.files else { return Ok(Vec::new()) };
    let texts: Vec<String> = serde_json::from_value(files.clone())
        .map_err(|_| unprocessable("bad-digest", Message::new("error-bad-digest-help").with("digest", files)))?;
    if texts.is_empty() { Ok(Vec::new()) } else { digests_of(&texts) }
}

async fn find(app: &App, caller: &Caller, chain: &str, id: &str) -> Result<Row> {
    let row: Option<Row> = sqlx::query_as(
        "select id, chain, root, position, count, digests, created_ms from anchor where id = $1 and chain = $2 and tenant = $3",
    )
    .bind(id)
    .bind(chain)
    .bind(caller.tenant.as_str())
    .fetch_optional(app.db.pool())
    .await?;
    row.ok_or(Error::NotFound)
}

/// How an anchor stands.
pub async fn show(app: &App, caller: &Caller, way: &Way, id: &str) -> Result<Anchor> {
    let row = find(app, caller, way.chain.as_str(), id).await?;
    let standing = outbox::find(app, &row.root).await?.ok_or(Error::NotFound)?;
    Ok(anchor(way, row, standing).await)
}

async fn anchor(way: &Way, row: Row, standing: Standing) -> Anchor {
    let digests = row.digests.chunks(32).take(20).map(hex::encode).collect();
    let mut anchor = Anchor {
        id: row.id,
        chain: row.chain,
        state: "queued",
        count: row.count,
        digests,
        tx: standing.tx,
        created_ms: row.created_ms,
        height: None,
        time_ms: None,
        entry: None,
        number: None,
        refusal: None,
        last_error: None,
    };
    match standing.outcome {
        Outcome::Committed(result) => {
            anchor.state = if result.applied { "provable" } else { "refused" };
            learn(&mut anchor, &result, row.position);
        }
        Outcome::Rejected { reason } => (anchor.state, anchor.last_error) = ("rejected", Some(reason)),
        Outcome::Expired => anchor.state = "rejected",
        Outcome::Waiting { last_error } => {
            anchor.last_error = last_error;
            // A block may hold it that no later one proves yet; so says the node.
            if let Ok(id) = anchor.tx.parse::<TxId>()
                && let Ok(info) = way.client.transaction(id).await
                && let TxStatus::Committed(result) = info.status
            {
                anchor.state = if result.applied { "committed" } else { "refused" };
                learn(&mut anchor, &result, row.position);
            }
        }
    }
    anchor
}

fn learn(anchor: &mut Anchor, result: &Committed, position: i64) {
    (anchor.height, anchor.time_ms) = (Some(result.height), Some(result.time_ms));
    // The call's own entry comes first, then one a digest.
    anchor.entry = result.entry.map(|entry| entry + u64::from(anchor.count > 0) + position.unsigned_abs());
    anchor.refusal = result.refusal.as_ref().map(|refusal| json!(refusal));
    let numbers = result.events.iter().filter_map(|event| event.fields.get("number").and_then(Json::as_str));
    anchor.number = numbers.map(str::to_owned).next();
}

/// Verified evidence of one of an anchor's digests, the first unless another is named; of the call itself if it has none.
pub async fn evidence(app: &App, caller: &Caller, way: &Way, id: &str, digest: Option<&str>) -> Result<Vec<u8>> {
    Ok(proven(app, caller, way, id, digest).await?.bytes)
}

/// What the city chain stored of the chain since: proves the history of that evidence.
pub async fn city_proof(app: &App, caller: &Caller, way: &Way, id: &str, digest: Option<&str>) -> Result<Vec<u8>> {
    let proven = proven(app, caller, way, id, digest).await?;
    witness::proof(app, way, &proven).await
}

async fn proven(app: &App, caller: &Caller, way: &Way, id: &str, digest: Option<&str>) -> Result<Proven> {
    let row = find(app, caller, way.chain.as_str(), id).await?;
    let standing = outbox::find(app, &row.root).await?.ok_or(Error::NotFound)?;
    let digests: Vec<Hash> = row.digests.chunks(32).filter_map(Hash::from_slice).collect();
    let place = match digest {
        Some(text) => digests.iter().position(|known| known.to_string() == text).ok_or(Error::NotFound)?,
        None => 0,
    };
    let Outcome::Committed(result) = &standing.outcome else {
        return Err(Error::conflict("not-provable-yet", Message::new("error-not-provable-yet-help")));
    };
    let Some(first) = result.entry else {
        return Err(Error::conflict("anchor-refused", Message::new("error-anchor-refused-help")));
    };
    let proven = match digests.get(place) {
        Some(_) => way.client.evidence_of_entry(first + 1 + row.position.unsigned_abs() + place as u64).await,
        None => way.client.evidence_of_entry(first).await,
    };
    let proven = proven.map_err(node_error)?;
    if digests.get(place).is_some_and(|digest| proven.report.digest != Some(*digest)) {
        return Err(anyhow::anyhow!("evidence of anchor {id} is about another digest").into());
    }
    Ok(proven)
}

/// What a person can do about a node that does not answer well.
pub fn node_error(error: chain_client::Error) -> Error {
    if error.is_not_found() {
        return Error::NotFound;
    }
    tracing::warn!(%error, "a chain gave no usable answer");
    Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help"))
}
