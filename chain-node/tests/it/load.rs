//! Clients that send calls for as long as a test runs, and remember what was acknowledged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chain_client::Client;
use chain_types::TxId;
use chain_types::api::TxStatus;

use super::cluster::{Caller, Cluster, digest};

/// Sends calls one after the other until told to stop; gives the acknowledged ones.
async fn load(client: Client, caller: Caller, worker: u64, stop: Arc<AtomicBool>) -> Vec<TxId> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let tx = caller.anchor(&[digest(worker << 32 | n)]);
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
        let tasks = (0..workers).map(|w| {
            // Each by another node, so that no single one stands between all of them and the chain.
            let client = cluster.client_of(w as usize % cluster.hosts.len());
            tokio::spawn(load(client, cluster.caller(), w, stop.clone()))
        });
        let tasks = tasks.collect();
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

/// What was acknowledged is committed, as the nodes say now.
pub async fn all_committed(cluster: &Cluster, acknowledged: &[TxId]) {
    let client = cluster.client();
    for id in acknowledged {
        let info = client.transaction(*id).await.unwrap();
        assert!(matches!(info.status, TxStatus::Committed(ref c) if c.applied), "{info:?} was acknowledged before");
    }
}
