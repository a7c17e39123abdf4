//! A snapshot and a backup of many calls, with what they cost: `SCALE_TXS` calls of two digests each, printed with
//! `--nocapture`. The suite takes a small number; 200,000 tell something.

use std::time::Instant;

use chain_node::config::Config;
use chain_node::snapshot::Manifest;
use chain_node::snapshot::make::Snapshots;
use chain_node::store::{Next, Retention, Staging, Store, check};
use chain_types::encoding::Decode;

use super::cluster::Cluster;
use super::past::{self, Past, call_at};

fn memory_mb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0) / 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_a_backup_of_many_records() {
    let txs: u64 = std::env::var("SCALE_TXS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 2, 1_000);
    {
        let past = Past::open(&cluster, 0, Retention::default());
        for first in (0..txs).step_by(1_000) {
            let time_ms = past.ledger.tip().time_ms + 1_000;
            let calls = (first..first + 1_000).map(|n| call_at(&cluster, n, time_ms)).collect();
            past.commit(calls, time_ms);
            past.commit(Vec::new(), time_ms + 1);
        }
    }
    let past = Past::open(&cluster, 0, Retention::default());
    let (ledger, genesis) = (std::sync::Arc::new(past.ledger), cluster.genesis.clone());
    let store = ledger.store();
    let start = Instant::now();
    store.copy_to(&cluster.dir().join("copy")).unwrap();
    println!("copy of {} MB in {:?}", store.size_bytes() >> 20, start.elapsed());
    let start = Instant::now();
    let config = Config::load(&cluster.validator_dir(0).join("node.toml")).unwrap();
    let snapshots = Snapshots::new(config, ledger.clone(), std::sync::Arc::default());
    let ready = loop {
        if let Some(ready) = snapshots.newest() {
            break ready;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    };
    let manifest = Manifest::from_bytes(&ready.manifest).unwrap();
    let records: u64 = manifest.subtrees.iter().map(|s| s.records).sum();
    let entries = manifest.sealing.log_size;
    println!(
        "made: {records} records, {} pieces, {entries} log entries, {:?}",
        manifest.subtrees.len(),
        start.elapsed()
    );
    let path = cluster.dir().join("joined");
    let (start, mut bytes) = (Instant::now(), 0);
    let staging = Staging::open(&path, &genesis, Some(manifest)).unwrap().unwrap();
    loop {
        match staging.next().unwrap() {
            Next::State(piece) => {
                let piece_bytes = ready.state(piece).unwrap();
                bytes += piece_bytes.len();
                staging.add_state(piece, &piece_bytes).unwrap();
            }
            Next::Tiles(level, first, _) => {
                let tiles = ready.tiles(store, level, first).unwrap().unwrap();
                bytes += tiles.len();
                staging.add_tiles(level, first, &tiles).unwrap();
            }
            Next::Blocks(from) => {
                let blocks = ready.blocks(store, from).unwrap().unwrap();
                bytes += blocks.len();
                staging.add_blocks(from, &blocks).unwrap();
            }
            Next::Nothing => break,
        }
    }
    staging.finish().unwrap();
    println!("taken: {} MB in {:?}, {} MB of memory", bytes >> 20, start.elapsed(), memory_mb());
    let joined = Store::open(&path, &genesis, 16).unwrap();
    let start = Instant::now();
    let summary = check::check(&joined, |_| ()).unwrap();
    assert_eq!((summary.height, summary.log_size), (ready.height, entries));
    println!("checked in {:?}", start.elapsed());
}
