//! Wire and write-ahead-log forms of the engine's messages (borsh). Two of them the engine's own borsh support leaves out;
//! they go through mirror types.

use std::io;

use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_core_consensus::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_core_types::{
    ExtendedCommitCertificate, ExtendedCommitSignature, PolkaCertificate, Round, ValidatorProof,
};
use arc_malachitebft_engine::util::streaming::StreamMessage;
use arc_malachitebft_sync::{RawDecidedValue, Request, Response, Status, ValueResponse};
use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;

use super::context::{Address, ChainContext, Height, Sig, ValueId};
use super::parts::Part;

#[derive(Copy, Clone, Debug)]
pub struct WireCodec;

macro_rules! borsh_codec {
    ($($t:ty),* $(,)?) => {$(
        impl Codec<$t> for WireCodec {
            type Error = io::Error;

            fn decode(&self, bytes: Bytes) -> io::Result<$t> {
                borsh::from_slice(&bytes)
            }

            fn encode(&self, message: &$t) -> io::Result<Bytes> {
                borsh::to_vec(message).map(Bytes::from)
            }
        }
    )*};
}

borsh_codec!(
    Part,
    SignedConsensusMsg<ChainContext>,
    LivenessMsg<ChainContext>,
    StreamMessage<Part>,
    Status<ChainContext>,
    Request<ChainContext>,
    ProposedValue<ChainContext>,
    PolkaCertificate<ChainContext>,
);

#[derive(BorshSerialize, BorshDeserialize)]
struct ProofMirror {
    public_key: Vec<u8>,
    peer_id: Vec<u8>,
    signature: Sig,
}

impl Codec<ValidatorProof<ChainContext>> for WireCodec {
    type Error = io::Error;

    fn decode(&self, bytes: Bytes) -> io::Result<ValidatorProof<ChainContext>> {
        let proof: ProofMirror = borsh::from_slice(&bytes)?;
        Ok(ValidatorProof::new(proof.public_key, proof.peer_id, proof.signature))
    }

    fn encode(&self, proof: &ValidatorProof<ChainContext>) -> io::Result<Bytes> {
        let (public_key, peer_id) = (proof.public_key.clone(), proof.peer_id.clone());
        borsh::to_vec(&ProofMirror { public_key, peer_id, signature: proof.signature }).map(Bytes::from)
    }
}

/// A certificate on the wire of value sync.
#[derive(BorshSerialize, BorshDeserialize)]
struct CertificateMirror {
    height: Height,
    round: Round,
    id: ValueId,
    signatures: Vec<(Address, Sig)>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct ResponseMirror {
    start: Height,
    values: Vec<(Bytes, CertificateMirror)>,
}

fn mirror(response: &Response<ChainContext>) -> ResponseMirror {
    let Response::ValueResponse(response) = response;
    let one = |value: &RawDecidedValue<ChainContext>| {
        let c = value.certificate.trim_vote_extensions();
        let signatures = c.commit_signatures.iter().map(|s| (s.address, s.signature)).collect();
        let certificate = CertificateMirror { height: c.height, round: c.round, id: c.value_id, signatures };
        (value.value_bytes.clone(), certificate)
    };
    ResponseMirror { start: response.start_height, values: response.values.iter().map(one).collect() }
}

impl Codec<Response<ChainContext>> for WireCodec {
    type Error = io::Error;

    fn decode(&self, bytes: Bytes) -> io::Result<Response<ChainContext>> {
        let mirror: ResponseMirror = borsh::from_slice(&bytes)?;
        let one = |(bytes, c): (Bytes, CertificateMirror)| {
            let signature = |(address, sig)| ExtendedCommitSignature::new(address, sig, None);
            let certificate = ExtendedCommitCertificate {
                height: c.height,
                round: c.round,
                value_id: c.id,
                commit_signatures: c.signatures.into_iter().map(signature).collect(),
            };
            RawDecidedValue::new(bytes, certificate)
        };
        let values = mirror.values.into_iter().map(one).collect();
        Ok(Response::ValueResponse(ValueResponse::new(mirror.start, values)))
    }

    fn encode(&self, response: &Response<ChainContext>) -> io::Result<Bytes> {
        borsh::to_vec(&mirror(response)).map(Bytes::from)
    }
}

impl HasEncodedLen<Response<ChainContext>> for WireCodec {
    fn encoded_len(&self, response: &Response<ChainContext>) -> io::Result<usize> {
        borsh::object_length(&mirror(response))
    }
}
