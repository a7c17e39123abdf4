//! The API gateway: what programs ask of a tenant's chains with an API key. Decides who asks (a key, its scopes, its rate), signs with an
//! account of the key's organisation that is bound on the chain, and writes through the outbox. Knows no HTTP: `http::api` does.

pub mod accounts;
pub mod anchors;
mod applications;
pub mod batches;
pub mod entries;
mod idempotency;
pub mod keys;
pub mod openapi;
pub mod requests;
#[cfg(test)]
mod tests;
pub mod trace;
pub mod transactions;

use crate::app::App;
use crate::time::now_ms;
use std::time::Duration;

/// What the gateway remembers between requests.
#[derive(Default)]
pub struct Gateway {
    pub keys: keys::Known,
    pub batches: batches::Batches,
    pub accounts: accounts::Bound,
    pub requests: requests::Log,
    pub idempotency: idempotency::InFlight,
}

/// Starts what the gateway does beside answering: writing the request log, forgetting what is old.
pub fn start(app: &App) {
    tokio::spawn(requests::run(app.clone()));
    tokio::spawn(forget(app.clone()));
}

async fn forget(app: App) {
    loop {
        if let Err(error) = forget_old(&app).await {
            tracing::warn!(%error, "old requests couldn't be forgotten; trying again in an hour");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(3600)) => {}
        }
    }
}

async fn forget_old(app: &App) -> Result<(), sqlx::Error> {
    const DAY_MS: i64 = 86_400_000;
    sqlx::query("delete from api_idempotency where created_ms < $1")
        .bind(now_ms() - DAY_MS)
        .execute(app.db.pool())
        .await?;
    sqlx::query("delete from api_request where at_ms < $1").bind(now_ms() - 30 * DAY_MS).execute(app.db.pool()).await?;
    Ok(())
}
