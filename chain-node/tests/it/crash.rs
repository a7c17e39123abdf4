//! Nothing that was acknowledged is lost, whoever is killed when.

use std::time::Duration;

use chain_types::api::TxStatus;

use super::cluster::{Cluster, digest};
use super::load::{Load, all_committed, at_rest};

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
    cluster.until("all four are at rest at one height", at_rest).await;
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
    cluster.until("all four are at rest at one height", at_rest).await;
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
