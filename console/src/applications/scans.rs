//! How often codes were looked up: counted in SQL, added to the chain as one transaction a minute and application. What is not on the
//! chain yet is added when a count is shown.

use super::people::{of_role, role_key};
use super::{Deployed, public, rows};
use crate::app::App;
use crate::error::Result;
use crate::names::Name;
use crate::outbox::{self, Origin, Outcome};
use crate::time::now_ms;
use chain_types::encoding::to_value;
use serde::Serialize;
use std::time::Duration;

const EVERY: Duration = Duration::from_secs(60);
/// Codes of one transaction, as the module allows.
const MOST_CODES: i64 = 1_000;
const METHOD: &str = "record_scans";

/// Counts one look at a code.
pub async fn count(app: &App, deployed: &Deployed, instance: &str, code: &str) -> Result<()> {
    sqlx::query(
        "insert into scan_count (application, instance, code, batch, count, last_ms) values ($1, $2, $3, '', 1, $4)
         on conflict (application, instance, code, batch) do update set count = scan_count.count + 1, last_ms = excluded.last_ms",
    )
    .bind(deployed.name())
    .bind(instance)
    .bind(code)
    .bind(now_ms())
    .execute(app.db.pool())
    .await?;
    Ok(())
}

/// Looks that the chain does not know of yet.
pub async fn uncounted(app: &App, deployed: &Deployed, instance: &str, code: &str) -> Result<i64> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select batch, count from scan_count where application = $1 and instance = $2 and code = $3")
            .bind(deployed.name())
            .bind(instance)
            .bind(code)
            .fetch_all(app.db.pool())
            .await?;
    let mut total = 0;
    for (batch, count) in rows {
        // A batch that is on the chain is in the record's own count.
        let there = match batch.as_str() {
            "" => false,
            root => {
                matches!(outbox::find(app, root).await?.map(|standing| standing.outcome), Some(Outcome::Committed(_)))
            }
        };
        total += if there { 0 } else { count };
    }
    Ok(total)
}

/// Runs until the console stops.
pub async fn run(app: App) {
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = flush(&app).await {
            tracing::warn!(%error, "counted scans couldn't be added to a chain; trying again in a minute");
        }
    }
}

/// Sends what was counted since, and forgets what has arrived.
pub async fn flush(app: &App) -> Result<()> {
    settle(app).await?;
    for row in rows(app, None, "").await? {
        if !row.usable() {
            continue;
        }
        let deployed = Deployed::of(row)?;
        let instances: Vec<String> = public::pages(&deployed)
            .filter(|(_, page)| page.counts_scans)
            .map(|(_, page)| page.of.instance.clone())
            .collect();
        for instance in instances {
            send(app, &deployed, &instance).await?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
struct RecordScans {
    counts: Vec<ScanCount>,
}

#[derive(Serialize)]
struct ScanCount {
    code: String,
    count: u64,
    last_ms: u64,
}

async fn send(app: &App, deployed: &Deployed, instance: &str) -> Result<()> {
    let Some(role) = deployed.allowed(instance, METHOD).first().map(|role| (*role).to_owned()) else { return Ok(()) };
    let counted: Vec<(String, i64, i64)> = sqlx::query_as(
        "select code, count, last_ms from scan_count where application = $1 and instance = $2 and batch = '' order by last_ms limit $3",
    )
    .bind(deployed.name())
    .bind(instance)
    .bind(MOST_CODES)
    .fetch_all(app.db.pool())
    .await?;
    let Some(chain) = Name::parse(&deployed.row.chain).filter(|_| !counted.is_empty()) else { return Ok(()) };
    let counts = counted
        .iter()
        .map(|(code, count, last)| ScanCount {
            code: code.clone(),
            count: count.unsigned_abs(),
            last_ms: last.unsigned_abs(),
        })
        .collect();
    let args = to_value(&RecordScans { counts }).map_err(|error| anyhow::anyhow!("{error}"))?;
    let signer = of_role(deployed, &deployed.row.owner, &role);
    role_key(app, &signer).await?;
    let signed = outbox::sign(app, chain.as_str(), &signer, (deployed.name(), instance, METHOD), args).await?;
    let mut tx = app.db.write().await?;
    let root = outbox::send(&mut tx, &chain, &signed, Origin { what: "scans", signer: Some(&signer) }).await?;
    for (code, count, last) in &counted {
        sqlx::query("insert into scan_count (application, instance, code, batch, count, last_ms) values ($1, $2, $3, $4, $5, $6)")
            .bind(deployed.name())
            .bind(instance)
            .bind(code)
            .bind(root.to_string())
            .bind(count)
            .bind(last)
            .execute(&mut *tx)
            .await?;
        // Somebody may have looked in the meantime: only what is sent leaves the count.
        sqlx::query("update scan_count set count = count - $1 where application = $2 and instance = $3 and code = $4 and batch = ''")
            .bind(count)
            .bind(deployed.name())
            .bind(instance)
            .bind(code)
            .execute(&mut *tx)
            .await?;
    }
    sqlx::query("delete from scan_count where batch = '' and count <= 0").execute(&mut *tx).await?;
    tx.commit().await?;
    app.outbox.wake();
    Ok(())
}

/// Batches with an outcome: those in a block are forgotten, those that never will be in one are counted again.
async fn settle(app: &App) -> Result<()> {
    let batches: Vec<(String,)> =
        sqlx::query_as("select distinct batch from scan_count where batch <> ''").fetch_all(app.db.pool()).await?;
    for (batch,) in batches {
        let outcome = outbox::find(app, &batch).await?.map(|standing| standing.outcome);
        let mut tx = app.db.write().await?;
        match outcome {
            Some(Outcome::Waiting { .. }) => continue,
            Some(Outcome::Committed(committed)) => {
                if let Some(refusal) = committed.refusal {
                    // The chain's last word; sent again it would be refused again.
                    tracing::error!(%batch, reason = %refusal.code, "the chain refused a batch of counted scans; it is dropped");
                }
            }
            Some(Outcome::Rejected { .. } | Outcome::Expired) | None => {
                tracing::warn!(%batch, "a batch of counted scans came into no block; it is counted again");
                count_again(&mut tx, &batch).await?;
            }
        }
        sqlx::query("delete from scan_count where batch = $1").bind(&batch).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

async fn count_again(tx: &mut crate::db::Tx, batch: &str) -> Result<()> {
    sqlx::query(
        "insert into scan_count (application, instance, code, batch, count, last_ms)
         select application, instance, code, '', count, last_ms from scan_count where batch = $1
         on conflict (application, instance, code, batch) do update set count = scan_count.count + excluded.count",
    )
    .bind(batch)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
