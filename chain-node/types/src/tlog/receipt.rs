//! Receipts (RFC 9942, COSE Receipts): an inclusion proof of an entry under a log's signature over the tree's root.
//!
//! The signature covers the root and a header that is the same for every entry, so a validator signs once a checkpoint
//! and any node can make that validator's receipt for any entry below it. A chain's quorum is as many receipts.

use crate::bytes::{Hash, PublicKey, Signature};
use crate::crypto::verify_strict;
use crate::encoding::{DecodeError, Encode, Reader, Writer};
use crate::merkle::inclusion_root;

/// EdDSA (RFC 9053): what every COSE library knows.
const EDDSA: i64 = -8;
/// Verifiable data structure `RFC9162_SHA256`.
const RFC9162_SHA256: u64 = 1;
/// `{396: {-1: [` — the inclusion proofs, of which there is one.
const PROOFS: [u8; 7] = [0xa1, 0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81];
const MAX_PATH: usize = 63;

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    #[error("the receipt is not in the form of RFC 9942 that this log writes: {0}")]
    Form(#[from] DecodeError),
    #[error("the receipt is signed by a key that is not the log's")]
    Key,
    #[error("the receipt's signature does not verify over the root that its path leads to")]
    Signature,
}

/// One validator's receipt for one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The log that it is about: issuer and subject of the signature.
    pub origin: String,
    /// Thumbprint of the signing key.
    pub kid: Hash,
    /// Entries below the signed root.
    pub size: u64,
    /// Of the entry, from 0.
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<Hash>,
    pub signature: Signature,
}

impl Encode for Receipt {
    fn encode(&self, w: &mut Writer) {
        let mut proof = Writer::default();
        proof.array(3).uint(self.size).uint(self.index).array(self.path.len());
        for hash in &self.path {
            proof.bytes(&hash.0);
        }
        w.tag(18).array(4).bytes(&protected_header(&self.origin, &self.kid));
        w.raw(&PROOFS).bytes(&proof.into_bytes()).null().bytes(&self.signature.0);
    }
}

impl Receipt {
    /// Reads a receipt; verifies nothing.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let mut r = Reader::new(bytes.get(1..).unwrap_or_default());
        if bytes.first() != Some(&0xd2) {
            return Err(r.invalid("COSE_Sign1 tag").into());
        }
        r.array_of(4)?;
        let (origin, kid) = read_protected(r.bytes()?)?;
        for byte in PROOFS {
            r.skip_byte(byte, "inclusion proof")?;
        }
        let (size, index, path) = read_proof(r.bytes()?)?;
        if !r.null() {
            return Err(r.invalid("payload: a receipt's is detached").into());
        }
        let signature = Signature(r.fixed("signature")?);
        r.end()?;
        Ok(Self { origin, kid, size, index, path, signature })
    }

    /// Whether these bytes stand under a root that `key` signed for the log (strict rule). The signature does not cover
    /// [`Self::size`]: what is proven is that the entry is in the log, not how large the log was.
    pub fn verify(&self, entry: &[u8], origin: &str, key: &PublicKey) -> Result<(), ReceiptError> {
        if self.origin != origin || self.kid != key_thumbprint(key) {
            return Err(ReceiptError::Key);
        }
        let root = inclusion_root(entry, self.index, self.size, &self.path).ok_or(ReceiptError::Signature)?;
        match verify_strict(key, &root_message(origin, key, &root), &self.signature) {
            true => Ok(()),
            false => Err(ReceiptError::Signature),
        }
    }
}

/// What a log key signs for receipts: the COSE `Sig_structure` over the root (RFC 9052 §4.4, detached payload).
pub fn root_message(origin: &str, key: &PublicKey, root: &Hash) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(4).text("Signature1").bytes(&protected_header(origin, &key_thumbprint(key))).bytes(&[]).bytes(&root.0);
    w.into_bytes()
}

/// `{1: alg, 4: kid, 15: {1: issuer, 2: subject}, 395: verifiable data structure}`
fn protected_header(origin: &str, kid: &Hash) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(4).uint(1).int(EDDSA).uint(4).bytes(&kid.0);
    w.uint(15).map(2).uint(1).text(origin).uint(2).text(origin);
    w.uint(395).uint(RFC9162_SHA256);
    w.into_bytes()
}

fn read_protected(bytes: &[u8]) -> Result<(String, Hash), ReceiptError> {
    let mut r = Reader::new(bytes);
    for byte in [0xa4, 0x01, 0x27, 0x04] {
        r.skip_byte(byte, "protected header")?;
    }
    let kid = Hash(r.fixed("key id")?);
    for byte in [0x0f, 0xa2, 0x01] {
        r.skip_byte(byte, "claims")?;
    }
    let origin = r.text()?.to_owned();
    match protected_header(&origin, &kid) == bytes {
        true => Ok((origin, kid)),
        false => Err(r.invalid("protected header").into()),
    }
}

fn read_proof(bytes: &[u8]) -> Result<(u64, u64, Vec<Hash>), DecodeError> {
    let mut r = Reader::new(bytes);
    r.array_of(3)?;
    let (size, index, n) = (r.uint()?, r.uint()?, r.array()?);
    if n > MAX_PATH {
        return Err(r.invalid("length of the path"));
    }
    let path = (0..n).map(|_| r.fixed("hash").map(Hash)).collect::<Result<_, _>>()?;
    r.end()?;
    Ok((size, index, path))
}

/// Thumbprint of an Ed25519 key as a COSE key (RFC 9679): what receipts name it by.
pub fn key_thumbprint(key: &PublicKey) -> Hash {
    let mut w = Writer::default();
    w.map(3).uint(1).uint(1).int(-1).uint(6).int(-2).bytes(&key.0);
    Hash::of(&w.into_bytes())
}

/// A log key as a COSE key (RFC 9052 §7): OKP, Ed25519, its thumbprint as key id.
pub fn cose_key(key: &PublicKey) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(5).uint(1).uint(1).uint(2).bytes(&key_thumbprint(key).0).uint(3).int(EDDSA);
    w.int(-1).uint(6).int(-2).bytes(&key.0);
    w.into_bytes()
}

/// A COSE key set.
pub fn cose_key_set<'a>(keys: impl ExactSizeIterator<Item = &'a PublicKey>) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(keys.len());
    for key in keys {
        w.raw(&cose_key(key));
    }
    w.into_bytes()
}
