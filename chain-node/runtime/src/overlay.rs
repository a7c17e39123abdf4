//! What execution writes before the store does: the changes of one call over those of the block over the stored state.
//!
//! A call's changes join the block's only when the whole call applied ([`Overlay::keep`]); otherwise nothing of it
//! remains ([`Overlay::discard`]). Records read from the store are kept for the block, so that a thousand calls of one
//! account read it once.

use std::collections::{BTreeMap, HashMap};

use chain_types::encoding::{from_slice, to_vec};
use serde::{Serialize, de::DeserializeOwned};

use crate::state::{Changes, StateError, StateView};

/// The state as the present call sees it.
pub struct Overlay<'v> {
    view: &'v dyn StateView,
    /// What the store answered; never iterated, so its order decides nothing.
    read: HashMap<Vec<u8>, Option<Vec<u8>>>,
    block: Changes,
    call: Changes,
}

impl<'v> Overlay<'v> {
    pub fn new(view: &'v dyn StateView) -> Self {
        Self { view, read: HashMap::new(), block: BTreeMap::new(), call: BTreeMap::new() }
    }

    fn bytes(&mut self, key: &[u8]) -> Result<Option<&[u8]>, StateError> {
        if let Some(value) = self.call.get(key).or_else(|| self.block.get(key)) {
            return Ok(value.as_deref());
        }
        if !self.read.contains_key(key) {
            self.read.insert(key.to_vec(), self.view.get(key)?);
        }
        Ok(self.read.get(key).and_then(Option::as_deref))
    }

    /// The record under a key. A record that does not decode was not written by this runtime: execution stops.
    pub fn get<T: DeserializeOwned>(&mut self, key: &[u8]) -> Result<Option<T>, StateError> {
        self.bytes(key)?.map(|bytes| decode(key, bytes)).transpose()
    }

    pub fn contains(&mut self, key: &[u8]) -> Result<bool, StateError> {
        Ok(self.bytes(key)?.is_some())
    }

    pub fn put<T: Serialize>(&mut self, key: Vec<u8>, record: &T) -> Result<(), StateError> {
        self.call.insert(key, Some(encode(record)?));
        Ok(())
    }

    /// The present call applied.
    pub fn keep(&mut self) {
        // Not `append`: it rebuilds the whole map, which a block of thousands of calls pays for each of them.
        self.block.extend(std::mem::take(&mut self.call));
    }

    /// The present call was refused.
    pub fn discard(&mut self) {
        self.call.clear();
    }

    /// What the block changes.
    pub fn into_changes(self) -> Changes {
        self.block
    }
}

/// A record as state holds it.
pub fn encode<T: Serialize>(record: &T) -> Result<Vec<u8>, StateError> {
    to_vec(record).map_err(|e| StateError(format!("a record cannot be encoded: {e}")))
}

/// A record as its type.
pub fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, StateError> {
    from_slice(bytes).map_err(|e| {
        let key = String::from_utf8_lossy(key);
        StateError(format!("the record under `{}` is not one of its type: {e}", key.escape_debug()))
    })
}
