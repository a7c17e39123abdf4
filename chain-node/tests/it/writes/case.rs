//! One write that goes wrong at one validator, and what becomes of the validator.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::disk::{Disk, Fault, Files, Kind};
use crate::cluster::{Cluster, PATIENCE};

const KINDS: [Kind; 7] =
    [Kind::Lost, Kind::Torn, Kind::Failed, Kind::Reordered, Kind::NoSpace, Kind::TornSector, Kind::Killed];
/// Writes of the kind that a node needs a second or two for, and a start takes.
const FILES: [(Files, u64); 5] =
    [(Files::All, 300), (Files::Log, 150), (Files::Store, 150), (Files::Identity, 12), (Files::Archive, 12)];

/// SplitMix64: the same cases for the same seed, everywhere.
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap())
}

/// `WRITES_SEED`: another sample.
pub fn seed() -> u64 {
    setting("WRITES_SEED").unwrap_or(1)
}

/// `WRITES_ROUNDS`: so many instead of these.
pub fn rounds(usually: usize) -> usize {
    setting("WRITES_ROUNDS").map_or(usually, |n| usize::try_from(n).unwrap())
}

#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub fault: Fault,
    /// The node starts upon the disk; otherwise it runs and votes.
    pub at_start: bool,
}

/// A sample, or with `WRITES_EVERY` each of so many writes with each kind of fault.
pub fn cases() -> Vec<Case> {
    if let Some(every) = setting("WRITES_EVERY") {
        let first = setting("WRITES_FROM").unwrap_or(1);
        let one = |nth| KINDS.map(|kind| Case { fault: Fault { kind, files: Files::All, nth }, at_start: true });
        return (first..=every).flat_map(one).collect();
    }
    let mut random = Seeded(seed());
    // 7 and 5 have no common factor: every kind meets all files before one meets the same again.
    let one = |n: usize| {
        let ((files, most), kind) = (FILES[n % FILES.len()], KINDS[n % KINDS.len()]);
        Case { fault: Fault { kind, files, nth: 1 + random.below(most) }, at_start: n.is_multiple_of(2) }
    };
    (0..rounds(35)).map(one).collect()
}

/// What a validator did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    Killed,
    Code(i32),
    /// It did not end: it votes.
    WentOn,
}

/// Waits until the disk has failed.
pub async fn struck(disk: &Disk) {
    let start = Instant::now();
    while disk.struck().is_none() {
        assert!(start.elapsed() < PATIENCE, "the write never came");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn gone(cluster: &mut Cluster, v: usize) -> Option<Ended> {
    cluster.gone(v).map(|status| status.code().map_or(Ended::Killed, Ended::Code))
}

/// Waits until a validator has ended.
pub async fn until_gone(cluster: &mut Cluster, v: usize) -> Ended {
    let start = Instant::now();
    loop {
        if let Some(ended) = gone(cluster, v) {
            return ended;
        }
        assert!(start.elapsed() < PATIENCE, "validator {v} neither works nor ends: {}", Log::of(cluster, v).last());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a block after this height holds the validator's vote; none if there is no such block yet.
async fn has_voted(cluster: &Cluster, v: usize, from: u64) -> bool {
    let key = cluster.keys(v).consensus.public();
    // The nodes beside it tell.
    let client = cluster.client_of((v + 1) % 4);
    let (Ok(status), Ok((_, set))) = (client.status().await, client.validators().await) else { return false };
    let place = set.index_of(&key).unwrap();
    for height in (from + 1..=status.height).rev().take(8) {
        let Ok((_, certificate)) = client.header(height).await else { return false };
        if certificate.signatures.iter().any(|(index, _)| *index as usize == place) {
            return true;
        }
    }
    false
}

/// Waits until the validator votes again.
pub async fn votes(cluster: &Cluster, v: usize, from: u64) {
    let start = Instant::now();
    while !has_voted(cluster, v, from).await {
        let said = Log::of(cluster, v).last();
        assert!(start.elapsed() < PATIENCE, "validator {v} does not vote after {from}: {said}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Case {
    /// Lets it happen to a validator under load, and waits for what becomes of it.
    pub async fn run(&self, cluster: &mut Cluster, v: usize, disk: &Disk) -> Ended {
        if self.at_start {
            cluster.kill(v);
            disk.arm(self.fault);
            cluster.run(v);
        } else {
            disk.arm(self.fault);
        }
        struck(disk).await;
        if self.fault.kind.is_cut() {
            return until_gone(cluster, v).await;
        }
        // Votes that were on their way may still be in the next blocks.
        let client = cluster.client_of((v + 1) % 4);
        let (at, start) = (client.status().await.unwrap().height, Instant::now());
        loop {
            if let Some(ended) = gone(cluster, v) {
                return ended;
            }
            if has_voted(cluster, v, at + 12).await {
                return Ended::WentOn;
            }
            assert!(start.elapsed() < PATIENCE, "validator {v} neither works nor ends: {}", Log::of(cluster, v).last());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// What a validator's process says.
pub struct Log {
    path: PathBuf,
    from: usize,
}

impl Log {
    /// From now on.
    pub fn of(cluster: &Cluster, v: usize) -> Self {
        let path = cluster.validator_dir(v).join("log.txt");
        let from = std::fs::read(&path).map_or(0, |bytes| bytes.len());
        Self { path, from }
    }

    pub fn whole(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.path).unwrap_or_default()).into_owned()
    }

    pub fn since(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.path).unwrap()[self.from..]).into_owned()
    }

    /// What the node itself warns of since then.
    pub fn warnings(&self) -> String {
        let said = self.since();
        let own = said.lines().filter(|line| line.contains("WARN chain_node") || line.contains("ERROR chain_node"));
        own.map(|line| format!("\n  {line}")).collect()
    }

    /// Its last line.
    pub fn last(&self) -> String {
        self.whole().trim_end().lines().last().unwrap_or_default().to_owned()
    }
}
