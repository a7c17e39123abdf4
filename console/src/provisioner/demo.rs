//! The demo city, fictional 云川市·示例: its tenants with their organisations, and the chains that start by themselves. Only writes objects;
//! the same loops as for any other chain carry them out.

use super::home::{self, Home};
use super::tenants;
use crate::objects::tenant::{self as new_tenant, CHAIN_TITLE_EN, CHAIN_TITLE_ZH};
use crate::time::now_ms;
use operator_api::{
    Chain, ChainSpec, ChainState, Governance, Membership, Name, Organisation, Resources, Tenant, Text, Time,
    Validators, Version,
};
use std::collections::{BTreeMap, BTreeSet};

struct Planned {
    name: &'static str,
    title: (&'static str, &'static str),
    /// The first takes the tenant's name; the last runs the platform.
    organisations: &'static [(&'static str, &'static str, &'static str)],
    chain_title: (&'static str, &'static str),
    /// The chain is made at the first start; otherwise a person makes it.
    starts: bool,
}

/// The organisation that runs the platform in every tenant.
pub const PLATFORM: (&str, &str, &str) = ("data-bureau", "市大数据局", "Big-data Bureau");

const CITY: &[Planned] = &[
    Planned {
        name: "city",
        title: ("云川市", "City of Yunchuan"),
        organisations: &[
            ("city", "市政府办公室", "City Government Office"),
            ("discipline", "市审计局", "Audit Bureau"),
            ("archives", "市档案馆", "City Archives"),
            PLATFORM,
        ],
        chain_title: ("城市主链", "City chain"),
        starts: true,
    },
    Planned {
        name: "traceability",
        title: ("市场监管局", "Market Regulation Bureau"),
        organisations: &[
            ("traceability", "市市场监管局", "Market Regulation Bureau"),
            ("agriculture", "市农业农村局", "Agriculture Bureau"),
            ("commerce", "市商务局", "Commerce Bureau"),
            PLATFORM,
        ],
        chain_title: ("追溯链", "Traceability chain"),
        starts: true,
    },
    Planned {
        name: "medical",
        title: ("卫生健康委", "Health Commission"),
        organisations: &[
            ("medical", "市卫生健康委", "Health Commission"),
            ("first-hospital", "市第一医院", "First Hospital"),
            ("insurance", "市医疗保障局", "Medical Insurance Bureau"),
            PLATFORM,
        ],
        chain_title: ("医疗链", "Medical chain"),
        starts: false,
    },
    Planned {
        name: "notary",
        title: ("公证处", "Notary Office"),
        organisations: &[
            ("notary", "市公证处", "Notary Office"),
            ("justice", "市司法局", "Justice Bureau"),
            ("court", "市中级法院", "Intermediate Court"),
            PLATFORM,
        ],
        chain_title: ("公证链", "Notary chain"),
        starts: true,
    },
];

/// Writes what is missing. A tenant that is there already is left as it is, and so are its chains: whoever deleted one meant it.
pub fn write_missing(home: &Home) -> anyhow::Result<()> {
    for planned in CITY {
        let name: Name = planned.name.parse()?;
        if home.tenant(&name).exists() {
            continue;
        }
        // The chain first: a crash in between leaves a chain that waits for its tenant, and the next start completes it.
        if planned.starts && !home.chain_object(&name).exists() {
            write_chain(home, planned, &name)?;
        }
        tenants::write(home, &tenant(planned, name)?)?;
    }
    Ok(())
}

fn tenant(planned: &Planned, name: Name) -> anyhow::Result<Tenant> {
    let mut organisations: Vec<Organisation> = Vec::new();
    for (id, zh, en) in planned.organisations {
        organisations.push(new_tenant::organisation(id.parse()?, Text::new(*zh, *en)));
    }
    let mut object = new_tenant::object(name, Text::new(planned.title.0, planned.title.1), organisations);
    let (zh, en) = planned.chain_title;
    object.metadata.annotations =
        BTreeMap::from([(CHAIN_TITLE_ZH.to_owned(), zh.to_owned()), (CHAIN_TITLE_EN.to_owned(), en.to_owned())]);
    Ok(object)
}

fn write_chain(home: &Home, planned: &Planned, name: &Name) -> anyhow::Result<()> {
    // Of the same build as the node program that is put into the home.
    let version: Version = env!("CARGO_PKG_VERSION").parse()?;
    let spec = ChainSpec {
        tenant: name.clone(),
        title: Text::new(planned.chain_title.0, planned.chain_title.1),
        validators: Validators::count(4),
        operator: Some(PLATFORM.0.parse()?),
        governance: Governance::Platform,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        version,
        resources: Resources::default(),
        state: ChainState::Running,
        validator_states: BTreeMap::new(),
        retired: BTreeSet::new(),
        public_reads: false,
    };
    let mut object = Chain::new(name.clone(), spec);
    object.metadata.creation_timestamp = Some(Time::from_ms(now_ms().unsigned_abs()));
    home::write(&home.chain_object(name), home::object_text(&object)?.as_bytes())?;
    Ok(())
}
