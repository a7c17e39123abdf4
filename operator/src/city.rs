//! What one object must know of the others: which names are taken in the city, what a tenant's chains use of its quota. Read
//! from the API server; the counting is pure.

use std::collections::{BTreeMap, BTreeSet};

use chain_plan::validate::Context;
use futures::try_join;
use kube::{
    Client,
    api::{DynamicObject, ListParams},
};
use operator_api::{Chain, ChainSpec, Name, Quota, Tenant, TenantSpec, Usage, Version};

use crate::objects::{self, names};

/// What a chain `name` of this tenant is judged against: the tenant's chains, and the others of that name wherever they are. The
/// rest of the city has no say, and reading hundreds of chains for each one asked for would keep admission from answering in time.
pub async fn chains_around(client: &Client, tenant: &Name, name: &Name) -> kube::Result<Vec<Chain>> {
    let of_that_name = ListParams::default().fields(&format!("metadata.name={name}"));
    let everywhere = objects::everywhere::<ChainSpec>(client);
    let (mut around, of_that_name) = try_join!(chains_of(client, tenant), everywhere.list(&of_that_name))?;
    let home = names::namespace(tenant);
    let elsewhere = of_that_name.iter().filter(|object| object.metadata.namespace.as_deref() != Some(home.as_str()));
    around.extend(readable(elsewhere));
    Ok(around)
}

/// The chains of one tenant that can be read; one that cannot takes nothing and its own status says so.
pub async fn chains_of(client: &Client, tenant: &Name) -> kube::Result<Vec<Chain>> {
    let list = objects::within::<ChainSpec>(client, &names::namespace(tenant)).list(&ListParams::default()).await?;
    Ok(readable(&list).collect())
}

fn readable<'a>(objects: impl IntoIterator<Item = &'a DynamicObject>) -> impl Iterator<Item = Chain> {
    objects.into_iter().filter_map(|object| objects::parse(object).ok())
}

pub async fn tenant(client: &Client, name: &Name) -> kube::Result<Option<Result<Tenant, String>>> {
    let found = objects::everywhere::<TenantSpec>(client).get_opt(name.as_str()).await?;
    Ok(found.map(|object| objects::parse(&object)))
}

/// What a spec asks of its tenant's quota.
pub fn usage(spec: &ChainSpec) -> Usage {
    let validators = spec.validators.count.unwrap_or_else(|| {
        let listed = spec.validators.organisations.iter().fold(0u32, |sum, share| sum.saturating_add(share.validators));
        let left = spec.retired.iter().filter(|name| u32::from(name.number()) <= listed).count();
        listed.saturating_sub(u32::try_from(left).unwrap_or(u32::MAX))
    });
    Usage { chains: 1, validators, storage_gib: validators.saturating_mul(spec.resources.storage_gib) }
}

/// What they use together.
pub fn used<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> Usage {
    chains.into_iter().map(|chain| usage(&chain.spec)).fold(Usage::default(), |sum, one| Usage {
        chains: sum.chains.saturating_add(one.chains),
        validators: sum.validators.saturating_add(one.validators),
        storage_gib: sum.storage_gib.saturating_add(one.storage_gib),
    })
}

/// What a chain's spec is judged against, gathered from the city.
#[derive(Clone, Debug)]
pub struct Surroundings {
    pub city: Name,
    pub tenant_name: Name,
    pub tenant: TenantSpec,
    /// Every other chain of the city with its tenant.
    pub other_chains: BTreeMap<Name, Name>,
    pub used: Usage,
    pub versions: BTreeSet<Version>,
}

impl Surroundings {
    /// Around the chain `name` of this tenant, which need not exist yet. `chains` are all of the city, or at least those of
    /// [`chains_around`] it.
    pub fn of(name: &Name, tenant: &Tenant, chains: &[Chain], city: &Name, versions: BTreeSet<Version>) -> Self {
        let tenant_name = tenant.name().clone();
        let home = names::namespace(&tenant_name);
        let others = || {
            chains
                .iter()
                .filter(|chain| chain.name() != name || chain.metadata.namespace.as_deref() != Some(home.as_str()))
        };
        let owner = |chain: &Chain| {
            chain.metadata.namespace.as_deref().and_then(names::tenant_of).unwrap_or_else(|| chain.spec.tenant.clone())
        };
        Self {
            city: city.clone(),
            other_chains: others().map(|chain| (chain.name().clone(), owner(chain))).collect(),
            used: used(others().filter(|chain| owner(chain) == tenant_name)),
            tenant: tenant.spec.clone(),
            tenant_name,
            versions,
        }
    }

    /// As `chain-plan` takes it; `created_ms` is when the chain was asked for.
    pub fn context(&self, created_ms: u64) -> Context<'_> {
        Context {
            city: &self.city,
            tenant_name: &self.tenant_name,
            tenant: &self.tenant,
            other_chains: &self.other_chains,
            used: self.used,
            versions: &self.versions,
            created_ms,
        }
    }

    /// For what is there already: a quota that was lowered since, or a version that was taken from the table, is no reason
    /// that it cannot be read.
    #[must_use]
    pub fn lenient(&self, spec: &ChainSpec) -> Self {
        let mut lenient = self.clone();
        lenient.versions.insert(spec.version);
        lenient.used = Usage::default();
        lenient.tenant.quota = Quota { chains: u32::MAX, validators: u32::MAX, storage_gib: u32::MAX };
        lenient.other_chains.clear();
        lenient
    }
}

#[cfg(test)]
mod tests {
    use operator_api::{Share, Validators};

    use super::*;
    use crate::fixtures;

    #[test]
    fn a_chain_is_not_counted_against_itself() {
        let tenant = fixtures::tenant("notary");
        let chains = [
            fixtures::chain("notary", "main", 4),
            fixtures::chain("notary", "archive", 5),
            fixtures::chain("health", "medical", 7),
        ];
        let around = |name: &str| {
            let versions = BTreeSet::new();
            Surroundings::of(&name.parse().unwrap(), &tenant, &chains, &"yunchuan".parse().unwrap(), versions)
        };
        assert_eq!(around("main").used, Usage { chains: 1, validators: 5, storage_gib: 50 });
        assert_eq!(around("other").used, Usage { chains: 2, validators: 9, storage_gib: 90 });
        assert!(!around("main").other_chains.contains_key("main".parse::<Name>().as_ref().unwrap()));
        // A name of another tenant is taken.
        assert_eq!(around("medical").other_chains[&"medical".parse().unwrap()].as_str(), "health");
    }

    #[test]
    fn who_has_left_is_not_counted() {
        let mut spec = fixtures::chain("notary", "main", 4).spec;
        let share = |organisation: &str, validators| Share { organisation: organisation.parse().unwrap(), validators };
        spec.validators = Validators { count: None, organisations: vec![share("court", 2), share("notary-office", 3)] };
        spec.retired = ["validator-2".parse().unwrap(), "validator-9".parse().unwrap()].into();
        assert_eq!(usage(&spec).validators, 4);
    }
}
