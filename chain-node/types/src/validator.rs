//! Validators, their sets and the arithmetic of quorums.

use serde::{Deserialize, Serialize};

use crate::bytes::{Hash, PublicKey};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::limits::MAX_VALIDATORS;

const DOMAIN: &str = "citychain/validators/1";

/// One validator: three keys of its own, because one signature must never be taken for another's kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validator {
    /// Signs votes and proposals.
    pub consensus_key: PublicKey,
    /// Cosigns log checkpoints (tlog-cosignature).
    pub cosigner_key: PublicKey,
    /// Signs the log's checkpoints as their origin.
    pub log_key: PublicKey,
    /// Voting power; equal within a chain, since a C2SP policy cannot express weights.
    pub power: u64,
    pub organisation: String,
}

/// The validators of a height, ordered by consensus key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatorSet {
    validators: Vec<Validator>,
}

impl ValidatorSet {
    pub fn new(mut validators: Vec<Validator>) -> Self {
        validators.sort_by_key(|v| v.consensus_key);
        Self { validators }
    }

    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    pub fn len(&self) -> usize {
        self.validators.len()
    }

    pub fn is_empty(&self) -> bool {
        self.validators.is_empty()
    }

    pub fn get(&self, index: usize) -> Option<&Validator> {
        self.validators.get(index)
    }

    /// Place of a validator in the set, by consensus key.
    pub fn index_of(&self, key: &PublicKey) -> Option<usize> {
        self.validators.binary_search_by_key(key, |v| v.consensus_key).ok()
    }

    /// Sum of voting power; `None` if it overflows, which no valid set does.
    pub fn total_power(&self) -> Option<u64> {
        self.validators.iter().try_fold(0u64, |sum, v| sum.checked_add(v.power))
    }

    /// Whether `power` is more than two thirds of the set's.
    pub fn is_quorum(&self, power: u64) -> bool {
        let Some(total) = self.total_power() else { return false };
        total > 0 && u128::from(power) * 3 > u128::from(total) * 2
    }

    /// The proposer of a height and round: everybody in turn.
    pub fn proposer(&self, height: u64, round: u32) -> Option<&Validator> {
        let n = u64::try_from(self.validators.len()).ok()?;
        let turn = height.wrapping_add(u64::from(round)).checked_rem(n)?;
        self.validators.get(usize::try_from(turn).ok()?)
    }

    /// The proposer when some validators are passed over: at round 0 the turn goes to the next who is not. From round 1 on
    /// everybody has their turn, and of `skipped` only the first count, as many as may fail.
    pub fn proposer_skipping(&self, height: u64, round: u32, skipped: &[PublicKey]) -> Option<&Validator> {
        let n = self.validators.len();
        if round > 0 {
            return self.proposer(height, round);
        }
        let members = skipped.iter().filter(|key| self.index_of(key).is_some());
        let skipped: Vec<&PublicKey> = members.take(n.saturating_sub(1) / 3).collect();
        let turns = (0..u32::try_from(n).ok()?).filter_map(|turn| self.proposer(height, turn));
        turns.into_iter().find(|v| !skipped.contains(&&v.consensus_key))
    }

    /// What headers commit to.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.to_bytes())
    }
}

impl Encode for Validator {
    fn encode(&self, w: &mut Writer) {
        w.array(5);
        self.consensus_key.encode(w);
        self.cosigner_key.encode(w);
        self.log_key.encode(w);
        w.uint(self.power).text(&self.organisation);
    }
}

impl Decode for Validator {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(5)?;
        Ok(Self {
            consensus_key: Decode::decode(r)?,
            cosigner_key: Decode::decode(r)?,
            log_key: Decode::decode(r)?,
            power: r.uint()?,
            organisation: r.text()?.to_owned(),
        })
    }
}

impl Encode for ValidatorSet {
    fn encode(&self, w: &mut Writer) {
        w.array(2).text(DOMAIN).array(self.validators.len());
        for v in &self.validators {
            v.encode(w);
        }
    }
}

impl Decode for ValidatorSet {
    /// Refuses sets that could not be: empty, too large, unsorted or repeated keys, powers that are zero or overflow.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 2)?;
        let n = r.array()?;
        if n == 0 || n > MAX_VALIDATORS {
            return Err(r.invalid("number of validators"));
        }
        let validators: Vec<Validator> = (0..n).map(|_| Decode::decode(r)).collect::<Result<_, _>>()?;
        let sorted = validators.windows(2).all(|w| matches!(w, [a, b] if a.consensus_key < b.consensus_key));
        let powers = validators.iter().all(|v| v.power > 0 && v.power <= (1 << 62) / MAX_VALIDATORS as u64);
        match sorted && powers {
            true => Ok(Self { validators }),
            false => Err(r.invalid("validator set")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::crypto::SigningKey;

    pub(crate) fn set_of(n: u8) -> (Vec<SigningKey>, ValidatorSet) {
        let keys: Vec<SigningKey> = (1..=n).map(|i| SigningKey::from_seed(&[i; 32])).collect();
        let one = |k: &SigningKey| Validator {
            consensus_key: k.public(),
            cosigner_key: PublicKey([1; 32]),
            log_key: PublicKey([2; 32]),
            power: 1,
            organisation: "bureau".into(),
        };
        let set = ValidatorSet::new(keys.iter().map(one).collect());
        let mut ordered = keys;
        ordered.sort_by_key(SigningKey::public);
        (ordered, set)
    }

    #[test]
    fn a_quorum_is_more_than_two_thirds() {
        for (n, quorum) in [(1u8, 1u64), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (16, 11)] {
            let (_, set) = set_of(n);
            assert!(set.is_quorum(quorum), "{quorum} of {n}");
            assert!(!set.is_quorum(quorum - 1), "{} of {n}", quorum - 1);
        }
        assert!(!ValidatorSet::new(vec![]).is_quorum(0));
    }

    #[test]
    fn everybody_proposes_in_turn() {
        let (keys, set) = set_of(4);
        let turns: Vec<_> = (4..8).map(|h| set.proposer(h, 0).unwrap().consensus_key).collect();
        assert_eq!(turns, keys.iter().map(SigningKey::public).collect::<Vec<_>>());
        assert_eq!(set.proposer(4, 1), set.proposer(5, 0));
    }

    #[test]
    fn a_skipped_turn_goes_to_the_next_at_round_0_only() {
        let (keys, set) = set_of(4);
        let dead = keys[2].public();
        let proposer =
            |height, round, skipped: &[PublicKey]| set.proposer_skipping(height, round, skipped).unwrap().consensus_key;
        for height in 0..8u64 {
            let plain = set.proposer(height, 0).unwrap().consensus_key;
            assert_eq!(proposer(height, 0, &[]), plain);
            let expected = if plain == dead { set.proposer(height, 1).unwrap().consensus_key } else { plain };
            assert_eq!(proposer(height, 0, &[dead]), expected);
            assert_eq!(proposer(height, 1, &[dead]), set.proposer(height, 1).unwrap().consensus_key);
            let all: Vec<_> = keys.iter().map(SigningKey::public).collect();
            let capped = proposer(height, 0, &all[..1]);
            assert_eq!(proposer(height, 0, &all), capped, "no more than may fail are passed over");
            assert_eq!(
                proposer(height, 0, &[PublicKey([9; 32]), dead]),
                expected,
                "who is in no set counts for nobody"
            );
        }
        assert_eq!(ValidatorSet::new(vec![]).proposer_skipping(1, 0, &[]), None);
    }

    #[test]
    fn unsorted_repeated_and_powerless_sets_are_refused() {
        let (_, set) = set_of(4);
        assert_eq!(ValidatorSet::from_bytes(&set.to_bytes()).unwrap(), set);
        let mut swapped = set.clone();
        swapped.validators.swap(0, 1);
        assert!(ValidatorSet::from_bytes(&swapped.to_bytes()).is_err());
        let mut twice = set.clone();
        twice.validators[1] = twice.validators[0].clone();
        assert!(ValidatorSet::from_bytes(&twice.to_bytes()).is_err());
        let mut powerless = set.clone();
        powerless.validators[0].power = 0;
        assert!(ValidatorSet::from_bytes(&powerless.to_bytes()).is_err());
        powerless.validators[0].power = u64::MAX;
        assert!(ValidatorSet::from_bytes(&powerless.to_bytes()).is_err());
    }
}
