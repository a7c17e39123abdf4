//! The objects that a chain consists of in a cluster, each built from the plan alone. Pure: nothing here knows what exists. Names and
//! labels follow [`names`]; whatever must survive its chain (keys, genesis, volumes) has no owner.

pub mod config_map;
pub mod network_policy;
pub mod pdb;
pub mod service;
pub mod service_monitor;
pub mod stateful_set;

#[cfg(test)]
mod tests;

use chain_plan::Addresses;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use operator_api::{ChainSpec, Metadata, Name, ValidatorName};

use crate::objects::{self, names};

/// Annotations of a pod: what it was started with is read from the pod itself.
pub mod annotation {
    pub const VERSION: &str = "citychain.dev/version";
    /// `start_hash` of its configuration.
    pub const CONFIG_START: &str = "citychain.dev/config-start";
    pub const MEMORY_MIB: &str = "citychain.dev/memory-mib";
    /// Hash of the template as it was rendered, without this line.
    pub const TEMPLATE: &str = "citychain.dev/template";
    /// On a pod alone: the content of its key Secret that it was last brought.
    pub const KEYS: &str = "citychain.dev/keys";
}

/// Where a chain is and whose it is.
#[derive(Clone, Debug)]
pub struct Place {
    pub namespace: String,
    pub tenant: Name,
    pub chain: Name,
    /// `None` for a plan on paper.
    pub owner: Option<OwnerReference>,
}

impl Place {
    pub fn of(tenant: &Name, metadata: &Metadata) -> Self {
        Self {
            namespace: names::namespace(tenant),
            tenant: tenant.clone(),
            chain: metadata.name.clone(),
            owner: objects::owner::<ChainSpec>(metadata),
        }
    }

    pub fn addresses(&self) -> Addresses {
        Addresses::Cluster { namespace: self.namespace.clone(), chain: self.chain.clone() }
    }

    /// Of something that belongs to the chain as a whole and goes with it.
    pub fn of_chain(&self, name: String) -> ObjectMeta {
        ObjectMeta {
            name: Some(name),
            namespace: Some(self.namespace.clone()),
            labels: Some(names::chain_labels(&self.tenant, &self.chain)),
            owner_references: self.owner.clone().map(|owner| vec![owner]),
            ..ObjectMeta::default()
        }
    }

    /// Of something that belongs to one validator and goes with the chain.
    pub fn of_validator(&self, name: String, node: ValidatorName) -> ObjectMeta {
        ObjectMeta { labels: Some(names::validator_labels(&self.tenant, &self.chain, node)), ..self.of_chain(name) }
    }

    /// Of something that outlives the chain.
    pub fn lasting(&self, name: String) -> ObjectMeta {
        ObjectMeta { owner_references: None, ..self.of_chain(name) }
    }

    /// Every pod of the chain.
    pub fn pods(&self) -> LabelSelector {
        let labels = [(names::APP_NAME, names::CHAIN_NODE), (names::CHAIN, self.chain.as_str())];
        selector(labels)
    }
}

/// Everything with these labels.
pub fn selector<const N: usize>(labels: [(&str, &str); N]) -> LabelSelector {
    let labels = labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}
