//! Transactions that wait for a block: checked, bounded, in order of arrival. No IO.
//!
//! Those that came from clients carry a local sequence number: gossip repeats exactly them to every peer, because in a
//! full mesh nobody else needs to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::Instant;

use chain_types::limits::{MAX_BLOCK_BYTES, MAX_BLOCK_TXS};
use chain_types::{Transaction, TxId};
use tokio::sync::Notify;

use crate::ledger::is_within_window;

/// Bounds of what may wait.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    pub txs: usize,
    pub bytes: usize,
}

/// No room; try again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{txs} transactions wait already; try again in a second")]
pub struct Full {
    pub txs: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    New,
    Known,
}

struct Waiting {
    tx: Transaction,
    is_local: bool,
    since: Instant,
}

#[derive(Default)]
struct Queue {
    next: u64,
    by_sequence: BTreeMap<u64, Waiting>,
    by_id: HashMap<TxId, u64>,
    bytes: usize,
}

pub struct Mempool {
    capacity: Capacity,
    queue: Mutex<Queue>,
    arrivals: Notify,
}

impl Mempool {
    pub fn new(capacity: Capacity) -> Self {
        Self { capacity, queue: Mutex::default(), arrivals: Notify::new() }
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        // A panic while holding the lock cannot leave the queue half-changed: every change below is complete or absent.
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Adds a transaction whose signature was checked.
    pub fn add(&self, tx: Transaction, is_local: bool) -> Result<Added, Full> {
        let mut queue = self.queue();
        if queue.by_id.contains_key(&tx.id()) {
            return Ok(Added::Known);
        }
        let size = tx.bytes().len();
        if queue.by_sequence.len() >= self.capacity.txs || queue.bytes + size > self.capacity.bytes {
            return Err(Full { txs: queue.by_sequence.len() });
        }
        let sequence = queue.next;
        queue.next += 1;
        queue.bytes += size;
        queue.by_id.insert(tx.id(), sequence);
        queue.by_sequence.insert(sequence, Waiting { tx, is_local, since: Instant::now() });
        drop(queue);
        self.arrivals.notify_waiters();
        Ok(Added::New)
    }

    /// Whether there is room for one more of this size; asked before the costly checks. What clients send may fill half:
    /// the other half is for what peers have taken already. Nodes that are full of their own clients' transactions would
    /// turn away each other's, repeat them for as long as that lasts, and meet most of a block for the first time in it.
    pub fn check_room(&self, size: usize, is_local: bool) -> Result<(), Full> {
        let queue = self.queue();
        let Capacity { txs, bytes } = self.capacity;
        let (txs, bytes) = if is_local { (txs.div_ceil(2), bytes / 2) } else { (txs, bytes) };
        let fits = queue.bytes + size <= bytes || (queue.bytes == 0 && size <= self.capacity.bytes);
        match queue.by_sequence.len() < txs && fits {
            true => Ok(()),
            false => Err(Full { txs: queue.by_sequence.len() }),
        }
    }

    pub fn contains(&self, id: &TxId) -> bool {
        self.queue().by_id.contains_key(id)
    }

    /// The waiting transaction with exactly these bytes: decoded, and its signature checked.
    pub fn find(&self, bytes: &[u8]) -> Option<Transaction> {
        let id = Transaction::id_of(bytes).ok()?;
        let queue = self.queue();
        let waiting = queue.by_sequence.get(queue.by_id.get(&id)?)?;
        (waiting.tx.bytes() == bytes).then(|| waiting.tx.clone())
    }

    pub fn len(&self) -> usize {
        self.queue().by_sequence.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How long the oldest has waited, in milliseconds.
    pub fn oldest_ms(&self) -> Option<u64> {
        let queue = self.queue();
        queue.by_sequence.values().next().map(|w| u64::try_from(w.since.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// Completes when something arrives after the call.
    pub fn arrival(&self) -> tokio::sync::futures::Notified<'_> {
        self.arrivals.notified()
    }

    /// Whether a block at this time could hold anything.
    pub fn has_includable(&self, block_time_ms: u64) -> bool {
        self.queue().by_sequence.values().any(|w| is_within_window(&w.tx, block_time_ms))
    }

    /// The oldest transactions that fit into a block at this time; they stay until committed.
    pub fn select(&self, block_time_ms: u64) -> Vec<Transaction> {
        let queue = self.queue();
        let (mut bytes, mut selected) = (0, Vec::new());
        for waiting in queue.by_sequence.values() {
            if selected.len() == MAX_BLOCK_TXS || bytes + waiting.tx.bytes().len() > MAX_BLOCK_BYTES {
                break;
            }
            if is_within_window(&waiting.tx, block_time_ms) {
                bytes += waiting.tx.bytes().len();
                selected.push(waiting.tx.clone());
            }
        }
        selected
    }

    /// Drops what was committed and what no later block can hold. Gives the ids that expired.
    pub fn prune(&self, committed: impl Iterator<Item = TxId>, block_time_ms: u64) -> Vec<TxId> {
        let mut queue = self.queue();
        for id in committed {
            queue.remove(&id);
        }
        let is_late = |w: &Waiting| w.tx.call().valid_until_ms < block_time_ms;
        let expired: Vec<TxId> = queue.by_sequence.values().filter(|w| is_late(w)).map(|w| w.tx.id()).collect();
        for id in &expired {
            queue.remove(id);
        }
        expired
    }

    /// Transactions from clients with a sequence number of at least `from`, and the number to go on with.
    pub fn local_since(&self, from: u64, max_bytes: usize) -> (Vec<Transaction>, u64) {
        let queue = self.queue();
        let (mut bytes, mut batch) = (0, Vec::new());
        for (sequence, waiting) in queue.by_sequence.range(from..) {
            if bytes > max_bytes || batch.len() == 512 {
                return (batch, *sequence);
            }
            if waiting.is_local {
                bytes += waiting.tx.bytes().len();
                batch.push(waiting.tx.clone());
            }
        }
        (batch, queue.next)
    }
}

impl Queue {
    fn remove(&mut self, id: &TxId) {
        if let Some(waiting) = self.by_id.remove(id).and_then(|sequence| self.by_sequence.remove(&sequence)) {
            self.bytes -= waiting.tx.bytes().len();
        }
    }
}

#[cfg(test)]
mod tests {
    use chain_types::crypto::SigningKey;
    use chain_types::{Call, Fingerprint, Value};

    use super::*;

    fn tx(n: u8, valid_until_ms: u64) -> Transaction {
        let call = Call {
            fingerprint: Fingerprint([0; 32]),
            valid_until_ms,
            salt: [n; 8],
            app: "chain".into(),
            instance: "anchor".into(),
            method: "digests".into(),
            args: Value::Null,
        };
        Transaction::sign(call, &SigningKey::from_seed(&[1; 32])).unwrap()
    }

    fn mempool(txs: usize) -> Mempool {
        Mempool::new(Capacity { txs, bytes: 1 << 20 })
    }

    #[test]
    fn it_keeps_order_and_forgets_what_was_committed() {
        let mempool = mempool(10);
        let txs: Vec<_> = (0..4).map(|n| tx(n, 1_000)).collect();
        for tx in &txs {
            assert_eq!(mempool.add(tx.clone(), true), Ok(Added::New));
        }
        assert_eq!(mempool.add(txs[0].clone(), true), Ok(Added::Known));
        assert_eq!(mempool.select(500), txs);
        assert!(mempool.prune([txs[1].id()].into_iter(), 500).is_empty());
        assert_eq!(mempool.select(500), [txs[0].clone(), txs[2].clone(), txs[3].clone()]);
    }

    #[test]
    fn a_full_one_turns_away_until_there_is_room() {
        let mempool = mempool(2);
        mempool.add(tx(0, 1_000), true).unwrap();
        mempool.add(tx(1, 1_000), true).unwrap();
        assert_eq!(mempool.add(tx(2, 1_000), true), Err(Full { txs: 2 }));
        mempool.prune([tx(0, 1_000).id()].into_iter(), 1);
        assert_eq!(mempool.add(tx(2, 1_000), true), Ok(Added::New));
    }

    #[test]
    fn clients_leave_half_of_the_room_to_what_peers_have_taken() {
        let mempool = mempool(4);
        mempool.add(tx(0, 1_000), true).unwrap();
        assert_eq!(mempool.check_room(100, true), Ok(()));
        mempool.add(tx(1, 1_000), false).unwrap();
        assert_eq!(mempool.check_room(100, true), Err(Full { txs: 2 }));
        assert_eq!(mempool.check_room(100, false), Ok(()));
        mempool.add(tx(2, 1_000), false).unwrap();
        mempool.add(tx(3, 1_000), false).unwrap();
        assert_eq!(mempool.check_room(100, false), Err(Full { txs: 4 }));
        let one = Mempool::new(Capacity { txs: 1, bytes: 1_000 });
        assert_eq!(one.check_room(1_000, true), Ok(()), "the largest that there is room for at all");
        assert_eq!(one.check_room(1_001, true), Err(Full { txs: 0 }));
    }

    #[test]
    fn what_expired_is_dropped_and_what_is_not_yet_includable_waits() {
        let mempool = mempool(10);
        let (soon, later) = (tx(0, 1_000), tx(1, 700_000));
        mempool.add(soon.clone(), true).unwrap();
        mempool.add(later.clone(), false).unwrap();
        assert_eq!(mempool.select(500), std::slice::from_ref(&soon), "valid for more than ten minutes from then");
        assert_eq!(mempool.prune(std::iter::empty(), 1_001), [soon.id()]);
        assert_eq!(mempool.select(200_000), [later]);
    }

    #[test]
    fn gossip_sees_only_what_clients_sent_and_starts_over_when_asked() {
        let mempool = mempool(10);
        let (mine, theirs) = (tx(0, 1_000), tx(1, 1_000));
        mempool.add(theirs, false).unwrap();
        mempool.add(mine.clone(), true).unwrap();
        let (batch, next) = mempool.local_since(0, 1 << 20);
        assert_eq!(batch, std::slice::from_ref(&mine));
        assert!(mempool.local_since(next, 1 << 20).0.is_empty());
        assert_eq!(mempool.local_since(0, 1 << 20).0, [mine]);
    }
}
