//! RFC 6962 Merkle trees: hashes, roots, compact ranges and proofs.
//!
//! Storage never enters: [`proof`] says *which* nodes a proof needs, the caller fetches them. Nodes are named by level
//! and index, level 0 being leaves; only complete subtrees have names, so every named node is immutable.

mod proof;
mod range;

#[cfg(test)]
mod tests;

pub use proof::{consistency_proof, inclusion_proof, inclusion_root, verify_consistency, verify_inclusion};
pub use range::{Frontier, NodeId, root_of_leaves, subtree_roots};

use crate::bytes::Hash;

/// Root of the empty tree: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// RFC 6962 §2.1: SHA-256(0x00 ‖ leaf).
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Hash::of_parts(&[&[0], leaf])
}

/// RFC 6962 §2.1: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of_parts(&[&[1], &left.0, &right.0])
}
