//! A city, a tenant and a chain for tests: always through the real `parse` and `plan`, so that a test cannot start from what
//! could not be.

use std::collections::{BTreeMap, BTreeSet};

use chain_types::{Genesis, Hash, PublicKey};
use operator_api::{
    ChainSpec, ChainState, Custody, Governance, Membership, Name, Organisation, Quota, Resources, TenantSpec, Text,
    Usage, ValidatorName, ValidatorState, Validators, Version,
};

use crate::{
    Addresses, AppliedConfig, Context, FieldError, Keys, NodeKeys, Observed, ObservedNode, Plan, PlannedNode, Process,
    SelfCheck, ValidChain, plan,
};

pub const NOW_MS: u64 = 1_772_352_000_000;
pub const ORGANISATIONS: [(&str, &str, &str); 4] = [
    ("notary-office", "市公证处", "City notary office"),
    ("justice-bureau", "市司法局", "Justice bureau"),
    ("court", "市中级法院", "Intermediate court"),
    ("data-bureau", "市大数据局", "Big-data bureau"),
];

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

pub fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// `validator-<number>`.
pub fn v(number: u32) -> ValidatorName {
    ValidatorName::numbered(number).unwrap()
}

pub fn tenant() -> TenantSpec {
    let organisation = |(id, zh, en): (&str, &str, &str)| Organisation {
        id: name(id),
        title: Text::new(zh, en),
        custody: Custody::Platform,
        public_key: None,
    };
    TenantSpec {
        title: Text::new("公证处", "Notary office"),
        organisations: ORGANISATIONS.into_iter().map(organisation).collect(),
        quota: Quota { chains: 2, validators: 32, storage_gib: 400 },
    }
}

pub fn spec(validators: u32) -> ChainSpec {
    ChainSpec {
        tenant: name("notary"),
        title: Text::new("公证链", "Notary chain"),
        validators: Validators::count(validators),
        operator: None,
        governance: Governance::Platform,
        membership: Membership::Delegated,
        heartbeat_ms: 600_000,
        version: version("0.1.0"),
        resources: Resources::default(),
        state: ChainState::Running,
        validator_states: BTreeMap::new(),
        retired: BTreeSet::new(),
        public_reads: false,
    }
}

pub fn versions() -> BTreeSet<Version> {
    [version("0.1.0"), version("0.2.0")].into()
}

/// Through the real `parse`, beside one chain of another tenant.
pub fn parse_in(tenant: &TenantSpec, spec: &ChainSpec) -> Result<ValidChain, Vec<FieldError>> {
    let context = Context {
        city: &name("yunchuan"),
        tenant_name: &name("notary"),
        tenant,
        other_chains: &[(name("medical"), name("health"))].into(),
        used: Usage { chains: 1, validators: 4, storage_gib: 40 },
        versions: &versions(),
        created_ms: NOW_MS - 86_400_000,
    };
    ValidChain::parse(&name("main"), spec, &context)
}

pub fn chain(spec: &ChainSpec) -> ValidChain {
    parse_in(&tenant(), spec).unwrap()
}

/// `spec(validators)` with some of them off.
pub fn with_off(validators: u32, off: &[(u32, ValidatorState)]) -> ChainSpec {
    ChainSpec { validator_states: off.iter().map(|(number, state)| (v(*number), *state)).collect(), ..spec(validators) }
}

pub fn node_keys(number: u8, organisation: &Name) -> NodeKeys {
    let key = |kind: u8| PublicKey([number.wrapping_mul(4).wrapping_add(kind); 32]);
    NodeKeys {
        organisation: organisation.clone(),
        consensus: key(0),
        cosigner: key(1),
        log: key(2),
        peer: key(3),
        admin_token_hash: Hash([number; 32]),
        next: None,
        replaced: None,
        rotated_ms: None,
    }
}

/// Every key that the chain needs.
pub fn keys(chain: &ValidChain) -> Keys {
    let nodes =
        chain.members().iter().map(|member| (member.name, node_keys(member.name.number(), &member.organisation)));
    Keys {
        steward: Some(PublicKey([200; 32])),
        organisations: chain.organisations().zip(210..).map(|((id, _), n)| (id.clone(), PublicKey([n; 32]))).collect(),
        nodes: nodes.collect(),
        token_hashes: vec![Hash([220; 32])],
        used: BTreeSet::new(),
    }
}

pub fn addresses() -> Addresses {
    Addresses::Loopback { home: 77, chain: 1 }
}

pub fn genesis(chain: &ValidChain) -> Genesis {
    plan(chain, &keys(chain), &addresses(), None).genesis.genesis().unwrap().clone()
}

/// A chain that was founded as `founded`, now wanted as `wanted`.
pub fn changed(founded: &ChainSpec, wanted: &ChainSpec) -> Plan {
    let (founded, wanted) = (chain(founded), chain(wanted));
    let mut all = keys(&founded);
    all.nodes.extend(keys(&wanted).nodes);
    plan(&wanted, &all, &addresses(), Some(&genesis(&founded)))
}

/// A chain that was founded so.
pub fn founded(spec: &ChainSpec) -> Plan {
    changed(spec, spec)
}

/// A node that does all that the plan wants of it.
pub fn live(node: &PlannedNode) -> ObservedNode {
    let config = node.config.as_ref().unwrap();
    ObservedNode {
        process: Process::Running { pid: 4_000 + u32::from(node.name.number()), since_ms: NOW_MS - 3_600_000 },
        reachable: true,
        height: 100,
        caught_up: true,
        able_to_vote: true,
        consensus_key: node.consensus_key,
        next_key: None,
        version: Some(node.version),
        config: AppliedConfig {
            on_disk: Some(config.hash),
            loaded: Some(config.hash),
            started: Some(config.start_hash),
        },
        memory_mib: None,
        peers_connected: 3,
        clock_told_ms: Vec::new(),
        machine: None,
        is_awaited: false,
        disk_free_bytes: Some(10 << 30),
        missing_since_ms: None,
        restarts: 0,
        counted_restarts: None,
        error: None,
    }
}

/// Every node live, two seconds after the last block, self-check passed.
pub fn healthy(plan: &Plan) -> Observed {
    Observed {
        now_ms: NOW_MS,
        genesis: plan.fingerprint(),
        nodes: plan.nodes.iter().map(|node| (node.name, live(node))).collect(),
        voting_set: None,
        voting_keys: None,
        set_change_pending: false,
        can_change_set: true,
        leader: None,
        last_block_ms: Some(NOW_MS - 2_000),
        pending_since_ms: None,
        self_check: Some(SelfCheck { passed: true, at_ms: NOW_MS - 3_000_000, detail: None }),
        versions: versions(),
    }
}

/// Changes one node's observation.
pub fn seen(observed: &mut Observed, number: u32) -> &mut ObservedNode {
    observed.nodes.entry(v(number)).or_default()
}

/// A process that was killed `ago_ms` ago, for the `restarts`-th time.
pub fn kill(observed: &mut Observed, number: u32, ago_ms: u64, restarts: u32) {
    let at_ms = observed.now_ms - ago_ms;
    let node = seen(observed, number);
    node.process = Process::Exited { exit: crate::exit::Exit::Signal(9), at_ms };
    (node.reachable, node.caught_up, node.able_to_vote) = (false, false, false);
    (node.restarts, node.missing_since_ms) = (restarts, Some(at_ms));
}
