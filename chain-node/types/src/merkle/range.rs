//! Compact ranges: the right edge of a growing tree, and how a range of leaves falls into complete subtrees.

use super::{empty_root, node_hash};
use crate::bytes::Hash;

/// A complete subtree of 2^level leaves, the `index`-th of its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    pub level: u8,
    pub index: u64,
}

/// The complete subtrees, left to right, that `lo..hi` falls into. `lo` is a multiple of the largest of them wherever
/// RFC 6962 cuts a tree.
pub fn subtree_roots(mut lo: u64, hi: u64) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    while lo < hi {
        let aligned = lo.trailing_zeros().min(63);
        let fits = (hi - lo).ilog2();
        let level = aligned.min(fits);
        nodes.push(NodeId { level: level as u8, index: lo >> level });
        lo += 1 << level;
    }
    nodes
}

/// The root over leaf hashes.
pub fn root_of_leaves(leaves: impl Iterator<Item = Hash>) -> Hash {
    let mut frontier = Frontier::default();
    for leaf in leaves {
        frontier.append(leaf, |_, _| ());
    }
    frontier.root()
}

/// The right edge of a tree: one hash per complete subtree of its size, largest first. Enough to append and to know the
/// root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// The edge of a tree of `size` leaves, from the hashes of [`subtree_roots`]`(0, size)`; none if their number is off.
    pub fn restore(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf and tells of every subtree that it completes, the leaf itself first.
    pub fn append(&mut self, leaf: Hash, mut completed: impl FnMut(NodeId, Hash)) {
        let (mut index, mut level, mut hash) = (self.size, 0, leaf);
        completed(NodeId { level, index }, hash);
        while index & 1 == 1 {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            index >>= 1;
            level += 1;
            completed(NodeId { level, index }, hash);
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    pub fn root(&self) -> Hash {
        fold(&self.hashes)
    }
}

/// Root of neighbouring complete subtrees of falling size.
pub(super) fn fold(hashes: &[Hash]) -> Hash {
    let mut hashes = hashes.iter().rev();
    let Some(last) = hashes.next() else { return empty_root() };
    hashes.fold(*last, |right, left| node_hash(left, &right))
}
