//! Proof that no record has a key: the path to the key's place ends in an empty subtree, or at the one record of another
//! key that stands there instead.

use super::{EMPTY_SUBTREE, LEAF, climb, read_siblings, write_siblings};
use crate::bytes::Hash;
use crate::encoding::{Decode, DecodeError, Encode, Reader, Writer};

/// The record that stands where the key's would: its place, which is SHA-256 of its key, and SHA-256 of its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    pub place: Hash,
    pub value: Hash,
}

/// A key without a record, under a header's `state_root`: true of the state after that header's parent, and of no other
/// moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbsenceProof {
    pub key: Vec<u8>,
    /// None if the place is empty.
    pub neighbour: Option<Neighbour>,
    /// From the empty place or the neighbour upwards.
    pub siblings: Vec<Hash>,
}

impl AbsenceProof {
    /// Whether no record in the tree with this root has the key.
    pub fn verify(&self, root: &Hash) -> bool {
        let place = Hash::of(&self.key);
        let found = match &self.neighbour {
            None => EMPTY_SUBTREE,
            // A record of the key itself is no neighbour; one that the path does not lead to says nothing.
            Some(other) if other.place == place || common_bits(&other.place, &place) < self.siblings.len() => {
                return false;
            }
            Some(other) => Hash::of_parts(&[LEAF, &other.place.0, &other.value.0]),
        };
        climb(&place, found, &self.siblings) == Some(*root)
    }
}

/// Leading bits that two places share.
fn common_bits(a: &Hash, b: &Hash) -> usize {
    let differing = a.0.iter().zip(&b.0).map(|(a, b)| a ^ b).enumerate().find(|(_, bits)| *bits != 0);
    differing.map_or(256, |(byte, bits)| byte * 8 + bits.leading_zeros() as usize)
}

impl Encode for AbsenceProof {
    fn encode(&self, w: &mut Writer) {
        w.array(3).bytes(&self.key);
        match &self.neighbour {
            None => drop(w.null()),
            Some(other) => drop(w.array(2).bytes(&other.place.0).bytes(&other.value.0)),
        }
        write_siblings(&self.siblings, w);
    }
}

impl Decode for AbsenceProof {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array_of(3)?;
        let key = r.bytes()?.to_vec();
        let neighbour = match r.null() {
            true => None,
            false => {
                r.array_of(2)?;
                Some(Neighbour { place: Decode::decode(r)?, value: Decode::decode(r)? })
            }
        };
        Ok(Self { key, neighbour, siblings: read_siblings(r)? })
    }
}
