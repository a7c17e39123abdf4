//! The public side of a chain's keys as the provisioner found them, and whom a voting set names by them. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chain_types::{
    Genesis, Hash, PublicKey,
    membership::{Change, NewValidator, ValidatorKeys},
};
use operator_api::{Name, ValidatorName};

use super::named;

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
    pub keys: BTreeSet<PublicKey>,
    /// Every key of it is a known validator's.
    pub whole: bool,
}

impl Keys {
    /// Which validators a voting set holds, by its consensus keys: the present ones, or those that wait to take their place.
    pub fn names<'a>(&self, set: impl IntoIterator<Item = &'a PublicKey>) -> BTreeSet<ValidatorName> {
        let name = |key: &PublicKey| self.nodes.iter().find(|(_, keys)| keys.votes_with(key)).map(|(name, _)| *name);
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
        Voting { whole: names.len() == set.len(), names, keys: set.iter().copied().collect() }
    }

    /// The change that lets a validator vote; `None` while it has no keys.
    pub fn joining(&self, node: ValidatorName) -> Option<Change> {
        let keys = self.nodes.get(&node)?;
        let organisation = keys.organisation.to_string();
        let keys = ValidatorKeys { consensus_key: keys.consensus, cosigner_key: keys.cosigner, log_key: keys.log };
        Some(Change::Add(NewValidator { organisation, keys }))
    }

    /// The change that takes its vote; `None` if nothing says which key it votes with. `set`: the voting set as the chain has it, empty
    /// if that is not known.
    pub fn leaving(&self, node: ValidatorName, founded: Option<&Genesis>, set: &BTreeSet<PublicKey>) -> Option<Change> {
        let here = self.nodes.get(&node);
        let in_genesis = || Some(named(founded?, node)?.validator.consensus_key);
        // Within a rotation the set may name either.
        let next = here.and_then(|keys| keys.next.as_ref()).map(|next| next.consensus_key);
        let voted = next.filter(|key| set.contains(key));
        voted.or(here.map(|keys| keys.consensus)).or_else(in_genesis).map(|validator| Change::Remove { validator })
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
    /// They wait to take the place of consensus, cosigner and log key; see [`crate::rotation`].
    pub next: Option<ValidatorKeys>,
    /// The consensus key that it had at first, if that has been replaced since.
    pub replaced: Option<PublicKey>,
    /// When its keys were last replaced, milliseconds since 1970.
    pub rotated_ms: Option<u64>,
}

impl NodeKeys {
    /// The consensus key that it was made with, by which genesis knows a founder.
    pub fn first(&self) -> PublicKey {
        self.replaced.unwrap_or(self.consensus)
    }

    /// Whether a voting set that holds this key holds this validator: the present one, or the one that waits to take its place.
    pub fn votes_with(&self, key: &PublicKey) -> bool {
        self.consensus == *key || self.next.as_ref().is_some_and(|next| next.consensus_key == *key)
    }
}
