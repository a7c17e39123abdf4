//! The audit log's head on the city chain: daily, and when the operator asks. What is anchored is the hash of the last row, so one entry
//! of the chain's log stands for every row before it.

use crate::app::App;
use crate::audit::{self, Actor, Entry, Head};
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, Result};
use crate::gateway::anchors::node_error;
use crate::outbox::{self, Origin, Outcome};
use crate::reach::Way;
use crate::service::witness::{self, CITY_CHAIN};
use crate::text::Message;
use crate::time::{day_start_ms, now_ms};
use chain_types::{Hash, Value};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const LOOK_EVERY: Duration = Duration::from_secs(60);

/// An anchored head.
#[derive(Debug, Serialize)]
pub struct Anchored {
    pub seq: i64,
    pub hash: String,
    pub root: String,
    pub created_ms: i64,
    /// queued | provable | failed
    pub state: &'static str,
    pub height: Option<u64>,
}

/// Anchors yesterday's head once a day, as soon as the city chain can be reached.
pub async fn run(app: App) {
    loop {
        if let Err(error) = daily(&app).await {
            tracing::warn!(%error, "the audit log couldn't be anchored; trying again in a minute");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn daily(app: &App) -> Result<()> {
    let Some(way) = app.reach.find(CITY_CHAIN) else { return Ok(()) };
    let today = day_start_ms(now_ms());
    let Some(head) = audit::head_before(&app.db, today).await? else { return Ok(()) };
    let (done,): (i64,) = sqlx::query_as("select count(*) from audit_anchor where seq >= $1 or created_ms >= $2")
        .bind(head.seq)
        .bind(today)
        .fetch_one(app.db.pool())
        .await?;
    if done == 0 {
        write(app, &way, Actor::System, head).await?;
    }
    Ok(())
}

/// Anchors the head as it is now.
pub async fn now(app: &App, principal: &Principal) -> Result<Head> {
    principal.require(Action::AnchorAudit, &Resource::City)?;
    let unreachable = || Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help"));
    let way = app.reach.find(CITY_CHAIN).ok_or_else(unreachable)?;
    let head = audit::head(&app.db).await?;
    write(app, &way, Actor::Person(principal), head.clone()).await?;
    Ok(head)
}

/// Row of the outbox, audit row and note, in one SQL transaction.
async fn write(app: &App, way: &Arc<Way>, actor: Actor<'_>, head: Head) -> Result<()> {
    let hash: Hash = head.hash.parse().map_err(anyhow::Error::from)?;
    let signer = witness::operator(app, way).await?;
    let args = Value::Map(vec![("digests".into(), Value::Array(vec![Value::from(hash.0.as_slice())]))]);
    let call = ("chain", "anchor", "digests");
    let transaction = outbox::sign(app, way.chain.as_str(), &signer, call, args).await?;
    let mut tx = app.db.write().await?;
    let id = transaction.id().to_string();
    let entry = Entry::done("audit.anchor", "chain", way.chain.as_str()).after(json!({ "seq": head.seq, "tx": id }));
    audit::record(&mut tx, actor, entry).await?;
    let origin = Origin { what: "audit", signer: Some(&signer) };
    outbox::send(&mut tx, &way.chain, &transaction, origin).await?;
    sqlx::query("insert into audit_anchor (seq, hash, chain, root, created_ms) values ($1, $2, $3, $4, $5)")
        .bind(head.seq)
        .bind(&head.hash)
        .bind(way.chain.as_str())
        .bind(&id)
        .bind(now_ms())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}

/// The heads anchored last, for whoever sees all of the log.
pub async fn newest(app: &App, principal: &Principal) -> Result<Vec<Anchored>> {
    if !principal.can(Action::ViewAudit, &Resource::City) {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, String, String, i64)> =
        sqlx::query_as("select seq, hash, root, created_ms from audit_anchor order by created_ms desc limit 5")
            .fetch_all(app.db.pool())
            .await?;
    let mut all = Vec::with_capacity(rows.len());
    for (seq, hash, root, created_ms) in rows {
        let outcome = outbox::find(app, &root).await?.map(|standing| standing.outcome);
        let (state, height) = match outcome {
            Some(Outcome::Committed(result)) if result.applied => ("provable", Some(result.height)),
            Some(Outcome::Waiting { .. }) => ("queued", None),
            _ => ("failed", None),
        };
        all.push(Anchored { seq, hash, root, created_ms, state, height });
    }
    Ok(all)
}

/// Verified evidence of an anchored head.
pub async fn evidence(app: &App, principal: &Principal, root: &str) -> Result<Vec<u8>> {
    principal.require(Action::ViewAudit, &Resource::City)?;
    let row: Option<(String, String)> = sqlx::query_as("select chain, hash from audit_anchor where root = $1")
        .bind(root)
        .fetch_optional(app.db.pool())
        .await?;
    let (chain, hash) = row.ok_or(Error::NotFound)?;
    let way = app.reach.find(&chain).ok_or(Error::NotFound)?;
    let standing = outbox::find(app, root).await?.ok_or(Error::NotFound)?;
    let Outcome::Committed(result) = standing.outcome else { return Err(Error::NotFound) };
    let entry = result.entry.ok_or(Error::NotFound)?;
    let proven = way.client.evidence_of_entry(entry + 1).await.map_err(node_error)?;
    if proven.report.digest.map(|digest| digest.to_string()) != Some(hash) {
        return Err(anyhow::anyhow!("evidence of the audit log's head is about another digest").into());
    }
    Ok(proven.bytes)
}
