//! Real processes that cannot reach each other: nothing acknowledged is lost, a minority commits nothing, a majority goes
//! on, and after the network heals everybody does. Needs root and network namespaces; elsewhere it says what is missing.
//!
//! `PARTITION_SECONDS` is how long each fault lasts (5; `make torture` sets more).

mod network;
mod switch;

use std::time::{Duration, Instant};

use network::Network;
use switch::Link;

use super::cluster::Cluster;
use super::load::{Load, all_committed};

/// After the network heals, within this time blocks come again; the engine's longest timeout is 10 s.
const LIVELY_WITHIN: Duration = Duration::from_secs(30);
const CUT: Link = Link { cut: true, delay: Duration::ZERO, loss_percent: 0 };

struct Town {
    cluster: Cluster,
    network: Network,
}

fn lasting() -> Duration {
    let seconds = std::env::var("PARTITION_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs(seconds.unwrap_or(5))
}

impl Town {
    /// None, and loudly, where the machine cannot do it.
    async fn start() -> Option<Self> {
        let network = match Network::make(4) {
            Ok(network) => network,
            Err(missing) => {
                eprintln!("SKIPPED: partitions of real processes need root and network namespaces: {missing}");
                return None;
            }
        };
        let mut cluster = Cluster::make(4);
        for n in 0..4 {
            let path = cluster.validator_dir(n).join("node.toml");
            let mut text = std::fs::read_to_string(&path).unwrap();
            for m in 0..4 {
                text = text.replace(&format!("{}:", cluster.hosts[m]), &format!("{}:", network.host(m)));
            }
            std::fs::write(path, text).unwrap();
        }
        cluster.hosts = (0..4).map(|n| network.host(n)).collect();
        cluster.within = (0..4).map(|n| network.within(n)).collect();
        (0..4).for_each(|n| cluster.run(n));
        cluster
            .until("every node has the first block", |all| all.len() == 4 && all.iter().all(|s| s.height >= 1))
            .await;
        Some(Self { cluster, network })
    }

    fn links(&self, link: impl Fn(usize, usize) -> Link) {
        self.network.switch.as_ref().unwrap().set(link);
    }

    fn heal(&self) {
        self.links(|_, _| Link::default());
    }

    /// Heights in the order of the validators; all of them must answer.
    async fn heights(&self) -> Vec<u64> {
        let statuses = self.cluster.client().statuses().await;
        statuses.into_iter().map(|s| s.expect("every node answers").height).collect()
    }

    async fn top(&self) -> u64 {
        self.heights().await.into_iter().max().unwrap()
    }

    /// What these validators do while a fault lasts: how far each came, after what was on its way has arrived.
    async fn progress(&self) -> Vec<u64> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = self.heights().await;
        tokio::time::sleep(lasting()).await;
        let after = self.heights().await;
        after.iter().zip(before).map(|(after, before)| after - before).collect()
    }

    /// Everybody makes blocks again, soon.
    async fn goes_on(&self, after: &str) {
        let (healed, at) = (Instant::now(), self.top().await);
        self.cluster.until(after, |all| all.len() == 4 && all.iter().all(|s| s.height > at + 3)).await;
        assert!(healed.elapsed() < LIVELY_WITHIN, "{after}: only after {:?}", healed.elapsed());
        println!("{after}: all four go on {:.1} s after the network healed", healed.elapsed().as_secs_f64());
    }

    async fn finish(mut self, load: Load) {
        let acknowledged = load.finish().await;
        assert!(acknowledged.len() > 10, "only {} calls were acknowledged", acknowledged.len());
        all_committed(&self.cluster, &acknowledged).await;
        self.cluster.rest().await;
        let report = self.cluster.check_all();
        assert!(report["transactions"].as_u64().unwrap() >= acknowledged.len() as u64);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_cut_off_from_three_commits_nothing_and_the_three_go_on() {
    let Some(town) = Town::start().await else { return };
    let load = Load::start(&town.cluster, 4);
    town.links(|from, to| if (from == 3) != (to == 3) { CUT } else { Link::default() });
    let moved = town.progress().await;
    assert_eq!(moved[3], 0, "the one that was cut off committed blocks: {moved:?}");
    assert!(moved[..3].iter().all(|blocks| *blocks > 0), "the three stood still: {moved:?}");
    town.heal();
    town.goes_on("one cut off from three").await;
    town.finish(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_and_two_commit_nothing_until_they_meet_again() {
    let Some(town) = Town::start().await else { return };
    let load = Load::start(&town.cluster, 4);
    town.links(|from, to| if (from < 2) != (to < 2) { CUT } else { Link::default() });
    assert_eq!(town.progress().await, [0, 0, 0, 0], "half of the validators committed blocks");
    town.heal();
    town.goes_on("two and two").await;
    // Cut and healed faster than timeouts and connections can follow.
    let until = Instant::now() + lasting();
    for side in (0..4).cycle().take_while(|_| Instant::now() < until) {
        town.links(|from, to| if (from == side) != (to == side) { CUT } else { Link::default() });
        tokio::time::sleep(Duration::from_millis(350)).await;
        town.heal();
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    town.goes_on("flapping links").await;
    town.finish(load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_lossy_and_one_way_links_delay_the_chain_and_do_not_stop_it() {
    let Some(town) = Town::start().await else { return };
    let load = Load::start(&town.cluster, 4);
    let slow = Link { delay: Duration::from_millis(150), ..Link::default() };
    town.links(|_, _| slow);
    let moved = town.progress().await;
    assert!(moved.iter().all(|blocks| *blocks > 0), "with 300 ms there and back: {moved:?}");
    println!("300 ms there and back: {moved:?} blocks in {:?}", lasting());
    town.heal();
    town.goes_on("slow links").await;
    town.links(|_, _| Link { loss_percent: 5, ..Link::default() });
    let moved = town.progress().await;
    assert!(moved.iter().all(|blocks| *blocks > 0), "with every twentieth frame lost: {moved:?}");
    println!("5 % loss: {moved:?} blocks in {:?}", lasting());
    town.heal();
    town.goes_on("lossy links").await;
    // It hears the others and is not heard: no quorum needs it.
    town.links(|from, _| if from == 0 { CUT } else { Link::default() });
    let moved = town.progress().await;
    assert!(moved[1..].iter().all(|blocks| *blocks > 0), "with one that is not heard: {moved:?}");
    println!("one that is not heard: {moved:?} blocks in {:?}", lasting());
    town.heal();
    town.goes_on("one-way links").await;
    town.finish(load).await;
}
