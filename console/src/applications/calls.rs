//! Calls of an application's chain through keys that the platform holds: a row of the outbox first, then the quickest true answer. A
//! deployment makes each of its calls once, whatever happens to the console in between.

use super::arguments::Kept;
use super::{Deployed, unreachable};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::Principal;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::names::Name;
use crate::outbox::{self, Origin, Outcome, Signer};
use crate::time::now_ms;
use chain_types::api::{Committed, TxStatus};
use chain_types::{Transaction, TxId, Value};
use serde_json::json;
use std::time::Duration;

/// Longer than any block takes on a chain that works.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a person waits before being told that the write is on its way.
pub const A_PERSONS_PATIENCE: Duration = Duration::from_secs(8);

/// One call: `app / instance / method` with its arguments.
pub struct Call<'a> {
    pub app: &'a str,
    pub instance: &'a str,
    pub method: &'a str,
    pub args: Value,
    /// Values that stay off chain and come with it.
    pub kept: Vec<Kept>,
}

impl<'a> Call<'a> {
    pub fn chain(instance: &'a str, method: &'a str, args: Value) -> Self {
        Self { app: chain_types::state::CHAIN_APP, instance, method, args, kept: Vec::new() }
    }
}

/// What a call came to, and the transaction that holds it.
pub struct Made {
    pub tx: String,
    pub committed: Committed,
}

/// A call that was made before, and what it came to.
pub async fn made(app: &App, deployed: &Deployed, step: &str) -> Result<Option<Made>> {
    let known: Option<(String,)> =
        sqlx::query_as("select root from application_call where application = $1 and step = $2")
            .bind(deployed.name())
            .bind(step)
            .fetch_optional(app.db.pool())
            .await?;
    match known {
        Some((root,)) => settled(app, root.parse().map_err(anyhow::Error::from)?).await.map(Some),
        None => Ok(None),
    }
}

/// A call of a deployment: made once, whoever asks again gets the same result.
pub async fn once(app: &App, deployed: &Deployed, step: &str, signer: &Signer, call: Call<'_>) -> Result<Made> {
    if let Some(made) = made(app, deployed, step).await? {
        return Ok(made);
    }
    let signed =
        outbox::sign(app, &deployed.row.chain, signer, (call.app, call.instance, call.method), call.args).await?;
    let chain = Name::parse(&deployed.row.chain).ok_or(Error::NotFound)?;
    let mut tx = app.db.write().await?;
    let origin = Origin { what: "application", signer: Some(signer) };
    let root = outbox::send(&mut tx, &chain, &signed, origin).await?;
    sqlx::query("insert into application_call (application, step, root) values ($1, $2, $3)")
        .bind(deployed.name())
        .bind(step)
        .bind(root.to_string())
        .execute(&mut *tx)
        .await?;
    keep(app, &mut tx, root, &call.kept).await?;
    tx.commit().await?;
    quickest(app, deployed, &signed, root).await
}

/// A failed call of a deployment is made anew at the next try.
pub async fn forget(app: &App, deployed: &Deployed, step: &str) -> Result<()> {
    sqlx::query("delete from application_call where application = $1 and step = $2")
        .bind(deployed.name())
        .bind(step)
        .execute(app.db.pool())
        .await?;
    Ok(())
}

/// The node's answer if it comes first, the verified block's otherwise. The node's word is enough here: whatever it said is checked again
/// when the indexer verifies the block, and nothing is shown to anybody as proven from it.
async fn quickest(app: &App, deployed: &Deployed, signed: &Transaction, root: TxId) -> Result<Made> {
    if let Ok(way) = deployed.way(app)
        && let Ok(info) = way.client.submit(signed, Duration::from_secs(5)).await
        && let TxStatus::Committed(committed) = info.status
    {
        return Ok(Made { tx: root.to_string(), committed });
    }
    settled(app, root).await
}

async fn settled(app: &App, root: TxId) -> Result<Made> {
    let standing = outbox::wait(app, root, PATIENCE).await?;
    match standing.outcome {
        Outcome::Committed(committed) => Ok(Made { tx: standing.tx, committed }),
        Outcome::Rejected { reason } => Err(anyhow::anyhow!("the chain did not take the transaction: {reason}").into()),
        Outcome::Waiting { .. } | Outcome::Expired => Err(unreachable()),
    }
}

/// A person's act: audit row, outbox row and sealed values in one transaction; then the verified outcome.
pub async fn act(
    app: &App,
    principal: &Principal,
    deployed: &Deployed,
    signer: &Signer,
    call: Call<'_>,
) -> Result<outbox::Standing> {
    let label = format!("{}.{}", call.instance, call.method);
    let signed =
        outbox::sign(app, &deployed.row.chain, signer, (call.app, call.instance, call.method), call.args).await?;
    let chain = Name::parse(&deployed.row.chain).ok_or(Error::NotFound)?;
    let mut tx = app.db.write().await?;
    let after = json!({ "call": label, "organisation": signer.organisation, "tx": signed.id().to_string() });
    let entry = Entry::done("application.call", "application", deployed.name()).of(Some(&deployed.tenant)).after(after);
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    let root = outbox::send(&mut tx, &chain, &signed, Origin { what: "application", signer: Some(signer) }).await?;
    keep(app, &mut tx, root, &call.kept).await?;
    tx.commit().await?;
    outbox::wait(app, root, A_PERSONS_PATIENCE).await
}

async fn keep(app: &App, tx: &mut Tx, root: TxId, kept: &[Kept]) -> Result<()> {
    for one in kept {
        let root = root.to_string();
        let secret = json!({ "salt": one.salt.map(hex::encode), "value": one.value }).to_string();
        sqlx::query("insert into private_value (root, field, sealed, created_ms) values ($1, $2, $3, $4) on conflict do nothing")
            .bind(&root)
            .bind(&one.field)
            .bind(app.sealing.seal(&format!("private-value/{root}/{}", one.field), secret.as_bytes()))
            .bind(now_ms())
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// The values kept with a write, by field: salt (for a commitment) and value. `tx` may be any transaction of the write.
pub async fn kept(app: &App, tx: &str) -> Result<Vec<Kept>> {
    let rows: Vec<(String, String, Vec<u8>)> = sqlx::query_as(
        "select root, field, sealed from private_value where root = $1 or root in (select root from outbox where tx_id = $1)",
    )
    .bind(tx)
    .fetch_all(app.db.pool())
    .await?;
    let open = |(root, field, sealed): (String, String, Vec<u8>)| {
        let opened = app.sealing.open(&format!("private-value/{root}/{field}"), &sealed).ok()?;
        let json: serde_json::Value = serde_json::from_slice(&opened).ok()?;
        let salt = json.get("salt").and_then(|salt| hex::decode(salt.as_str()?).ok()?.try_into().ok());
        Some(Kept { field, salt, value: json.get("value")?.as_str()?.to_owned() })
    };
    Ok(rows.into_iter().filter_map(open).collect())
}

/// Keeps the secret of an application's API key until it is shown, once.
pub async fn keep_key(app: &App, tx: &mut Tx, application: &str, secret: &str) -> Result<()> {
    let root = format!("key/{application}");
    sqlx::query("insert into private_value (root, field, sealed, created_ms) values ($1, 'secret', $2, $3) on conflict do nothing")
        .bind(&root)
        .bind(app.sealing.seal(&root, secret.as_bytes()))
        .bind(now_ms())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Whether the secret has not been shown yet.
pub async fn has_key(app: &App, application: &str) -> Result<bool> {
    let row: Option<(String,)> = sqlx::query_as("select field from private_value where root = $1")
        .bind(format!("key/{application}"))
        .fetch_optional(app.db.pool())
        .await?;
    Ok(row.is_some())
}

/// Takes the secret out: whoever comes second finds nothing.
pub async fn take_key(app: &App, application: &str) -> Result<Option<String>> {
    let root = format!("key/{application}");
    let row: Option<(Vec<u8>,)> = sqlx::query_as("delete from private_value where root = $1 returning sealed")
        .bind(&root)
        .fetch_optional(app.db.pool())
        .await?;
    let opened = row.and_then(|(sealed,)| app.sealing.open(&root, &sealed).ok());
    Ok(opened.and_then(|secret| String::from_utf8(secret.to_vec()).ok()))
}
