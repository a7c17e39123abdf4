//! The form for a new chain: prefilled so that it can be sent as it is, parsed once into a [`Draft`] that is a chain's object. Whether the
//! city allows it is judged by `chain-plan`.

use crate::app::App;
use crate::chains::{City, TenantView, console_name, object_name};
use crate::error::{Error, FieldErrors, Result};
use crate::names;
use crate::objects::tenant::{CHAIN_TITLE_EN, CHAIN_TITLE_ZH};
use crate::text::Message;
use chain_plan::Quorum;
use operator_api::{
    Chain, ChainSpec, ChainState, Governance, Membership, Name, Resources, Share, Text, Time, Validators, Version,
};
use std::collections::{BTreeMap, BTreeSet};

/// Field → what was typed; validators of an organisation are `validators-<organisation>`.
pub type Typed = BTreeMap<String, String>;

/// A chain as somebody asks for it.
#[derive(Clone, Debug)]
pub struct Draft {
    name: Name,
    spec: ChainSpec,
}

/// What the form shows before anything is typed.
pub fn prefilled(app: &App, city: &City, tenant: &TenantView) -> Typed {
    let object = &tenant.object;
    let title = |annotation: &str, zh: bool| {
        let own = object.metadata.annotations.get(annotation).cloned();
        own.unwrap_or_else(|| {
            if zh { format!("{}链", object.spec.title.zh) } else { format!("{} chain", object.spec.title.en) }
        })
    };
    let resources = Resources::default();
    let mut typed = BTreeMap::from([
        ("tenant".to_owned(), object.name().to_string()),
        ("title_zh".to_owned(), title(CHAIN_TITLE_ZH, true)),
        ("title_en".to_owned(), title(CHAIN_TITLE_EN, false)),
        ("name".to_owned(), free_name(app, object.name())),
        ("memory_mib".to_owned(), resources.memory_mib.to_string()),
        ("storage_gib".to_owned(), resources.storage_gib.to_string()),
        ("version".to_owned(), city.versions.last().map(ToString::to_string).unwrap_or_default()),
    ]);
    // Who runs the platform: the last organisation by the demo's custom, the only one elsewhere.
    if let Some(last) = object.spec.organisations.last() {
        typed.insert("operator".to_owned(), last.id.to_string());
    }
    typed.extend(shares(tenant));
    typed
}

/// At least four validators, shared out over the organisations in turn.
fn shares(tenant: &TenantView) -> Vec<(String, String)> {
    let organisations = &tenant.object.spec.organisations;
    let count = organisations.len().max(1);
    let total = count.max(chain_plan::quorum::FEWEST_VALIDATORS as usize);
    let share = |i: usize| total / count + usize::from(i < total % count);
    organisations.iter().enumerate().map(|(i, own)| (format!("validators-{}", own.id), share(i).to_string())).collect()
}

/// The tenant's name, or with a number behind it if there is such a chain.
fn free_name(app: &App, tenant: &Name) -> String {
    let taken: BTreeSet<Name> = app.chains.all().iter().map(|entry| entry.name.clone()).collect();
    let numbered = (2..100).map(|n| format!("{tenant}-{n}"));
    let mut candidates =
        std::iter::once(tenant.to_string()).chain(numbered).filter_map(|name| name.parse::<Name>().ok());
    candidates.find(|name| !taken.contains(name)).map(|name| name.to_string()).unwrap_or_default()
}

impl Draft {
    pub fn parse(typed: &Typed, city: &City) -> Result<Self> {
        let mut errors = FieldErrors::default();
        let text = |field: &str| typed.get(field).map(|text| text.trim()).unwrap_or_default();
        let name = text("name").parse::<Name>().ok();
        if name.is_none() {
            errors.add("name", Message::new("field-name-form"));
        }
        let tenant = text("tenant").parse::<Name>().ok().and_then(|name| city.tenants.get(&name));
        if tenant.is_none() {
            errors.add("tenant", Message::new("chain-tenant-missing"));
        }
        let mut number = |field: &'static str| match text(field).parse::<u32>() {
            Ok(number) => number,
            Err(_) => {
                errors.add(field, Message::new("chain-number-missing"));
                0
            }
        };
        let resources = Resources { memory_mib: number("memory_mib"), storage_gib: number("storage_gib") };
        let version = text("version").parse::<Version>().ok().or_else(|| city.versions.last().copied());
        if version.is_none() {
            errors.add("", Message::new("chain-no-program"));
        }
        let organisations = tenant.map(|tenant| shares_of(typed, tenant, &mut errors)).unwrap_or_default();
        let title = Text::new(text("title_zh"), text("title_en"));
        let operator = text("operator").parse::<Name>().ok();
        let (Some(name), Some(tenant), Some(version)) = (name, tenant, version) else {
            return Err(Error::Invalid(errors));
        };
        let spec = ChainSpec {
            tenant: tenant.object.name().clone(),
            title,
            validators: Validators { count: None, organisations },
            operator,
            governance: Governance::Platform,
            membership: Membership::Delegated,
            heartbeat_ms: 600_000,
            version,
            resources,
            state: ChainState::Running,
            validator_states: BTreeMap::new(),
            retired: BTreeSet::new(),
            public_reads: false,
        };
        errors.finish(Some(Self { name, spec }))
    }

    pub fn tenant(&self) -> names::Name {
        console_name(&self.spec.tenant)
    }

    pub fn object(&self, now_ms: u64) -> Chain {
        let mut object = Chain::new(self.name.clone(), self.spec.clone());
        object.metadata.creation_timestamp = Some(Time::from_ms(now_ms));
        object
    }
}

/// Organisations with at least one validator, in the tenant's order.
fn shares_of(typed: &Typed, tenant: &TenantView, errors: &mut FieldErrors) -> Vec<Share> {
    let mut shares = Vec::new();
    for organisation in &tenant.object.spec.organisations {
        let text = typed.get(&format!("validators-{}", organisation.id)).map(|text| text.trim()).unwrap_or_default();
        match text.parse::<u32>() {
            Ok(0) => {}
            Ok(validators) => shares.push(Share { organisation: organisation.id.clone(), validators }),
            Err(_) if text.is_empty() => {}
            Err(_) => errors.add("validators", Message::new("chain-number-missing")),
        }
    }
    shares
}

/// How many validators were typed so far, and what that number stands.
pub fn tolerance(typed: &Typed) -> Quorum {
    let count = typed
        .iter()
        .filter(|(field, _)| field.starts_with("validators-"))
        .filter_map(|(_, text)| text.trim().parse::<u32>().ok())
        .fold(0u32, u32::saturating_add);
    Quorum::of(count)
}

/// The tenant that a form is for: the typed one, else one without a chain, else the first.
pub fn tenant_of<'a>(app: &App, city: &'a City, wanted: &str) -> Option<&'a TenantView> {
    let named = names::Name::parse(wanted).and_then(|name| city.tenants.get(&object_name(&name)));
    let without =
        || city.tenants.values().find(|tenant| app.chains.of_tenant(tenant.object.name().as_str()).is_empty());
    named.or_else(without).or_else(|| city.tenants.values().next())
}
