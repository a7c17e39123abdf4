//! The way to each chain for whoever needs proof: a client that verifies what it returns. Filled from the registry, read by indexer,
//! outbox and gateway. A chain that was reachable once stays here while it is down, so that what waits for it is not lost sight of.

use crate::app::App;
use crate::chains::{self, console_name};
use crate::error::{Error, Result};
use crate::names::Name;
use chain_client::{Client, Url};
use chain_types::Fingerprint;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// One chain, its owner, and how to ask it.
#[derive(Clone)]
pub struct Way {
    pub chain: Name,
    pub tenant: Name,
    pub client: Client,
}

#[derive(Default)]
pub struct Reach(RwLock<BTreeMap<String, Arc<Way>>>);

impl Reach {
    pub fn find(&self, chain: &str) -> Option<Arc<Way>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(chain).cloned()
    }

    /// By name.
    pub fn all(&self) -> Vec<Arc<Way>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The chains of a tenant, by name.
    pub fn of_tenant(&self, tenant: &Name) -> Vec<Arc<Way>> {
        self.all().into_iter().filter(|way| way.tenant == *tenant).collect()
    }

    pub fn set(&self, way: Way) {
        let chain = way.chain.as_str().to_owned();
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(chain, Arc::new(way));
    }

    pub fn remove(&self, chain: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(chain);
    }
}

/// The chain of a tenant's people; other tenants' chains do not exist.
pub fn of_tenant(app: &App, tenant: &Name, chain: &str) -> Result<Arc<Way>> {
    app.reach.find(chain).filter(|way| way.tenant == *tenant).ok_or(Error::NotFound)
}

/// Takes over what the registry knows: new chains, other addresses, chains that are gone.
pub async fn refresh(app: &App) {
    let entries = app.chains.all();
    for entry in &entries {
        if let Err(error) = refresh_one(app, entry).await {
            tracing::warn!(chain = %entry.name, %error, "the way to a chain couldn't be opened");
        }
    }
    if app.chains.city().is_known {
        for way in app.reach.all() {
            if !entries.iter().any(|entry| entry.name.as_str() == way.chain.as_str()) {
                app.reach.remove(way.chain.as_str());
            }
        }
    }
}

async fn refresh_one(app: &App, entry: &chains::Entry) -> Result<()> {
    let view = entry.view();
    let fingerprint = view.status.fingerprint.as_deref().and_then(|text| text.parse::<Fingerprint>().ok());
    let (Some(fingerprint), Some(tenant)) = (fingerprint, view.owner()) else { return Ok(()) };
    let known = app.reach.find(entry.name.as_str());
    if known.is_none() && !view.works() {
        return Ok(());
    }
    // One that only follows, on its way in or out, may lack what the others have.
    let voters = view.status.validators.iter().filter(|row| row.voting);
    let mut addresses: Vec<String> =
        voters.filter_map(|row| row.api.as_ref()).map(|api| format!("http://{api}/")).collect();
    addresses.sort();
    let same = known.as_ref().is_some_and(|way| {
        way.client.fingerprint() == fingerprint
            && way.client.endpoints().iter().map(Url::as_str).eq(addresses.iter().map(String::as_str))
    });
    if same || addresses.is_empty() {
        return Ok(());
    }
    let chain = console_name(&entry.name);
    let token = chains::client(app, &chain).await?.token().to_owned();
    let endpoints = addresses.iter().filter_map(|address| address.parse().ok()).collect();
    let client = Client::new(endpoints, fingerprint, Some(token)).map_err(anyhow::Error::from)?;
    app.reach.set(Way { chain, tenant, client });
    Ok(())
}
