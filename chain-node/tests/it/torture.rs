//! Rounds of what `crash.rs` and `store_faults.rs` do once: two in the suite, as many as SIZE says in `make torture`.

use std::time::Duration;

use chain_types::api::Status;

use super::cluster::Cluster;
use super::load::{Load, all_committed};
use super::past;

fn rounds() -> u64 {
    std::env::var("TORTURE_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// Power cuts in a loop, under load: everything acknowledged is there after each, and every store is whole.
#[tokio::test(flavor = "multi_thread")]
async fn power_cuts_in_a_loop_lose_nothing() {
    let mut cluster = Cluster::start(4).await;
    let mut acknowledged = Vec::new();
    for round in 1..=rounds() {
        let load = Load::start(&cluster, 4);
        let at = cluster.statuses().await.iter().map(|s| s.height).max().unwrap();
        cluster.until("blocks come", |all| all.iter().any(|s| s.height >= at + 3)).await;
        // At another moment of a block's life each time.
        tokio::time::sleep(Duration::from_millis(round * 37 % 211)).await;
        cluster.kill_all();
        for n in 0..4 {
            cluster.run(n);
        }
        let goes_on = |all: &[Status]| all.len() == 4 && all.iter().all(|s| s.height > at);
        cluster.until(&format!("the chain goes on after power cut {round}"), goes_on).await;
        acknowledged.extend(load.finish().await);
        cluster.rest().await;
        if round % 5 == 0 || round == rounds() {
            all_committed(&cluster, &acknowledged).await;
            let report = cluster.check_all();
            println!("power cut {round}: {} acknowledged, {report}", acknowledged.len());
            for n in 0..4 {
                cluster.run(n);
            }
            cluster.until("all are back", |all| all.len() == 4 && all.iter().all(|s| s.caught_up)).await;
        }
    }
    assert!(acknowledged.len() as u64 > rounds());
}

/// One validator after the other is killed, loses its disk, and takes a backup of another or starts from nothing.
#[tokio::test(flavor = "multi_thread")]
async fn validators_that_lose_their_disks_come_back_one_after_the_other() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 400, 5_000);
    for n in 0..4 {
        past::configure(&cluster, n, "limits.state_history = 16\nretention.keep_blocks = 40");
        let from: Vec<String> = (0..4).filter(|m| *m != n).map(|m| format!("\"{}\"", cluster.api(m))).collect();
        let sync = format!("[sync]\nfrom = [{}]\ntoken_file = \"../../token\"", from.join(", "));
        past::configure(&cluster, n, &sync);
        cluster.run(n);
    }
    cluster.until("all are up", |all| all.len() == 4 && all.iter().all(|s| s.height >= 400)).await;
    let load = Load::start(&cluster, 2);
    for round in 0..rounds() {
        let n = (round % 4) as usize;
        let at = cluster.statuses().await.iter().map(|s| s.height).max().unwrap();
        cluster.until("blocks come", |all| all.iter().any(|s| s.height >= at + 40)).await;
        cluster.kill(n);
        for folder in ["data", "wal"] {
            std::fs::remove_dir_all(cluster.validator_dir(n).join(folder)).unwrap();
        }
        cluster.run(n);
        let is_back = |all: &[Status]| all.len() == 4 && all.iter().all(|s| s.caught_up && s.height >= at);
        cluster.until(&format!("validator {n} is back, round {round}"), is_back).await;
    }
    let acknowledged = load.finish().await;
    // A node that only came back may still hold as waiting what the others have committed.
    cluster.rest().await;
    all_committed(&cluster, &acknowledged).await;
    cluster.kill_all();
    let roots: Vec<_> =
        (0..4).map(|n| super::cluster::check(&cluster.validator_dir(n))["state_root"].clone()).collect();
    assert!(roots.windows(2).all(|pair| pair[0] == pair[1]), "{roots:?}");
}
