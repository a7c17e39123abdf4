//! The state tree (`jmt`) over RocksDB: version = height. Blocks that change nothing write no tree at all; which version
//! holds after a height stands in its roots.

use anyhow::anyhow;
use chain_runtime::state::Changes;
use chain_types::Hash;
use chain_types::state::{self, AbsenceProof, EMPTY_SUBTREE, Neighbour, StateProof};
use jmt::storage::{LeafNode, NibblePath, Node, NodeKey, TreeReader};
use jmt::{JellyfishMerkleTree, KeyHash, OwnedValue, SimpleHasher, Version};
use rocksdb::{Direction, IteratorMode, WriteBatch};
use sha2::Digest;

use super::columns::{Column, height_key};
use super::stale::StaleRows;
use super::{Store, StoreError, damaged};

/// SHA-256 as `jmt` asks for it.
pub struct Sha256Hasher(sha2::Sha256);

impl SimpleHasher for Sha256Hasher {
    fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finalize(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

type Tree<'a> = JellyfishMerkleTree<'a, Reader<'a>, Sha256Hasher>;

/// Reads nodes from the store; `value` is what a proof is asked for, since values lie under their keys, not their hashes.
struct Reader<'a> {
    store: &'a Store,
    value: Option<Vec<u8>>,
}

impl TreeReader for Reader<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        let (store, key) = (self.store, self.store.node_rows.key(key)?);
        let node = |row: &[u8]| borsh::from_slice(row).map_err(|e| anyhow!("tree node: {e}"));
        store.get(Column::Node, &key)?.map(|row| node(&row)).transpose()
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(self.value.clone())
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Err(anyhow!("this tree is never restored leaf by leaf"))
    }
}

fn broken(e: anyhow::Error) -> StoreError {
    damaged(&format!("state tree: {e:#}"))
}

impl Store {
    /// Stages the changes of a height: values, tree nodes, and what they make stale. Gives the new root, or none if
    /// nothing changed.
    pub(super) fn stage_state(
        &self,
        batch: &mut WriteBatch,
        height: u64,
        changes: &Changes,
    ) -> Result<Option<Hash>, StoreError> {
        if changes.is_empty() {
            return Ok(None);
        }
        if !self.node_rows.has_begun() {
            self.stage_node_rows(batch, height)?;
            self.stage_format(batch)?;
        }
        let mut stale = StaleRows::default();
        for (key, value) in changes {
            if let Some(old) = self.get(Column::State, key)? {
                let row = [&Hash::of(key).0[..], &height_key(height)].concat();
                self.put(batch, Column::Replaced, &row, &old)?;
                stale.value(&row);
            }
            match value {
                Some(value) => self.put(batch, Column::State, key, value)?,
                None => self.delete(batch, Column::State, key)?,
            }
        }
        let reader = Reader { store: self, value: None };
        let updates = changes.iter().map(|(key, value)| (KeyHash(Hash::of(key).0), value.clone()));
        let update = put(&reader, updates.collect(), height)?;
        self.stage_nodes(batch, &update)?;
        for node in &update.stale {
            stale.node(&self.node_rows.key(node)?);
        }
        self.stage_stale(batch, height, &stale)?;
        Ok(Some(update.root))
    }

    fn stage_nodes(&self, batch: &mut WriteBatch, update: &TreeUpdate) -> Result<(), StoreError> {
        for (key, node) in update.nodes.nodes() {
            let row = borsh::to_vec(node).map_err(|e| broken(e.into()))?;
            self.put(batch, Column::Node, &self.node_rows.key(key)?, &row)?;
        }
        Ok(())
    }

    /// Stages records of a snapshot: the next version of a tree that grows piece by piece. What a piece replaces is
    /// dropped at once; there is no history.
    pub(super) fn stage_piece(
        &self,
        batch: &mut WriteBatch,
        version: u64,
        before: Option<u64>,
        records: &[crate::snapshot::tree::Record],
    ) -> Result<(), StoreError> {
        let reader = Reader { store: self, value: None };
        let updates = records.iter().map(|r| (KeyHash(r.place.0), Some(r.value.clone()))).collect();
        let update = put_after(&reader, updates, version, before)?;
        for node in &update.stale {
            self.delete(batch, Column::Node, &self.node_rows.key(node)?)?;
        }
        self.stage_nodes(batch, &update)?;
        for record in records {
            self.put(batch, Column::State, &record.key, &record.value)?;
        }
        Ok(())
    }

    /// The root that the tree has at a version.
    pub(super) fn tree_root(&self, version: u64) -> Result<Hash, StoreError> {
        let reader = Reader { store: self, value: None };
        Ok(Hash(Tree::new(&reader).get_root_hash(version).map_err(broken)?.0))
    }

    /// A record as it was after a height within the history, and its path to that height's state root.
    pub fn prove_state(&self, key: &[u8], height: u64) -> Result<Option<StateProof>, StoreError> {
        match self.prove(key, height)? {
            Found::Record(proof) => Ok(Some(proof)),
            Found::Nothing(_) => Ok(None),
        }
    }

    /// What stood at a key after a height within the history, proven either way. The tree decides which: a value that is
    /// kept may be of a record that was made later.
    pub fn prove(&self, key: &[u8], height: u64) -> Result<Found, StoreError> {
        let (roots, place) = (self.roots(height)?, Hash::of(key));
        let value = self.value_at(key, height)?.unwrap_or_default();
        let reader = Reader { store: self, value: Some(value.clone()) };
        let tree = Tree::new(&reader);
        let (_, proof) = tree.get_with_proof(KeyHash(place.0), roots.tree_version).map_err(broken)?;
        let (leaf, siblings) = parts(&borsh::to_vec(&proof).map_err(|e| broken(e.into()))?)?;
        let key = key.to_vec();
        // Verified before it is given away: a proof that does not hold means a damaged tree, not a wrong question.
        let (found, holds) = match leaf {
            Some(leaf) if leaf.place == place => {
                let proof = StateProof { key, value, siblings };
                let holds = proof.verify(&roots.state_root);
                (Found::Record(proof), holds)
            }
            neighbour => {
                let proof = AbsenceProof { key, neighbour, siblings };
                let holds = proof.verify(&roots.state_root);
                (Found::Nothing(proof), holds)
            }
        };
        match holds {
            true => Ok(found),
            false => Err(damaged("state tree: a key's path does not lead to the root")),
        }
    }

    /// The value of a record that there was after `height`: what the first later change replaced, or the present one.
    fn value_at(&self, key: &[u8], height: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let hash = Hash::of(key);
        let start = [&hash.0[..], &height_key(height.saturating_add(1))].concat();
        let mode = IteratorMode::From(&start, Direction::Forward);
        let next = self.db.iterator_cf(self.cf(Column::Replaced)?, mode).next().transpose()?;
        match next {
            Some((row, old)) if row.starts_with(&hash.0) => Ok(Some(old.into_vec())),
            _ => self.get(Column::State, key),
        }
    }
}

/// What stood at a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Record(StateProof),
    Nothing(AbsenceProof),
}

/// What a height does to the tree.
struct TreeUpdate {
    root: Hash,
    nodes: jmt::storage::NodeBatch,
    stale: Vec<NodeKey>,
}

fn put(
    reader: &Reader<'_>,
    updates: Vec<(KeyHash, Option<OwnedValue>)>,
    version: u64,
) -> Result<TreeUpdate, StoreError> {
    let previous = match version.checked_sub(1) {
        Some(before) => Some(reader.store.roots(before)?.tree_version),
        None => None,
    };
    put_after(reader, updates, version, previous)
}

/// As the version after `previous`; a tree's first, if there is none.
fn put_after(
    reader: &Reader<'_>,
    updates: Vec<(KeyHash, Option<OwnedValue>)>,
    version: u64,
    previous: Option<u64>,
) -> Result<TreeUpdate, StoreError> {
    // `jmt` looks for the root of version − 1: lend it the last one that was written, and take its name back afterwards.
    let versioned = Versioned { reader, previous, version };
    let tree = JellyfishMerkleTree::<_, Sha256Hasher>::new(&versioned);
    let (root, update) = tree.put_value_set(updates, version).map_err(broken)?;
    let real = |key: &NodeKey| match previous {
        Some(previous) if versioned.is_lent(key) => root_key(previous),
        _ => key.clone(),
    };
    let stale = update.stale_node_index_batch.iter().map(|index| real(&index.node_key)).collect();
    Ok(TreeUpdate { root: Hash(root.0), nodes: update.node_batch, stale })
}

fn root_key(version: u64) -> NodeKey {
    NodeKey::new(version, NibblePath::from_iter(std::iter::empty()))
}

/// Answers for the root of the version just before with the last root that a height really wrote.
struct Versioned<'a> {
    reader: &'a Reader<'a>,
    previous: Option<u64>,
    version: u64,
}

impl Versioned<'_> {
    fn is_lent(&self, key: &NodeKey) -> bool {
        key.nibble_path().is_empty() && Some(key.version()) == self.version.checked_sub(1)
    }
}

impl TreeReader for Versioned<'_> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<Node>> {
        match self.previous {
            Some(previous) if self.is_lent(key) => self.reader.get_node_option(&root_key(previous)),
            None if self.is_lent(key) => Ok(Some(Node::Null)),
            _ => self.reader.get_node_option(key),
        }
    }

    fn get_value_option(&self, version: Version, key: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        self.reader.get_value_option(version, key)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        self.reader.get_rightmost_leaf()
    }
}

/// A tree without nodes.
struct Nothing;

impl TreeReader for Nothing {
    fn get_node_option(&self, _: &NodeKey) -> anyhow::Result<Option<Node>> {
        Ok(None)
    }

    fn get_value_option(&self, _: Version, _: KeyHash) -> anyhow::Result<Option<OwnedValue>> {
        Ok(None)
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        Ok(None)
    }
}

/// The root over these records, whatever history led to them.
pub(super) fn root_of(records: &[(Vec<u8>, Vec<u8>)]) -> Result<Hash, StoreError> {
    let updates = records.iter().map(|(key, value)| (KeyHash(Hash::of(key).0), Some(value.clone())));
    let tree = JellyfishMerkleTree::<_, Sha256Hasher>::new(&Nothing);
    let (root, _) = tree.put_value_set(updates, 0).map_err(broken)?;
    Ok(Hash(root.0))
}

/// The mirror of `jmt`'s private sibling type, in its borsh form.
#[derive(borsh::BorshDeserialize)]
enum Sibling {
    Null,
    Internal { left: [u8; 32], right: [u8; 32] },
    Leaf { key: [u8; 32], value: [u8; 32] },
}

#[derive(borsh::BorshDeserialize)]
struct ProofMirror {
    leaf: Option<([u8; 32], [u8; 32])>,
    siblings: Vec<Sibling>,
}

/// The leaf that a proof ends at, if any, and the way up from there.
fn parts(proof: &[u8]) -> Result<(Option<Neighbour>, Vec<Hash>), StoreError> {
    let proof: ProofMirror = borsh::from_slice(proof).map_err(|e| broken(e.into()))?;
    let hash = |s: Sibling| match s {
        Sibling::Null => EMPTY_SUBTREE,
        Sibling::Internal { left, right } => state::internal_hash(&Hash(left), &Hash(right)),
        Sibling::Leaf { key, value } => Hash::of_parts(&[b"JMT::LeafNode", &key, &value]),
    };
    let leaf = proof.leaf.map(|(place, value)| Neighbour { place: Hash(place), value: Hash(value) });
    Ok((leaf, proof.siblings.into_iter().map(hash).collect()))
}
