//! Messages between peers: a 32-bit length, then one CBOR array. Sizes are checked before anything is allocated.

use std::io;

use chain_types::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use chain_types::limits::MAX_TX_BYTES;
use chain_types::{Fingerprint, limits};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::checkpoint::Endorsement;

/// A batch is closed once it holds this much, so that one more transaction still fits a frame.
pub const BATCH_BYTES: usize = 512 * 1024;
/// Transactions in one batch; senders stop at half of it.
const MAX_BATCH: usize = 1_024;
/// A version is a few numbers and dots.
const MAX_VERSION: usize = 64;
const MAX_FRAME: usize = BATCH_BYTES + MAX_TX_BYTES + 64 * 1024;
const _: () = assert!(MAX_FRAME < limits::MAX_BLOCK_BYTES);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// First on every connection, from the dialler. The process is a random number of its own; none from a node of the
    /// first release.
    Hello { fingerprint: Fingerprint, version: String, process: Option<u64> },
    /// Transactions, to be acknowledged by number.
    Txs { number: u64, txs: Vec<Vec<u8>> },
    /// Last committed height, the height and round that consensus is in, and the sender's clock; whether its identity lets
    /// it vote.
    Height { committed: u64, entered: u64, now_ms: u64, votes: bool },
    /// What the sender, or another validator, says about the log.
    Endorsement(Box<Endorsement>),
    /// The batch was dealt with; or not wholly, and its transactions should be sent again.
    Ack { number: u64, complete: bool },
    /// From the acceptor: another process is heard that proves the same key.
    Duplicate,
}

impl Encode for Message {
    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Hello { fingerprint, version, process } => {
                w.array(if process.is_some() { 4 } else { 3 }).text("hello").bytes(&fingerprint.0).text(version);
                if let Some(process) = process {
                    w.uint(*process);
                }
            }
            Self::Txs { number, txs } => {
                w.array(3).text("txs").uint(*number).array(txs.len());
                for tx in txs {
                    w.bytes(tx);
                }
            }
            // A node of the first release knows this with four items only, and takes everybody for a voter.
            Self::Height { committed, entered, now_ms, votes: true } => {
                w.array(4).text("height").uint(*committed).uint(*entered).uint(*now_ms);
            }
            Self::Height { committed, entered, now_ms, votes: false } => {
                w.array(5).text("height").uint(*committed).uint(*entered).uint(*now_ms).bool(false);
            }
            Self::Endorsement(endorsement) => {
                w.array(2).text("endorsement");
                endorsement.encode(w);
            }
            Self::Ack { number, complete } => {
                w.array(3).text("ack").uint(*number).bool(*complete);
            }
            Self::Duplicate => {
                w.array(1).text("duplicate");
            }
        }
    }
}

impl Decode for Message {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let items = r.array()?;
        match (r.text()?, items) {
            ("hello", 3 | 4) => {
                let (fingerprint, version) = (Decode::decode(r)?, r.text()?);
                if version.len() > MAX_VERSION {
                    return Err(r.invalid("version"));
                }
                let process = if items == 4 { Some(r.uint()?) } else { None };
                Ok(Self::Hello { fingerprint, version: version.to_owned(), process })
            }
            ("txs", 3) => {
                let number = r.uint()?;
                let n = r.array()?;
                // An empty item is one byte here and 24 in memory.
                if n > MAX_BATCH {
                    return Err(r.invalid("number of transactions"));
                }
                let txs = (0..n).map(|_| r.bytes().map(<[u8]>::to_vec)).collect::<Result<_, _>>()?;
                Ok(Self::Txs { number, txs })
            }
            ("height", 4 | 5) => {
                let (committed, entered, now_ms) = (r.uint()?, r.uint()?, r.uint()?);
                let votes = items == 4 || r.bool()?;
                Ok(Self::Height { committed, entered, now_ms, votes })
            }
            ("endorsement", 2) => Ok(Self::Endorsement(Box::new(Decode::decode(r)?))),
            ("duplicate", 1) => Ok(Self::Duplicate),
            ("ack", 3) => Ok(Self::Ack { number: r.uint()?, complete: r.bool()? }),
            _ => Err(r.invalid("message")),
        }
    }
}

pub async fn write(stream: &mut (impl AsyncWrite + Unpin), message: &Message) -> io::Result<()> {
    let bytes = message.to_bytes();
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_all(&length.to_be_bytes()).await?;
    stream.write_all(&bytes).await?;
    stream.flush().await
}

pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Message> {
    let length = stream.read_u32().await? as usize;
    if length > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is too large"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Message::from_bytes(&bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}
