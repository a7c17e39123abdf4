//! What a chain consists of: genesis and, for each node, role, configuration, version, resources and desired state.
//!
//! A function of its arguments alone. Genesis is computed once, when all keys are there; afterwards the file that the chain
//! was founded with is the truth and goes in as `founded`, so that a later change of the spec cannot touch it.

mod addresses;

use std::collections::{BTreeMap, BTreeSet};

pub use addresses::{Addresses, pod};

use chain_types::{
    Genesis, Hash, PublicKey, genesis as founding,
    membership::{Change, NewValidator, ValidatorKeys},
};
use operator_api::{
    ChainId, ChainState, Custody, Governance, Membership, Name, Resources, Text, ValidatorName, ValidatorState, Version,
};

use crate::{
    node_config::{self, Access, ConfigText, DISK_RESERVE_BYTES, Limits, Listen, NodeConfig, Peer},
    validate::{Member, ValidChain},
};

/// How long a validator set's signatures are believed by somebody who was away: 14 days.
const TRUSTING_PERIOD_MS: u64 = 14 * 24 * 3_600_000;

/// The public side of every key that is there, as the provisioner found them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    pub steward: Option<PublicKey>,
    /// Administrator keys, from the Tenant's status.
    pub organisations: BTreeMap<Name, PublicKey>,
    pub nodes: BTreeMap<ValidatorName, NodeKeys>,
    /// SHA-256 of the bearer tokens that open the nodes' reads.
    pub token_hashes: Vec<Hash>,
    /// Validators that have signed with keys of their own, as far as what is left of them tells: a volume, a folder. Whoever of
    /// them has no keys has lost them.
    pub used: BTreeSet<ValidatorName>,
}

/// A voting set by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voting {
    pub names: BTreeSet<ValidatorName>,
    /// Every key of it is a known validator's.
    pub whole: bool,
}

impl Keys {
    /// Which validators a voting set holds, by its consensus keys.
    pub fn names<'a>(&self, set: impl IntoIterator<Item = &'a PublicKey>) -> BTreeSet<ValidatorName> {
        let name = |key: &PublicKey| self.nodes.iter().find(|(_, keys)| keys.consensus == *key).map(|(name, _)| *name);
        set.into_iter().filter_map(name).collect()
    }

    /// A voting set by the keys that are here; a founder whose keys are lost is still known by genesis.
    pub fn voting(&self, set: &[PublicKey], founded: Option<&Genesis>) -> Voting {
        let mut names = self.names(set);
        for founder in founded.map(|genesis| genesis.validators.as_slice()).unwrap_or_default() {
            if set.contains(&founder.validator.consensus_key) {
                names.extend(founder.name.parse::<ValidatorName>().ok());
            }
        }
        Voting { whole: names.len() == set.len(), names }
    }

    /// The change that lets a validator vote; `None` while it has no keys.
    pub fn joining(&self, node: ValidatorName) -> Option<Change> {
        let keys = self.nodes.get(&node)?;
        let organisation = keys.organisation.to_string();
        let keys = ValidatorKeys { consensus_key: keys.consensus, cosigner_key: keys.cosigner, log_key: keys.log };
        Some(Change::Add(NewValidator { organisation, keys }))
    }

    /// The change that takes its vote; `None` if nothing says which key it votes with.
    pub fn leaving(&self, node: ValidatorName, founded: Option<&Genesis>) -> Option<Change> {
        let here = self.nodes.get(&node).map(|keys| keys.consensus);
        let in_genesis = || Some(named(founded?, node)?.validator.consensus_key);
        here.or_else(in_genesis).map(|validator| Change::Remove { validator })
    }
}

/// The public side of one node's keys. They are made for an organisation and keep it, so a validator never changes hands
/// when a tenant's list of organisations does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeKeys {
    pub organisation: Name,
    pub consensus: PublicKey,
    pub cosigner: PublicKey,
    pub log: PublicKey,
    /// The identity of its connections to peers.
    pub peer: PublicKey,
    /// SHA-256 of the token that opens its admin address.
    pub admin_token_hash: Hash,
}

/// What should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub chain: ChainId,
    pub genesis: GenesisPlan,
    /// In order of their numbers, leaving ones included.
    pub nodes: Vec<PlannedNode>,
    pub state: ChainState,
    pub heartbeat_ms: u64,
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
    /// `None` until its keys are there.
    pub config: Option<ConfigText>,
    pub version: Version,
    pub resources: Resources,
    pub desired: ValidatorState,
    /// `host:port` of its API.
    pub api: String,
}

impl Plan {
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
        (Some(named), Some(keys)) if named.validator.consensus_key == keys.consensus => KeyState::Present,
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
