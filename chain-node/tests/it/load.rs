//! Clients that send calls for as long as a test runs, and remember what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chain_client::Client;
use chain_types::api::{Phase, Status, TxStatus};
use chain_types::{Transaction, TxId};

use super::cluster::{Cluster, digest};

/// Sends calls one after the other, from a list signed beforehand, until told to stop; gives the acknowledged ones.
async fn load(client: Client, txs: Vec<Transaction>, stop: Arc<AtomicBool>) -> Vec<TxId> {
    let mut acknowledged = Vec::new();
    for tx in txs {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        // A node may die with the request; the same bytes again are safe.
        for _ in 0..400 {
            match client.submit(&tx, Duration::from_secs(5)).await {
                Ok(info) if matches!(info.status, TxStatus::Committed(_)) => {
                    acknowledged.push(tx.id());
                    break;
                }
                _ if stop.load(Ordering::Relaxed) => break,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }
    acknowledged
}

pub struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Vec<TxId>>>,
}

impl Load {
    pub fn start(cluster: &Cluster, workers: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let txs = |w: u64| (0..400).map(|n| cluster.anchor(&[digest(w << 32 | n)])).collect::<Vec<_>>();
        let tasks = (0..workers).map(|w| tokio::spawn(load(cluster.client(), txs(w), stop.clone()))).collect();
        Self { stop, tasks }
    }

    pub async fn finish(self) -> Vec<TxId> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.unwrap());
        }
        all
    }
}

/// All validators at one height, and nothing left to do: the last block is sealed.
pub fn at_rest(all: &[Status]) -> bool {
    all.len() == 4 && all.iter().all(|s| s.height == all[0].height && s.pending == 0 && s.phase == Phase::Idle)
}

/// What was acknowledged is committed, as the nodes say now.
pub async fn all_committed(cluster: &Cluster, acknowledged: &[TxId]) {
    let client = cluster.client();
    for id in acknowledged {
        let info = client.transaction(*id).await.unwrap();
        assert!(matches!(info.status, TxStatus::Committed(ref c) if c.applied), "{info:?} was acknowledged before");
    }
}
