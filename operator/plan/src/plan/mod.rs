//! What a chain consists of: genesis and, for each node, role, configuration, version, resources and desired state.
//!
//! A function of its arguments alone. Genesis is computed once, when all keys are there; afterwards the file that the chain
//! was founded with is the truth and goes in as `founded`, so that a later change of the spec cannot touch it.

mod addresses;
mod keys;

use std::collections::BTreeSet;

pub use addresses::{Addresses, pod};
pub use keys::{Keys, NodeKeys, Voting};

use chain_types::{Genesis, PublicKey, genesis as founding, membership::ValidatorKeys};
use operator_api::{
    ChainId, ChainState, Custody, Governance, Membership, Name, Resources, Text, ValidatorName, ValidatorState, Version,
};

use crate::{
    node_config::{self, Access, ConfigText, DISK_RESERVE_BYTES, Limits, Listen, NodeConfig, Peer},
    validate::{Member, ValidChain},
};

/// How long a validator set's signatures are believed by somebody who was away: 14 days.
const TRUSTING_PERIOD_MS: u64 = 14 * 24 * 3_600_000;

/// What should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub chain: ChainId,
    pub genesis: GenesisPlan,
    /// In order of their numbers, leaving ones included.
    pub nodes: Vec<PlannedNode>,
    pub state: ChainState,
    pub heartbeat_ms: u64,
    /// Validators for which somebody asks new keys.
    pub rotate: BTreeSet<ValidatorName>,
}

/// How far genesis is.
#[derive(Clone, Debug, PartialEq)]
pub enum GenesisPlan {
    /// Keys are missing.
    Waiting { steward: bool, organisations: Vec<Name> },
    /// Complete, to be written.
    Draft(Box<Genesis>),
    /// The chain was founded with it.
    Founded(Box<Genesis>),
}

impl GenesisPlan {
    pub fn genesis(&self) -> Option<&Genesis> {
        match self {
            Self::Waiting { .. } => None,
            Self::Draft(genesis) | Self::Founded(genesis) => Some(genesis),
        }
    }
}

/// Whether the node should be in the voting set. A validator that is not in it yet follows as an observer meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Validator,
    /// Leaves the set; stopped once it is out.
    Observer,
}

/// Whether the node has its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    Present,
    /// To be made.
    Missing,
    /// Genesis names this validator, or it has signed since, and its keys are gone or others: new ones would be another validator.
    Lost,
}

/// One node of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedNode {
    pub name: ValidatorName,
    pub organisation: Name,
    pub organisation_title: Text,
    pub role: Role,
    pub in_genesis: bool,
    /// It leaves for good, and its data is set aside once it has.
    pub retired: bool,
    /// By which the chain knows it; `None` until it is made.
    pub consensus_key: Option<PublicKey>,
    pub keys: KeyState,
    /// They wait to take the place of the present ones; see [`crate::rotation`].
    pub next_keys: Option<ValidatorKeys>,
    /// When its keys were last replaced, milliseconds since 1970.
    pub rotated_ms: Option<u64>,
    /// `None` until its keys are there.
    pub config: Option<ConfigText>,
    pub version: Version,
    pub resources: Resources,
    pub desired: ValidatorState,
    /// `host:port` of its API.
    pub api: String,
}

impl Plan {
    /// The same, with new keys asked for these validators.
    #[must_use]
    pub fn rotating(self, rotate: BTreeSet<ValidatorName>) -> Self {
        Self { rotate, ..self }
    }

    pub fn node(&self, name: ValidatorName) -> Option<&PlannedNode> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whether the steward may change the voting set of this chain by itself.
    pub fn is_set_delegated(&self) -> bool {
        self.genesis.genesis().is_none_or(|genesis| {
            genesis.membership == founding::Membership::Delegated
                && genesis.governance == founding::Governance::Platform
        })
    }

    /// What the chain is, once genesis is complete: 64 hexadecimal digits.
    pub fn fingerprint(&self) -> Option<String> {
        self.genesis.genesis().map(|genesis| genesis.fingerprint().to_string())
    }
}

/// The plan of a chain. `founded` is the genesis that it was founded with, if it was.
pub fn plan(chain: &ValidChain, keys: &Keys, addresses: &Addresses, founded: Option<&Genesis>) -> Plan {
    let mut members: Vec<(Member, Role)> =
        chain.members.iter().map(|member| (member.clone(), Role::Validator)).collect();
    let leaving = keys.nodes.iter().filter(|(name, _)| !chain.members.iter().any(|member| member.name == **name));
    members.extend(leaving.map(|(name, keys)| {
        let organisation = keys.organisation.clone();
        (Member { name: *name, organisation, desired: ValidatorState::Stopped }, Role::Observer)
    }));
    members.sort_by_key(|(member, _)| member.name);
    let genesis = match founded {
        Some(genesis) => GenesisPlan::Founded(Box::new(genesis.clone())),
        None => draft(chain, keys),
    };
    let fenced: Vec<ValidatorName> = chain
        .members
        .iter()
        .filter(|member| member.desired == ValidatorState::Fenced)
        .map(|member| member.name)
        .collect();
    let node = |(member, role): &(Member, Role)| {
        let known = keys.nodes.get(&member.name);
        let organisation = known.map_or(&member.organisation, |keys| &keys.organisation).clone();
        PlannedNode {
            name: member.name,
            organisation_title: chain.organisation_title(&organisation),
            organisation,
            role: *role,
            in_genesis: genesis.genesis().is_some_and(|genesis| named(genesis, member.name).is_some()),
            retired: chain.retired.contains(&member.name),
            consensus_key: known.map(|keys| keys.consensus),
            keys: key_state(founded, member.name, known, keys.used.contains(&member.name)),
            next_keys: known.and_then(|keys| keys.next.clone()),
            rotated_ms: known.and_then(|keys| keys.rotated_ms),
            config: known.map(|own| config(chain, keys, addresses, &fenced, member.name, own).render()),
            version: chain.version,
            resources: chain.resources,
            desired: member.desired,
            api: addresses.api(member.name),
        }
    };
    Plan {
        chain: chain.id.clone(),
        nodes: members.iter().map(node).collect(),
        state: chain.state,
        heartbeat_ms: chain.heartbeat_ms,
        rotate: BTreeSet::new(),
        genesis,
    }
}

fn named(genesis: &Genesis, name: ValidatorName) -> Option<&founding::GenesisValidator> {
    let name = name.to_string();
    genesis.validators.iter().find(|validator| validator.name == name)
}

fn key_state(founded: Option<&Genesis>, name: ValidatorName, keys: Option<&NodeKeys>, used: bool) -> KeyState {
    match (founded.and_then(|genesis| named(genesis, name)), keys) {
        (None, None) if used => KeyState::Lost,
        (None, None) => KeyState::Missing,
        (None, Some(_)) => KeyState::Present,
        (Some(_), None) => KeyState::Lost,
        // Genesis names the first of them, whatever has replaced it since.
        (Some(named), Some(keys)) if named.validator.consensus_key == keys.first() => KeyState::Present,
        (Some(_), Some(_)) => KeyState::Lost,
    }
}

/// Genesis, if every key is there: the steward's, one administrator's per organisation and each validator's.
fn draft(chain: &ValidChain, keys: &Keys) -> GenesisPlan {
    let mut without_key = Vec::new();
    let mut organisations = Vec::new();
    for organisation in &chain.organisations {
        let brought = organisation.public_key.map(|key| PublicKey(key.0));
        match brought.or_else(|| keys.organisations.get(&organisation.id).copied()) {
            None => without_key.push(organisation.id.clone()),
            Some(administrator) => organisations.push(founding::GenesisOrganisation {
                id: organisation.id.to_string(),
                title: founding::Text { zh: organisation.title.zh.clone(), en: organisation.title.en.clone() },
                administrator,
                custody: match organisation.custody {
                    Custody::Own => chain_types::Custody::Own,
                    Custody::Platform => chain_types::Custody::Platform,
                },
            }),
        }
    }
    let validators: Vec<_> = chain.members.iter().filter_map(|member| genesis_validator(member, keys)).collect();
    match keys.steward {
        Some(steward) if without_key.is_empty() && validators.len() == chain.members.len() => {
            GenesisPlan::Draft(Box::new(Genesis {
                chain_id: chain.id.to_string(),
                profile: "intl".to_owned(),
                rules: 1,
                time_ms: chain.created_ms,
                governance: match chain.governance {
                    Governance::Platform => founding::Governance::Platform,
                    Governance::Own => founding::Governance::Members,
                },
                membership: match chain.membership {
                    Membership::Delegated => founding::Membership::Delegated,
                    Membership::Members => founding::Membership::Members,
                },
                heartbeat_ms: chain.heartbeat_ms,
                trusting_period_ms: TRUSTING_PERIOD_MS,
                steward,
                validators,
                organisations,
                operator: chain.operator.to_string(),
            }))
        }
        steward => GenesisPlan::Waiting { steward: steward.is_none(), organisations: without_key },
    }
}

fn genesis_validator(member: &Member, keys: &Keys) -> Option<founding::GenesisValidator> {
    let keys = keys.nodes.get(&member.name)?;
    Some(founding::GenesisValidator {
        name: member.name.to_string(),
        validator: chain_types::Validator {
            consensus_key: keys.consensus,
            cosigner_key: keys.cosigner,
            log_key: keys.log,
            power: 1,
            organisation: keys.organisation.to_string(),
        },
    })
}

fn config(
    chain: &ValidChain,
    keys: &Keys,
    addresses: &Addresses,
    fenced: &[ValidatorName],
    name: ValidatorName,
    own: &NodeKeys,
) -> NodeConfig {
    let at = |name: ValidatorName, port: u16| format!("{}:{port}", addresses.host(name));
    let listen = |port: u16| format!("{}:{port}", addresses.listen(name));
    let peer = |(name, keys): (&ValidatorName, &NodeKeys)| Peer {
        name: name.to_string(),
        organisation: keys.organisation.to_string(),
        consensus: at(*name, node_config::CONSENSUS_PORT),
        peer_key: keys.peer,
        gossip: at(*name, node_config::GOSSIP_PORT),
    };
    NodeConfig {
        name: name.to_string(),
        organisation: own.organisation.to_string(),
        home: addresses.node_home(),
        genesis: addresses.genesis_file(),
        listen: Listen {
            consensus: listen(node_config::CONSENSUS_PORT),
            gossip: listen(node_config::GOSSIP_PORT),
            api: listen(node_config::API_PORT),
            metrics: listen(node_config::METRICS_PORT),
            admin: listen(node_config::ADMIN_PORT),
        },
        access: Access {
            token_hashes: keys.token_hashes.clone(),
            admin_token_hash: own.admin_token_hash,
            public_reads: chain.public_reads,
        },
        limits: Limits { disk_reserve_bytes: DISK_RESERVE_BYTES },
        peers: keys.nodes.iter().filter(|(other, _)| **other != name && !fenced.contains(other)).map(peer).collect(),
    }
}

#[cfg(test)]
mod tests;
