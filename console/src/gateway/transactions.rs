//! Signed envelopes of programs that hold their own keys, and where transactions stand.

use super::keys::Caller;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::error::{Error, Result};
use crate::indexer::lists;
use crate::outbox::{self, Origin, Standing};
use crate::reach::Way;
use crate::text::Message;
use axum::http::StatusCode;
use chain_types::Transaction;
use chain_types::transaction::TransactionError;
use serde_json::{Value as Json, json};
use std::time::Duration;

/// Takes a signed envelope; answers when it is safe in SQL, or after up to `wait` with its result.
pub async fn submit(app: &App, caller: &Caller, way: &Way, body: &[u8], wait: Duration) -> Result<Standing> {
    let transaction = Transaction::decode(body).map_err(|error| match error {
        TransactionError::TooLarge(_) => Error::TooLarge,
        other => Error::bad_request(
            "bad-transaction",
            Message::new("error-bad-transaction-help").with("reason", other.to_string()),
        ),
    })?;
    let refuse =
        |code, key: &str| Error::Refused { status: StatusCode::UNPROCESSABLE_ENTITY, code, message: Message::new(key) };
    if transaction.call().fingerprint != way.client.fingerprint() {
        return Err(refuse("other-chain", "error-other-chain-help"));
    }
    if !transaction.verify() {
        return Err(refuse("bad-signature", "error-bad-signature-help"));
    }
    let mut tx = app.db.write().await?;
    let id = transaction.id().to_string();
    let after = json!({ "tx": id, "key": caller.key_id, "method": transaction.call().method });
    let entry = Entry::done("transaction.submit", "chain", way.chain.as_str()).of(Some(&caller.tenant)).after(after);
    audit::record(&mut tx, Actor::System, entry).await?;
    let root = outbox::send(&mut tx, &way.chain, &transaction, Origin { what: "api", signer: None }).await?;
    tx.commit().await?;
    outbox::wait(app, root, wait).await
}

/// A transaction of the chain, or one that is on its way to it.
pub async fn show(app: &App, way: &Way, id: &str) -> Result<Json> {
    if let Some(row) = lists::tx(app, way.chain.as_str(), id).await? {
        let mut json = serde_json::to_value(row).map_err(anyhow::Error::from)?;
        json["state"] = json!("committed");
        return Ok(json);
    }
    match outbox::find(app, id).await? {
        Some(standing) if standing.chain == way.chain.as_str() => {
            Ok(serde_json::to_value(standing).map_err(anyhow::Error::from)?)
        }
        _ => Err(Error::NotFound),
    }
}
