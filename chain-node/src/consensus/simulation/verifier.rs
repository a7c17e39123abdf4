//! Signatures of one run, each checked once: the same votes reach every node, and one strict check decides for all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use arc_malachitebft_app_channel::Verifier;
use arc_malachitebft_core_types::{ValidatorProof, VoteExtensionScope};
use arc_malachitebft_signing::{Error, VerificationResult};

use super::super::context::{ChainContext, Key, Proposal, Sig, Vote};
use super::super::signing::ChainVerifier;

type Verdicts = HashMap<(Vec<u8>, [u8; 64], [u8; 32]), bool>;

#[derive(Clone)]
pub struct Memo {
    inner: Arc<ChainVerifier>,
    seen: Arc<Mutex<Verdicts>>,
    /// A planted bug: every signature holds.
    believes_all: bool,
}

impl Memo {
    pub fn new(inner: ChainVerifier, believes_all: bool) -> Self {
        Self { inner: Arc::new(inner), seen: Arc::default(), believes_all }
    }

    fn recall(&self, key: &(Vec<u8>, [u8; 64], [u8; 32])) -> Option<bool> {
        if self.believes_all { Some(true) } else { self.seen.lock().unwrap().get(key).copied() }
    }

    fn note(&self, key: (Vec<u8>, [u8; 64], [u8; 32]), result: &VerificationResult) {
        self.seen.lock().unwrap().insert(key, result.is_valid());
    }
}

fn verdict(holds: bool) -> VerificationResult {
    if holds { VerificationResult::Valid } else { VerificationResult::Invalid }
}

#[async_trait::async_trait]
impl Verifier<ChainContext> for Memo {
    async fn verify_signed_vote(&self, vote: &Vote, sig: &Sig, key: &Key) -> Result<VerificationResult, Error> {
        let place = (borsh::to_vec(vote).unwrap(), sig.0, key.0.0);
        if let Some(holds) = self.recall(&place) {
            return Ok(verdict(holds));
        }
        let result = self.inner.verify_signed_vote(vote, sig, key).await?;
        self.note(place, &result);
        Ok(result)
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        sig: &Sig,
        key: &Key,
    ) -> Result<VerificationResult, Error> {
        let place = (borsh::to_vec(proposal).unwrap(), sig.0, key.0.0);
        if let Some(holds) = self.recall(&place) {
            return Ok(verdict(holds));
        }
        let result = self.inner.verify_signed_proposal(proposal, sig, key).await?;
        self.note(place, &result);
        Ok(result)
    }

    async fn verify_signed_vote_extension(
        &self,
        scope: &VoteExtensionScope<ChainContext>,
        extension: &(),
        sig: &Sig,
        key: &Key,
    ) -> Result<VerificationResult, Error> {
        self.inner.verify_signed_vote_extension(scope, extension, sig, key).await
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<ChainContext>) -> Result<VerificationResult, Error> {
        self.inner.verify_validator_proof(proof).await
    }
}
