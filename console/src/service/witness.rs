//! The city chain as witness of the tenants' chains: for each of them that changed, its newest certified header is carried to the city
//! chain's light client, at least once a minute. Only bytes are carried: the city chain verifies them itself.
//!
//! The city chain begins with the first rules; light clients need the third. They are proposed here, one version after the other, once
//! every node of the city chain says that it knows them.

use crate::app::App;
use crate::custody::{self, ADMINISTRATOR};
use crate::error::{Error, Result};
use crate::gateway::anchors::node_error;
use crate::outbox::{self, Outcome, Signer};
use crate::reach::Way;
use crate::text::Message;
use chain_client::{Client, Proven};
use chain_types::api::Status;
use chain_types::encoding::{Encode, to_value};
use chain_types::light::{StoredHeader, Update};
use chain_types::{Value, state};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// The chain that witnesses the others.
pub const CITY_CHAIN: &str = "city";
/// Thrice a minute, so that one failure still leaves a header a minute.
const LOOK_EVERY: Duration = Duration::from_secs(20);
const RESULT_WITHIN: Duration = Duration::from_secs(15);
/// The first rules with light clients.
const RULES: u32 = 3;
/// Blocks from a proposal to its rules; the chain asks for three at least.
const NOTICE: u64 = 4;
/// An idle chain is seen this often, so that trust in what is stored never grows old.
const IDLE_MS: u64 = 86_400_000;

/// Carries headers until the console stops.
pub async fn run(app: App) {
    loop {
        if let Some(city) = app.reach.find(CITY_CHAIN)
            && let Err(error) = carry_all(&app, &city).await
        {
            tracing::warn!(%error, "the city chain couldn't witness the other chains; trying again");
        }
        tokio::select! {
            () = app.stopping.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn carry_all(app: &App, city: &Arc<Way>) -> Result<()> {
    let others: Vec<Arc<Way>> =
        app.reach.all().into_iter().filter(|way| way.client.fingerprint() != city.client.fingerprint()).collect();
    if others.is_empty() {
        return Ok(());
    }
    let signer = operator(app, city).await?;
    if !has_light_clients(app, city, &signer).await? {
        return Ok(());
    }
    for way in others {
        if let Err(error) = carry(app, city, &signer, &way).await {
            tracing::warn!(chain = %way.chain.as_str(), %error, "a chain's headers couldn't be carried to the city chain");
        }
    }
    Ok(())
}

/// The platform's own organisation on the city chain, as its genesis names it.
pub async fn operator(app: &App, way: &Way) -> Result<Signer> {
    let genesis = way.client.genesis().await.map_err(node_error)?;
    for organisation in genesis.organisations.iter().filter(|organisation| organisation.id == genesis.operator) {
        let held = custody::find(app, &way.tenant, &organisation.id, ADMINISTRATOR).await?;
        if held == Some(organisation.administrator) {
            let (tenant, organisation) = (way.tenant.clone(), organisation.id.clone());
            return Ok(Signer { tenant, organisation, account: ADMINISTRATOR.to_owned() });
        }
    }
    let message = Message::new("error-organisation-not-on-chain-help").with("organisation", &genesis.operator);
    Err(Error::conflict("organisation-not-on-chain", message))
}

/// The city chain's proof for evidence of another chain.
pub async fn proof(app: &App, way: &Way, proven: &Proven) -> Result<Vec<u8>> {
    let unreachable = || Error::unavailable("chain-unreachable", Message::new("error-chain-unreachable-help"));
    let city = app.reach.find(CITY_CHAIN).ok_or_else(unreachable)?;
    let proof = way.client.city_proof(&city.client, proven).await.map_err(node_error)?;
    proof.ok_or_else(|| Error::conflict("not-witnessed-yet", Message::new("error-not-witnessed-yet-help")))
}

/// One chain, as far as it has changed.
async fn carry(app: &App, city: &Way, signer: &Signer, way: &Way) -> Result<()> {
    let witnessed = city.client.witnessed(&way.client).await.map_err(node_error)?;
    if let Some(height) = witnessed.as_ref().and_then(|witnessed| witnessed.forked_at) {
        let chain = way.chain.as_str();
        tracing::error!(
            chain,
            height,
            "the chain has two histories: the city chain has seen it fork and witnesses it no more"
        );
        return Ok(());
    }
    let stored = witnessed.map(|witnessed| witnessed.header);
    let status = way.client.status().await.map_err(node_error)?;
    if stored.as_ref().is_some_and(|stored| !is_due(stored, &status)) {
        return Ok(());
    }
    let (method, args) = match &stored {
        Some(stored) => match way.client.light_update(stored).await.map_err(node_error)? {
            Some(update) => ("update", fed(way, &update)),
            None => return Ok(()),
        },
        None => ("create", created(way).await?),
    };
    call(app, city, signer, ("chain", "clients", method), args).await
}

/// Whether the chain has something that the city chain has not seen.
fn is_due(stored: &StoredHeader, status: &Status) -> bool {
    let idle_ms = status.block_time_ms.saturating_sub(stored.time_ms);
    status.log_size != stored.log_size || (status.height > stored.height && idle_ms > IDLE_MS)
}

fn fed(way: &Way, update: &Update) -> Value {
    let chain = Value::from(way.client.fingerprint().0.as_slice());
    Value::Map(vec![("chain".into(), chain), ("update".into(), Value::from(update.to_bytes()))])
}

/// Genesis, and the header of now: what the operator vouches for together.
async fn created(way: &Way) -> Result<Value> {
    let genesis = way.client.genesis().await.map_err(node_error)?;
    let mut args = vec![(Value::from("genesis"), Value::from(genesis.to_bytes()))];
    let start = StoredHeader::of_genesis(&genesis, 0);
    if let Some(update) = way.client.light_update(&start).await.map_err(node_error)? {
        args.push(("update".into(), Value::from(update.to_bytes())));
    }
    Ok(Value::Map(args))
}

/// Whether the city chain has come to the rules that know light clients; takes the next step there if not.
async fn has_light_clients(app: &App, city: &Way, signer: &Signer) -> Result<bool> {
    let client = &city.client;
    let height = client.status().await.map_err(node_error)?.height;
    let (now, next) = rules(client, height.saturating_add(1)).await?;
    if now >= RULES {
        return Ok(true);
    }
    if next > now {
        // Agreed on; an idle chain comes there by empty blocks.
        client.heartbeat().await.map_err(node_error)?;
        return Ok(false);
    }
    let statuses = client.statuses().await;
    if !statuses.iter().all(|status| status.as_ref().is_ok_and(|status| status.newest_rules >= RULES)) {
        tracing::info!("light clients wait until every validator of the city chain runs and knows rules {RULES}");
        return Ok(false);
    }
    let upgrade = serde_json::json!({ "upgrade_rules": { "version": now + 1, "from_height": height + NOTICE + 1 } });
    let action = to_value(&upgrade).map_err(anyhow::Error::from)?;
    let args = Value::Map(vec![("action".into(), action)]);
    call(app, city, signer, ("chain", "governance", "propose"), args).await?;
    Ok(false)
}

/// The rules of a height, and those that are agreed on.
async fn rules(client: &Client, height: u64) -> Result<(u32, u32)> {
    #[derive(Deserialize)]
    struct Agreed {
        version: u32,
        from_height: u64,
    }
    let key = state::key(state::CHAIN_APP, "governance", "rules", b"");
    let Some(found) = client.state_value(&key).await.map_err(node_error)? else {
        let first = client.genesis().await.map_err(node_error)?.rules;
        return Ok((first, first));
    };
    let agreed: Agreed = serde_json::from_value(found.json).map_err(anyhow::Error::from)?;
    let before = agreed.version.saturating_sub(1);
    Ok((if height >= agreed.from_height { agreed.version } else { before }, agreed.version))
}

async fn call(app: &App, city: &Way, signer: &Signer, call: (&str, &str, &str), args: Value) -> Result<()> {
    let chain = city.chain.as_str();
    let standing = outbox::send_alone(app, chain, signer, call, args, "witness", RESULT_WITHIN).await?;
    match standing.outcome {
        Outcome::Committed(result) if !result.applied => {
            let code = result.refusal.map(|refusal| refusal.code).unwrap_or_default();
            Err(anyhow::anyhow!("the city chain refused {}.{}: {code}", call.1, call.2).into())
        }
        Outcome::Rejected { reason } => Err(anyhow::anyhow!("the city chain did not take the call: {reason}").into()),
        Outcome::Committed(_) | Outcome::Waiting { .. } | Outcome::Expired => Ok(()),
    }
}
