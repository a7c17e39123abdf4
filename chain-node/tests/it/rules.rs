//! A chain changes to other rules at an agreed height while it runs; under the second ones a dead validator costs no more
//! than its first turns.

use chain_types::Value;
use chain_types::encoding::to_value;

use super::cluster::{Cluster, PATIENCE, digest};

/// Has the chain change to rules 2, which the operator's administrator may decide; waits for their first block.
async fn upgraded(cluster: &Cluster) -> u64 {
    let from = cluster.status(0).await.height + 10;
    let upgrade = serde_json::json!({ "upgrade_rules": { "version": 2, "from_height": from } });
    let args = Value::Map(vec![("action".into(), to_value(&upgrade).unwrap())]);
    let tx = cluster.call("governance", "propose", args);
    let committed = cluster.client().commit(&tx, PATIENCE).await.unwrap();
    assert!(committed.applied, "{:?}", committed.refusal);
    let mut n = 0;
    while cluster.status(0).await.height <= from {
        anchored(cluster, (7 << 40) + n).await;
        n += 1;
    }
    all_at(cluster, from + 1).await;
    from
}

async fn all_at(cluster: &Cluster, height: u64) {
    cluster.until("all that run are there", |all| all.iter().all(|s| s.height >= height)).await;
}

async fn anchored(cluster: &Cluster, n: u64) -> u64 {
    let committed = cluster.client().commit(&cluster.anchor(&[digest(n)]), PATIENCE).await.unwrap();
    assert!(committed.applied, "{:?}", committed.refusal);
    committed.height
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_change_at_the_agreed_height_and_a_dead_proposer_is_passed_over() {
    let mut cluster = Cluster::start(4).await;
    let from = upgraded(&cluster).await;
    let client = cluster.client();
    for (height, version) in [(from - 1, 1), (from, 2), (from + 1, 2)] {
        assert_eq!(client.header(height).await.unwrap().0.version, version, "height {height}");
    }
    cluster.kill(1);
    let dead = cluster.keys(1).consensus.public();
    let killed_at = cluster.status(0).await.height;
    let mut last = killed_at;
    let mut n = 0;
    // Twelve turns of the dead one.
    while last < killed_at + 48 {
        last = anchored(&cluster, n).await;
        n += 1;
    }
    all_at(&cluster, last).await;
    let mut late = 0;
    for height in killed_at + 2..=last {
        let header = client.header(height).await.unwrap().0;
        assert!(header.proposer != dead, "height {height}");
        late += u32::from(header.round > 0);
    }
    // Its first two; a third if one of the living was slow on a busy machine.
    assert!((1..=4).contains(&late), "{late} of {} heights needed another round", last - killed_at);
    cluster.run(1);
    cluster.rest().await;
    cluster.check_all();
}
