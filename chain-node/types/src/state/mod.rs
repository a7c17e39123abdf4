//! The state tree: keys, and proofs that a record is in it, or that none is.
//!
//! The tree is a Jellyfish Merkle tree over SHA-256 of the key (the `jmt` crate, ICS-23 compatible). This is a second,
//! small implementation of its proofs, so that verifiers need neither that crate nor trust in it.

mod absence;

#[cfg(test)]
mod tests;

pub use absence::{AbsenceProof, Neighbour};

use crate::account::Account;
use crate::bytes::{Hash, PublicKey};
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer, from_slice};
use crate::limits::MAX_PROOF_STEPS;

/// The application of the chain's own modules.
pub const CHAIN_APP: &str = "chain";

const LEAF: &[u8] = b"JMT::LeafNode";
const INTERNAL: &[u8] = b"JMT::IntrnalNode";
/// What stands for an empty subtree.
pub const EMPTY_SUBTREE: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// `app / instance / kind / id`, the first three length-prefixed: no choice of names makes two keys meet.
pub fn key(app: &str, instance: &str, kind: &str, id: &[u8]) -> Vec<u8> {
    let mut key = prefix(app, instance, kind);
    key.extend_from_slice(id);
    key
}

/// The beginning that all keys of one kind share. Names are at most 255 bytes; transactions allow 40.
pub fn prefix(app: &str, instance: &str, kind: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(64);
    for part in [app, instance, kind] {
        key.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
        key.extend_from_slice(part.as_bytes().get(..255).unwrap_or(part.as_bytes()));
    }
    key
}

/// Where the account of a signing key is.
pub fn account_key(kid: &PublicKey) -> Vec<u8> {
    key(CHAIN_APP, "identity", "account", &kid.0)
}

/// Hash of a leaf of the state tree.
pub fn leaf_hash(key: &[u8], value: &[u8]) -> Hash {
    Hash::of_parts(&[LEAF, &Hash::of(key).0, &Hash::of(value).0])
}

/// Hash of an inner node of the state tree.
pub fn internal_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[INTERNAL, &left.0, &right.0])
}

/// The root that a subtree's hash leads to, from `siblings.len()` steps below it on the way to `place`.
fn climb(place: &Hash, mut hash: Hash, siblings: &[Hash]) -> Option<Hash> {
    if siblings.len() > MAX_PROOF_STEPS {
        return None;
    }
    for (depth, sibling) in (0..siblings.len()).rev().zip(siblings) {
        let right = place.0.get(depth / 8).is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1);
        hash = if right { internal_hash(sibling, &hash) } else { internal_hash(&hash, sibling) };
    }
    Some(hash)
}

/// Siblings as every proof writes them: an empty subtree as null.
fn write_siblings(siblings: &[Hash], w: &mut Writer) {
    w.array(siblings.len());
    for sibling in siblings {
        match *sibling == EMPTY_SUBTREE {
            true => drop(w.null()),
            false => sibling.encode(w),
        }
    }
}

fn read_siblings(r: &mut Reader<'_>) -> Result<Vec<Hash>, DecodeError> {
    let n = r.array()?;
    if n > MAX_PROOF_STEPS {
        return Err(r.invalid("number of proof steps"));
    }
    let sibling = |r: &mut Reader<'_>| match r.null() {
        true => Ok(EMPTY_SUBTREE),
        false => match Hash::decode(r)? {
            EMPTY_SUBTREE => Err(r.invalid("sibling: an empty subtree is written as null")),
            hash => Ok(hash),
        },
    };
    (0..n).map(|_| sibling(r)).collect()
}

/// A record and its path to a header's `state_root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    /// From the leaf upwards.
    pub siblings: Vec<Hash>,
}

impl StateProof {
    /// Whether the record is in the tree with this root.
    pub fn verify(&self, root: &Hash) -> bool {
        climb(&Hash::of(&self.key), leaf_hash(&self.key, &self.value), &self.siblings) == Some(*root)
    }

    /// The record as the account of `kid`, if that is what it is.
    pub fn account_of(&self, kid: &PublicKey) -> Option<Account> {
        (self.key == account_key(kid)).then(|| from_slice(&self.value).ok())?
    }
}

impl Encode for StateProof {
    fn encode(&self, w: &mut Writer) {
        w.array(3).bytes(&self.key).bytes(&self.value);
        write_siblings(&self.siblings, w);
    }
}

impl Decode for StateProof {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(3)?;
        Ok(Self { key: r.bytes()?.to_vec(), value: r.bytes()?.to_vec(), siblings: read_siblings(r)? })
    }
}
