//! A node that is new, or was away for too long, takes a snapshot: every piece proven, whatever dies in between.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chain_client::Client;
use chain_node::config::Config;
use chain_node::ledger::Ledger;
use chain_node::snapshot::Manifest;
use chain_node::snapshot::make::{Ready, Snapshots};
use chain_node::store::{Next, Retention, Staging, StagingError, Store, check};
use chain_types::Hash;
use chain_types::api::TxStatus;
use chain_types::encoding::{Decode, Encode};

use super::cluster::{Cluster, digest};
use super::past::{self, Past, call_at, configure};

const STEP_MS: u64 = 5_000;

/// A snapshot of validator 0's store, by the node's own code.
async fn snapshot(cluster: &Cluster) -> (Arc<Ledger>, Arc<Ready>) {
    let past = Past::open(cluster, 0, Retention::default());
    let ledger = Arc::new(past.ledger);
    let config = Config::load(&cluster.validator_dir(0).join("node.toml")).unwrap();
    let snapshots = Snapshots::new(config, ledger.clone(), Arc::default());
    loop {
        if let Some(ready) = snapshots.newest() {
            return (ledger, ready);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn piece(ready: &Ready, store: &Store, next: Next) -> Vec<u8> {
    match next {
        Next::State(piece) => ready.state(piece),
        Next::Tiles(level, first, _) => ready.tiles(store, level, first).unwrap(),
        Next::Blocks(from) => ready.blocks(store, from).unwrap(),
        Next::Nothing => None,
    }
    .unwrap()
}

fn add(staging: &Staging, next: Next, bytes: &[u8]) -> Result<(), StagingError> {
    match next {
        Next::State(piece) => staging.add_state(piece, bytes),
        Next::Tiles(level, first, _) => staging.add_tiles(level, first, bytes),
        Next::Blocks(from) => staging.add_blocks(from, bytes),
        Next::Nothing => Ok(()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_forged_piece_is_refused_and_a_crash_after_any_piece_loses_none() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 400, STEP_MS);
    let (ledger, ready) = snapshot(&cluster).await;
    let (store, genesis) = (ledger.store(), cluster.genesis.clone());
    let manifest = Manifest::from_bytes(&ready.manifest).unwrap();
    assert_eq!(manifest.to_bytes(), ready.manifest);
    assert!(manifest.edge.len() > 1, "the log has more than one level");
    let path = cluster.dir().join("joined");
    let mut staging = Staging::open(&path, &genesis, Some(manifest.clone())).unwrap().unwrap();
    let mut pieces = 0;
    while staging.next().unwrap() != Next::Nothing {
        let next = staging.next().unwrap();
        let good = piece(&ready, store, next);
        for at in (0..good.len()).step_by(good.len() / 60 + 1) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            match add(&staging, next, &bad) {
                Err(StagingError::Forged(_)) => {}
                other => panic!("{next:?}, byte {at}: {other:?}"),
            }
        }
        assert!(add(&staging, next, &good[..good.len() - 1]).is_err());
        assert_eq!(staging.next().unwrap(), next, "a refused piece leaves nothing");
        add(&staging, next, &good).unwrap();
        // As after a crash: no store yet, and nothing is asked for twice.
        drop(staging);
        assert!(Store::open_existing(&path).is_err());
        staging = Staging::open(&path, &genesis, None).unwrap().unwrap();
        assert_ne!(staging.next().unwrap(), next);
        pieces += 1;
    }
    assert!(pieces >= 3, "{pieces}");
    staging.finish().unwrap();
    let joined = Store::open(&path, &genesis, 16).unwrap();
    let summary = check::check(&joined, |_| ()).unwrap();
    assert_eq!(summary.height, ready.height);
    assert_eq!(summary.state_root, manifest.sealing.state_root);
    // It goes on from there, as its peers did, to the same roots; and no call of the last ten minutes can come again.
    let going = Ledger::open(joined.clone()).unwrap();
    let record = store.block(ready.height + 1).unwrap().unwrap();
    let proposal = chain_node::store::Proposal {
        round: record.certificate.round,
        valid_round: None,
        proposer: record.block.header.proposer,
        id: record.id,
        block: record.block,
    };
    joined.save_proposal(&proposal).unwrap();
    let candidate = chain_node::ledger::Candidate { proposal, txs: Vec::new() };
    going.commit(&candidate, &record.certificate).unwrap();
    assert_eq!(going.tip().roots.state_root, ledger.tip().roots.state_root);
    assert_eq!(going.tip().roots.log_root, ledger.tip().roots.log_root);
    for n in ready.height - 100..ready.height {
        let statement = past::statement(&cluster, n).map(|s| Hash::of(&s));
        for digest in past::digests(n).into_iter().take(usize::from(n % 2 == 1) * 2).chain(statement) {
            assert_eq!(joined.find_digest(&digest, 5).unwrap(), store.find_digest(&digest, 5).unwrap());
            assert_eq!(joined.find_digest(&digest, 5).unwrap().len(), 1, "digest of block {n}");
        }
    }
    let proof = joined.prove_state(&account(&cluster), ready.height).unwrap().unwrap();
    assert!(proof.verify(&manifest.sealing.state_root));
    for height in ready.height - 119..=ready.height {
        for outcome in store.results(height).unwrap() {
            assert!(joined.find_transaction(&outcome.tx).unwrap().is_some(), "a call of block {height}");
        }
    }
}

fn account(cluster: &Cluster) -> Vec<u8> {
    chain_types::state::account_key(&cluster.administrator.public())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_chain_comes_whole_and_is_executed_again_from_genesis() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 30, STEP_MS);
    let (ledger, ready) = snapshot(&cluster).await;
    let path = cluster.dir().join("joined");
    let manifest = Manifest::from_bytes(&ready.manifest).unwrap();
    let staging = Staging::open(&path, &cluster.genesis, Some(manifest)).unwrap().unwrap();
    while staging.next().unwrap() != Next::Nothing {
        let next = staging.next().unwrap();
        add(&staging, next, &piece(&ready, ledger.store(), next)).unwrap();
    }
    staging.finish().unwrap();
    let joined = Store::open(&path, &cluster.genesis, 16).unwrap();
    let summary = check::check(&joined, |_| ()).unwrap();
    assert_eq!((summary.height, summary.first), (ready.height, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_that_lies_is_refused_before_anything_is_fetched() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 30, STEP_MS);
    let (_ledger, ready) = snapshot(&cluster).await;
    let good = Manifest::from_bytes(&ready.manifest).unwrap();
    let genesis = cluster.genesis.clone();
    assert!(good.verify(&genesis).is_ok());
    let refused = |what: &str, change: &dyn Fn(&mut Manifest)| {
        let mut manifest = good.clone();
        change(&mut manifest);
        assert!(manifest.verify(&genesis).is_err(), "{what}");
    };
    refused("height", &|m| m.height += 1);
    refused("state", &|m| m.subtrees[0].hash.0[0] ^= 1);
    refused("state root", &|m| m.sealing.state_root.0[0] ^= 1);
    refused("log edge", &|m| m.edge[0][0].0[0] ^= 1);
    refused("log edge too short", &|m| m.edge[0].truncate(1));
    refused("certificate", &|m| m.certificate.signatures.truncate(2));
    refused("another chain", &|m| m.fingerprint.0[0] ^= 1);
    refused("header", &|m| m.sealing.log_size += 1);
    refused("bits", &|m| m.bits = 3);
    let mut other = genesis.clone();
    other.time_ms += 1;
    assert!(good.verify(&other).is_err());
}

/// Validators 0..3 keep little and no archive; validator 3 is new and asks validator 1.
async fn pruned_chain(cluster: &mut Cluster) {
    for n in 0..4 {
        configure(cluster, n, "limits.state_history = 16\nretention.keep_blocks = 40");
    }
    let (one, two) = (cluster.api(1), cluster.api(2));
    configure(cluster, 3, &format!("[sync]\nfrom = [\"{one}\", \"{two}\"]\ntoken_file = \"../../token\""));
    for n in 0..3 {
        cluster.run(n);
    }
    cluster.until("three are up", |all| all.len() == 3 && all.iter().all(|s| s.height >= 400)).await;
    let client = cluster.client();
    for n in 0..40 {
        client.submit(&cluster.anchor(&[digest(n)]), Duration::from_secs(20)).await.unwrap();
    }
    for n in 0..3 {
        loop {
            let url = format!("{}/blocks/50/header", cluster.api(n));
            if reqwest::get(url).await.is_ok_and(|answer| answer.status() == 410) {
                break;
            }
            client.submit(&cluster.anchor(&[digest(77)]), Duration::from_secs(20)).await.unwrap();
        }
    }
}

fn client_of(cluster: &Cluster, n: usize) -> Client {
    let url = cluster.api(n).parse().unwrap();
    Client::new(vec![url], cluster.genesis.fingerprint(), Some(cluster.token.clone())).unwrap()
}

fn has_snapshot_log(home: &Path) -> bool {
    std::fs::read_to_string(home.join("log.txt")).unwrap_or_default().contains("the snapshot is in place")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_validator_of_a_pruned_chain_joins_by_snapshot_however_often_it_is_killed() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 400, STEP_MS);
    let home = cluster.validator_dir(3);
    std::fs::remove_dir_all(home.join("data")).unwrap();
    pruned_chain(&mut cluster).await;
    for delay_ms in [60, 120, 180, 240] {
        cluster.run(3);
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        cluster.kill(3);
    }
    cluster.run(3);
    cluster.rest().await;
    // It takes calls, and knows those that were committed before it was there.
    let old = call_of_tip(&cluster).await;
    let client = client_of(&cluster, 3);
    let again = client.submit(&old, Duration::from_secs(20)).await.unwrap();
    assert!(matches!(again.status, TxStatus::Committed(ref c) if c.applied), "{again:?}");
    let fresh = client.submit(&cluster.anchor(&[digest(9_999)]), Duration::from_secs(20)).await.unwrap();
    assert!(matches!(fresh.status, TxStatus::Committed(ref c) if c.applied), "{fresh:?}");
    let proven = client.evidence_of_transaction(fresh.id).await.unwrap();
    assert_eq!(proven.report.tx, Some(fresh.id));
    cluster.rest().await;
    cluster.kill_all();
    let report = super::cluster::check(&home);
    assert!(report["first"].as_u64().unwrap() > 100, "it came from a snapshot: {report}");
    let other = super::cluster::check(&cluster.validator_dir(0));
    assert_eq!((&report["state_root"], &report["log_root"]), (&other["state_root"], &other["log_root"]));
}

/// A call that the other validators committed a moment ago.
async fn call_of_tip(cluster: &Cluster) -> chain_types::Transaction {
    let tx = cluster.anchor(&[digest(4_242)]);
    client_of(cluster, 0).submit(&tx, Duration::from_secs(20)).await.unwrap();
    cluster.rest().await;
    tx
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_that_was_away_for_too_long_takes_a_snapshot_in_place_of_its_store() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 400, STEP_MS);
    // It stopped long ago, at block 20.
    let home = cluster.validator_dir(3);
    std::fs::remove_dir_all(home.join("data")).unwrap();
    let genesis_ms = cluster.genesis.time_ms;
    {
        let (theirs, ours) =
            (Past::open(&cluster, 0, Retention::default()), Past::open(&cluster, 3, Retention::default()));
        for height in 1..=20 {
            let record = theirs.ledger.store().block(height).unwrap().unwrap();
            let txs = record.block.txs.iter().map(|tx| chain_types::Transaction::decode(tx).unwrap()).collect();
            ours.commit(txs, record.block.header.time_ms);
        }
        assert_eq!(ours.ledger.tip().id, theirs.ledger.store().block(20).unwrap().unwrap().id);
        assert!(call_at(&cluster, 1, genesis_ms).bytes().len() > 100);
    }
    pruned_chain(&mut cluster).await;
    cluster.run(3);
    cluster.rest().await;
    assert!(has_snapshot_log(&home));
    assert!(!home.join("data.behind").exists() && !home.join("data.syncing").exists());
    cluster.kill_all();
    super::cluster::check(&home);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_that_was_left_behind_ends_and_its_next_start_takes_a_snapshot() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 400, STEP_MS);
    let home = cluster.validator_dir(3);
    std::fs::remove_dir_all(home.join("data")).unwrap();
    pruned_chain(&mut cluster).await;
    // Nobody answers at this address yet: the node begins with blocks, which no peer has any more.
    let address = format!("127.{}.1.9:8080", cluster.net);
    configure(&cluster, 3, &format!("sync.from = [\"http://{address}\"]"));
    cluster.run(3);
    cluster.until("it stands at genesis", |all| all.len() == 4 && all.iter().any(|s| s.height == 0)).await;
    let relay = tokio::spawn(relay(address, cluster.api(1).replace("http://", "")));
    let start = std::time::Instant::now();
    let code = loop {
        if let Some(code) = cluster.ended(3) {
            break code;
        }
        assert!(start.elapsed() < super::cluster::PATIENCE, "it stands still and says nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(code, 1);
    let said = std::fs::read_to_string(home.join("log.txt")).unwrap();
    assert!(said.contains("start the node again, and it takes a snapshot"), "{said}");
    cluster.run(3);
    cluster.rest().await;
    assert!(has_snapshot_log(&home));
    relay.abort();
}

/// Passes connections on, as a load balancer that comes up late.
async fn relay(from: String, to: String) {
    let listener = tokio::net::TcpListener::bind(from).await.unwrap();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = tokio::net::TcpStream::connect(&to).await.unwrap();
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_header_that_is_not_on_the_chain_stops_the_node() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 400, STEP_MS);
    let home = cluster.validator_dir(3);
    std::fs::remove_dir_all(home.join("data")).unwrap();
    pruned_chain(&mut cluster).await;
    configure(&cluster, 3, &format!("sync.trust = {{ height = 399, id = \"{}\" }}", "ab".repeat(32)));
    let config = home.join("node.toml");
    let output = tokio::task::block_in_place(|| super::cluster::node(&["run", "--config", config.to_str().unwrap()]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(24), "{said}");
    assert!(said.contains("sync.trust"), "{said}");
    assert!(!home.join("data").exists());
}
