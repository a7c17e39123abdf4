//! The state tree in pieces: the hash of everything under a prefix of key hashes, and the root over all prefixes.
//!
//! A second implementation of the tree's rule, independent of the `jmt` crate: no record is an empty subtree, one record is
//! its leaf wherever it stands, more are the hash of both halves. So a piece proves that its records are *all* records
//! under its prefix: one that is left out, added or changed gives another root.

use chain_types::Hash;
use chain_types::state::{EMPTY_SUBTREE, internal_hash, leaf_hash};

/// A record and the hash of its key, which is its place in the tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub place: Hash,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

impl Record {
    pub fn new(key: Vec<u8>, value: Vec<u8>) -> Self {
        Self { place: Hash::of(&key), key, value }
    }
}

/// How many records a subtree has, and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subtree {
    pub records: u64,
    pub hash: Hash,
}

impl Subtree {
    pub const EMPTY: Self = Self { records: 0, hash: EMPTY_SUBTREE };

    fn join(left: Self, right: Self) -> Self {
        match (left.records, right.records) {
            (0, 0) => Self::EMPTY,
            // A record that is alone stands for the whole subtree.
            (1, 0) => left,
            (0, 1) => right,
            (a, b) => Self { records: a.saturating_add(b), hash: internal_hash(&left.hash, &right.hash) },
        }
    }
}

/// The first `bits` bits of a place, as a number.
pub fn prefix(place: &Hash, bits: u8) -> usize {
    let [a, b, ..] = place.0;
    usize::from(u16::from_be_bytes([a, b]).checked_shr(16 - u32::from(bits.min(16))).unwrap_or(0))
}

/// The subtree over records of one prefix; none if they are not in strict order of their places, or stand elsewhere.
pub fn subtree(records: &[Record], bits: u8, index: usize) -> Option<Subtree> {
    let ordered = records.windows(2).all(|pair| matches!(pair, [a, b] if a.place < b.place));
    let placed = records.iter().all(|r| r.place == Hash::of(&r.key) && prefix(&r.place, bits) == index);
    (ordered && placed).then(|| over(records, usize::from(bits)))
}

fn over(records: &[Record], depth: usize) -> Subtree {
    match records {
        [] => Subtree::EMPTY,
        [one] => Subtree { records: 1, hash: leaf_hash(&one.key, &one.value) },
        _ => {
            let is_right = |r: &Record| r.place.0.get(depth / 8).is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1);
            let (left, right) = records.split_at(records.partition_point(|r| !is_right(r)));
            Subtree::join(over(left, depth + 1), over(right, depth + 1))
        }
    }
}

/// The root over all subtrees of one depth, left to right.
pub fn root(subtrees: &[Subtree]) -> Subtree {
    match subtrees {
        [] => Subtree::EMPTY,
        [one] => *one,
        _ => {
            let (left, right) = subtrees.split_at(subtrees.len() / 2);
            Subtree::join(root(left), root(right))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pieces(records: &[Record], bits: u8) -> Vec<Subtree> {
        (0..1 << bits)
            .map(|index| {
                let mine: Vec<_> = records.iter().filter(|r| prefix(&r.place, bits) == index).cloned().collect();
                subtree(&mine, bits, index).unwrap()
            })
            .collect()
    }

    proptest! {
        #[test]
        fn the_pieces_give_the_root_that_the_tree_has(
            records in proptest::collection::btree_map(proptest::collection::vec(any::<u8>(), 1..6), any::<[u8; 4]>(), 0..80),
            bits in prop_oneof![Just(0u8), Just(4), Just(8)],
        ) {
            let rows: Vec<(Vec<u8>, Vec<u8>)> = records.into_iter().map(|(k, v)| (k, v.to_vec())).collect();
            let mut records: Vec<_> = rows.iter().map(|(k, v)| Record::new(k.clone(), v.clone())).collect();
            records.sort();
            let found = root(&pieces(&records, bits));
            prop_assert_eq!(found.records, rows.len() as u64);
            prop_assert_eq!(found.hash, crate::store::state_root_of(&rows).unwrap());
        }

        #[test]
        fn a_record_left_out_or_changed_or_moved_gives_another_piece(
            values in proptest::collection::vec(any::<[u8; 4]>(), 2..40), at in any::<prop::sample::Index>(),
        ) {
            let mut records: Vec<_> =
                values.iter().enumerate().map(|(n, v)| Record::new(n.to_be_bytes().to_vec(), v.to_vec())).collect();
            records.sort();
            let good = subtree(&records, 0, 0).unwrap();
            let at = at.index(records.len());
            let mut fewer = records.clone();
            fewer.remove(at);
            prop_assert_ne!(subtree(&fewer, 0, 0), Some(good));
            let mut changed = records.clone();
            changed[at].value[0] ^= 1;
            prop_assert_ne!(subtree(&changed, 0, 0), Some(good));
            let mut moved = records.clone();
            moved[at].place.0[0] ^= 1;
            prop_assert_ne!(subtree(&moved, 0, 0), Some(good));
            let mut twice = records.clone();
            twice.insert(at, records[at].clone());
            prop_assert_eq!(subtree(&twice, 0, 0), None);
        }
    }
}
