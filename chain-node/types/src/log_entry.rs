//! What stands in the log (DESIGN §4.4): the envelope of every applied call, verbatim, and an entry of its own for every
//! anchored digest. A refused call leaves nothing.

use crate::bytes::{Hash, PublicKey, TxId};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};
use crate::limits::MAX_ENTRY_BYTES;

/// A digest algorithm, by its COSE number (RFC 9054).
pub const SHA_256: i64 = -16;

/// One digest of an anchor call: `[1, alg, digest, transaction id, position, kid]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestEntry {
    pub digest: Hash,
    /// The transaction that anchored it.
    pub tx: TxId,
    /// Place among the call's digests, from 0.
    pub position: u64,
    /// Who signed the call.
    pub kid: PublicKey,
}

impl Encode for DigestEntry {
    fn encode(&self, w: &mut Writer) {
        w.array(6).uint(1).int(SHA_256);
        self.digest.encode(w);
        self.tx.encode(w);
        w.uint(self.position);
        self.kid.encode(w);
    }
}

impl Decode for DigestEntry {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(6)?;
        if r.uint()? != 1 || r.raw()? != [0x2f] {
            return Err(r.invalid("digest entry: only SHA-256 is known"));
        }
        Ok(Self { digest: Decode::decode(r)?, tx: Decode::decode(r)?, position: r.uint()?, kid: Decode::decode(r)? })
    }
}

/// The entry of an applied call: its envelope, or `[2, "transaction", sha-256]` if that is too long for a log tile.
pub fn call_entry(envelope: &[u8]) -> Vec<u8> {
    if envelope.len() <= MAX_ENTRY_BYTES {
        return envelope.to_vec();
    }
    let mut w = Writer::default();
    w.array(3).uint(2).text("transaction").bytes(&Hash::of(envelope).0);
    w.into_bytes()
}
