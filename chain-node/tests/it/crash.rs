//! Nothing that was acknowledged is lost, whoever is killed when.

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

pub async fn all_committed(cluster: &Cluster, acknowledged: &[TxId]) {
    let client = cluster.client();
    for id in acknowledged {
        let info = client.transaction(*id).await.unwrap();
        assert!(matches!(info.status, TxStatus::Committed(ref c) if c.applied), "{info:?} was acknowledged before");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_validator_costs_nothing_and_catches_up() {
    let mut cluster = Cluster::start(4).await;
    let load = Load::start(&cluster, 3);
    cluster.until("the load moves", |all| all.iter().any(|s| s.height >= 6)).await;
    cluster.kill(2);
    let at = cluster.statuses().await.iter().map(|s| s.height).max().unwrap();
    cluster.until("the three others go on", |all| all.iter().any(|s| s.height >= at + 8)).await;
    cluster.run(2);
    cluster
        .until("the fourth caught up", |all| all.len() == 4 && all.iter().all(|s| s.caught_up && s.height > at + 8))
        .await;
    let acknowledged = load.finish().await;
    assert!(acknowledged.len() > 10);
    all_committed(&cluster, &acknowledged).await;
    cluster.settled().await;
    let report = cluster.check_all();
    assert!(report["transactions"].as_u64().unwrap() >= acknowledged.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_killed_at_once_under_load_lose_nothing() {
    let mut cluster = Cluster::start(4).await;
    let load = Load::start(&cluster, 4);
    for round in 1..=3 {
        let at = cluster.statuses().await.iter().map(|s| s.height).max().unwrap();
        cluster.until("blocks come", |all| all.iter().any(|s| s.height >= at + 5)).await;
        cluster.kill_all();
        for n in 0..4 {
            cluster.run(n);
        }
        cluster
            .until(&format!("the chain goes on after power cut {round}"), |all| {
                all.len() == 4 && all.iter().all(|s| s.height > at)
            })
            .await;
    }
    let acknowledged = load.finish().await;
    assert!(acknowledged.len() > 10);
    all_committed(&cluster, &acknowledged).await;
    cluster.settled().await;
    cluster.check_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_of_four_killed_stop_the_chain_and_one_back_resumes_it() {
    let mut cluster = Cluster::start(4).await;
    cluster.kill(0);
    cluster.kill(1);
    let tx = cluster.anchor(&[digest(1)]);
    let client = cluster.client();
    let waiting = tokio::spawn({
        let (client, tx) = (client.clone(), tx.clone());
        async move { client.submit(&tx, Duration::from_secs(2)).await }
    });
    // Two of four are no quorum: the call waits, and the nodes say that the chain has stalled.
    let info = waiting.await.unwrap().unwrap();
    assert_eq!(info.status, TxStatus::Pending);
    let stalled = |all: &[chain_types::api::Status]| all.iter().any(|s| s.phase == chain_types::api::Phase::Stalled);
    cluster.until("the chain is called stalled", stalled).await;
    cluster.run(0);
    cluster
        .until("the waiting call is in a block", |all| {
            all.len() == 3 && all.iter().all(|s| s.height >= 2 && s.pending == 0)
        })
        .await;
    all_committed(&cluster, &[tx.id()]).await;
}
