//! Our types as the engine's `Context` sees them. Wire forms here are between nodes of one version and are never hashed or
//! signed; what is signed is in [`super::signing`], in chain-types' one byte form.

use std::fmt;
use std::sync::Arc;

use arc_malachitebft_core_types as core;
use borsh::{BorshDeserialize, BorshSerialize};
use chain_types::{BlockId, PublicKey, ValidatorSet};
use core::{Context, LinearTimeouts, NilOrVal, Round, SignedExtension, SigningScheme, VoteType, VotingPower};
use ed25519_dalek::VerifyingKey;

use super::parts::Part;

#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Height(pub u64);

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::Height for Height {
    const ZERO: Self = Height(0);
    const INITIAL: Self = Height(1);

    fn increment_by(&self, n: u64) -> Self {
        Height(self.0.saturating_add(n))
    }

    fn decrement_by(&self, n: u64) -> Option<Self> {
        self.0.checked_sub(n).map(Height)
    }

    fn as_u64(&self) -> u64 {
        self.0
    }
}

/// A validator is its consensus key.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Address(pub [u8; 32]);

impl Address {
    pub fn of(key: PublicKey) -> Self {
        Self(key.0)
    }

    pub fn key(self) -> PublicKey {
        PublicKey(self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key().short())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::Address for Address {}

/// What is agreed upon is a block's id; its bytes travel as proposal parts.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct ValueId(pub [u8; 32]);

impl ValueId {
    pub fn of(id: BlockId) -> Self {
        Self(id.0)
    }

    pub fn block(self) -> BlockId {
        BlockId(self.0)
    }
}

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.block().fmt(f)
    }
}

impl fmt::Debug for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.block(), f)
    }
}

impl core::Value for ValueId {
    type Id = ValueId;

    fn id(&self) -> ValueId {
        *self
    }
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Ed25519;

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Sig(pub [u8; 64]);

/// Kept decompressed: it verifies votes many times.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Key(pub PublicKey);

impl SigningScheme for Ed25519 {
    type DecodingError = String;
    type Signature = Sig;
    type PublicKey = Key;
    type PrivateKey = [u8; 32];

    fn decode_signature(bytes: &[u8]) -> Result<Sig, String> {
        bytes.try_into().map(Sig).map_err(|_| "a signature has 64 bytes".into())
    }

    fn encode_signature(signature: &Sig) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<Key, String> {
        let key = PublicKey::from_slice(bytes).ok_or("a public key has 32 bytes")?;
        VerifyingKey::from_bytes(&key.0).map_err(|e| e.to_string())?;
        Ok(Key(key))
    }

    fn encode_public_key(key: &Key) -> Vec<u8> {
        key.0.0.to_vec()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    address: Address,
    key: Key,
    power: VotingPower,
}

impl core::Validator<ChainContext> for Validator {
    fn address(&self) -> &Address {
        &self.address
    }

    fn public_key(&self) -> &Key {
        &self.key
    }

    fn voting_power(&self) -> VotingPower {
        self.power
    }
}

/// A set in the order of chain-types, so that indexes agree, with whom it passes over at round 0: the engine asks for the
/// proposer with nothing but this in hand. Headers commit to the set, the state to who is passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validators(Arc<Members>);

#[derive(Debug, PartialEq, Eq)]
struct Members {
    all: Vec<Validator>,
    set: ValidatorSet,
    skipped: Vec<PublicKey>,
}

impl Validators {
    pub fn of(set: &ValidatorSet, skipped: &[PublicKey]) -> Self {
        let one = |v: &chain_types::Validator| Validator {
            address: Address::of(v.consensus_key),
            key: Key(v.consensus_key),
            power: v.power,
        };
        let all = set.validators().iter().map(one).collect();
        Self(Arc::new(Members { all, set: set.clone(), skipped: skipped.to_vec() }))
    }
}

impl core::ValidatorSet<ChainContext> for Validators {
    fn count(&self) -> usize {
        self.0.all.len()
    }

    fn total_voting_power(&self) -> VotingPower {
        self.0.all.iter().map(|v| v.power).sum()
    }

    fn get_by_address(&self, address: &Address) -> Option<&Validator> {
        self.0.set.index_of(&address.key()).and_then(|place| self.0.all.get(place))
    }

    fn get_by_index(&self, index: usize) -> Option<&Validator> {
        self.0.all.get(index)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Vote {
    pub kind: VoteType,
    pub height: Height,
    pub round: Round,
    pub value: NilOrVal<ValueId>,
    pub address: Address,
}

impl core::Vote<ChainContext> for Vote {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &NilOrVal<ValueId> {
        &self.value
    }

    fn take_value(self) -> NilOrVal<ValueId> {
        self.value
    }

    fn vote_type(&self) -> VoteType {
        self.kind
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }

    fn extension(&self) -> Option<&SignedExtension<ChainContext>> {
        None
    }

    fn take_extension(&mut self) -> Option<SignedExtension<ChainContext>> {
        None
    }

    fn extend(self, _: SignedExtension<ChainContext>) -> Self {
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    pub height: Height,
    pub round: Round,
    pub value: ValueId,
    pub valid_round: Round,
    pub address: Address,
}

impl core::Proposal<ChainContext> for Proposal {
    fn height(&self) -> Height {
        self.height
    }

    fn round(&self) -> Round {
        self.round
    }

    fn value(&self) -> &ValueId {
        &self.value
    }

    fn take_value(self) -> ValueId {
        self.value
    }

    fn pol_round(&self) -> Round {
        self.valid_round
    }

    fn validator_address(&self) -> &Address {
        &self.address
    }
}

impl core::ProposalPart<ChainContext> for Part {
    fn is_first(&self) -> bool {
        matches!(self, Part::Init(_))
    }

    fn is_last(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug)]
pub struct ChainContext;

impl Context for ChainContext {
    type Address = Address;
    type Height = Height;
    type ProposalPart = Part;
    type Proposal = Proposal;
    type Validator = Validator;
    type ValidatorSet = Validators;
    type Timeouts = LinearTimeouts;
    type Value = ValueId;
    type Vote = Vote;
    type Extension = ();
    type SigningScheme = Ed25519;

    fn select_proposer<'a>(&self, set: &'a Validators, height: Height, round: Round) -> &'a Validator {
        // The engine never asks about an empty set.
        let round = u32::try_from(round.as_i64()).unwrap_or(0);
        let members = &set.0;
        let proposer = members.set.proposer_skipping(height.0, round, &members.skipped);
        let place = proposer.and_then(|v| members.set.index_of(&v.consensus_key)).unwrap_or(0);
        &members.all[place]
    }

    fn new_proposal(
        &self,
        height: Height,
        round: Round,
        value: ValueId,
        valid_round: Round,
        address: Address,
    ) -> Proposal {
        Proposal { height, round, value, valid_round, address }
    }

    fn new_prevote(&self, height: Height, round: Round, value: NilOrVal<ValueId>, address: Address) -> Vote {
        Vote { kind: VoteType::Prevote, height, round, value, address }
    }

    fn new_precommit(&self, height: Height, round: Round, value: NilOrVal<ValueId>, address: Address) -> Vote {
        Vote { kind: VoteType::Precommit, height, round, value, address }
    }
}
