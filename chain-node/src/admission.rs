//! The way into the mempool, cheap checks first: size and form, chain, time window, known already, room, account, rate,
//! and only then the signature, in batches on a thread of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chain_types::account::AccountStatus;
use chain_types::crypto;
use chain_types::limits::VALIDITY_WINDOW_MS;
use chain_types::transaction::TransactionError;
use chain_types::{PublicKey, Transaction, TxId};
use tokio::sync::{mpsc, oneshot};

use crate::consensus::now_ms;
use crate::ledger::Ledger;
use crate::mempool::{Added, Full, Mempool};
use crate::stages;

/// Signatures checked together; larger batches gain little.
const BATCH: usize = 256;
/// Requests that may wait for the signature thread.
const QUEUE: usize = 4_096;

/// Why a transaction is not admitted. Nothing is stored for it.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    #[error(transparent)]
    Malformed(#[from] TransactionError),
    #[error("the transaction is signed for another chain; this chain's fingerprint is {0}")]
    OtherChain(chain_types::Fingerprint),
    #[error("valid_until lies {0} ms in the past; sign the call again")]
    Late(u64),
    #[error("valid_until lies more than 10 minutes ahead; sign it for at most 10 minutes, and check your clock")]
    TooFar,
    #[error("key {0} is not bound to an account of this chain; ask your organisation's administrator")]
    UnknownAccount(PublicKey),
    #[error("account {0} is suspended")]
    Suspended(PublicKey),
    #[error("account {0} sends more than {1} transactions a second; slow down")]
    Rate(PublicKey, u32),
    #[error(transparent)]
    Full(#[from] Full),
    #[error("the signature does not verify")]
    Signature,
    #[error("failed to read the chain's state: {0}")]
    Store(String),
    #[error("the node is stopping")]
    Stopping,
}

/// Where an admitted transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It waits for a block.
    Pending(TxId),
    /// A block holds it already; its result is final.
    Committed(TxId),
}

/// Who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client of this node: gossip repeats it to every peer.
    Client,
    /// A peer, which repeats it to the others itself.
    Peer,
}

struct Check {
    txs: Vec<Transaction>,
    reply: oneshot::Sender<Vec<bool>>,
}

pub struct Admission {
    ledger: Arc<Ledger>,
    mempool: Arc<Mempool>,
    rates: Mutex<HashMap<PublicKey, Bucket>>,
    rate_per_s: u32,
    checks: mpsc::Sender<Check>,
}

/// A token bucket: one second's worth at most.
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Admission {
    /// Starts the signature thread, which lives as long as this value.
    pub fn start(ledger: Arc<Ledger>, mempool: Arc<Mempool>, rate_per_s: u32) -> std::io::Result<Self> {
        let (checks, requests) = mpsc::channel(QUEUE);
        std::thread::Builder::new().name("signatures".into()).spawn(move || check_signatures(requests))?;
        Ok(Self { ledger, mempool, rates: Mutex::default(), rate_per_s, checks })
    }

    /// Admits one transaction from a client.
    pub async fn submit(&self, tx: Transaction) -> Result<Admitted, NotAdmitted> {
        let seen = self.ledger.tip().height;
        match self.precheck(&tx, Source::Client)? {
            Some(admitted) => Ok(admitted),
            None if self.verify(vec![tx.clone()]).await? == [true] => self.add(tx, Source::Client, seen),
            None => Err(NotAdmitted::Signature),
        }
    }

    /// Admits many from a client, each by itself, with their signatures checked together. Answers in their order.
    pub async fn submit_many(&self, txs: Vec<Transaction>) -> Result<Vec<Result<Admitted, NotAdmitted>>, NotAdmitted> {
        let seen = self.ledger.tip().height;
        let prechecked: Vec<_> = txs.iter().map(|tx| self.precheck(tx, Source::Client)).collect();
        let fresh = txs.iter().zip(&prechecked).filter(|(_, checked)| matches!(checked, Ok(None)));
        let mut verdicts = self.verify(fresh.map(|(tx, _)| tx.clone()).collect()).await?.into_iter();
        let answer = |(tx, checked): (Transaction, Result<Option<Admitted>, NotAdmitted>)| match checked? {
            Some(admitted) => Ok(admitted),
            None if verdicts.next() == Some(true) => self.add(tx, Source::Client, seen),
            None => Err(NotAdmitted::Signature),
        };
        Ok(txs.into_iter().zip(prechecked).map(answer).collect())
    }

    /// Admits what a peer sent; says whether all of it was dealt with, so that the peer need not repeat it.
    pub async fn receive(&self, batch: Vec<Vec<u8>>) -> Result<bool, NotAdmitted> {
        let (mut fresh, mut all) = (Vec::new(), true);
        let seen = self.ledger.tip().height;
        let timed = stages::GOSSIP.time(batch.len());
        for tx in batch.iter().filter_map(|bytes| Transaction::decode(bytes).ok()) {
            match self.precheck(&tx, Source::Peer) {
                Ok(None) => fresh.push(tx),
                Ok(Some(_)) => {}
                // The account may be bound in a block that this node has not committed yet.
                Err(NotAdmitted::Full(_) | NotAdmitted::UnknownAccount(_)) => all = false,
                Err(reason) => tracing::debug!(id = %tx.id(), %reason, "dropped a transaction of a peer"),
            }
        }
        drop(timed);
        if fresh.is_empty() {
            return Ok(all);
        }
        let verdicts = self.verify(fresh.clone()).await?;
        for (tx, _) in fresh.into_iter().zip(verdicts).filter(|(_, holds)| *holds) {
            all &= self.add(tx, Source::Peer, seen).is_ok();
        }
        Ok(all)
    }

    /// Everything that costs less than a signature.
    fn precheck(&self, tx: &Transaction, source: Source) -> Result<Option<Admitted>, NotAdmitted> {
        let (id, call, now) = (tx.id(), tx.call(), now_ms());
        let fingerprint = self.ledger.fingerprint();
        if call.fingerprint != fingerprint {
            return Err(NotAdmitted::OtherChain(fingerprint));
        }
        if self.mempool.contains(&id) {
            return Ok(Some(Admitted::Pending(id)));
        }
        let known = self.ledger.store().find_transaction(&id).map_err(|e| NotAdmitted::Store(e.to_string()))?;
        if known.is_some() {
            return Ok(Some(Admitted::Committed(id)));
        }
        // Blocks may run a little ahead of this clock; what the next block cannot hold is refused now.
        let clock = now.max(self.ledger.tip().time_ms);
        if call.valid_until_ms < clock {
            return Err(NotAdmitted::Late(clock - call.valid_until_ms));
        }
        if call.valid_until_ms > now.saturating_add(VALIDITY_WINDOW_MS) {
            return Err(NotAdmitted::TooFar);
        }
        self.mempool.check_room(tx.bytes().len(), source == Source::Client)?;
        self.check_account(tx.kid())?;
        if source == Source::Client {
            self.check_rate(tx.kid())?;
        }
        Ok(None)
    }

    fn check_account(&self, kid: PublicKey) -> Result<(), NotAdmitted> {
        let failed = |e: chain_runtime::StateError| NotAdmitted::Store(e.to_string());
        match chain_runtime::account(self.ledger.store(), &kid).map_err(failed)? {
            // The steward has no account; execution holds it to governance.
            None if chain_runtime::queries::steward(self.ledger.store()).map_err(failed)? == Some(kid) => Ok(()),
            None => Err(NotAdmitted::UnknownAccount(kid)),
            Some(account) if account.status == AccountStatus::Suspended => Err(NotAdmitted::Suspended(kid)),
            Some(_) => Ok(()),
        }
    }

    fn check_rate(&self, kid: PublicKey) -> Result<(), NotAdmitted> {
        let mut rates = self.rates.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Full buckets say nothing; forgetting them bounds the table by the accounts that are active now.
        if rates.len() > 10_000 {
            rates.retain(|_, bucket| bucket.at.elapsed().as_secs() < 2);
        }
        let (now, rate) = (Instant::now(), f64::from(self.rate_per_s));
        let bucket = rates.entry(kid).or_insert(Bucket { tokens: rate, at: now });
        let earned = now.duration_since(bucket.at).as_secs_f64() * rate;
        bucket.tokens = (bucket.tokens + earned).min(rate);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return Err(NotAdmitted::Rate(kid, self.rate_per_s));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    async fn verify(&self, txs: Vec<Transaction>) -> Result<Vec<bool>, NotAdmitted> {
        let (reply, verdicts) = oneshot::channel();
        self.checks.send(Check { txs, reply }).await.map_err(|_| NotAdmitted::Stopping)?;
        verdicts.await.map_err(|_| NotAdmitted::Stopping)
    }

    /// `seen` is the chain's height before the transaction was looked for.
    fn add(&self, tx: Transaction, source: Source, seen: u64) -> Result<Admitted, NotAdmitted> {
        let id = tx.id();
        // It may have been committed through another node while its signature was being checked. A block that is written
        // but not published yet is no worry: the mempool drops what it holds after publishing it.
        if self.ledger.tip().height != seen {
            let known = self.ledger.store().find_transaction(&id).map_err(|e| NotAdmitted::Store(e.to_string()))?;
            if known.is_some() {
                return Ok(Admitted::Committed(id));
            }
        }
        match self.mempool.add(tx, source == Source::Client)? {
            Added::New | Added::Known => Ok(Admitted::Pending(id)),
        }
    }
}

/// Under load a batch is given this long to fill: one signature of many costs a third of one alone. A request that comes
/// after a pause is answered at once.
const GATHER: Duration = Duration::from_millis(2);

/// Takes whatever waits, up to a batch, and answers each request.
fn check_signatures(mut requests: mpsc::Receiver<Check>) {
    let mut last = Instant::now();
    while let Some(first) = requests.blocking_recv() {
        if last.elapsed() < GATHER {
            std::thread::sleep(GATHER);
        }
        let mut batch = vec![first];
        let mut size = batch.iter().map(|c| c.txs.len()).sum::<usize>();
        while size < BATCH {
            let Ok(next) = requests.try_recv() else { break };
            size += next.txs.len();
            batch.push(next);
        }
        let items: Vec<_> = batch.iter().flat_map(|check| check.txs.iter().map(Transaction::batch_item)).collect();
        let timed = stages::CHECK.time(items.len());
        let mut entropy = [0; 32];
        let verdicts = match getrandom::fill(&mut entropy) {
            Ok(()) => crypto::verify_zip215_batch(&items, entropy),
            // Without randomness a batch could be crafted; one by one needs none.
            Err(_) => items.iter().map(|i| crypto::verify_zip215(&i.key, i.message, &i.signature)).collect(),
        };
        drop(timed);
        let mut verdicts = verdicts.into_iter();
        for check in batch {
            let own = verdicts.by_ref().take(check.txs.len()).collect();
            // Whoever asked may have gone away.
            let _ = check.reply.send(own);
        }
        last = Instant::now();
    }
}
