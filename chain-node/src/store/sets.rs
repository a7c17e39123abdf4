//! The validator sets since genesis, and what proves each of them to somebody who has only the fingerprint: the certified
//! header that names it. Kept beside the blocks, so that a store without its oldest blocks still proves every set.

use chain_types::CommitCertificate;
use chain_types::encoding::{Decode, Encode};
use chain_types::evidence::SetChange;
use chain_types::validator::ValidatorSet;
use rocksdb::{Direction, IteratorMode, WriteBatch};

use super::columns::{Column, height_key};
use super::proposals::Proposal;
use super::{Store, StoreError, damaged};

const SET: &[u8] = b"set";
const CHANGE: &[u8] = b"change";

fn row_key(kind: &[u8], height: u64) -> Vec<u8> {
    [kind, &height_key(height)].concat()
}

/// The height of a key of this kind of row.
fn height_of(kind: &[u8], key: &[u8]) -> Option<u64> {
    key.strip_prefix(kind)?.try_into().ok().map(u64::from_be_bytes)
}

impl Store {
    /// The validator set that decides a height.
    pub fn validators(&self, height: u64) -> Result<ValidatorSet, StoreError> {
        let mode = IteratorMode::From(&row_key(SET, height), Direction::Reverse);
        let row = self.db.iterator_cf(self.cf(Column::Meta)?, mode).next();
        let (found, row) = row.transpose()?.ok_or_else(|| damaged("no validator set"))?;
        match height_of(SET, &found) {
            Some(_) => ValidatorSet::from_bytes(&row).map_err(|e| damaged(&format!("validator set: {e}"))),
            None => Err(damaged("no validator set")),
        }
    }

    /// Heights up to the next from which a set is written down, ascending, with the set; without genesis'.
    pub fn validator_changes(&self) -> Result<Vec<(u64, ValidatorSet)>, StoreError> {
        let next = self.tip()?.saturating_add(1);
        let mut changes = Vec::new();
        for (key, row) in self.meta_rows(SET)? {
            let from = height_of(SET, &key).ok_or_else(|| damaged("key of a validator set"))?;
            let set = ValidatorSet::from_bytes(&row).map_err(|e| damaged(&format!("validator set: {e}")))?;
            if (1..=next).contains(&from) {
                changes.push((from, set));
            }
        }
        Ok(changes)
    }

    /// Every change of the set of genesis that is in force at a height, oldest first, each certified by the set before it.
    pub fn set_changes(&self, height: u64) -> Result<Vec<SetChange>, StoreError> {
        let mode = IteratorMode::From(CHANGE, Direction::Forward);
        let mut changes = Vec::new();
        for row in self.db.iterator_cf(self.cf(Column::Meta)?, mode) {
            let (key, row) = row?;
            match height_of(CHANGE, &key) {
                Some(from) if from <= height => {
                    let change = SetChange::from_bytes(&row);
                    changes.push(change.map_err(|e| damaged(&format!("change of the set at {from}: {e}")))?);
                }
                _ => break,
            }
        }
        Ok(changes)
    }

    pub(super) fn stage_set(&self, batch: &mut WriteBatch, from: u64, set: &ValidatorSet) -> Result<(), StoreError> {
        self.put(batch, Column::Meta, &row_key(SET, from), &set.to_bytes())
    }

    /// The last block of a set proves the next one: its header names it, its certificate is of the old set.
    pub(super) fn stage_set_change(
        &self,
        batch: &mut WriteBatch,
        proposal: &Proposal,
        certificate: &CommitCertificate,
    ) -> Result<(), StoreError> {
        let header = &proposal.block.header;
        let from = header.height.saturating_add(1);
        let Some(row) = self.get(Column::Meta, &row_key(SET, from))? else { return Ok(()) };
        let next = ValidatorSet::from_bytes(&row).map_err(|e| damaged(&format!("validator set: {e}")))?;
        self.put_set_change(batch, &SetChange { header: header.clone(), certificate: certificate.clone(), next })
    }

    /// A change that a snapshot brought, verified like its other parts.
    pub(super) fn put_set_change(&self, batch: &mut WriteBatch, change: &SetChange) -> Result<(), StoreError> {
        let from = change.header.height.saturating_add(1);
        self.put(batch, Column::Meta, &row_key(CHANGE, from), &change.to_bytes())
    }
}
