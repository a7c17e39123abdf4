//! `Tenant`: a bureau with its organisations and its quota of resources. People, sessions and keys of people are not here.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Condition, Kind, Name, Object, PublicKey, Text};

pub type Tenant = Object<TenantSpec>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantSpec {
    pub title: Text,
    /// Who takes part in this tenant's chains. The order is the order in which validators are shared out.
    pub organisations: Vec<Organisation>,
    pub quota: Quota,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Organisation {
    pub id: Name,
    pub title: Text,
    #[serde(default)]
    pub custody: Custody,
    /// The administrator key that the organisation holds itself; only with `custody: self`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<PublicKey>,
}

/// Who holds the organisation's account keys. Evidence prints it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Custody {
    /// The organisation brings its own public key and signs elsewhere.
    #[serde(rename = "self")]
    Own,
    /// The console makes the keys and keeps them sealed.
    #[default]
    Platform,
}

/// How much of the city a tenant may use, over all its chains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Quota {
    pub chains: u32,
    pub validators: u32,
    pub storage_gib: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct TenantStatus {
    pub observed_generation: u64,
    pub conditions: Vec<Condition>,
    /// The administrator keys that a chain's genesis needs. Provisioning waits for those that are not here yet.
    pub organisations: Vec<OrganisationKey>,
    /// SHA-256 of the bearer tokens that open the nodes of each chain to the console, by the chain's name, 64 hexadecimal digits each.
    /// Only in a cluster: the local provisioner knows them without.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tokens: BTreeMap<Name, Vec<String>>,
    pub used: Usage,
}

impl TenantStatus {
    /// The published administrator key of an organisation.
    pub fn key_of(&self, organisation: &Name) -> Option<PublicKey> {
        self.organisations.iter().find(|published| &published.id == organisation).map(|published| published.public_key)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganisationKey {
    pub id: Name,
    pub public_key: PublicKey,
    pub custody: Custody,
}

/// What a tenant's chains use of its quota.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    pub chains: u32,
    pub validators: u32,
    pub storage_gib: u32,
}

impl Kind for TenantSpec {
    const KIND: &'static str = "Tenant";
    const PLURAL: &'static str = "tenants";
    type Status = TenantStatus;
}
