//! What validators send each other, as bytes where the real ones send bytes, so that the codecs are part of every run.

use arc_malachitebft_app_channel::app::types::codec::Codec;
use bytes::Bytes;

use super::super::codec::WireCodec;

#[derive(Clone, Debug)]
pub enum Message {
    /// A vote or a proposal.
    Consensus(Bytes),
    /// A vote again, or a certificate of votes.
    Liveness(Bytes),
    /// Part of a block.
    Part(Bytes),
    /// Value sync: my last block.
    Tip(u64),
    /// Value sync: send me these.
    Ask { from: u64, to: u64 },
    /// Value sync: decided blocks.
    Values(Bytes),
    /// Gossip: what I committed, what I am in.
    Heights { committed: u64, entered: u64 },
    /// Gossip: transactions of my clients.
    Txs(Vec<Bytes>),
}

pub fn encode<T>(message: &T) -> Bytes
where
    WireCodec: Codec<T>,
{
    WireCodec.encode(message).map_err(|_| ()).unwrap()
}

pub fn decode<T>(bytes: &Bytes) -> Option<T>
where
    WireCodec: Codec<T>,
{
    WireCodec.decode(bytes.clone()).ok()
}

impl Message {
    /// For the trace.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Consensus(_) => "consensus",
            Self::Liveness(_) => "liveness",
            Self::Part(_) => "part",
            Self::Tip(_) => "tip",
            Self::Ask { .. } => "ask",
            Self::Values(_) => "values",
            Self::Heights { .. } => "heights",
            Self::Txs(_) => "transactions",
        }
    }

    /// What two runs of one seed must have in common.
    pub fn fingerprint(&self) -> Vec<u8> {
        match self {
            Self::Consensus(bytes) | Self::Liveness(bytes) | Self::Part(bytes) | Self::Values(bytes) => bytes.to_vec(),
            Self::Tip(height) => height.to_be_bytes().to_vec(),
            Self::Ask { from: a, to: b } | Self::Heights { committed: a, entered: b } => {
                [a.to_be_bytes(), b.to_be_bytes()].concat()
            }
            Self::Txs(txs) => txs.concat(),
        }
    }
}
