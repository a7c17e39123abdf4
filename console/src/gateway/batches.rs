//! Many small anchor requests become few transactions: requests for one chain and account are gathered for some milliseconds, or until a
//! transaction is full, then written and answered together.

use super::idempotency::{self, Claim};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::error::{Error, Result};
use crate::names::{Name, random_id};
use crate::outbox::{self, Origin, Signer};
use crate::reach::Way;
use crate::text::Message;
use crate::time::now_ms;
use chain_types::limits::MAX_DIGESTS;
use chain_types::{Fingerprint, Hash, Transaction, Value};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long the first request of a batch waits for others.
const WINDOW: Duration = Duration::from_millis(15);
/// Requests waiting for one collector; more are told to come again.
const MOST_WAITING: usize = 20_000;
const ROWS: usize = 200;
/// The method that every chain has for digests without a record.
const CALL: (&str, &str, &str) = ("chain", "anchor", "digests");

type Place = (Fingerprint, Signer);

/// One collector a chain and account.
#[derive(Default)]
pub struct Batches(Mutex<HashMap<Place, mpsc::Sender<Request>>>);

/// A request to anchor some digests.
pub struct Request {
    pub id: String,
    pub key_id: String,
    pub digests: Vec<Hash>,
    pub claim: Option<Claim>,
    answer: oneshot::Sender<Result<Json, String>>,
}

/// Anchors the digests with those of others; answers when all of it is safe in SQL.
pub async fn add(
    app: &App,
    way: &Arc<Way>,
    signer: Signer,
    key_id: &str,
    digests: Vec<Hash>,
    claim: Option<Claim>,
) -> Result<Json> {
    let (answer, answered) = oneshot::channel();
    let request = Request { id: random_id(), key_id: key_id.to_owned(), digests, claim, answer };
    let collector = collector(app, way, signer);
    collector.try_send(request).map_err(|_| Error::TooMany { retry_after_s: 1 })?;
    match answered.await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(reason)) => Err(anyhow::anyhow!("a batch of anchors couldn't be written: {reason}").into()),
        Err(_) => Err(Error::unavailable("stopping", Message::new("error-stopping-help"))),
    }
}

fn collector(app: &App, way: &Arc<Way>, signer: Signer) -> mpsc::Sender<Request> {
    let place = (way.client.fingerprint(), signer.clone());
    let mut collectors = app.gateway.batches.0.lock().unwrap_or_else(PoisonError::into_inner);
    let alive = collectors.get(&place).filter(|sender| !sender.is_closed()).cloned();
    alive.unwrap_or_else(|| {
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        tokio::spawn(collect(app.clone(), way.clone(), signer, receiver));
        collectors.insert(place, sender.clone());
        sender
    })
}

async fn collect(app: App, way: Arc<Way>, signer: Signer, mut receiver: mpsc::Receiver<Request>) {
    let mut carried: Option<Request> = None;
    loop {
        let first = match carried.take() {
            Some(request) => request,
            None => tokio::select! {
                () = app.stopping.cancelled() => return,
                request = receiver.recv() => match request {
                    Some(request) => request,
                    None => return,
                },
            },
        };
        let mut count = first.digests.len();
        let mut batch = vec![first];
        let window = tokio::time::sleep(WINDOW);
        tokio::pin!(window);
        while count < MAX_DIGESTS {
            let next = tokio::select! {
                () = &mut window => break,
                next = receiver.recv() => next,
            };
            let Some(request) = next else { break };
            if count + request.digests.len() > MAX_DIGESTS {
                carried = Some(request);
                break;
            }
            count += request.digests.len();
            batch.push(request);
        }
        let written = write(&app, &way, &signer, &batch).await;
        app.outbox.wake();
        match written {
            Ok(answers) => {
                for (request, answer) in batch.into_iter().zip(answers) {
                    // Whoever hung up has its anchor all the same.
                    let _ = request.answer.send(Ok(answer));
                }
            }
            Err(error) => {
                tracing::error!(chain = %way.chain, %error, "a batch of anchors couldn't be written");
                for request in batch {
                    let _ = request.answer.send(Err(error.to_string()));
                }
            }
        }
    }
}

/// Row of the outbox, audit row, anchors and kept answers, in one SQL transaction.
async fn write(app: &App, way: &Way, signer: &Signer, batch: &[Request]) -> Result<Vec<Json>> {
    let digests: Vec<Value> =
        batch.iter().flat_map(|request| &request.digests).map(|digest| Value::from(digest.0.as_slice())).collect();
    let count = digests.len();
    let args = Value::Map(vec![("digests".into(), Value::Array(digests))]);
    let transaction = outbox::sign(app, way.chain.as_str(), signer, CALL, args).await?;
    let mut tx = app.db.write().await?;
    let root =
        outbox::send(&mut tx, &way.chain, &transaction, Origin { what: "anchors", signer: Some(signer) }).await?;
    let root = root.to_string();
    let after = json!({ "requests": batch.len(), "digests": count, "tx": root, "organisation": signer.organisation });
    let entry = Entry::done("anchor.batch", "chain", way.chain.as_str()).of(Some(&signer.tenant)).after(after);
    audit::record(&mut tx, Actor::System, entry).await?;
    insert(&mut tx, way, &signer.tenant, &root, batch).await?;
    let mut answers = Vec::with_capacity(batch.len());
    for request in batch {
        let answer = answer(way, &request.id, request.digests.len(), &transaction);
        if let Some(claim) = &request.claim {
            idempotency::keep(&mut tx, claim, &answer).await?;
        }
        answers.push(answer);
    }
    tx.commit().await?;
    Ok(answers)
}

/// What a request to anchor is answered with at once.
pub fn answer(way: &Way, id: &str, count: usize, transaction: &Transaction) -> Json {
    let place = format!("/api/v1/chains/{}/anchors/{id}", way.chain);
    json!({
        "id": id, "chain": way.chain.as_str(), "state": "queued", "count": count, "tx": transaction.id(),
        "links": { "self": place, "evidence": format!("{place}/evidence") },
    })
}

async fn insert(
    tx: &mut crate::db::Tx,
    way: &Way,
    tenant: &Name,
    root: &str,
    batch: &[Request],
) -> Result<(), sqlx::Error> {
    let (now, mut position) = (now_ms(), 0usize);
    for chunk in batch.chunks(ROWS) {
        let places = (0..chunk.len()).map(|row| {
            let place = |column| format!("${}", row * 9 + column);
            format!("({})", (1..=9).map(place).collect::<Vec<_>>().join(", "))
        });
        let text = format!(
            "insert into anchor (id, tenant, chain, key_id, root, position, count, digests, created_ms) values {}",
            places.collect::<Vec<_>>().join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for request in chunk {
            let bytes: Vec<u8> = request.digests.iter().flat_map(|digest| digest.0).collect();
            query = query
                .bind(request.id.as_str())
                .bind(tenant.as_str())
                .bind(way.chain.as_str())
                .bind(request.key_id.as_str())
                .bind(root)
                .bind(position as i64)
                .bind(request.digests.len() as i64)
                .bind(bytes)
                .bind(now);
            position += request.digests.len();
        }
        query.execute(&mut **tx).await?;
    }
    Ok(())
}
