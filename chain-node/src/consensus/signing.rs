//! What validators sign, and how it is checked: chain-types' bytes, the strict rule. The same bytes that commit
//! certificates, light clients and browsers rebuild.

use std::sync::Arc;

use arc_malachitebft_app_channel::{Signer, Verifier};
use arc_malachitebft_core_types::{NilOrVal, Round, SignedMessage, ValidatorProof, VoteExtensionScope, VoteType};
use arc_malachitebft_signing::{Error, VerificationResult};
use chain_types::crypto::{self, SigningKey};
use chain_types::encoding::{Encode, Writer};
use chain_types::{BlockId, Fingerprint, Signature, VoteKind};

use super::context::{ChainContext, Height, Key, Proposal, Sig, Vote};
use super::parts::PartInit;
use crate::identity::{Guard, Position};

/// A round as an unsigned number; nil only where a round may be absent.
pub fn round_number(round: Round) -> Option<u32> {
    u32::try_from(round.as_i64()).ok()
}

fn kind_of(vote: &Vote) -> VoteKind {
    match vote.kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

fn id_of(vote: &Vote) -> Option<BlockId> {
    match vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(id.block()),
    }
}

fn position(height: Height, round: Round) -> Position {
    Position { height: height.0, round: round_number(round).unwrap_or(u32::MAX) }
}

fn vote_bytes(fingerprint: Fingerprint, vote: &Vote) -> Vec<u8> {
    let Position { height, round } = position(vote.height, vote.round);
    chain_types::Vote { fingerprint, kind: kind_of(vote), height, round, id: id_of(vote) }.to_bytes()
}

/// `["citychain/proposal/1", fingerprint, height, round, valid round | null, id]`
fn proposal_bytes(fingerprint: Fingerprint, proposal: &Proposal) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(6).text("citychain/proposal/1").bytes(&fingerprint.0).uint(proposal.height.0);
    round(&mut w, proposal.round);
    round(&mut w, proposal.valid_round);
    w.bytes(&proposal.value.0);
    w.into_bytes()
}

/// `["citychain/part/1", fingerprint, height, round, valid round | null, id, size, parts]`
pub fn part_bytes(fingerprint: Fingerprint, init: &PartInit) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(8).text("citychain/part/1").bytes(&fingerprint.0).uint(init.height.0);
    round(&mut w, init.round);
    round(&mut w, init.valid_round);
    w.bytes(&init.id.0).uint(init.size.into()).uint(init.parts.into());
    w.into_bytes()
}

/// `["citychain/peer/1", fingerprint, proof]`: binds a connection's identity to a consensus key.
fn peer_proof_bytes(fingerprint: Fingerprint, proof: &[u8]) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(3).text("citychain/peer/1").bytes(&fingerprint.0).bytes(proof);
    w.into_bytes()
}

fn round(w: &mut Writer, round: Round) {
    match round_number(round) {
        Some(n) => drop(w.uint(n.into())),
        None => drop(w.null()),
    }
}

fn verify(key: &Key, message: &[u8], signature: &Sig) -> VerificationResult {
    VerificationResult::from_bool(crypto::verify_strict(&key.0, message, &Signature(signature.0)))
}

#[derive(Clone)]
pub struct ChainVerifier {
    pub fingerprint: Fingerprint,
    /// Told of every vote of this node's own key, whether it came as a message or in a certificate.
    pub guard: Arc<Guard>,
}

#[async_trait::async_trait]
impl Verifier<ChainContext> for ChainVerifier {
    async fn verify_signed_vote(&self, vote: &Vote, signature: &Sig, key: &Key) -> Result<VerificationResult, Error> {
        let verdict = verify(key, &vote_bytes(self.fingerprint, vote), signature);
        if verdict.is_valid() && key.0 == self.guard.own_key() {
            self.guard.saw(position(vote.height, vote.round), kind_of(vote), id_of(vote));
        }
        Ok(verdict)
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Sig,
        key: &Key,
    ) -> Result<VerificationResult, Error> {
        Ok(verify(key, &proposal_bytes(self.fingerprint, proposal), signature))
    }

    /// This chain has no vote extensions: one is never valid.
    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<ChainContext>,
        _: &(),
        _: &Sig,
        _: &Key,
    ) -> Result<VerificationResult, Error> {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<ChainContext>) -> Result<VerificationResult, Error> {
        let message = peer_proof_bytes(self.fingerprint, &proof.preimage());
        Ok(match proof.decoded_public_key() {
            Ok(key) => verify(&key, &message, &proof.signature),
            Err(_) => VerificationResult::Invalid,
        })
    }
}

#[derive(Clone)]
pub struct ChainSigner {
    pub fingerprint: Fingerprint,
    pub key: SigningKey,
    /// Asked before every vote and proposal.
    pub guard: Arc<Guard>,
}

impl ChainSigner {
    pub fn sign_part(&self, init: &PartInit) -> Sig {
        Sig(self.key.sign(&part_bytes(self.fingerprint, init)).0)
    }

    /// The signature alone. An honest node asks the guard first: [`Signer::sign_vote`].
    pub fn vote(&self, vote: Vote) -> SignedMessage<ChainContext, Vote> {
        let signature = self.key.sign(&vote_bytes(self.fingerprint, &vote));
        SignedMessage::new(vote, Sig(signature.0))
    }

    /// The signature alone. An honest node asks the guard first: [`Signer::sign_proposal`].
    pub fn proposal(&self, proposal: Proposal) -> SignedMessage<ChainContext, Proposal> {
        let signature = self.key.sign(&proposal_bytes(self.fingerprint, &proposal));
        SignedMessage::new(proposal, Sig(signature.0))
    }

    /// On disk when it returns: the guard's file is synced once a round.
    fn reserve(&self, height: Height, round: Round) -> Result<(), Error> {
        let reserved = tokio::task::block_in_place(|| self.guard.reserve(position(height, round)));
        reserved.map_err(Error::from_source)
    }
}

#[async_trait::async_trait]
impl Signer<ChainContext> for ChainSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<ChainContext, Vote>, Error> {
        self.reserve(vote.height, vote.round)?;
        self.guard.signed(position(vote.height, vote.round), kind_of(&vote), id_of(&vote));
        Ok(self.vote(vote))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<ChainContext, Proposal>, Error> {
        self.reserve(proposal.height, proposal.round)?;
        Ok(self.proposal(proposal))
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<ChainContext>,
        extension: (),
    ) -> Result<SignedMessage<ChainContext, ()>, Error> {
        // Never asked for: the policy is "disabled". A signature over nothing verifies nowhere.
        Ok(SignedMessage::new(extension, Sig([0; 64])))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<ChainContext>, Error> {
        let proof = ValidatorProof::<ChainContext>::signing_bytes(&public_key, &peer_id);
        let signature = self.key.sign(&peer_proof_bytes(self.fingerprint, &proof));
        Ok(ValidatorProof::new(public_key, peer_id, Sig(signature.0)))
    }
}
