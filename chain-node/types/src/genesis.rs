//! Genesis: what a chain starts from. Its SHA-256 as CBOR is the chain's [`Fingerprint`], which is inside every signed
//! byte string; the chain id is only a label.

use serde::{Deserialize, Serialize};

use crate::account::Custody;
use crate::bytes::{Fingerprint, Hash, PublicKey};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::limits::MAX_VALIDATORS;
use crate::validator::{Validator, ValidatorSet};

const DOMAIN: &str = "citychain/genesis/1";

/// A text in both languages of the product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    pub zh: String,
    pub en: String,
}

/// Whose approval changes the chain itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Governance {
    /// The platform's organisation alone. Every page and report of such a chain says so.
    Platform,
    /// More than half of the founding organisations, by keys that they hold themselves.
    #[serde(rename = "self")]
    Members,
}

/// What the steward may do to the validator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Membership {
    /// Rotate, add, replace or remove one validator at a time, never below four, and nothing else.
    Delegated,
    /// Only propose.
    Members,
}

/// A validator as genesis names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisValidator {
    pub name: String,
    #[serde(flatten)]
    pub validator: Validator,
}

/// An organisation of the consortium and its first administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenesisOrganisation {
    /// `[a-z][a-z0-9-]{0,29}`
    pub id: String,
    pub title: Text,
    pub administrator: PublicKey,
    pub custody: Custody,
}

/// The first state of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// `<city>.<tenant>.<chain>`, a label for people.
    pub chain_id: String,
    /// Signature and hash algorithms: `intl` is Ed25519 and SHA-256.
    pub profile: String,
    /// Version of the execution rules that block 1 runs under.
    pub rules: u32,
    /// Milliseconds since 1970; the first block is later.
    pub time_ms: u64,
    pub governance: Governance,
    pub membership: Membership,
    /// An idle chain makes one empty block this often.
    pub heartbeat_ms: u64,
    /// How long a validator set's signatures are believed by somebody who was away.
    pub trusting_period_ms: u64,
    /// The provisioner's account.
    pub steward: PublicKey,
    pub validators: Vec<GenesisValidator>,
    pub organisations: Vec<GenesisOrganisation>,
    /// The organisation that runs the platform; under `governance: platform` it alone approves.
    pub operator: String,
}

/// Why a genesis cannot start a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    #[error("genesis profile `{0}` is unknown; this version knows `intl`")]
    Profile(String),
    #[error("genesis rules version {0} is unknown; this version knows 1")]
    Rules(u32),
    #[error("genesis must name between 1 and {MAX_VALIDATORS} validators, each key once, equal power")]
    Validators,
    #[error("genesis must name at least one organisation, each id once, with ids like `notary-office`")]
    Organisations,
    #[error("validator `{validator}` belongs to organisation `{organisation}`, which genesis does not name")]
    UnknownOrganisation { validator: String, organisation: String },
    #[error("genesis operator `{0}` is not one of its organisations")]
    Operator(String),
    #[error("genesis heartbeat must lie between 1 second and 1 day")]
    Heartbeat,
}

/// `[a-z][a-z0-9-]{0,29}`: tenants, chains, organisations, validators.
pub fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 30
        && bytes.next().is_some_and(|b| b.is_ascii_lowercase())
        && bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl Genesis {
    /// What the chain is.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Hash::of(&self.to_bytes()).0)
    }

    /// The set that decides block 1.
    pub fn validator_set(&self) -> ValidatorSet {
        ValidatorSet::new(self.validators.iter().map(|v| v.validator.clone()).collect())
    }

    /// Every rule that a genesis has to keep; called before a node starts a chain from it.
    pub fn check(&self) -> Result<(), GenesisError> {
        if self.profile != "intl" {
            return Err(GenesisError::Profile(self.profile.clone()));
        }
        if self.rules != 1 {
            return Err(GenesisError::Rules(self.rules));
        }
        if !(1_000..=86_400_000).contains(&self.heartbeat_ms) {
            return Err(GenesisError::Heartbeat);
        }
        let mut ids: Vec<&str> = self.organisations.iter().map(|o| o.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() || ids.len() != self.organisations.len() || !ids.iter().all(|id| is_name(id)) {
            return Err(GenesisError::Organisations);
        }
        let mut keys: Vec<PublicKey> = self.validators.iter().map(|v| v.validator.consensus_key).collect();
        keys.sort_unstable();
        keys.dedup();
        let equal = self.validators.windows(2).all(|w| matches!(w, [a, b] if a.validator.power == b.validator.power));
        let sane = self.validators.iter().all(|v| (1..=1_000).contains(&v.validator.power) && is_name(&v.name));
        if keys.is_empty() || keys.len() != self.validators.len() || keys.len() > MAX_VALIDATORS || !equal || !sane {
            return Err(GenesisError::Validators);
        }
        for v in &self.validators {
            if !ids.contains(&v.validator.organisation.as_str()) {
                let organisation = v.validator.organisation.clone();
                return Err(GenesisError::UnknownOrganisation { validator: v.name.clone(), organisation });
            }
        }
        match ids.contains(&self.operator.as_str()) {
            true => Ok(()),
            false => Err(GenesisError::Operator(self.operator.clone())),
        }
    }
}

impl Encode for Text {
    fn encode(&self, w: &mut Writer) {
        w.array(2).text(&self.zh).text(&self.en);
    }
}

impl Decode for Text {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(2)?;
        Ok(Self { zh: r.text()?.to_owned(), en: r.text()?.to_owned() })
    }
}

impl Encode for Genesis {
    fn encode(&self, w: &mut Writer) {
        w.array(13).text(DOMAIN).text(&self.chain_id).text(&self.profile).uint(self.rules.into());
        w.uint(self.time_ms).text(match self.governance {
            Governance::Platform => "platform",
            Governance::Members => "self",
        });
        w.text(match self.membership {
            Membership::Delegated => "delegated",
            Membership::Members => "members",
        });
        w.uint(self.heartbeat_ms).uint(self.trusting_period_ms);
        self.steward.encode(w);
        w.array(self.validators.len());
        for v in &self.validators {
            w.array(2).text(&v.name);
            v.validator.encode(w);
        }
        w.array(self.organisations.len());
        for o in &self.organisations {
            w.array(4).text(&o.id);
            o.title.encode(w);
            o.administrator.encode(w);
            w.text(match o.custody {
                Custody::Own => "self",
                Custody::Platform => "platform",
            });
        }
        w.text(&self.operator);
    }
}

impl Decode for Genesis {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 13)?;
        Ok(Self {
            chain_id: r.text()?.to_owned(),
            profile: r.text()?.to_owned(),
            rules: r.u32()?,
            time_ms: r.uint()?,
            governance: match r.text()? {
                "platform" => Governance::Platform,
                "self" => Governance::Members,
                _ => return Err(r.invalid("governance")),
            },
            membership: match r.text()? {
                "delegated" => Membership::Delegated,
                "members" => Membership::Members,
                _ => return Err(r.invalid("membership")),
            },
            heartbeat_ms: r.uint()?,
            trusting_period_ms: r.uint()?,
            steward: Decode::decode(r)?,
            validators: decode_validators(r)?,
            organisations: decode_organisations(r)?,
            operator: r.text()?.to_owned(),
        })
    }
}

fn decode_validators(r: &mut Reader<'_>) -> Result<Vec<GenesisValidator>, DecodeError> {
    let n = r.array()?;
    let one = |r: &mut Reader<'_>| {
        r.array_of(2)?;
        Ok(GenesisValidator { name: r.text()?.to_owned(), validator: Decode::decode(r)? })
    };
    (0..n).map(|_| one(r)).collect()
}

fn decode_organisations(r: &mut Reader<'_>) -> Result<Vec<GenesisOrganisation>, DecodeError> {
    let n = r.array()?;
    let one = |r: &mut Reader<'_>| {
        r.array_of(4)?;
        Ok(GenesisOrganisation {
            id: r.text()?.to_owned(),
            title: Decode::decode(r)?,
            administrator: Decode::decode(r)?,
            custody: match r.text()? {
                "self" => Custody::Own,
                "platform" => Custody::Platform,
                _ => return Err(r.invalid("custody")),
            },
        })
    };
    (0..n).map(|_| one(r)).collect()
}
