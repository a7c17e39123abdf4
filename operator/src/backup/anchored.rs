//! What the city chain vouches for: a block of the chain that it has anchored, so that a drill can hold the restored copy
//! against it. The answer is proven against the city chain's own genesis before it is used.

use chain_client::{Client, node::endpoints};
use chain_types::Fingerprint;
use operator_api::{Chain, ChainSpec};

use crate::{
    chain::{keys, resources::Place},
    context::Context,
    objects::{self, names},
};

/// Tenant and chain of the city.
const CITY: &str = "city";

/// The highest anchored block up to `height`; nothing if there is no city chain, or it knows nothing of this one.
pub async fn anchors(context: &Context, chain: &Chain, height: u64) -> anyhow::Result<Vec<(u64, String)>> {
    let own = fingerprint(chain);
    let (Some(own), Some((city, client))) = (own, city(context).await?) else { return Ok(Vec::new()) };
    if fingerprint(&city) == Some(own) {
        return Ok(Vec::new());
    }
    match client.anchored(own, height).await {
        Ok(found) => Ok(found.map(|stored| (stored.height, stored.id.to_string())).into_iter().collect()),
        // A drill that waits for the city chain proves nothing meanwhile; its status then names no anchor.
        Err(error) => {
            tracing::warn!(chain = %chain.name(), %error, "the city chain couldn't be asked for an anchor");
            Ok(Vec::new())
        }
    }
}

fn fingerprint(chain: &Chain) -> Option<Fingerprint> {
    chain.status.as_ref()?.fingerprint.as_deref()?.parse().ok()
}

async fn city(context: &Context) -> anyhow::Result<Option<(Chain, Client)>> {
    let tenant = CITY.parse()?;
    let api = objects::within::<ChainSpec>(&context.client, &names::namespace(&tenant));
    let Some(object) = api.get_opt(CITY).await? else { return Ok(None) };
    let Ok(chain) = objects::parse::<ChainSpec>(&object) else { return Ok(None) };
    let Some(fingerprint) = fingerprint(&chain) else { return Ok(None) };
    let place = Place::of(&tenant, &chain.metadata);
    let token = keys::member_token(&context.client, &place).await?.map(|token| token.as_str().to_owned());
    let rows = chain.status.iter().flat_map(|status| &status.validators).filter(|row| row.ready);
    let bases: Vec<String> = rows.map(|row| context.config.node_api(&place.tenant, &place.chain, row.name)).collect();
    if bases.is_empty() {
        tracing::warn!("no validator of the city chain is caught up: a drill begins without an anchor");
        return Ok(None);
    }
    let client = Client::new(endpoints(bases.iter().map(String::as_str)), fingerprint, token)?;
    Ok(Some((chain, client)))
}
