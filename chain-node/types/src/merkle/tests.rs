//! Published roots, an independent tree, and every proof of small trees.

use std::collections::HashMap;
use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;

fn tree(n: u64) -> (Frontier, HashMap<NodeId, Hash>, Vec<Hash>) {
    let (mut frontier, mut nodes, mut roots) = (Frontier::default(), HashMap::new(), vec![empty_root()]);
    for i in 0..n {
        frontier.append(leaf_hash(&i.to_be_bytes()), |id, hash| {
            nodes.insert(id, hash);
        });
        roots.push(frontier.root());
    }
    (frontier, nodes, roots)
}

fn fetch(nodes: &HashMap<NodeId, Hash>) -> impl FnMut(NodeId) -> Result<Hash, Infallible> {
    |id| Ok(*nodes.get(&id).unwrap_or_else(|| panic!("{id:?} is not complete")))
}

/// Roots of the tree that RFC 6962 implementations test with (transparency-dev/merkle, Apache-2.0).
#[test]
fn published_roots_come_out() {
    let leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::default();
    for (leaf, root) in leaves.iter().zip(roots) {
        frontier.append(leaf_hash(&hex::decode(leaf).unwrap()), |_, _| ());
        assert_eq!(frontier.root().to_string(), root);
    }
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty_root().to_string(), empty);
}

/// Another implementation agrees on roots and accepts our proofs.
#[test]
fn an_independent_tree_agrees() {
    let mut theirs = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    let (_, nodes, roots) = tree(70);
    for n in 1..=70u64 {
        theirs.push((n - 1).to_be_bytes().to_vec());
        assert_eq!(theirs.root().as_bytes().as_slice(), roots[n as usize].0);
        let index = n / 2;
        let proof: Vec<u8> = inclusion_proof(index, n, fetch(&nodes)).unwrap().iter().flat_map(|h| h.0).collect();
        assert_eq!(theirs.prove_inclusion(index as usize).as_bytes(), proof);
    }
}

#[test]
fn every_proof_of_small_trees_verifies_and_no_other_does() {
    let (_, nodes, roots) = tree(40);
    for size in 1..=40u64 {
        let root = &roots[size as usize];
        for index in 0..size {
            let path = inclusion_proof(index, size, fetch(&nodes)).unwrap();
            assert!(verify_inclusion(&index.to_be_bytes(), index, size, &path, root));
            assert!(!verify_inclusion(&(index + 1).to_be_bytes(), index, size, &path, root));
            assert!(!verify_inclusion(&index.to_be_bytes(), index, size, &path, &roots[size as usize - 1]));
            let longer = [&path[..], &[Hash::ZERO]].concat();
            assert!(!verify_inclusion(&index.to_be_bytes(), index, size, &longer, root));
            if let Some(shorter) = path.get(1..) {
                assert!(!verify_inclusion(&index.to_be_bytes(), index, size, shorter, root));
            }
        }
        for old in 1..=size {
            let proof = consistency_proof(old, size, fetch(&nodes)).unwrap();
            assert!(verify_consistency(old, size, &proof, &roots[old as usize], root), "{old} → {size}");
            if old < size {
                assert!(!verify_consistency(old, size, &proof, &roots[old as usize - 1], root));
            }
        }
    }
}

proptest! {
    #[test]
    fn a_restored_frontier_grows_the_same_tree(n in 0u64..300, more in 0u64..50) {
        let (_, nodes, _) = tree(n);
        let hashes = subtree_roots(0, n).into_iter().map(|id| nodes[&id]).collect();
        let mut restored = Frontier::restore(n, hashes).unwrap();
        for i in n..n + more {
            restored.append(leaf_hash(&i.to_be_bytes()), |_, _| ());
        }
        prop_assert_eq!(restored, tree(n + more).0);
    }

    #[test]
    fn a_changed_path_proves_nothing(size in 2u64..200, index in 0u64..200, at in 0usize..8, bit in 0usize..256) {
        let (_, nodes, roots) = tree(size);
        let index = index % size;
        let mut path = inclusion_proof(index, size, fetch(&nodes)).unwrap();
        let at = at % path.len();
        path[at].0[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&index.to_be_bytes(), index, size, &path, &roots[size as usize]));
    }
}
