//! What the store knows of this node's own signing: a second witness beside the identity file.

use chain_types::PublicKey;
use rocksdb::WriteBatch;

use super::columns::Column;
use super::{Store, StoreError};
use crate::identity::Position;

const IDENTITY: &str = "identity";
/// Blocks that are looked through for own votes: a certificate holds those of a quorum, so the last ones may lack it.
const LOOK_BACK: u64 = 64;

impl Store {
    /// Whether an identity file was kept beside this store before.
    pub fn had_identity(&self) -> Result<bool, StoreError> {
        Ok(self.meta(IDENTITY)?.is_some())
    }

    /// From now on a missing identity file means that it was lost.
    pub fn mark_identity(&self) -> Result<(), StoreError> {
        if self.had_identity()? {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        self.put(&mut batch, Column::Meta, IDENTITY.as_bytes(), &[1])?;
        self.write(batch)
    }

    /// The last block, of the newest ones, whose certificate holds a vote of this key.
    pub fn last_signed(&self, key: &PublicKey) -> Result<Position, StoreError> {
        let tip = self.tip()?;
        for height in (tip.saturating_sub(LOOK_BACK).max(1)..=tip).rev() {
            let Some((_, _, certificate)) = self.decision(height)? else { continue };
            let Some(place) = self.validators(height)?.index_of(key) else { continue };
            if certificate.signatures.iter().any(|(index, _)| usize::try_from(*index) == Ok(place)) {
                return Ok(Position { height, round: certificate.round });
            }
        }
        Ok(Position::default())
    }
}
