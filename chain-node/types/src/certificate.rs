//! Votes and commit certificates: how more than two thirds of a validator set say "this block, and no other".

use crate::bytes::{BlockId, Fingerprint, Signature};
use crate::crypto;
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::limits::MAX_VALIDATORS;
use crate::validator::ValidatorSet;

const VOTE_DOMAIN: &str = "citychain/vote/1";
const DOMAIN: &str = "citychain/commit/1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum VoteKind {
    Prevote,
    Precommit,
}

/// What a validator signs in a round; `id` is none for a vote against every proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vote {
    pub fingerprint: Fingerprint,
    pub kind: VoteKind,
    pub height: u64,
    pub round: u32,
    pub id: Option<BlockId>,
}

impl Encode for Vote {
    fn encode(&self, w: &mut Writer) {
        w.array(6).text(VOTE_DOMAIN);
        self.fingerprint.encode(w);
        w.uint(match self.kind {
            VoteKind::Prevote => 1,
            VoteKind::Precommit => 2,
        });
        w.uint(self.height).uint(self.round.into());
        match &self.id {
            Some(id) => id.encode(w),
            None => drop(w.null()),
        }
    }
}

/// Precommits of one round for one block. Nodes may hold different certificates for the same block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitCertificate {
    pub height: u64,
    pub round: u32,
    pub id: BlockId,
    /// Index in the validator set, and the signature; ascending by index.
    pub signatures: Vec<(u32, Signature)>,
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the commit certificate is for another block")]
    OtherBlock,
    #[error("signature {0} is from nobody in the validator set, or stands twice")]
    Signer(u32),
    #[error("signature of validator {0} does not verify")]
    Signature(u32),
    #[error("{present} of {total} voting power signed; more than two thirds are needed")]
    Power { present: u64, total: u64 },
}

impl CommitCertificate {
    /// Checks every signature (strict rule) and that together they are a quorum of `set`.
    ///
    /// A certificate with one bad signature fails as a whole, even if the rest would be enough: an honest node never
    /// makes one, and ignoring signatures is how forged ones have slipped through elsewhere.
    pub fn verify(
        &self,
        fingerprint: Fingerprint,
        height: u64,
        id: BlockId,
        set: &ValidatorSet,
    ) -> Result<(), CertificateError> {
        if self.height != height || self.id != id {
            return Err(CertificateError::OtherBlock);
        }
        let vote =
            Vote { fingerprint, kind: VoteKind::Precommit, height: self.height, round: self.round, id: Some(self.id) };
        let message = vote.to_bytes();
        let (mut power, mut previous) = (0u64, None);
        for (index, signature) in &self.signatures {
            let validator = usize::try_from(*index).ok().and_then(|i| set.get(i));
            let Some(validator) = validator.filter(|_| previous < Some(*index)) else {
                return Err(CertificateError::Signer(*index));
            };
            previous = Some(*index);
            if !crypto::verify_strict(&validator.consensus_key, &message, signature) {
                return Err(CertificateError::Signature(*index));
            }
            power = power.saturating_add(validator.power);
        }
        match set.is_quorum(power) {
            true => Ok(()),
            false => Err(CertificateError::Power { present: power, total: set.total_power().unwrap_or(0) }),
        }
    }
}

impl Encode for CommitCertificate {
    fn encode(&self, w: &mut Writer) {
        w.array(5).text(DOMAIN).uint(self.height).uint(self.round.into());
        self.id.encode(w);
        w.array(self.signatures.len());
        for (index, signature) in &self.signatures {
            w.array(2).uint((*index).into());
            signature.encode(w);
        }
    }
}

impl Decode for CommitCertificate {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(DOMAIN, 5)?;
        let (height, round, id) = (r.uint()?, r.u32()?, Decode::decode(r)?);
        let n = r.array()?;
        if n > MAX_VALIDATORS {
            return Err(r.invalid("number of signatures"));
        }
        let one = |r: &mut Reader<'_>| {
            r.array_of(2)?;
            Ok((r.u32()?, Decode::decode(r)?))
        };
        let signatures = (0..n).map(|_| one(r)).collect::<Result<_, _>>()?;
        Ok(Self { height, round, id, signatures })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::SigningKey;
    use crate::validator::tests::set_of;

    const CHAIN: Fingerprint = Fingerprint([3; 32]);
    const BLOCK: BlockId = BlockId([4; 32]);

    fn signed(keys: &[SigningKey], vote: &Vote) -> Vec<(u32, Signature)> {
        keys.iter().enumerate().map(|(i, k)| (i as u32, k.sign(&vote.to_bytes()))).collect()
    }

    fn certificate(signers: usize) -> (CommitCertificate, ValidatorSet, Vec<SigningKey>) {
        let (keys, set) = set_of(4);
        let vote = Vote { fingerprint: CHAIN, kind: VoteKind::Precommit, height: 7, round: 1, id: Some(BLOCK) };
        let signatures = signed(&keys[..signers], &vote);
        (CommitCertificate { height: 7, round: 1, id: BLOCK, signatures }, set, keys)
    }

    #[test]
    fn three_of_four_decide_and_two_do_not() {
        let (c, set, _) = certificate(3);
        assert_eq!(c.verify(CHAIN, 7, BLOCK, &set), Ok(()));
        assert_eq!(CommitCertificate::from_bytes(&c.to_bytes()).unwrap(), c);
        let (c, set, _) = certificate(2);
        assert_eq!(c.verify(CHAIN, 7, BLOCK, &set), Err(CertificateError::Power { present: 2, total: 4 }));
    }

    #[test]
    fn forged_certificates_name_the_forgery() {
        let (good, set, keys) = certificate(3);
        let mut twice = good.clone();
        twice.signatures[2] = twice.signatures[1];
        assert_eq!(twice.verify(CHAIN, 7, BLOCK, &set), Err(CertificateError::Signer(1)));
        let mut unknown = good.clone();
        unknown.signatures[2].0 = 9;
        assert_eq!(unknown.verify(CHAIN, 7, BLOCK, &set), Err(CertificateError::Signer(9)));
        let mut swapped = good.clone();
        swapped.signatures[2].0 = 3;
        assert_eq!(swapped.verify(CHAIN, 7, BLOCK, &set), Err(CertificateError::Signature(3)));
        let mut round = good.clone();
        round.round = 2;
        assert_eq!(round.verify(CHAIN, 7, BLOCK, &set), Err(CertificateError::Signature(0)));
        assert_eq!(good.verify(CHAIN, 8, BLOCK, &set), Err(CertificateError::OtherBlock));
        assert_eq!(good.verify(CHAIN, 7, BlockId([5; 32]), &set), Err(CertificateError::OtherBlock));
        assert_eq!(good.verify(Fingerprint([0; 32]), 7, BLOCK, &set), Err(CertificateError::Signature(0)));
        let prevote = Vote { fingerprint: CHAIN, kind: VoteKind::Prevote, height: 7, round: 1, id: Some(BLOCK) };
        let prevotes = CommitCertificate { signatures: signed(&keys, &prevote), ..good };
        assert_eq!(prevotes.verify(CHAIN, 7, BLOCK, &set), Err(CertificateError::Signature(0)));
    }
}
