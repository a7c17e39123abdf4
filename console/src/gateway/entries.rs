//! Registration of signed statements (SCITT): the statement is carried to the chain by a transaction of the caller's
//! organisation, and stands in the log verbatim. Who signed the statement is the chain's business to check.

use super::accounts;
use super::anchors::node_error;
use super::keys::Caller;
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::error::{Error, Result};
use crate::outbox::{self, Origin, Outcome};
use crate::reach::Way;
use crate::text::Message;
use chain_types::encoding::{Encode, Value};
use chain_types::tlog::SignedStatement;
use serde_json::json;
use std::time::Duration;

/// How long a registration is waited for before the caller is told to come back.
const WAIT: Duration = Duration::from_secs(10);
const MODULE: &str = "anchor";

/// Where a registration stands.
pub enum Registration {
    /// Its receipt, verified.
    Receipt(Vec<u8>),
    Running,
}

/// Registers a statement, or finds that it is registered. Sending it again is safe.
pub async fn register(app: &App, caller: &Caller, way: &Way, statement: &[u8]) -> Result<Registration> {
    let wrong = |reason: &dyn std::fmt::Display| {
        Error::bad_request("bad-statement", Message::new("error-bad-statement-help").with("reason", reason.to_string()))
    };
    let parsed = SignedStatement::parse(statement).map_err(|e| wrong(&e))?;
    if !parsed.verify() {
        return Err(wrong(&"its signature does not verify"));
    }
    if let Registration::Receipt(receipt) = receipt(way, statement).await? {
        return Ok(Registration::Receipt(receipt));
    }
    let signer = accounts::signer(app, caller, way).await?;
    let args = Value::Map(vec![("statement".into(), Value::Bytes(statement.to_vec()))]);
    let call = ("chain", MODULE, "register");
    let transaction = outbox::sign(app, way.chain.as_str(), &signer, call, args).await?;
    let mut tx = app.db.write().await?;
    let after =
        json!({ "tx": transaction.id(), "issuer": parsed.issuer, "subject": parsed.subject, "key": caller.key_id });
    let entry = Entry::done("statement.register", "chain", way.chain.as_str()).of(Some(&caller.tenant)).after(after);
    audit::record(&mut tx, Actor::System, entry).await?;
    let origin = Origin { what: "statements", signer: Some(&signer) };
    let root = outbox::send(&mut tx, &way.chain, &transaction, origin).await?;
    tx.commit().await?;
    let standing = outbox::wait(app, root, WAIT).await?;
    let refused = match standing.outcome {
        Outcome::Committed(result) => result.refusal.filter(|refusal| refusal.code != "statement_exists"),
        Outcome::Rejected { reason } => return Err(wrong(&reason)),
        Outcome::Expired | Outcome::Waiting { .. } => None,
    };
    match refused {
        Some(refusal) => Err(wrong(&chain_types::manifest::sentence(&refusal).en)),
        None => receipt(way, statement).await,
    }
}

async fn receipt(way: &Way, statement: &[u8]) -> Result<Registration> {
    match way.client.receipt(statement).await {
        Ok(receipt) => Ok(Registration::Receipt(receipt.to_bytes())),
        Err(error) if is_running(&error) => Ok(Registration::Running),
        Err(error) => Err(node_error(error)),
    }
}

/// The node knows no such statement yet, or says that no checkpoint covers it yet.
fn is_running(error: &chain_client::Error) -> bool {
    matches!(error, chain_client::Error::Refused { problem, .. } if matches!(problem.status, 302 | 404))
}
