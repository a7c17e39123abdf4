//! What the console knows of the city's chains right now. The local provisioner or the follower of a cluster's objects fills it, pages and
//! the gateway read it; nothing here is stored, and nothing is decided.

mod access;
mod events;
pub mod incidents;
pub mod report;
pub mod spec;
pub mod tenants;

pub use access::{Client, NodeError, client, member_token_hash};
pub use events::{Event, add as add_event, newest as newest_events};

use crate::names;
use chain_plan::{Observed, Plan, ValidChain};
use operator_api::{Chain, ChainPhase, ChainStatus, Name, Tenant, TenantStatus, Text, ValidatorName, Version};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, Notify};
use tokio_util::task::TaskTracker;

/// Every chain, and the city around them.
#[derive(Default)]
pub struct Registry {
    chains: RwLock<BTreeMap<Name, Arc<Entry>>>,
    city: RwLock<Arc<City>>,
    /// Something in the home was changed by the console: look at once.
    pub changed: Notify,
    /// The loops that look after chains: awaited at the end, so that none starts a node after the console is gone.
    pub loops: TaskTracker,
}

/// What is not of one chain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct City {
    pub tenants: BTreeMap<Name, TenantView>,
    /// Node programs that can be started here.
    pub versions: BTreeSet<Version>,
    pub build: Option<Build>,
    /// Objects that do not fit, in words.
    pub problems: Vec<Text>,
    /// Every chain that there is stands in the registry: one that does not is gone.
    pub is_known: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TenantView {
    pub object: Tenant,
    pub status: TenantStatus,
}

/// How far the building of the node program is, as `build.json` says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Build {
    /// building | done | failed
    pub state: String,
    pub done: u64,
    pub total: u64,
    pub percent: u64,
    pub eta_s: u64,
    pub what: String,
    pub log: String,
    pub error: String,
}

/// One chain.
pub struct Entry {
    pub name: Name,
    /// Wakes its loop before its time.
    pub wake: Notify,
    /// Held while its object is changed.
    pub editing: Mutex<()>,
    view: RwLock<Arc<View>>,
}

/// A chain as it was seen last.
#[derive(Clone, Debug, Default)]
pub struct View {
    pub object: Option<Chain>,
    /// The spec in force; an edit that does not fit leaves the one before.
    pub valid: Option<ValidChain>,
    pub plan: Option<Plan>,
    pub observed: Observed,
    pub status: ChainStatus,
    /// Why the object in the file is not the one in force, or what could not be carried out.
    pub problems: Vec<Text>,
    /// What befell validators lately and is over.
    pub incidents: Vec<Incident>,
    pub deleting: bool,
}

/// A process that ended unasked, and when its validator took part again.
#[derive(Clone, Debug, PartialEq)]
pub struct Incident {
    pub node: ValidatorName,
    /// "validator-3 (Intermediate court)"
    pub called: Text,
    /// "its process was ended by signal 9"
    pub cause: Text,
    pub at_ms: u64,
    pub back_ms: Option<u64>,
}

impl Registry {
    pub fn find(&self, chain: &Name) -> Option<Arc<Entry>> {
        self.chains.read().unwrap_or_else(PoisonError::into_inner).get(chain).cloned()
    }

    /// By name.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.chains.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The chains of a tenant, by name.
    pub fn of_tenant(&self, tenant: &str) -> Vec<Arc<Entry>> {
        let mut all = self.all();
        all.retain(|entry| entry.view().tenant() == Some(tenant));
        all
    }

    pub fn city(&self) -> Arc<City> {
        self.city.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_city(&self, city: City) {
        *self.city.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(city);
    }

    pub fn add(&self, entry: Arc<Entry>) {
        self.chains.write().unwrap_or_else(PoisonError::into_inner).insert(entry.name.clone(), entry);
    }

    pub fn remove(&self, chain: &Name) {
        self.chains.write().unwrap_or_else(PoisonError::into_inner).remove(chain);
    }
}

impl Entry {
    pub fn new(name: Name, view: View) -> Self {
        Self { name, wake: Notify::new(), editing: Mutex::new(()), view: RwLock::new(Arc::new(view)) }
    }

    pub fn view(&self) -> Arc<View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, view: View) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// Takes over the object as it was just stored, unless whoever looks after the chain has a later one already.
    pub fn stored(&self, object: Chain) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        let known = view.object.as_ref().map(|known| &known.metadata);
        if known.is_none_or(|known| known.generation <= object.metadata.generation) {
            let deleting = object.metadata.deletion_timestamp.is_some();
            *view = Arc::new(View { object: Some(object), deleting, ..(**view).clone() });
        }
    }
}

impl View {
    pub fn tenant(&self) -> Option<&str> {
        self.object.as_ref().map(|object| object.spec.tenant.as_str())
    }

    /// The tenant as the console's policy knows it.
    pub fn owner(&self) -> Option<names::Name> {
        self.object.as_ref().map(|object| console_name(&object.spec.tenant))
    }

    pub fn title(&self) -> Text {
        self.object.as_ref().map(|object| object.spec.title.clone()).unwrap_or_default()
    }

    /// Blocks are being made or could be.
    pub fn works(&self) -> bool {
        matches!(self.status.phase, ChainPhase::Healthy | ChainPhase::Idle | ChainPhase::Degraded)
    }
}

/// The same name in the console's type. Both types have one rule.
pub fn console_name(name: &Name) -> names::Name {
    names::Name::parse(name.as_str()).expect("both crates have the same rule for names")
}

/// The same name in the objects' type.
pub fn object_name(name: &names::Name) -> Name {
    name.as_str().parse().expect("both crates have the same rule for names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_of_one_crate_is_a_name_of_the_other(text in ".{0,32}|[a-z][a-z0-9-]{0,31}") {
            prop_assert_eq!(names::Name::parse(&text).is_some(), text.parse::<Name>().is_ok());
        }
    }
}
