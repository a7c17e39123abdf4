//! A chain's spec judged against its tenant and the city as they are now, and what a tenant's chains use of its quota. The judgement is
//! `chain-plan`'s; here stands only what it is given.

use crate::app::App;
use chain_plan::{Context, FieldError, ValidChain};
use operator_api::{Chain, Name, Text, Time, Usage};
use std::collections::{BTreeMap, BTreeSet};

/// The object's spec judged against its tenant and the city as they are now. A chain that exists may wait for its node program, so
/// its own version counts as available.
pub fn parse(app: &App, object: &Chain) -> Result<ValidChain, Vec<FieldError>> {
    parse_with(app, object, true)
}

/// The same for a chain that is asked for: its version must be there.
pub fn parse_new(app: &App, object: &Chain) -> Result<ValidChain, Vec<FieldError>> {
    parse_with(app, object, false)
}

fn parse_with(app: &App, object: &Chain, exists: bool) -> Result<ValidChain, Vec<FieldError>> {
    let city = app.chains.city();
    let Some(tenant) = city.tenants.get(&object.spec.tenant) else {
        let tenant = &object.spec.tenant;
        return Err(vec![FieldError {
            field: "spec.tenant".to_owned(),
            reason: Text::new(format!("没有名为 {tenant} 的租户"), format!("there is no tenant `{tenant}`")),
        }]);
    };
    let mut versions: BTreeSet<_> = city.versions.clone();
    if exists {
        versions.insert(object.spec.version);
    }
    let others: BTreeMap<Name, Name> = app
        .chains
        .all()
        .iter()
        .filter(|entry| entry.name != *object.name() || !exists)
        .filter_map(|entry| Some((entry.name.clone(), entry.view().object.as_ref()?.spec.tenant.clone())))
        .collect();
    let used = usage_but(app, &object.spec.tenant, exists.then_some(object.name()));
    let created_ms = object.metadata.creation_timestamp.map_or(0, Time::ms);
    ValidChain::parse(
        object.name(),
        &object.spec,
        &Context {
            city: &app.config.city_name,
            tenant_name: &object.spec.tenant,
            tenant: &tenant.object.spec,
            other_chains: &others,
            used,
            versions: &versions,
            created_ms,
        },
    )
}

/// "spec.version: …"
pub fn field_in_words(error: &FieldError) -> Text {
    Text::new(format!("{}：{}", error.field, error.reason.zh), format!("{}: {}", error.field, error.reason.en))
}

/// What the tenant's chains use of its quota.
pub fn usage(app: &App, tenant: &Name) -> Usage {
    usage_but(app, tenant, None)
}

/// The same without one of them.
pub fn usage_but(app: &App, tenant: &Name, but: Option<&Name>) -> Usage {
    let chains = app.chains.of_tenant(tenant.as_str());
    let used = chains
        .iter()
        .filter(|entry| Some(&entry.name) != but)
        .filter_map(|entry| Some(entry.view().valid.as_ref()?.usage()));
    used.fold(Usage::default(), |sum, one| Usage {
        chains: sum.chains + one.chains,
        validators: sum.validators + one.validators,
        storage_gib: sum.storage_gib + one.storage_gib,
    })
}
