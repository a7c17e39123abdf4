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

/// Whether bytes are any message of the engine, on the wire or in its log. The first one says which is tried.
pub(crate) fn decodes(bytes: &[u8]) -> bool {
    fn is<T>(bytes: &[u8]) -> bool
    where
        WireCodec: Codec<T>,
    {
        WireCodec.decode(Bytes::copy_from_slice(bytes)).is_ok()
    }
    let Some((kind, bytes)) = bytes.split_first() else { return false };
    match kind % 8 {
        0 => is::<SignedConsensusMsg<ChainContext>>(bytes),
        1 => is::<LivenessMsg<ChainContext>>(bytes),
        2 => is::<StreamMessage<Part>>(bytes),
        3 => is::<Status<ChainContext>>(bytes),
        4 => is::<Request<ChainContext>>(bytes),
        5 => is::<ProposedValue<ChainContext>>(bytes),
        6 => is::<Response<ChainContext>>(bytes),
        _ => is::<ValidatorProof<ChainContext>>(bytes),
    }
}

/// One message of each kind with the number that [`decodes`] wants before it.
#[cfg(test)]
pub(crate) fn samples() -> Vec<Vec<u8>> {
    use arc_malachitebft_core_types::{NilOrVal, SignedMessage, Validity, VoteType};
    use arc_malachitebft_engine::util::streaming::{StreamContent, StreamId};

    use super::context::{Proposal, Vote};
    use super::parts::PartInit;

    let (height, round, value, address, sig) =
        (Height(5), Round::new(1), ValueId([2; 32]), Address([1; 32]), Sig([3; 64]));
    let vote = Vote { kind: VoteType::Prevote, height, round, value: NilOrVal::Val(value), address };
    let proposal = Proposal { height, round, value, valid_round: Round::new(0), address };
    let init = PartInit {
        height,
        round,
        valid_round: Round::Nil,
        proposer: address,
        id: value,
        size: 10,
        parts: 1,
        streamer: address,
        signature: sig,
    };
    let part = |part| StreamMessage::new(StreamId::new(Bytes::from_static(b"stream")), 0, StreamContent::Data(part));
    let proposed =
        ProposedValue { height, round, valid_round: Round::Nil, proposer: address, value, validity: Validity::Valid };
    let signature = ExtendedCommitSignature::new(address, sig, None);
    let certificate =
        ExtendedCommitCertificate { height, round, value_id: value, commit_signatures: vec![signature; 3] };
    let values = vec![RawDecidedValue::new(Bytes::from_static(b"block"), certificate)];
    let response = Response::ValueResponse(ValueResponse::new(height, values));
    let signed = SignedConsensusMsg::Vote(SignedMessage::new(vote.clone(), sig));
    let encoded = [
        (0, WireCodec.encode(&signed)),
        (0, WireCodec.encode(&SignedConsensusMsg::Proposal(SignedMessage::new(proposal, sig)))),
        (1, WireCodec.encode(&LivenessMsg::<ChainContext>::Vote(SignedMessage::new(vote, sig)))),
        (2, WireCodec.encode(&part(Part::Init(init)))),
        (2, WireCodec.encode(&part(Part::Piece(Bytes::from_static(b"piece"))))),
        (5, WireCodec.encode(&proposed)),
        (6, WireCodec.encode(&response)),
        (7, WireCodec.encode(&ValidatorProof::<ChainContext>::new(vec![1; 32], vec![2; 38], sig))),
    ];
    encoded.into_iter().map(|(kind, bytes)| [&[kind], &bytes.unwrap()[..]].concat()).collect()
}
