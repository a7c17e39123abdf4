//! The validator sets that are known to follow from genesis, and which of them a header names.

use chain_types::evidence::SetChange;
use chain_types::{Genesis, Header, ValidatorSet};

/// Ordered by the first height that each decides.
#[derive(Debug, Clone)]
pub(crate) struct Sets(Vec<(u64, ValidatorSet)>);

impl Sets {
    pub fn of(genesis: &Genesis) -> Self {
        Self(vec![(1, genesis.validator_set())])
    }

    /// Takes over set changes out of verified evidence; a node that is behind knows fewer and changes nothing.
    pub fn learn(&mut self, changes: &[SetChange]) {
        if changes.len() < self.0.len() {
            return;
        }
        self.0.truncate(1);
        self.0.extend(changes.iter().map(|change| (change.header.height + 1, change.next.clone())));
    }

    /// The last one, with the first height that it decides.
    pub fn newest(&self) -> (u64, ValidatorSet) {
        // Genesis' set is always there.
        self.0.last().cloned().unwrap_or_else(|| (1, ValidatorSet::new(Vec::new())))
    }

    /// The set that decides the header's height, if it is known and the header names it.
    pub fn of_header(&self, header: &Header) -> Option<&ValidatorSet> {
        let (_, set) = self.0.iter().rev().find(|(from, _)| *from <= header.height)?;
        (set.hash() == header.validators_hash).then_some(set)
    }
}
