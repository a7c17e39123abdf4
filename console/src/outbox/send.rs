//! The worker: sends what waits, the same bytes again and again, asks for a block when something ran out of time, and signs anew what
//! the platform may sign anew. Decides no outcome: verified blocks do.

use super::{GIVE_UP_MS, Origin, Signer, insert};
use crate::app::App;
use crate::custody;
use crate::error::Result;
use crate::names::Name;
use crate::time::now_ms;
use chain_types::Transaction;
use futures::StreamExt;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Rows taken up at once, and how many of them are on their way at a time.
const BATCH: i64 = 200;
const AT_ONCE: usize = 16;
/// Sent and not in a block yet: sent again after this long, because a validator that had it may have died.
const RESEND_MS: i64 = 3_000;
const LONGEST_PAUSE_MS: i64 = 5_000;
/// After `valid_until`, before a block is asked for.
const GRACE_MS: i64 = 1_500;
const HEARTBEAT_EVERY_MS: i64 = 3_000;

#[derive(sqlx::FromRow)]
struct Due {
    tx_id: String,
    chain: String,
    root: String,
    envelope: Vec<u8>,
    valid_until_ms: i64,
    attempts: i64,
}

/// Runs until the console stops.
pub async fn run(app: App) {
    let mut heartbeats = HashMap::new();
    loop {
        let full = match round(&app, &mut heartbeats).await {
            Ok(sent) => sent >= BATCH as usize,
            Err(error) => {
                tracing::error!(%error, "the outbox couldn't be worked on; trying again");
                false
            }
        };
        let pause = if full { Duration::ZERO } else { Duration::from_millis(250) };
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = app.outbox.wake.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// One look at everything that is due; gives how many rows were sent.
pub(super) async fn round(app: &App, heartbeats: &mut HashMap<String, i64>) -> Result<usize> {
    sign_anew(app).await?;
    let due: Vec<Due> = sqlx::query_as(
        "select tx_id, chain, root, envelope, valid_until_ms, attempts from outbox
         where state = 'waiting' and next_ms <= $1 order by next_ms, created_ms limit $2",
    )
    .bind(now_ms())
    .bind(BATCH)
    .fetch_all(app.db.pool())
    .await?;
    let sent = due.len();
    let results: Vec<(Due, Sent)> = futures::stream::iter(due)
        .map(async |row| {
            let sent = send(app, &row).await;
            (row, sent)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    note(app, &results).await?;
    let late: HashSet<&str> = results
        .iter()
        .filter(|(row, _)| row.valid_until_ms + GRACE_MS < now_ms())
        .map(|(row, _)| row.chain.as_str())
        .collect();
    for chain in late {
        ask_for_block(app, chain, heartbeats).await;
    }
    Ok(sent)
}

enum Sent {
    /// A node has it.
    Taken,
    /// It may be taken later.
    NotYet(String),
    /// No node will ever take it.
    Never(String),
}

async fn send(app: &App, row: &Due) -> Sent {
    let Ok(transaction) = Transaction::decode(&row.envelope) else {
        return Sent::Never("the bytes are no transaction".to_owned());
    };
    if row.valid_until_ms + GRACE_MS < now_ms() {
        return Sent::NotYet("it ran out of time; waiting for a later block to say so".to_owned());
    }
    let Some(way) = app.reach.find(&row.chain) else { return Sent::NotYet("the chain is not reachable".to_owned()) };
    match way.client.submit(&transaction, Duration::ZERO).await {
        Ok(_) => Sent::Taken,
        // The account may be bound by a transaction that is on its way itself.
        Err(error) if matches!(error.code(), Some("unknown_account" | "suspended" | "late")) => {
            Sent::NotYet(error.to_string())
        }
        Err(error)
            if matches!(error.code(), Some("malformed" | "too_large" | "other_chain" | "too_far" | "signature")) =>
        {
            Sent::Never(error.to_string())
        }
        Err(error) => Sent::NotYet(error.to_string()),
    }
}

async fn note(app: &App, results: &[(Due, Sent)]) -> Result<()> {
    if results.is_empty() {
        return Ok(());
    }
    let mut told = HashSet::new();
    let mut tx = app.db.write().await?;
    for (row, sent) in results {
        let (state, error, pause) = match sent {
            Sent::Taken => ("waiting", None, RESEND_MS),
            Sent::NotYet(error) => ("waiting", Some(error), pause_ms(row.attempts)),
            Sent::Never(error) => ("rejected", Some(error), 0),
        };
        if state == "rejected" {
            told.insert(row.root.clone());
        }
        // Only rows that still wait: a verified block may have settled one in the meantime.
        sqlx::query(
            "update outbox set state = $1, attempts = attempts + 1, next_ms = $2, last_error = $3
             where tx_id = $4 and state = 'waiting'",
        )
        .bind(state)
        .bind(now_ms() + pause)
        .bind(error)
        .bind(&row.tx_id)
        .execute(&mut *tx)
        .await?;
    }
    tx.commit().await?;
    app.outbox.tell(told);
    Ok(())
}

fn pause_ms(attempts: i64) -> i64 {
    (100 << attempts.clamp(0, 6)).min(LONGEST_PAUSE_MS)
}

/// An idle chain makes no block by itself for minutes; what ran out of time needs one to be sure of it.
async fn ask_for_block(app: &App, chain: &str, heartbeats: &mut HashMap<String, i64>) {
    let last = heartbeats.entry(chain.to_owned()).or_default();
    if now_ms() - *last < HEARTBEAT_EVERY_MS {
        return;
    }
    *last = now_ms();
    let Some(way) = app.reach.find(chain) else { return };
    if let Err(error) = way.client.heartbeat().await {
        tracing::debug!(%chain, %error, "no block could be asked for");
    }
}

#[derive(sqlx::FromRow)]
struct Expired {
    tx_id: String,
    chain: String,
    root: String,
    envelope: Vec<u8>,
    origin: String,
    signer_tenant: String,
    signer_organisation: String,
    signer_account: String,
}

/// Replaces expired calls of platform-held keys by the same calls with a later moment.
async fn sign_anew(app: &App) -> Result<()> {
    let expired: Vec<Expired> = sqlx::query_as(
        "select o.tx_id, o.chain, o.root, o.envelope, o.origin, o.signer_tenant, o.signer_organisation, o.signer_account
         from outbox o join outbox r on r.tx_id = o.root
         where o.state = 'expired' and o.signer_account is not null and r.created_ms > $1 limit 100",
    )
    .bind(now_ms() - GIVE_UP_MS)
    .fetch_all(app.db.pool())
    .await?;
    for row in expired {
        if let Err(error) = replace(app, &row).await {
            tracing::warn!(tx = %row.tx_id, chain = %row.chain, %error, "an expired call couldn't be signed anew");
        }
    }
    Ok(())
}

async fn replace(app: &App, row: &Expired) -> Result<()> {
    let old = Transaction::decode(&row.envelope).map_err(anyhow::Error::from)?;
    let tenant = Name::parse(&row.signer_tenant).ok_or_else(|| anyhow::anyhow!("the signer's tenant has no name"))?;
    let signer = Signer { tenant, organisation: row.signer_organisation.clone(), account: row.signer_account.clone() };
    let key = custody::signing_key(app, &signer.tenant, &signer.organisation, &signer.account).await?;
    let call = old.call();
    let names = (call.app.as_str(), call.instance.as_str(), call.method.as_str());
    let new = super::signed(call.fingerprint, &key, names, call.args.clone())?;
    let mut tx = app.db.write().await?;
    insert(&mut tx, &row.chain, &row.root, &new, Origin { what: &row.origin, signer: Some(&signer) }).await?;
    sqlx::query("update outbox set state = 'replaced', replaced_by = $1 where tx_id = $2 and state = 'expired'")
        .bind(new.id().to_string())
        .bind(&row.tx_id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(())
}
