//! Who waits for the result of a transaction. Each is woken once, by the block that holds it, and gets the result with
//! it: nobody looks at blocks that do not concern him, and no result is read back from disk for him.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chain_types::{TxId, TxOutcome};
use tokio::sync::oneshot;

type Senders = HashMap<TxId, Vec<oneshot::Sender<Answer>>>;

/// A transaction's result and where it stands.
#[derive(Debug, Clone)]
pub struct Answer {
    pub height: u64,
    pub time_ms: u64,
    pub position: u32,
    pub outcome: TxOutcome,
}

#[derive(Debug, Default)]
pub struct Waiting(Mutex<Senders>);

/// One who waits; dropping it ends the waiting.
#[derive(Debug)]
pub struct Wait<'a> {
    id: TxId,
    waiting: &'a Waiting,
    answer: oneshot::Receiver<Answer>,
}

impl Waiting {
    fn senders(&self) -> MutexGuard<'_, Senders> {
        // A panic while holding the lock cannot leave the table half-changed: every change below is complete or absent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, a block with this transaction is answered to the caller.
    pub fn wait(&self, id: TxId) -> Wait<'_> {
        let (sender, answer) = oneshot::channel();
        self.senders().entry(id).or_default().push(sender);
        Wait { id, waiting: self, answer }
    }

    /// Wakes those who wait for a transaction of this block.
    pub fn publish(&self, height: u64, time_ms: u64, outcomes: impl Iterator<Item = TxOutcome>) {
        let mut senders = self.senders();
        if senders.is_empty() {
            return;
        }
        for (position, outcome) in (0u32..).zip(outcomes) {
            for sender in senders.remove(&outcome.tx).unwrap_or_default() {
                // Gone meanwhile is fine.
                let _ = sender.send(Answer { height, time_ms, position, outcome: outcome.clone() });
            }
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.senders().len()
    }
}

impl Wait<'_> {
    /// The result, as soon as there is one.
    pub async fn answer(&mut self) -> Option<Answer> {
        (&mut self.answer).await.ok()
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        self.answer.close();
        let mut senders = self.waiting.senders();
        if let Some(others) = senders.get_mut(&self.id) {
            others.retain(|sender| !sender.is_closed());
            if others.is_empty() {
                senders.remove(&self.id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(ids: &[u8]) -> impl Iterator<Item = TxOutcome> {
        ids.iter().map(|n| TxOutcome { tx: TxId([*n; 32]), verdict: Ok(Vec::new()), first_entry: 0, entries: 1 })
    }

    #[tokio::test]
    async fn everybody_who_waits_for_a_transaction_gets_its_place_and_nobody_else_is_woken() {
        let waiting = Waiting::default();
        let (mut first, mut second) = (waiting.wait(TxId([2; 32])), waiting.wait(TxId([2; 32])));
        let mut other = waiting.wait(TxId([9; 32]));
        waiting.publish(7, 1, outcomes(&[1, 2, 3]));
        for wait in [&mut first, &mut second] {
            let answer = wait.answer().await.unwrap();
            assert_eq!((answer.position, answer.outcome.tx), (1, TxId([2; 32])));
        }
        assert!(other.answer.try_recv().is_err());
        assert_eq!(waiting.len(), 1, "only the one who still waits is remembered");
    }

    #[test]
    fn who_goes_away_is_forgotten_and_takes_nobody_along() {
        let waiting = Waiting::default();
        let (first, mut second) = (waiting.wait(TxId([2; 32])), waiting.wait(TxId([2; 32])));
        drop(first);
        waiting.publish(7, 1, outcomes(&[2]));
        assert!(second.answer.try_recv().is_ok());
        drop(waiting.wait(TxId([3; 32])));
        assert_eq!(waiting.len(), 0);
    }
}
