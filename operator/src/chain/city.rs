//! What chains are judged against: every tenant and every chain of the city, as the watches last told. Only what the judgement needs is
//! kept; statuses of other chains are not.

use std::collections::BTreeMap;

use chain_types::{Hash, PublicKey};
use kube::api::DynamicObject;
use operator_api::{Chain, ChainSpec, Name, Tenant, TenantSpec};

use crate::objects;

/// Namespace and name.
pub type Key = (String, String);

#[derive(Clone, Debug, Default)]
pub struct City {
    pub tenants: BTreeMap<Name, KnownTenant>,
    pub chains: BTreeMap<Key, Chain>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct KnownTenant {
    pub object: Tenant,
    /// SHA-256 of the console's member tokens, by chain.
    pub tokens: BTreeMap<String, Vec<Hash>>,
}

impl KnownTenant {
    /// `Err` is the sentence about a tenant that cannot be read.
    pub fn read(object: &DynamicObject) -> Result<Self, String> {
        let hashes = |list: &serde_json::Value| -> Vec<Hash> {
            let texts = list.as_array().into_iter().flatten().filter_map(|text| text.as_str());
            texts.filter_map(|text| text.parse().ok()).collect()
        };
        let tokens = object.data["status"]["tokens"].as_object().into_iter().flatten();
        let tokens = tokens.map(|(chain, list)| (chain.clone(), hashes(list))).collect();
        Ok(Self { object: objects::parse::<TenantSpec>(object)?, tokens })
    }

    /// Administrator keys that the console has published.
    pub fn organisations(&self) -> BTreeMap<Name, PublicKey> {
        let published = self.object.status.iter().flat_map(|status| &status.organisations);
        published.map(|key| (key.id.clone(), PublicKey(key.public_key.0))).collect()
    }
}

impl City {
    /// Takes a chain in, without its status. Whether it is one that can be read.
    pub fn add_chain(&mut self, key: Key, object: &DynamicObject) -> bool {
        match objects::parse::<ChainSpec>(object) {
            Ok(mut chain) => {
                chain.status = None;
                self.chains.insert(key, chain);
                true
            }
            Err(_) => {
                self.chains.remove(&key);
                false
            }
        }
    }
}
