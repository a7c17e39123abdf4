//! What the city chain vouches for: a block of the chain that it has anchored, so that a drill can hold the restored copy
//! against it. The answer is proven against the city chain's own genesis before it is used.

use chain_client::{Client, node::endpoints};
use chain_types::{
    BlockId, Fingerprint,
    encoding::from_slice,
    evidence::Subject,
    light::{StoredHeader, header_key, header_prefix},
};
use operator_api::{Chain, ChainSpec};

use crate::{
    chain::{keys, resources::Place},
    context::Context,
    objects::{self, names},
};

/// Tenant and chain of the city.
const CITY: &str = "city";
/// Anchors are looked for this far below a backup's last block, and then farther.
const WINDOWS: [u64; 3] = [1_000, 100_000, u64::MAX];
const PAGE: u32 = 100;
/// An anchor a minute fills a page in less than two hours; nobody needs to know more.
const PAGES: usize = 20;

/// The highest anchored block up to `height`; nothing if there is no city chain, or it knows nothing of this one.
pub async fn anchors(context: &Context, chain: &Chain, height: u64) -> anyhow::Result<Vec<(u64, String)>> {
    let own = fingerprint(chain);
    let (Some(own), Some((city, client))) = (own, city(context).await?) else { return Ok(Vec::new()) };
    if fingerprint(&city) == Some(own) {
        return Ok(Vec::new());
    }
    match anchor(&client, own, height).await {
        Ok(found) => Ok(found.map(|(height, id)| (height, id.to_string())).into_iter().collect()),
        // A drill that waits for the city chain proves nothing meanwhile; its status then names no anchor.
        Err(error) => {
            tracing::warn!(chain = %chain.name(), %error, "the city chain couldn't be asked for an anchor");
            Ok(Vec::new())
        }
    }
}

async fn anchor(city: &Client, chain: Fingerprint, height: u64) -> Result<Option<(u64, BlockId)>, chain_client::Error> {
    for window in WINDOWS {
        if let Some(key) = highest(city, chain, height, window).await? {
            let proven = city.evidence_of_state(&key).await?;
            let Subject::State(proof) = &proven.evidence.subject else { return Ok(None) };
            let stored = from_slice::<StoredHeader>(&proof.value);
            return Ok(stored.ok().filter(|stored| stored.height <= height).map(|stored| (stored.height, stored.id)));
        }
        if window >= height {
            break;
        }
    }
    Ok(None)
}

/// The key of the highest stored header within the window.
async fn highest(
    city: &Client,
    chain: Fingerprint,
    height: u64,
    window: u64,
) -> Result<Option<Vec<u8>>, chain_client::Error> {
    let (mut after, most) = (header_key(&chain, height.saturating_sub(window)), header_key(&chain, height));
    let mut found = None;
    for _ in 0..PAGES {
        let page = city.state_list(&header_prefix(&chain), Some(&after), PAGE).await?;
        let below = page.iter().take_while(|entry| entry.key <= most).count();
        if let Some(last) = page.get(..below).and_then(<[_]>::last) {
            found = Some(last.key.clone());
            after.clone_from(&last.key);
        }
        if below < usize::try_from(PAGE).unwrap_or(usize::MAX) {
            break;
        }
    }
    Ok(found)
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
    let client = Client::new(endpoints(bases.iter().map(String::as_str)), fingerprint, token)?;
    Ok(Some((chain, client)))
}
