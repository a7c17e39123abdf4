//! Blocks. A header commits to its transactions and to the state *after its parent*: roots lag by one block, so a block
//! can be proposed before its own effects are known. What block h did is proven against header h+1.

use std::sync::Arc;

use crate::bytes::{BlockId, Fingerprint, Hash, PublicKey};
use crate::encoding::{Decode, DecodeError, Encode, Fault, Reader, Writer};
use crate::limits::{MAX_BLOCK_BYTES, MAX_BLOCK_TXS};
use crate::merkle;

const HEADER_DOMAIN: &str = "citychain/header/1";
const BLOCK_DOMAIN: &str = "citychain/block/1";

/// What validators sign, by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of the execution rules.
    pub version: u32,
    pub fingerprint: Fingerprint,
    pub height: u64,
    /// The round in which this block was first built; it keeps its id when a later round proposes it again.
    pub round: u32,
    /// Milliseconds since 1970, later than the parent's.
    pub time_ms: u64,
    /// The parent's id; genesis' fingerprint for block 1.
    pub parent: BlockId,
    /// RFC 6962 root over the envelopes, in order.
    pub tx_root: Hash,
    pub validators_hash: Hash,
    pub next_validators_hash: Hash,
    pub proposer: PublicKey,
    /// JMT root of the state after the parent.
    pub state_root: Hash,
    /// Entries in the log after the parent.
    pub log_size: u64,
    /// RFC 6962 root of the log after the parent.
    pub log_root: Hash,
    /// RFC 6962 root over the parent's transaction results.
    pub results_root: Hash,
}

/// The only signature profile of this version.
const PROFILE: &str = "intl";

impl Header {
    pub fn id(&self) -> BlockId {
        BlockId(Hash::of(&self.to_bytes()).0)
    }
}

impl Encode for Header {
    fn encode(&self, w: &mut Writer) {
        w.array(16).text(HEADER_DOMAIN).uint(self.version.into()).text(PROFILE);
        self.fingerprint.encode(w);
        w.uint(self.height).uint(self.round.into()).uint(self.time_ms);
        self.parent.encode(w);
        self.tx_root.encode(w);
        self.validators_hash.encode(w);
        self.next_validators_hash.encode(w);
        self.proposer.encode(w);
        self.state_root.encode(w);
        w.uint(self.log_size);
        self.log_root.encode(w);
        self.results_root.encode(w);
    }
}

impl Decode for Header {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.domain(HEADER_DOMAIN, 16)?;
        let version = r.u32()?;
        if r.text()? != PROFILE {
            return Err(r.invalid("profile"));
        }
        Ok(Self {
            version,
            fingerprint: Decode::decode(r)?,
            height: r.uint()?,
            round: r.u32()?,
            time_ms: r.uint()?,
            parent: Decode::decode(r)?,
            tx_root: Decode::decode(r)?,
            validators_hash: Decode::decode(r)?,
            next_validators_hash: Decode::decode(r)?,
            proposer: Decode::decode(r)?,
            state_root: Decode::decode(r)?,
            log_size: r.uint()?,
            log_root: Decode::decode(r)?,
            results_root: Decode::decode(r)?,
        })
    }
}

/// A header and the envelopes it commits to. Whether the envelopes are transactions is for execution to find out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub header: Header,
    pub txs: Vec<Arc<[u8]>>,
}

impl Block {
    /// The header of an encoded block; the rest is not looked at.
    pub fn decode_header(r: &mut Reader<'_>) -> Result<Header, DecodeError> {
        r.domain(BLOCK_DOMAIN, 3)?;
        Header::decode(r)
    }

    /// RFC 6962 root over the envelopes.
    pub fn tx_root(txs: &[Arc<[u8]>]) -> Hash {
        merkle::root_of_leaves(txs.iter().map(|tx| merkle::leaf_hash(tx)))
    }
}

impl Encode for Block {
    fn encode(&self, w: &mut Writer) {
        w.array(3).text(BLOCK_DOMAIN);
        self.header.encode(w);
        w.array(self.txs.len());
        for tx in &self.txs {
            w.bytes(tx);
        }
    }
}

impl Decode for Block {
    /// Refuses blocks beyond the limits and bodies that the header does not commit to.
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let header = Self::decode_header(r)?;
        let n = r.array()?;
        if n > MAX_BLOCK_TXS {
            return Err(r.invalid("number of transactions"));
        }
        let mut txs: Vec<Arc<[u8]>> = Vec::with_capacity(n);
        let mut size = 0;
        for _ in 0..n {
            let tx = r.bytes()?;
            size += tx.len();
            txs.push(tx.into());
        }
        if size > MAX_BLOCK_BYTES {
            return Err(r.invalid("block size"));
        }
        match Self::tx_root(&txs) == header.tx_root {
            true => Ok(Self { header, txs }),
            false => Err(r.fault(Fault::Invalid("transaction root"))),
        }
    }
}
