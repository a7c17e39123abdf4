//! What is not on the chain: asked of a node, believed when the state tree of a certified header proves it.

use bytes::Bytes;
use chain_types::encoding::Decode;
use chain_types::state::AbsenceProof;
use serde::Deserialize;

use crate::client::Client;
use crate::error::Error;
use crate::transport::Question;

/// No record had a key after `height`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    pub height: u64,
    /// Milliseconds since 1970, of the header that commits to that state.
    pub time_ms: u64,
    pub proof: AbsenceProof,
}

#[derive(Deserialize)]
struct Answer {
    value: Option<String>,
    proof: String,
}

impl Client {
    /// Proves that no record has this key, as of the newest sealed height; none if one has. For members.
    pub async fn absence(&self, key: &[u8]) -> Result<Option<Absent>, Error> {
        let sealing = self.status().await?.height;
        let height = sealing.checked_sub(1).ok_or_else(|| Error::unverified("no state is proven before block 1"))?;
        let (header, _) = self.header(sealing).await?;
        let question = Question::get("/state/value").with("key", hex::encode(key)).with("prove", 1);
        let read = |body: Bytes| {
            let answer: Answer = serde_json::from_slice(&body).map_err(Error::unverified)?;
            if answer.value.is_some() {
                return Ok(None);
            }
            let bytes = hex::decode(&answer.proof).map_err(Error::unverified)?;
            let proof = AbsenceProof::from_bytes(&bytes).map_err(Error::unverified)?;
            match proof.key == key && proof.verify(&header.state_root) {
                true => Ok(Some(Absent { height, time_ms: header.time_ms, proof })),
                false => Err(Error::unverified("the proof is not of this key, or not under the certified state")),
            }
        };
        self.transport().ask(&question.with("height", height), read).await
    }
}
