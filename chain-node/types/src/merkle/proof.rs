//! Inclusion and consistency proofs: RFC 9162 §2.1.3 and §2.1.4 (the same trees as RFC 6962).

use super::range::{NodeId, fold, subtree_roots};
use super::{leaf_hash, node_hash};
use crate::bytes::Hash;

/// The largest power of two below `n` (n ≥ 2).
fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}

fn root_of<E>(lo: u64, hi: u64, fetch: &mut impl FnMut(NodeId) -> Result<Hash, E>) -> Result<Hash, E> {
    let hashes: Vec<Hash> = subtree_roots(lo, hi).into_iter().map(&mut *fetch).collect::<Result<_, _>>()?;
    Ok(fold(&hashes))
}

/// The path of leaf `index` in a tree of `size` leaves, bottom up. `index < size` is the caller's promise.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut fetch: impl FnMut(NodeId) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut lo, mut hi, mut path) = (0, size, Vec::new());
    while hi - lo > 1 {
        let middle = lo + split(hi - lo);
        if index < middle {
            path.push(root_of(middle, hi, &mut fetch)?);
            hi = middle;
        } else {
            path.push(root_of(lo, middle, &mut fetch)?);
            lo = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// Proof that the tree of `old` leaves is the beginning of the tree of `new` leaves (0 < old ≤ new).
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut fetch: impl FnMut(NodeId) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let (mut lo, mut hi, mut whole, mut proof) = (0, new, true, Vec::new());
    while old < hi {
        let middle = lo + split(hi - lo);
        if old <= middle {
            proof.push(root_of(middle, hi, &mut fetch)?);
            hi = middle;
        } else {
            proof.push(root_of(lo, middle, &mut fetch)?);
            lo = middle;
            whole = false;
        }
    }
    if !whole {
        proof.push(root_of(lo, hi, &mut fetch)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Whether `path` proves that the leaf is entry `index` of the tree of `size` leaves with this root (RFC 9162
/// §2.1.3.2).
pub fn verify_inclusion(leaf: &[u8], index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    inclusion_root(leaf, index, size, path).as_ref() == Some(root)
}

/// The root that `path` leads to from the leaf; none if the path has not the length of one of entry `index` in a tree of
/// `size` leaves.
pub fn inclusion_root(leaf: &[u8], index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut node, mut last, mut hash) = (index, size - 1, leaf_hash(leaf));
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

/// Whether `proof` shows the old tree to be the beginning of the new one (RFC 9162 §2.1.4.2).
pub fn verify_consistency(old: u64, new: u64, proof: &[Hash], old_root: &Hash, new_root: &Hash) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let mut proof = proof.iter();
    let first = match old.is_power_of_two() {
        true => Some(old_root),
        false => proof.next(),
    };
    let Some(first) = first else { return false };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        node >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}
