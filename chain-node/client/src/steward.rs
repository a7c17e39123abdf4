//! Changes of the voting set, signed by the steward. Decides nothing about who should vote.
//!
//! A change that was sent and not seen in a block may still be taken until it expires. Another one is signed only after that, or once
//! no node holds anything that waits: whatever a provisioner before this one may have sent is either in the set that is observed, or
//! gone. The chain itself refuses a change while another is on its way, and one that is made already.

use std::time::Duration;

use chain_types::Transaction;
use chain_types::api::Committed;
use chain_types::crypto::SigningKey;
use chain_types::membership::Change;

use crate::{Client, Error};

/// How long a signed change stays valid.
const VALID_MS: u64 = 20_000;
/// A chain that takes no block for so long is looked at again: a validator may have to be started first.
const PATIENCE: Duration = Duration::from_secs(3);

/// The memory of one chain's changes: until when the last one that was sent may still be taken by a block.
#[derive(Debug, Clone, Copy)]
pub struct SetChanges {
    until_ms: u64,
}

impl SetChanges {
    /// Of a program that has just started: another one before it may have sent something.
    pub fn since(now_ms: u64) -> Self {
        Self { until_ms: now_ms.saturating_add(VALID_MS) }
    }

    /// Whether another change may be signed. `pending`: some node holds a transaction that waits for a block.
    pub fn may_send(&self, pending: bool, now_ms: u64) -> bool {
        !pending || now_ms >= self.until_ms
    }

    /// Signs and sends a change and waits a few seconds for its block. An error may leave it on its way. `salt` is random.
    pub async fn send(
        &mut self,
        client: &Client,
        steward: &SigningKey,
        change: &Change,
        salt: [u8; 8],
        now_ms: u64,
    ) -> Result<Committed, Error> {
        let until_ms = now_ms.saturating_add(VALID_MS);
        let call = change.call(client.fingerprint(), until_ms, salt).map_err(configuration)?;
        let tx = Transaction::sign(call, steward).map_err(configuration)?;
        self.until_ms = until_ms;
        let committed = tokio::time::timeout(PATIENCE, client.commit(&tx, PATIENCE)).await;
        let none =
            || Error::Unreachable { reasons: vec!["no block has taken the change of the validators yet".into()] };
        let committed = committed.map_err(|_| none())??;
        self.until_ms = 0;
        Ok(committed)
    }
}

fn configuration(error: impl std::fmt::Display) -> Error {
    Error::Configuration(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_change_waits_while_one_before_may_still_be_taken() {
        let changes = SetChanges::since(1_000);
        assert!(!changes.may_send(true, 1_000));
        assert!(!changes.may_send(true, 20_999));
        assert!(changes.may_send(true, 21_000), "expired");
        assert!(changes.may_send(false, 1_000), "nothing is on its way");
    }
}
