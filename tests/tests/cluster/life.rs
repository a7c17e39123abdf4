//! A chain's life as a person leads it: made, grown, shrunk, rolled to another version, put to sleep and woken, its nodes
//! drained. Under load, with no acknowledged transaction lost and never more than one validator down by the operator's hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use operator_api::ChainPhase;
use serde_json::json;

use crate::city::{City, VERSION, sentences};
use crate::kubectl::condition;
use crate::kubectl::{self, kubectl};
use crate::load::{Load, longest_pause, lost};
use crate::measured;
use crate::operators::audited_writes;
use crate::wait::until;

/// Watches how many voting validators do not answer as ready, for as long as it lives.
pub struct Watch {
    stop: Arc<AtomicBool>,
    most: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    pub async fn start(city: &City) -> Self {
        let (stop, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let clients = city.clients().await.unwrap();
        let (ends, worst) = (stop.clone(), most.clone());
        let task = tokio::spawn(async move {
            while !ends.load(Ordering::Relaxed) {
                // All at the same moment: asked in turn, one that comes back and the next that goes would both count.
                let ready = join_all(clients.iter().map(|(_, client)| client.ready())).await;
                worst.fetch_max(ready.iter().filter(|ready| !**ready).count(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { stop, most, task }
    }

    pub async fn most_down(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.most.load(Ordering::Relaxed)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_documents_become_a_chain_that_columns_and_conditions_describe() {
    let city = City::called("first");
    city.apply(4).await.unwrap();
    let applied = Instant::now();
    until("the first block", Duration::from_secs(60), async || {
        let status = city.status().await?;
        Ok(if status.height >= 1 { Ok(()) } else { Err(sentences(&status)) })
    })
    .await;
    measured::within("chain applied: first block in its status", applied.elapsed(), Duration::from_secs(20));
    kubectl(&["wait", "--for=condition=Ready", "chain", &city.chain, "-n", &city.namespace, "--timeout=60s"], None)
        .await
        .unwrap();
    measured::took("chain applied: Ready", applied.elapsed());
    city.ready(4).await;
    let table = kubectl(&["get", "chains", "-n", &city.namespace], None).await.unwrap();
    let head: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    for column in ["NAME", "PHASE", "HEIGHT", "READY", "VERSION", "AGE"] {
        assert!(head.contains(&column), "{column} is missing in\n{table}");
    }
    let object = city.object().await.unwrap();
    assert_eq!(condition(&object, "QuorumSafe").as_deref(), Some("True"));
    assert_eq!(object["status"]["observedGeneration"], object["metadata"]["generation"]);
    steady_state_writes_nothing(&city).await;
    city.removed().await;
}

async fn steady_state_writes_nothing(city: &City) {
    const QUIET: Duration = Duration::from_secs(20);
    // What was begun is finished first. A height alone is reported late, so that a busy chain does not write all the time.
    let head = city.agree().await.height;
    until("the status has the last height and says idle", Duration::from_secs(90), async || {
        let status = city.status().await?;
        let settled = status.height == head && status.phase == ChainPhase::Idle;
        Ok(if settled { Ok(()) } else { Err(sentences(&status)) })
    })
    .await;
    let (before, _) = until("a quiet moment", Duration::from_secs(60), async || {
        let first = audited_writes().await.len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let second = audited_writes().await.len();
        Ok(if first == second { Ok(second) } else { Err(format!("{} writes in 3 s", second - first)) })
    })
    .await;
    tokio::time::sleep(QUIET).await;
    let after = audited_writes().await;
    for line in &after[before..] {
        println!("written: {line}");
    }
    measured::exactly("writes of the operator in 20 s of steady state", after.len() - before, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_grows_and_shrinks_one_validator_at_a_time() {
    let city = City::made("growing", 4).await;
    let load = Load::start(&city).await;
    let begun = Instant::now();
    city.change(json!({"validators": {"count": 5}})).await.unwrap();
    city.ready(5).await;
    measured::took("4 → 5 validators under load", begun.elapsed());
    let begun = Instant::now();
    city.change(json!({"validators": {"count": 4}})).await.unwrap();
    city.ready(4).await;
    until("the pod of the one that left is gone", Duration::from_secs(60), async || {
        let pods = kubectl::list(&city.namespace, "pods", &format!("citychain.dev/chain={}", city.chain)).await?;
        Ok(if pods.len() == 4 { Ok(()) } else { Err(format!("{} pods", pods.len())) })
    })
    .await;
    measured::took("5 → 4 validators under load", begun.elapsed());
    let acknowledged = load.finish().await;
    measured::exactly("grown and shrunk: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_rolled_out_one_validator_at_a_time() {
    let next = std::env::var("CITYCHAIN_NEXT_VERSION")
        .expect("CITYCHAIN_NEXT_VERSION names the version to roll to: see .make/e2e");
    let city = City::made("rolling", 4).await;
    let load = Load::start(&city).await;
    let watch = Watch::start(&city).await;
    let begun = Instant::now();
    city.change(json!({"version": next})).await.unwrap();
    until("every pod runs the new version", Duration::from_secs(240), async || {
        let pods = kubectl::list(&city.namespace, "pods", &format!("citychain.dev/chain={}", city.chain)).await?;
        let new =
            pods.iter().filter(|pod| pod["metadata"]["annotations"]["citychain.dev/version"] == next.as_str()).count();
        let status = city.status().await?;
        Ok(if new == 4 && status.validators_ready == 4 {
            Ok(())
        } else {
            Err(format!("{new} of 4; {}", sentences(&status)))
        })
    })
    .await;
    measured::took(&format!("version {VERSION} → {next} on four validators under load"), begun.elapsed());
    measured::exactly("rolling: validators down at once, at most", watch.most_down().await, 1);
    let acknowledged = load.finish().await;
    measured::within(
        "rolling: longest pause of acknowledgements",
        longest_pause(&acknowledged, begun),
        Duration::from_secs(10),
    );
    measured::exactly("rolling: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_sleeps_and_wakes_with_the_same_head() {
    let city = City::made("sleeping", 4).await;
    let load = Load::start(&city).await;
    city.blocks(10, Duration::from_secs(30)).await;
    let acknowledged = load.finish().await;
    let head = city.agree().await;
    city.change(json!({"state": "hibernated"})).await.unwrap();
    until("nobody runs", Duration::from_secs(60), async || {
        let pods = kubectl::list(&city.namespace, "pods", &format!("citychain.dev/chain={}", city.chain)).await?;
        Ok(if pods.is_empty() { Ok(()) } else { Err(format!("{} pods", pods.len())) })
    })
    .await;
    let begun = Instant::now();
    city.change(json!({"state": "running"})).await.unwrap();
    city.ready(4).await;
    measured::took("woken: all four validators ready", begun.elapsed());
    let woken = city.agree().await;
    assert!(woken.height >= head.height, "{} is below {}", woken.height, head.height);
    let block = city.client().await.unwrap().block(head.height).await.unwrap();
    assert_eq!(block.id, head.block_id, "the head from before is in the chain of after");
    measured::exactly("slept: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_are_drained_one_after_another() {
    let city = City::made("drained", 4).await;
    let load = Load::start(&city).await;
    let begun = Instant::now();
    for node in 1..=4 {
        let node = format!("node-{node}");
        let drained =
            kubectl(&["drain", &node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=120s"], None).await;
        kubectl(&["uncordon", &node], None).await.unwrap();
        drained.unwrap();
        city.ready(4).await;
    }
    measured::took("four nodes drained under load", begun.elapsed());
    let acknowledged = load.finish().await;
    measured::exactly("drained: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.removed().await;
}
