//! What execution reads: the state after the parent block.

use std::collections::BTreeMap;

/// The store could not answer; execution stops and the node ends.
#[derive(Debug, thiserror::Error)]
#[error("failed to read state: {0}")]
pub struct StateError(pub String);

/// A key and the record under it.
pub type Entry = (Vec<u8>, Vec<u8>);

/// Read access to the state of one height. Two implementations: the node's store and [`MemoryState`].
pub trait StateView {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// At most `limit` records whose key begins with `prefix` and is greater than `after`, in key order. For queries;
    /// execution never scans.
    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StateError>;
}

/// What a block does to the state: a value replaces, none removes.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A state in memory: genesis before it is stored, simulations, tests.
#[derive(Debug, Clone, Default)]
pub struct MemoryState {
    records: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl MemoryState {
    pub fn apply(&mut self, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => drop(self.records.insert(key, value)),
                None => drop(self.records.remove(&key)),
            }
        }
    }
}

impl MemoryState {
    /// All records, in key order.
    pub fn into_records(self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.records.into_iter().collect()
    }
}

impl StateView for MemoryState {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.records.get(key).cloned())
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StateError> {
        let start = after.unwrap_or(prefix).max(prefix).to_vec();
        let rest = self.records.range(start..).filter(|(k, _)| after != Some(k.as_slice()));
        let own = rest.take_while(|(k, _)| k.starts_with(prefix)).take(limit);
        Ok(own.map(|(k, v)| (k.clone(), v.clone())).collect())
    }
}
