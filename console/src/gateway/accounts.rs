//! The account with which a key signs: one a organisation, labelled `gateway`, its key held by the platform, bound on the chain by the
//! organisation's administrator the first time it is needed.

use super::keys::Caller;
use crate::app::App;
use crate::custody::{self, ADMINISTRATOR};
use crate::error::{Error, Result};
use crate::names::Name;
use crate::outbox::{self, Outcome, Signer};
use crate::reach::Way;
use crate::text::Message;
use chain_types::account::Custody;
use chain_types::encoding::to_value;
use chain_types::state::account_key;
use chain_types::{Fingerprint, PublicKey};
use serde::Serialize;
use std::collections::HashSet;
use std::time::Duration;
use tokio::sync::Mutex;

pub const GATEWAY: &str = "gateway";
/// How long the first request of an organisation waits for its account.
const BIND_TIMEOUT: Duration = Duration::from_secs(15);

/// Accounts that are known to be bound. Held while one is being bound, so that nobody binds it twice.
#[derive(Default)]
pub struct Bound(Mutex<HashSet<(Fingerprint, PublicKey)>>);

/// Arguments of the call, as the identity module takes them.
#[derive(Serialize)]
struct BindAccount {
    key: PublicKey,
    label: &'static str,
    custody: Custody,
    administrator: bool,
}

/// The gateway's account of the caller's organisation on this chain.
pub async fn signer(app: &App, caller: &Caller, way: &Way) -> Result<Signer> {
    ensure(app, way, &caller.tenant, &caller.organisation).await
}

/// The same for an organisation; binds it if need be.
pub async fn ensure(app: &App, way: &Way, tenant: &Name, organisation: &str) -> Result<Signer> {
    let signer = Signer { tenant: tenant.clone(), organisation: organisation.to_owned(), account: GATEWAY.to_owned() };
    let public = custody::ensure(app, tenant, organisation, GATEWAY).await?;
    let mut bound = app.gateway.accounts.0.lock().await;
    let place = (way.client.fingerprint(), public);
    if bound.contains(&place) {
        return Ok(signer);
    }
    if !is_bound(way, &public).await? {
        bind(app, way, &signer, public).await?;
    }
    bound.insert(place);
    Ok(signer)
}

async fn is_bound(way: &Way, key: &PublicKey) -> Result<bool> {
    let found = way.client.state_value(&account_key(key)).await;
    found.map(|record| record.is_some()).map_err(|error| {
        tracing::warn!(chain = %way.chain, %error, "an account couldn't be looked up");
        Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help"))
    })
}

async fn bind(app: &App, way: &Way, signer: &Signer, key: PublicKey) -> Result<()> {
    let not_there = || {
        let message = Message::new("error-organisation-not-on-chain-help").with("organisation", &signer.organisation);
        Error::conflict("organisation-not-on-chain", message)
    };
    let administrator = Signer { account: ADMINISTRATOR.to_owned(), ..signer.clone() };
    let held = custody::find(app, &signer.tenant, &signer.organisation, ADMINISTRATOR).await?.ok_or_else(not_there)?;
    if !is_bound(way, &held).await? {
        return Err(not_there());
    }
    let args = BindAccount { key, label: GATEWAY, custody: Custody::Platform, administrator: false };
    let args = to_value(&args).map_err(anyhow::Error::from)?;
    let call = ("chain", "identity", "bind_account");
    let standing =
        outbox::send_alone(app, way.chain.as_str(), &administrator, call, args, "account", BIND_TIMEOUT).await?;
    match standing.outcome {
        Outcome::Committed(result) if result.applied => Ok(()),
        Outcome::Committed(result)
            if result.refusal.as_ref().is_some_and(|refusal| refusal.code == "account_exists") =>
        {
            Ok(())
        }
        Outcome::Waiting { .. } => {
            Err(Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help")))
        }
        other => Err(anyhow::anyhow!("the gateway's account couldn't be bound: {other:?}").into()),
    }
}
