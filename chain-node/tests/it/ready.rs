//! A node is ready when its vote can count: caught up, in the set, and connected to enough others for a quorum.

use super::cluster::{Cluster, PATIENCE};

/// Waits until a node's `/readyz` answers as described.
async fn says(cluster: &Cluster, n: usize, what: &str, holds: impl Fn(u16, &str) -> bool) {
    let start = std::time::Instant::now();
    loop {
        let (code, words) = cluster.ready(n).await;
        if holds(code, &words) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}: {code} {words}");
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_cut_off_from_the_quorum_is_not_ready_and_says_from_whom() {
    let mut cluster = Cluster::start(4).await;
    for n in 0..4 {
        says(&cluster, n, "all are ready", |code, _| code == 200).await;
    }
    cluster.kill(3);
    let gone = |code: u16, words: &str| code == 503 && words.contains("validator-3, validator-4");
    says(&cluster, 0, "one less is borne", |code, _| code == 200).await;
    cluster.kill(2);
    says(&cluster, 0, "both are named", gone).await;
    let (_, words) = cluster.ready(0).await;
    assert!(words.contains("reaches 2 of 4 validators over consensus, a quorum needs 3"), "{words}");
    cluster.run(2);
    for n in 0..3 {
        says(&cluster, n, "a quorum is there again", |code, _| code == 200).await;
    }
}
