//! Old blocks leave the store in small steps; what proves them stays, in the archive or at whoever keeps all.

use std::path::Path;

use chain_node::archive::{Archive, ArchiveError};
use chain_node::store::{Retention, Store, check};
use chain_types::encoding::{Decode, Encode};
use chain_types::log_entry::DigestEntry;
use chain_types::{Hash, Transaction};

use super::cluster::{Cluster, check as check_home, digest, node};
use super::past::{self, Past, call_at, configure};

const STEP_MS: u64 = 5_000;
const TEN_MINUTES_OF_BLOCKS: u64 = 120;

fn retention(keep: u64, archive: Option<Archive>) -> Retention {
    Retention { keep_blocks: Some(keep), archive, address: Some("https://archive.example".into()) }
}

/// Goes on with the past, blocks and archive by turns as a node does.
fn go_on(cluster: &Cluster, past: &Past, blocks: u64) -> Vec<Transaction> {
    let mut calls = Vec::new();
    for n in 0..blocks {
        let tip = past.ledger.tip();
        let time_ms = tip.time_ms + STEP_MS;
        let txs: Vec<_> = (n % 2 == 0).then(|| call_at(cluster, 50_000 + tip.height, time_ms)).into_iter().collect();
        calls.extend(txs.clone());
        past.commit(txs, time_ms);
        while past.ledger.store().archive_next().unwrap().is_some() {}
    }
    calls
}

#[test]
fn a_pruned_store_keeps_its_blocks_of_ten_minutes_and_checks_whole() {
    let mut cluster = Cluster::make(4);
    let calls = past::write(&mut cluster, 300, STEP_MS);
    let past = Past::open(&cluster, 0, retention(40, None));
    go_on(&cluster, &past, 60);
    let store = past.ledger.store();
    let first = store.first_block().unwrap();
    // 40 may go, but calls of the last ten minutes could be repeated, here or by whoever joins.
    assert_eq!(first, 360 - 2 * TEN_MINUTES_OF_BLOCKS - 1);
    assert!(store.block(first - 1).unwrap().is_none() && store.block(first).unwrap().is_some());
    assert_eq!(store.locate_transaction(&calls[0].id()).unwrap(), None);
    assert!(store.find_digest(&past::digests(1)[0], 5).unwrap().is_empty());
    let old = past::statement(&cluster, 4).unwrap();
    assert!(store.find_digest(&Hash::of(&old), 5).unwrap().is_empty());
    assert_eq!(store.find_entry(0).unwrap(), None);
    assert_eq!(store.format().unwrap(), chain_node::store::FORMAT);
    let summary = check::check(store, |_| ()).unwrap();
    assert_eq!((summary.height, summary.first), (360, Some(first)));
    // The log still proves old entries: their hashes stay.
    let size = past.ledger.tip().roots.log_size;
    let path = store.log_path(0, size).unwrap();
    let root = past.ledger.tip().roots.log_root;
    let entry = chain_types::log_entry::call_entry(calls[0].bytes());
    assert!(chain_types::merkle::verify_inclusion(&entry, 0, size, &path, &root));
}

#[test]
fn an_archive_answers_every_old_question_and_the_check_begins_with_block_one() {
    let mut cluster = Cluster::make(4);
    let mut calls = past::write(&mut cluster, 300, STEP_MS);
    let dir = cluster.dir().join("archive");
    let archive = Archive::open(&dir, cluster.genesis.fingerprint()).unwrap();
    let past = Past::open(&cluster, 0, retention(40, Some(archive)));
    calls.extend(go_on(&cluster, &past, 60));
    let store = past.ledger.store();
    let first = store.first_block().unwrap();
    assert!(first > 80, "{first}");
    assert_eq!(store.oldest_block().unwrap(), 1);
    for height in 1..=360 {
        let whole = store.whole_block(height).unwrap().unwrap();
        assert_eq!(whole.block.header.height, height);
        assert_eq!(store.results(height).unwrap(), whole.outcomes);
    }
    for tx in &calls {
        let place = store.locate_transaction(&tx.id()).unwrap().unwrap();
        let block = store.block(place.height).unwrap().unwrap().block;
        assert_eq!(&*block.txs[place.position as usize], tx.bytes());
    }
    for n in (1..=299).step_by(2) {
        for digest in past::digests(n) {
            let entries = store.find_digest(&digest, 5).unwrap();
            assert_eq!(entries.len(), 1, "digest of block {n}");
            let (place, entry) = store.entry(entries[0]).unwrap().unwrap();
            assert_eq!((place.call.height, DigestEntry::from_bytes(&entry).unwrap().digest), (n, digest));
        }
    }
    for (n, statement) in (1..=300).filter_map(|n| Some((n, past::statement(&cluster, n)?))) {
        let entries = store.find_digest(&Hash::of(&statement), 5).unwrap();
        assert_eq!(entries.len(), 1, "statement of block {n}");
        let (place, entry) = store.entry(entries[0]).unwrap().unwrap();
        assert_eq!((place.call.height, entry), (n, statement));
    }
    // Entries that begin in the archive and end in the store.
    let roots = past.ledger.tip().roots.clone();
    let entries = store.entries(0, roots.log_size).unwrap().unwrap();
    let leaves = entries.iter().map(|entry| chain_types::merkle::leaf_hash(entry));
    assert_eq!(chain_types::merkle::root_of_leaves(leaves), roots.log_root);
    let summary = check::check(store, |_| ()).unwrap();
    assert_eq!((summary.height, summary.first, summary.transactions), (360, None, calls.len() as u64));
}

#[test]
fn a_crash_between_archive_and_store_loses_no_block_and_a_damaged_segment_is_named() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 300, STEP_MS);
    let (dir, chain) = (cluster.dir().join("archive"), cluster.genesis.fingerprint());
    {
        let past = Past::open(&cluster, 0, retention(40, Some(Archive::open(&dir, chain).unwrap())));
        assert_eq!(past.ledger.store().archive_next().unwrap(), Some((1, 10)));
    }
    // A torn segment of a crash is nobody's; the one before it is found again, and the next follows it.
    std::fs::write(dir.join("blocks-000000000011-000000000020.partial"), b"torn").unwrap();
    let past = Past::open(&cluster, 0, retention(40, Some(Archive::open(&dir, chain).unwrap())));
    assert!(!dir.join("blocks-000000000011-000000000020.partial").exists());
    assert_eq!(past.ledger.store().archive_next().unwrap(), Some((11, 20)));
    go_on(&cluster, &past, 60);
    let store = past.ledger.store().clone();
    drop(past);
    let other = Archive::open(&dir, chain_types::Fingerprint([7; 32]));
    assert!(matches!(other, Err(ArchiveError::OtherChain { .. })));
    let path = dir.join("blocks-000000000011-000000000020.archive");
    let good = std::fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(211) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        std::fs::write(&path, &bad).unwrap();
        let verdict = Archive::open(&dir, chain).and_then(|archive| archive.verify());
        assert!(verdict.is_err(), "byte {at} of {} was changed unseen", good.len());
    }
    std::fs::remove_file(&path).unwrap();
    let gap = Archive::open(&dir, chain).unwrap_err().to_string();
    assert!(gap.contains("the segment with block 11 is missing"), "{gap}");
    drop(store);
}

async fn get(url: String, token: &str) -> (u16, String) {
    let answer = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_prune_while_they_run_and_say_where_old_blocks_are() {
    let mut cluster = Cluster::make(4);
    let calls = past::write(&mut cluster, 400, STEP_MS);
    for n in 0..4 {
        configure(&cluster, n, "limits.state_history = 16");
    }
    configure(&cluster, 0, "[retention]\nkeep_blocks = 40\narchive = \"archive\"");
    configure(&cluster, 1, "[retention]\nkeep_blocks = 40\naddress = \"https://archive.example\"");
    for n in 0..4 {
        cluster.run(n);
    }
    cluster.until("all are up", |all| all.len() == 4 && all.iter().all(|s| s.height >= 400)).await;
    let client = cluster.client();
    for n in 0..40 {
        client.submit(&cluster.anchor(&[digest(n)]), std::time::Duration::from_secs(20)).await.unwrap();
    }
    let (token, id, mut status) = (cluster.token.clone(), calls[0].id(), 0);
    for _ in 0..400 {
        status = get(format!("{}/blocks/1/header", cluster.api(1)), &token).await.0;
        if status == 410 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(status, 410);
    let (status, text) = get(format!("{}/evidence/entries/0", cluster.api(1)), &token).await;
    assert!(status == 410 && text.contains("\"pruned\"") && text.contains("https://archive.example"), "{text}");
    let (status, text) = get(format!("{}/blocks/stream?from=1", cluster.api(1)), &token).await;
    assert!(status == 410, "{text}");
    // The one with an archive still proves it.
    assert_eq!(get(format!("{}/blocks/1/header", cluster.api(0)), &token).await.0, 200);
    assert_eq!(get(format!("{}/transactions/{id}", cluster.api(0)), &token).await.0, 200);
    let url = cluster.api(0).parse().unwrap();
    let archived = chain_client::Client::new(vec![url], cluster.genesis.fingerprint(), Some(token)).unwrap();
    let proven = archived.evidence_of_transaction(id).await.unwrap();
    assert_eq!(proven.report.tx, Some(id));
    let height = cluster.statuses().await.iter().map(|s| s.height).max().unwrap();
    cluster
        .until("all have it", |all| all.len() == 4 && all.iter().all(|s| s.height >= height && s.pending == 0))
        .await;
    cluster.kill_all();
    let home = |n| cluster.validator_dir(n);
    let (kept, whole) = (check_home(&home(1)), check_home(&home(2)));
    assert!(kept["first"].as_u64().unwrap() > 100, "{kept}");
    assert_eq!(kept["state_root"], whole["state_root"]);
    let archive = home(0).join("archive");
    let checked = node(&["check", "--json", "--home", text_of(&home(0)), "--archive", text_of(&archive)]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let checked: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(checked, whole);
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Measures what stays on disk; printed with `--nocapture`. The bound holds for any number of blocks.
#[test]
fn a_pruned_store_stops_growing_but_for_the_logs_hashes() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 2, STEP_MS);
    let past = Past::open(&cluster, 0, retention(40, None));
    let store = past.ledger.store();
    let mut sizes = Vec::new();
    for round in 0..4u64 {
        for n in 0..150 {
            let time_ms = past.ledger.tip().time_ms + 30_000;
            let number = round * 100_000 + n * 20;
            let txs = (0..20).map(|k| call_at(&cluster, number + k, time_ms)).collect();
            past.commit(txs, time_ms);
        }
        store.compact();
        sizes.push((past.ledger.tip().height, past.ledger.tip().roots.log_size, store.size_bytes()));
    }
    let kept = past.ledger.tip().height - store.first_block().unwrap();
    println!("blocks, log entries, bytes: {sizes:?}; {kept} blocks kept");
    let (first, last) = (sizes[1], sizes[3]);
    let hashes = (last.1 - first.1) * 32 * 257 / 256;
    assert!(last.2 < first.2 + hashes + 200_000, "it grew by {} for {hashes} bytes of hashes", last.2 - first.2);
    let genesis: Hash = Hash::of(&cluster.genesis.to_bytes());
    assert_eq!(genesis.0, store.fingerprint().0);
    let _ = Store::open_read_only(Path::new("/nonexistent")).err().unwrap();
}
