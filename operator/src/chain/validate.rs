//! The object as a person wrote it → the spec in force. A spec that does not hold together, or may not be reached from the one before,
//! is told with its field and changes nothing: the one before stays in force.

use std::collections::{BTreeMap, BTreeSet};

use chain_plan::{Context, FieldError, Observed, ValidChain, validate_change};
use operator_api::{Chain, Name, Text, Time};

use super::city::City;
use crate::{
    city::{Surroundings, used},
    config::Config,
    objects::names,
};

/// What a pass goes on with.
#[derive(Debug)]
pub struct Accepted {
    /// `None` if no spec has ever held together, as far as this operator knows.
    pub chain: Option<ValidChain>,
    /// Why the newest spec is not the one in force.
    pub problems: Vec<Text>,
}

/// The spec in force. `founded`: the chain exists, so that this operator, which may have started just now, looks after it even where its
/// quota was lowered or its version taken from the table since.
pub fn accept(
    config: &Config,
    city: &City,
    object: &Chain,
    (before, founded): (Option<&ValidChain>, bool),
    observed: &Observed,
) -> Accepted {
    let valid = match parse(config, city, object) {
        Ok(valid) => valid,
        Err(errors) => {
            let problems = errors.iter().map(in_words).collect();
            let leniently = || if founded { parse_leniently(config, city, object) } else { None };
            return Accepted { chain: before.cloned().or_else(leniently), problems };
        }
    };
    match before.filter(|before| **before != valid).map(|before| (before, validate_change(before, &valid, observed))) {
        Some((before, Err(refusal))) => {
            let problem = Text::new(
                format!("对 {} 的更改未被采纳：{}", refusal.field, refusal.reason.zh),
                format!("The change of {} is not taken: {}", refusal.field, refusal.reason.en),
            );
            Accepted { chain: Some(before.clone()), problems: vec![problem] }
        }
        Some((_, Ok(()))) | None => Accepted { chain: Some(valid), problems: Vec::new() },
    }
}

fn parse_leniently(config: &Config, city: &City, object: &Chain) -> Option<ValidChain> {
    let tenant = &city.tenants.get(&object.spec.tenant)?.object;
    let around = Surroundings::of(object.name(), tenant, &[], &config.city.name, config.versions());
    let lenient = around.lenient(&object.spec);
    let created_ms = object.metadata.creation_timestamp.map_or(0, Time::ms);
    ValidChain::parse(object.name(), &object.spec, &lenient.context(created_ms)).ok()
}

/// The object judged against its tenant and the city as they are now. It exists, so it may wait for its node program, and only chains
/// that were there before it count against its name and its quota.
fn parse(config: &Config, city: &City, object: &Chain) -> Result<ValidChain, Vec<FieldError>> {
    let wrong = |field: &str, zh: String, en: String| {
        Err(vec![FieldError { field: field.to_owned(), reason: Text::new(zh, en) }])
    };
    let name = &object.spec.tenant;
    if object.metadata.namespace.as_deref() != Some(&names::namespace(name)) {
        let namespace = names::namespace(name);
        return wrong(
            "spec.tenant",
            format!("租户 {name} 的链必须建在命名空间 {namespace} 中"),
            format!("a chain of tenant `{name}` belongs into the namespace `{namespace}`"),
        );
    }
    let Some(tenant) = city.tenants.get(name) else {
        return wrong("spec.tenant", format!("没有名为 {name} 的租户"), format!("there is no tenant `{name}`"));
    };
    let mut versions: BTreeSet<_> = config.versions();
    versions.insert(object.spec.version);
    let others = || city.chains.values().filter(|other| other.metadata.uid != object.metadata.uid);
    let counted = || others().filter(|other| is_older(other, object));
    let other_chains: BTreeMap<Name, Name> =
        counted().map(|other| (other.name().clone(), other.spec.tenant.clone())).collect();
    let used = used(counted().filter(|other| &other.spec.tenant == name));
    ValidChain::parse(
        object.name(),
        &object.spec,
        &Context {
            city: &config.city.name,
            tenant_name: name,
            tenant: &tenant.object.spec,
            other_chains: &other_chains,
            used,
            versions: &versions,
            created_ms: object.metadata.creation_timestamp.map_or(0, Time::ms),
        },
    )
}

/// Of two with one name, or beyond the quota, the first one stays.
fn is_older(one: &Chain, other: &Chain) -> bool {
    let key = |chain: &Chain| (chain.metadata.creation_timestamp.unwrap_or_default(), chain.metadata.uid.clone());
    key(one) < key(other)
}

fn in_words(error: &FieldError) -> Text {
    Text::new(format!("{}：{}", error.field, error.reason.zh), format!("{}: {}", error.field, error.reason.en))
}
