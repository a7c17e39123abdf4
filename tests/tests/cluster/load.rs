//! Clients that send signed transactions for as long as a test runs, and remember each that was acknowledged and when.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chain_client::Client;
use chain_types::api::TxStatus;
use chain_types::crypto::SigningKey;
use chain_types::{Call, Hash, Transaction, TxId, Value};

use crate::city::City;
use crate::wait::until;

const WORKERS: u64 = 4;
/// One request waits so long for its result; the same bytes again are safe.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Vec<Acknowledged>>>,
}

#[derive(Clone, Copy)]
pub struct Acknowledged {
    pub id: TxId,
    pub at: Instant,
}

impl Load {
    pub async fn start(city: &City) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = city.client().await.unwrap();
        let tasks = (0..WORKERS).map(|worker| tokio::spawn(send(client.clone(), city.key.clone(), worker, stop.clone())));
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    /// What was acknowledged, in order of time.
    pub async fn finish(self) -> Vec<Acknowledged> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.unwrap());
        }
        all.sort_by_key(|one| one.at);
        all
    }
}

async fn send(client: Client, key: SigningKey, worker: u64, stop: Arc<AtomicBool>) -> Vec<Acknowledged> {
    let mut acknowledged = Vec::new();
    for n in 0u64.. {
        let tx = anchor(&client, &key, worker << 32 | n);
        while !stop.load(Ordering::Relaxed) {
            match client.submit(&tx, ANSWER_WITHIN).await {
                Ok(info) if matches!(info.status, TxStatus::Committed(_)) => {
                    acknowledged.push(Acknowledged { id: tx.id(), at: Instant::now() });
                    break;
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    acknowledged
}

fn anchor(client: &Client, key: &SigningKey, n: u64) -> Transaction {
    let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    // A later load on the same chain anchors other digests.
    let digest = Value::Bytes(Hash::of(format!("{now_ms} {n}").as_bytes()).0.to_vec());
    let call = Call {
        fingerprint: client.fingerprint(),
        valid_until_ms: now_ms + 300_000,
        salt: n.to_be_bytes(),
        app: "chain".into(),
        instance: "anchor".into(),
        method: "digests".into(),
        args: Value::Map(vec![("digests".into(), Value::Array(vec![digest]))]),
    };
    Transaction::sign(call, key).unwrap()
}

/// The longest time in which nothing was acknowledged, counted from `since`.
pub fn longest_pause(acknowledged: &[Acknowledged], since: Instant) -> Duration {
    let mut last = since;
    let mut longest = Duration::ZERO;
    for one in acknowledged.iter().filter(|one| one.at >= since) {
        longest = longest.max(one.at - last);
        last = one.at;
    }
    longest
}

/// How many of what was acknowledged some validator does not have as applied in a block. Asked of each alone.
pub async fn lost(city: &City, acknowledged: &[Acknowledged]) -> usize {
    assert!(!acknowledged.is_empty(), "nothing was acknowledged, so nothing is shown");
    city.agree().await;
    let mut missing = 0;
    for (name, client) in city.clients().await.unwrap() {
        for one in acknowledged {
            let look = async || Ok(Ok(client.transaction(one.id).await?));
            let (info, _) = until(&format!("{name} answers"), Duration::from_secs(20), look).await;
            missing += usize::from(!matches!(info.status, TxStatus::Committed(ref committed) if committed.applied));
        }
    }
    missing
}
