//! Writes to chains that survive the console. A write is a row in the SQL transaction of its audit row; a worker sends the same bytes
//! until the indexer finds them in a verified block, or a verified block later than `valid_until` shows that they never will be in one.
//! What the platform signed is then signed anew under the same root; what was signed elsewhere is *expired*.
//!
//! A console that ends between the row and the sending loses nothing: the row is sent at the next start. Sending twice is safe: the
//! transaction's id is in its bytes.

mod send;
pub mod settle;
#[cfg(test)]
mod tests;

pub use send::run;

use crate::app::App;
use crate::custody;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::names::{Name, random_bytes};
use crate::text::Message;
use crate::time::now_ms;
use chain_types::api::Committed;
use chain_types::crypto::SigningKey;
use chain_types::{Call, Fingerprint, Transaction, TxId, Value};
use serde::Serialize;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// How long a call that the platform signs may wait for its block before it is signed anew.
const VALID_MS: u64 = 120_000;
/// A write that could not be committed for a day is not wanted any more.
const GIVE_UP_MS: i64 = 86_400_000;

/// Wakes the worker and those who wait for results.
pub struct Outbox {
    wake: Notify,
    settled: broadcast::Sender<Arc<HashSet<String>>>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self { wake: Notify::new(), settled: broadcast::channel(256).0 }
    }
}

impl Outbox {
    /// Something was committed to SQL that is to be sent now.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// These roots have another outcome than before.
    pub fn tell(&self, roots: HashSet<String>) {
        if !roots.is_empty() {
            // An error only says that nobody waits.
            let _ = self.settled.send(Arc::new(roots));
        }
    }
}

/// Whose key, held by the platform, signs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Signer {
    pub tenant: Name,
    pub organisation: String,
    pub account: String,
}

/// What a write is for, and who signs it anew if it expires.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    pub what: &'a str,
    pub signer: Option<&'a Signer>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Outcome {
    /// No result yet; the last difficulty, if there was one.
    Waiting { last_error: Option<String> },
    /// In a verified block; `applied` says whether it had an effect.
    Committed(Committed),
    /// No node will ever take it.
    Rejected { reason: String },
    /// It can be in no block any more, and had been signed elsewhere.
    Expired,
}

impl Outcome {
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Waiting { .. })
    }
}

/// A write as it stands: `tx` differs from `root` once it was signed anew.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    pub root: String,
    pub tx: String,
    pub chain: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Signs a call with a key that the platform holds.
pub async fn sign(
    app: &App,
    chain: &str,
    signer: &Signer,
    call: (&str, &str, &str),
    args: Value,
) -> Result<Transaction> {
    let way = app
        .reach
        .find(chain)
        .ok_or_else(|| Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help")))?;
    let key = custody::signing_key(app, &signer.tenant, &signer.organisation, &signer.account).await?;
    signed(way.client.fingerprint(), &key, call, args)
}

/// Signs a call that is valid from now for two minutes.
pub fn signed(
    fingerprint: Fingerprint,
    key: &SigningKey,
    call: (&str, &str, &str),
    args: Value,
) -> Result<Transaction> {
    let (app, instance, method) = call;
    let call = Call {
        fingerprint,
        valid_until_ms: now_ms().unsigned_abs() + VALID_MS,
        salt: random_bytes(),
        app: app.to_owned(),
        instance: instance.to_owned(),
        method: method.to_owned(),
        args,
    };
    Transaction::sign(call, key).map_err(|error| {
        Error::bad_request("bad-call", Message::new("error-bad-call-help").with("reason", error.to_string()))
    })
}

/// Makes the write a row of `tx`, to be sent once `tx` is committed (call `app.outbox.wake()` then, to have it sent at once).
/// The same transaction twice is one row.
pub async fn send(tx: &mut Tx, chain: &Name, transaction: &Transaction, origin: Origin<'_>) -> Result<TxId> {
    let id = transaction.id();
    insert(tx, chain.as_str(), &id.to_string(), transaction, origin).await?;
    Ok(id)
}

async fn insert(tx: &mut Tx, chain: &str, root: &str, transaction: &Transaction, origin: Origin<'_>) -> Result<()> {
    let valid_until = i64::try_from(transaction.call().valid_until_ms).unwrap_or(i64::MAX);
    sqlx::query(
        "insert into outbox (tx_id, chain, root, envelope, valid_until_ms, origin, signer_tenant, signer_organisation, signer_account,
                             state, attempts, next_ms, created_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', 0, 0, $10) on conflict (tx_id) do nothing",
    )
    .bind(transaction.id().to_string())
    .bind(chain)
    .bind(root)
    .bind(transaction.bytes().to_vec())
    .bind(valid_until)
    .bind(origin.what)
    .bind(origin.signer.map(|signer| signer.tenant.as_str()))
    .bind(origin.signer.map(|signer| signer.organisation.as_str()))
    .bind(origin.signer.map(|signer| signer.account.as_str()))
    .bind(now_ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct Row {
    tx_id: String,
    chain: String,
    state: String,
    last_error: Option<String>,
    result_json: Option<String>,
    signer_account: Option<String>,
    asked_ms: i64,
}

/// How a write stands; `None` if there was none.
pub async fn find(app: &App, root: &str) -> Result<Option<Standing>> {
    let row: Option<Row> = sqlx::query_as(
        "select o.tx_id, o.chain, o.state, o.last_error, o.result_json, o.signer_account, r.created_ms as asked_ms
         from outbox o join outbox r on r.tx_id = o.root
         where o.root = $1 and o.state <> 'replaced' order by o.created_ms desc limit 1",
    )
    .bind(root)
    .fetch_optional(app.db.pool())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let outcome = match row.state.as_str() {
        "committed" => {
            let json = row.result_json.unwrap_or_default();
            Outcome::Committed(serde_json::from_str(&json).map_err(anyhow::Error::from)?)
        }
        "rejected" => Outcome::Rejected { reason: row.last_error.unwrap_or_default() },
        // What the platform signed is about to be signed anew.
        "expired" if row.signer_account.is_none() || row.asked_ms < now_ms() - GIVE_UP_MS => Outcome::Expired,
        _ => Outcome::Waiting { last_error: row.last_error },
    };
    Ok(Some(Standing { root: root.to_owned(), tx: row.tx_id, chain: row.chain, outcome }))
}

/// Waits for the final outcome, at most `timeout`; then gives what is known.
pub async fn wait(app: &App, root: TxId, timeout: Duration) -> Result<Standing> {
    let root = root.to_string();
    let mut settled = app.outbox.settled.subscribe();
    app.outbox.wake();
    let deadline = tokio::time::Instant::now() + timeout;
    loop {
        // Asked after subscribing, so that no outcome falls between.
        let standing = find(app, &root).await?.ok_or(Error::NotFound)?;
        if standing.outcome.is_final() {
            return Ok(standing);
        }
        let told = async {
            // Fallen behind or closed: look again.
            while settled.recv().await.is_ok_and(|roots| !roots.contains(&root)) {}
        };
        if tokio::time::timeout_at(deadline, told).await.is_err() {
            return Ok(standing);
        }
    }
}

/// Signs, writes the row in a transaction of its own, and waits: for background work that has no act of a person.
pub async fn send_alone(
    app: &App,
    chain: &str,
    signer: &Signer,
    call: (&str, &str, &str),
    args: Value,
    what: &str,
    timeout: Duration,
) -> Result<Standing> {
    let transaction = sign(app, chain, signer, call, args).await?;
    let name = Name::parse(chain).ok_or(Error::NotFound)?;
    let mut tx = app.db.write().await?;
    let id = send(&mut tx, &name, &transaction, Origin { what, signer: Some(signer) }).await?;
    tx.commit().await?;
    wait(app, id, timeout).await
}
