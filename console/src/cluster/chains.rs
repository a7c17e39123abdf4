//! Chains of the cluster, as the operator reports them: taken into the registry, told to pages, and their genesis asked of their nodes.

use super::kept::Key;
use super::view::{Given, view};
use super::{Asked, Follower};
use crate::chains::report::{announce, event, gone};
use crate::chains::{Entry, View, incidents, spec};
use crate::live::Topic;
use crate::objects::cluster::{namespace, parse};
use crate::time::now_ms;
use chain_types::Genesis;
use kube::api::DynamicObject;
use operator_api::{Chain, ChainSpec, ChainStatus, Kind};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(3);

pub struct Known {
    /// Without its status.
    pub object: Chain,
    status: ChainStatus,
    /// Of the fingerprint that the status names.
    genesis: Option<Box<Genesis>>,
    /// The nodes are being asked for it.
    asking: bool,
}

impl Known {
    fn is_founded(&self) -> bool {
        let known = self.genesis.as_ref().map(|genesis| genesis.fingerprint().to_string());
        self.status.fingerprint.is_none() || known == self.status.fingerprint
    }
}

impl Follower {
    pub async fn chain_seen(&mut self, object: &DynamicObject) {
        let key = Key::of(object);
        self.chains.name(&key);
        let mut object: Chain = match parse::<ChainSpec>(object) {
            Ok(object) => object,
            Err(reason) => return self.misfit(ChainSpec::KIND, key, &reason),
        };
        if let Some(reason) = self.misplaced(&key, &object) {
            return self.misfit(ChainSpec::KIND, key, &reason);
        }
        self.misfits.remove(&(ChainSpec::KIND, key.clone()));
        let status = object.status.take().unwrap_or_default();
        let before = self.chains.forget(&key);
        let is_new = before.is_none();
        let (genesis, asking) = before.map(|before| (before.genesis, before.asking)).unwrap_or_default();
        self.chains.keep(key.clone(), Known { object, status, genesis, asking });
        self.show(&key).await;
        if is_new && let Some(tenant) = self.chains.get(&key).map(|known| known.object.spec.tenant.clone()) {
            // The chain's nodes are to know the console.
            self.publish(&Key { namespace: None, name: tenant.to_string() }).await;
        }
        self.ask_for_genesis();
    }

    /// An object outside its tenant's namespace would be a chain of somebody else's making; one of a name that the city has would hide
    /// the other. Admission refuses both; this is for when it was not there.
    fn misplaced(&self, key: &Key, object: &Chain) -> Option<String> {
        let right = namespace(&object.spec.tenant);
        if key.namespace.as_ref() != Some(&right) {
            return Some(format!(
                "spec.tenant: a chain of tenant `{}` belongs into the namespace {right}",
                object.spec.tenant
            ));
        }
        let same = |other: &&Key| other.name == key.name && *other != key;
        let keys = self.chains.keys();
        let other = keys.iter().find(same)?;
        Some(format!("metadata.name: a chain's name is unique in the city, and {other} has it"))
    }

    pub async fn chain_gone(&mut self, key: &Key) {
        self.misfits.remove(&(ChainSpec::KIND, key.clone()));
        let Some(known) = self.chains.forget(key) else { return };
        if let Some(entry) = self.app.chains.find(known.object.name()) {
            self.app.chains.remove(known.object.name());
            gone(&self.app, &entry);
        }
        self.publish(&Key { namespace: None, name: known.object.spec.tenant.to_string() }).await;
    }

    /// Tenants changed, and chains are judged against them.
    pub async fn judge_all(&mut self) {
        self.refresh_city();
        for key in self.chains.keys() {
            self.show(&key).await;
        }
    }

    async fn show(&mut self, key: &Key) {
        let Some(known) = self.chains.get(key) else { return };
        let found = self.app.chains.find(known.object.name());
        let before = found.as_ref().map(|entry| entry.view()).unwrap_or_default();
        let now_ms = now_ms().unsigned_abs();
        let given = Given {
            object: &known.object,
            status: &known.status,
            judged: spec::parse(&self.app, &known.object),
            genesis: known.genesis.as_deref(),
            versions: &self.app.chains.city().versions,
            now_ms,
        };
        let seen = view(&given, &before);
        match found {
            Some(entry) => self.tell(&entry, &before, seen).await,
            None => {
                // What the operator reported before this console looked is no news.
                let (name, owner) = (known.object.name().clone(), seen.owner());
                self.app.chains.add(Arc::new(Entry::new(name, seen)));
                self.app.publish_changed(Topic::city("chains"));
                if let Some(owner) = owner {
                    self.app.publish_changed(Topic::tenant(&owner, "chains"));
                }
            }
        }
    }

    async fn tell(&self, entry: &Entry, before: &View, seen: View) {
        let was_over = |node| before.incidents.iter().any(|known| known.node == node && known.back_ms.is_some());
        let over: Vec<_> = seen
            .incidents
            .iter()
            .filter(|incident| incident.back_ms.is_some() && !was_over(incident.node))
            .map(incidents::sentence)
            .collect();
        announce(&self.app, entry, seen).await;
        for sentence in over {
            event(&self.app, entry, "ok", &sentence).await;
        }
    }

    /// Has the nodes of every chain asked that has a genesis which is not known here yet.
    pub fn ask_for_genesis(&mut self) {
        for key in self.chains.keys() {
            let Some(known) = self.chains.get_mut(&key).filter(|known| !known.asking && !known.is_founded()) else {
                continue;
            };
            let addresses: Vec<String> = known.status.validators.iter().filter_map(|row| row.api.clone()).collect();
            known.asking = true;
            let (chain, http, answers) = (known.object.name().clone(), self.app.http.clone(), self.answers.clone());
            let fingerprint = known.status.fingerprint.clone().unwrap_or_default();
            tokio::spawn(async move {
                let genesis = ask(&http, &addresses, &fingerprint).await;
                // An error only says that the console stops.
                let _ = answers.send(Asked { chain, genesis }).await;
            });
        }
    }

    pub async fn founded(&mut self, asked: Asked) {
        let is_it = |key: &&Key| self.chains.get(key).is_some_and(|known| *known.object.name() == asked.chain);
        let Some(key) = self.chains.keys().iter().find(is_it).cloned() else { return };
        let Some(known) = self.chains.get_mut(&key) else { return };
        known.asking = false;
        if asked.genesis.is_some() {
            known.genesis = asked.genesis;
            self.show(&key).await;
        }
    }
}

/// The genesis of this fingerprint, from the first node that has it. Whoever answers with another one is not believed.
async fn ask(http: &reqwest::Client, addresses: &[String], fingerprint: &str) -> Option<Box<Genesis>> {
    for address in addresses {
        let answer = http.get(format!("http://{address}/genesis")).timeout(PATIENCE).send().await;
        let Ok(answer) = answer else { continue };
        let Ok(genesis) = answer.json::<Genesis>().await else { continue };
        if genesis.check().is_ok() && genesis.fingerprint().to_string() == fingerprint {
            return Some(Box::new(genesis));
        }
    }
    None
}
