//! One change of the validator set: the call that carries it, and the set that follows from it.
//!
//! A set changes by one validator at a time, so that every quorum of the old set and every quorum of the new one share an
//! honest validator. Pure: runtime, planner and console count with the same function.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bytes::{Fingerprint, PublicKey};
use crate::crypto;
use crate::encoding::{DecodeError, Value, to_value};
use crate::limits::MAX_VALIDATORS;
use crate::state::CHAIN_APP;
use crate::transaction::Call;
use crate::validator::{Validator, ValidatorSet};

/// Removing never leaves fewer: three of four still decide when one is down.
pub const MIN_VALIDATORS: usize = 4;

/// The three keys of a validator, each for one kind of signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidatorKeys {
    #[schemars(with = "String")]
    pub consensus_key: PublicKey,
    #[schemars(with = "String")]
    pub cosigner_key: PublicKey,
    #[schemars(with = "String")]
    pub log_key: PublicKey,
}

/// A validator that is not in the set yet; it gets the power that every other has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewValidator {
    pub organisation: String,
    pub keys: ValidatorKeys,
}

/// One change; validators are named by their present consensus keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// One more validator.
    Add(NewValidator),
    /// One fewer, never below [`MIN_VALIDATORS`].
    Remove {
        #[schemars(with = "String")]
        validator: PublicKey,
    },
    /// Another validator takes its place.
    Replace {
        #[schemars(with = "String")]
        validator: PublicKey,
        by: NewValidator,
    },
    /// The same validator with new keys.
    Rotate {
        #[schemars(with = "String")]
        validator: PublicKey,
        keys: ValidatorKeys,
    },
}

/// Why a change cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    #[error("no validator has consensus key {0}")]
    Unknown(PublicKey),
    #[error("key {0} is a validator's key already, or stands in the change twice")]
    Taken(PublicKey),
    #[error("key {0} is not an Ed25519 key that can sign")]
    Key(PublicKey),
    #[error("a chain keeps at least {MIN_VALIDATORS} validators")]
    TooFew,
    #[error("a chain has at most {MAX_VALIDATORS} validators")]
    TooMany,
}

impl ValidatorKeys {
    /// Those of a validator.
    pub fn of(validator: &Validator) -> Self {
        let Validator { consensus_key, cosigner_key, log_key, .. } = *validator;
        Self { consensus_key, cosigner_key, log_key }
    }

    fn all(&self) -> [PublicKey; 3] {
        [self.consensus_key, self.cosigner_key, self.log_key]
    }

    /// Every key is fit for the strict rule, and no key of a validator of `set` or of these stands twice.
    fn check(&self, set: &[Validator]) -> Result<(), ChangeError> {
        let taken: Vec<PublicKey> = set.iter().flat_map(|v| ValidatorKeys::of(v).all()).collect();
        for (at, key) in self.all().into_iter().enumerate() {
            if !crypto::can_sign_strictly(&key) {
                return Err(ChangeError::Key(key));
            }
            if taken.contains(&key) || self.all().iter().skip(at + 1).any(|other| *other == key) {
                return Err(ChangeError::Taken(key));
            }
        }
        Ok(())
    }
}

impl Change {
    /// The set after the change.
    pub fn apply(&self, set: &ValidatorSet) -> Result<ValidatorSet, ChangeError> {
        let mut validators = set.validators().to_vec();
        // Equal within a chain, so any of them tells it; an empty set is none of a chain.
        let power = validators.first().map_or(1, |v| v.power);
        match self {
            Self::Add(new) => {
                if validators.len() >= MAX_VALIDATORS {
                    return Err(ChangeError::TooMany);
                }
                validators.push(new.validator(power, &validators)?);
            }
            Self::Remove { validator } => {
                validators.remove(place(set, validator)?);
                if validators.len() < MIN_VALIDATORS {
                    return Err(ChangeError::TooFew);
                }
            }
            Self::Replace { validator, by } => {
                let at = place(set, validator)?;
                let new = by.validator(power, &validators)?;
                validators.remove(at);
                validators.push(new);
            }
            Self::Rotate { validator, keys } => {
                let old = validators.remove(place(set, validator)?);
                keys.check(set.validators())?;
                validators.push(Validator { power, organisation: old.organisation, ..keys.with_nothing() });
            }
        }
        Ok(ValidatorSet::new(validators))
    }

    /// The organisation that would run the new validator, if the change names one.
    pub fn organisation(&self) -> Option<&str> {
        match self {
            Self::Add(new) | Self::Replace { by: new, .. } => Some(&new.organisation),
            Self::Remove { .. } | Self::Rotate { .. } => None,
        }
    }

    /// The steward's call that makes the change, to be signed with [`crate::Transaction::sign`]. `valid_until_ms` lies at
    /// most ten minutes ahead, `salt` is random.
    pub fn call(&self, fingerprint: Fingerprint, valid_until_ms: u64, salt: [u8; 8]) -> Result<Call, DecodeError> {
        Ok(Call {
            fingerprint,
            valid_until_ms,
            salt,
            app: CHAIN_APP.into(),
            instance: "governance".into(),
            method: "change_validators".into(),
            args: Value::Map(vec![("change".into(), to_value(self)?)]),
        })
    }
}

impl NewValidator {
    fn validator(&self, power: u64, set: &[Validator]) -> Result<Validator, ChangeError> {
        self.keys.check(set)?;
        Ok(Validator { power, organisation: self.organisation.clone(), ..self.keys.with_nothing() })
    }
}

impl ValidatorKeys {
    fn with_nothing(&self) -> Validator {
        let Self { consensus_key, cosigner_key, log_key } = *self;
        Validator { consensus_key, cosigner_key, log_key, power: 0, organisation: String::new() }
    }
}

fn place(set: &ValidatorSet, key: &PublicKey) -> Result<usize, ChangeError> {
    set.index_of(key).ok_or(ChangeError::Unknown(*key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Hash;
    use crate::crypto::SigningKey;
    use crate::encoding::{Decode, Encode};
    use crate::encoding::{from_value, to_value};

    fn key(n: u8) -> PublicKey {
        SigningKey::from_seed(&[n; 32]).public()
    }

    /// The keys of the n-th validator.
    fn keys(n: u8) -> ValidatorKeys {
        ValidatorKeys { consensus_key: key(3 * n), cosigner_key: key(3 * n + 1), log_key: key(3 * n + 2) }
    }

    fn new(n: u8) -> NewValidator {
        NewValidator { organisation: format!("bureau-{n}"), keys: keys(n) }
    }

    fn set(n: u8) -> ValidatorSet {
        ValidatorSet::new((1..=n).map(|n| new(n).validator(7, &[]).unwrap()).collect())
    }

    fn consensus(n: u8) -> PublicKey {
        keys(n).consensus_key
    }

    #[test]
    fn one_validator_comes_goes_or_changes_and_powers_stay_equal() {
        let four = set(4);
        let five = Change::Add(new(5)).apply(&four).unwrap();
        assert_eq!((five.len(), five.total_power()), (5, Some(35)));
        assert_eq!(Change::Remove { validator: consensus(5) }.apply(&five).unwrap(), four);
        let replaced = Change::Replace { validator: consensus(2), by: new(5) }.apply(&four).unwrap();
        assert_eq!((replaced.len(), replaced.index_of(&consensus(2))), (4, None));
        assert!(replaced.index_of(&consensus(5)).is_some());
        let rotated = Change::Rotate { validator: consensus(2), keys: keys(6) }.apply(&four).unwrap();
        let place = rotated.index_of(&consensus(6)).unwrap();
        assert_eq!(rotated.get(place).unwrap().organisation, "bureau-2");
        for set in [five, replaced, rotated] {
            assert_eq!(ValidatorSet::from_bytes(&set.to_bytes()).unwrap(), set);
        }
    }

    #[test]
    fn what_would_harm_the_set_is_refused() {
        let four = set(4);
        let remove = |n| Change::Remove { validator: consensus(n) };
        assert_eq!(remove(1).apply(&four), Err(ChangeError::TooFew));
        assert_eq!(remove(9).apply(&four), Err(ChangeError::Unknown(consensus(9))));
        assert_eq!(Change::Add(new(3)).apply(&four), Err(ChangeError::Taken(consensus(3))));
        let mut other_kind = new(5);
        other_kind.keys.log_key = consensus(1);
        assert_eq!(Change::Add(other_kind).apply(&four), Err(ChangeError::Taken(consensus(1))));
        let mut twice = new(5);
        twice.keys.cosigner_key = twice.keys.consensus_key;
        assert_eq!(Change::Add(twice).apply(&four), Err(ChangeError::Taken(consensus(5))));
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut harmless = new(5);
        harmless.keys.consensus_key = PublicKey(identity);
        assert_eq!(Change::Add(harmless).apply(&four), Err(ChangeError::Key(PublicKey(identity))));
        let same = Change::Rotate { validator: consensus(1), keys: keys(1) };
        assert_eq!(same.apply(&four), Err(ChangeError::Taken(consensus(1))));
        assert_eq!(Change::Add(new(40)).apply(&set(32)), Err(ChangeError::TooMany));
    }

    proptest! {
        /// Whatever is tried, a set that results can be decoded, is at most one validator away and keeps its power equal.
        #[test]
        fn every_result_is_a_proper_set_one_step_away(n in 1u8..34, a in 1u8..40, b in 1u8..40, kind in 0usize..4) {
            let before = set(n.min(32));
            let change = match kind {
                0 => Change::Add(new(a)),
                1 => Change::Remove { validator: consensus(a) },
                2 => Change::Replace { validator: consensus(a), by: new(b) },
                _ => Change::Rotate { validator: consensus(a), keys: keys(b) },
            };
            prop_assert_eq!(&from_value::<Change>(&to_value(&change).unwrap()).unwrap(), &change);
            let Ok(after) = change.apply(&before) else { return Ok(()) };
            prop_assert!(ValidatorSet::from_bytes(&after.to_bytes()).is_ok());
            let gone = before.validators().iter().filter(|v| after.index_of(&v.consensus_key).is_none()).count();
            let come = after.validators().iter().filter(|v| before.index_of(&v.consensus_key).is_none()).count();
            prop_assert!(gone <= 1 && come <= 1 && gone + come > 0);
            prop_assert!(after.validators().iter().all(|v| v.power == 7));
            prop_assert!(after.hash() != before.hash() && after.hash() != Hash::ZERO);
        }
    }
}
