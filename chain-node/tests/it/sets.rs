//! Who votes changes while the chain runs: nothing acknowledged is lost, every store agrees, and evidence from before and
//! after verifies with nothing but the fingerprint of genesis.

use std::path::PathBuf;
use std::time::Duration;

use chain_client::Client;
use chain_node::keys::{NodeKeys, save_key};
use chain_types::api::{Status, TxStatus};
use chain_types::membership::{Change, NewValidator, ValidatorKeys};
use chain_types::{Hash, PublicKey};

use super::cluster::{Cluster, PATIENCE, digest, node};
use super::load::{Load, all_committed};

fn keys_of(cluster: &Cluster, n: usize) -> ValidatorKeys {
    ValidatorKeys::of(&cluster.keys(n).validator("bureau"))
}

fn key_of(cluster: &Cluster, n: usize) -> PublicKey {
    cluster.keys(n).consensus.public()
}

fn joining(cluster: &Cluster, n: usize) -> NewValidator {
    NewValidator { organisation: "bureau".into(), keys: keys_of(cluster, n) }
}

async fn caught_up(cluster: &Cluster, n: usize) {
    let key = key_of(cluster, n);
    // Of two blocks on their way none is a change of the set, or the observer's count would be an earlier one.
    let there = |all: &[Status]| {
        let one = all.iter().find(|s| s.consensus_key == key && s.caught_up && s.height > 0);
        one.is_some_and(|one| all.iter().all(|s| s.validators == one.validators && one.height + 100 > s.height))
    };
    cluster.until("the observer has caught up", there).await;
}

async fn anchored(cluster: &Cluster, n: u64) -> Hash {
    let committed = cluster.client().commit(&cluster.anchor(&[digest(n)]), PATIENCE).await.unwrap();
    assert!(committed.applied, "{:?}", committed.refusal);
    digest(n)
}

/// Evidence of a digest as a file.
async fn saved(cluster: &Cluster, digest: Hash) -> PathBuf {
    let proven = cluster.client().evidence_of_digest(digest).await.unwrap();
    let path = cluster.home.path().join(format!("{digest}.evidence.cbor"));
    std::fs::write(&path, &proven.bytes).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn four_become_seven_and_four_others_under_load_and_every_proof_holds() {
    let mut cluster = Cluster::start(4).await;
    let before = anchored(&cluster, 1 << 50).await;
    let before = saved(&cluster, before).await;
    let load = Load::start(&cluster, 2);
    for members in 5..=7 {
        let n = cluster.add_observer().await;
        caught_up(&cluster, n).await;
        let observer = cluster.status(n).await;
        assert!(!observer.validator && observer.validators == members - 1);
        let (code, words) = cluster.ready(n).await;
        assert!(code == 503 && words.contains("not in the validator set"), "{code} {words}");
        cluster.change_set(&Change::Add(joining(&cluster, n))).await;
        let joined = cluster.status(n).await;
        assert!(joined.validator && joined.validators == members);
    }
    let during = anchored(&cluster, 2 << 50).await;
    let during = saved(&cluster, during).await;
    for n in 0..3 {
        cluster.change_set(&Change::Remove { validator: key_of(&cluster, n) }).await;
        assert!(!cluster.status(n).await.validator);
        assert_eq!(cluster.ready(n).await.0, 503);
    }
    // Those that left may go: what remains is a chain of four.
    for n in 0..3 {
        cluster.kill(n);
    }
    let after = anchored(&cluster, 3 << 50).await;
    let after = saved(&cluster, after).await;
    let acknowledged = load.finish().await;
    assert!(acknowledged.len() > 10);
    // As observers they still follow.
    for n in 0..3 {
        cluster.run(n);
    }
    cluster.rest().await;
    all_committed(&cluster, &acknowledged).await;
    let report = cluster.check_all();
    assert!(report["transactions"].as_u64().unwrap() >= acknowledged.len() as u64 + 9);

    let trust = cluster.genesis.fingerprint().to_string();
    let mut sizes = Vec::new();
    for evidence in [&before, &during, &after] {
        let checked = node(&["verify", evidence.to_str().unwrap(), "--trust", &trust]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        sizes.push(std::fs::metadata(evidence).unwrap().len());
    }
    // Six changes of at most seven validators, three bytes strings of 32 bytes each among what they carry.
    assert!(sizes[1] > sizes[0] && sizes[2] > sizes[1], "{sizes:?}");
    eprintln!("evidence of one digest with 0, 3 and 6 set changes: {sizes:?} bytes");
    let elsewhere = node(&["verify", after.to_str().unwrap(), "--trust", &"0".repeat(64)]);
    assert_eq!(elsewhere.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_validator_is_replaced_and_the_chain_bears_the_next_failure() {
    let mut cluster = Cluster::start(4).await;
    cluster.kill(3);
    let n = cluster.add_observer().await;
    caught_up(&cluster, n).await;
    // A call that reaches only the observer is carried to the validators.
    let tx = cluster.anchor(&[digest(7)]);
    let observer =
        Client::new(vec![cluster.api(n).parse().unwrap()], cluster.genesis.fingerprint(), Some(cluster.token.clone()));
    let info = observer.unwrap().submit(&tx, Duration::from_secs(30)).await.unwrap();
    assert!(matches!(info.status, TxStatus::Committed(_)), "{info:?}");
    let (gone, by) = (key_of(&cluster, 3), joining(&cluster, n));
    cluster.change_set(&Change::Replace { validator: gone, by }).await;
    assert!(cluster.status(n).await.validator);
    // Four of four are live again, so one may fail.
    cluster.kill(0);
    anchored(&cluster, 8).await;
    // A client that knew only genesis follows the change block by block.
    let (from, set) = cluster.client().validators().await.unwrap();
    assert!(from > 1 && set.len() == 4 && set.index_of(&gone).is_none());
    let (header, _) = cluster.client().header(from).await.unwrap();
    assert_eq!(header.validators_hash, set.hash());
    // The one that was replaced comes back as an observer and follows.
    cluster.run(3);
    cluster.run(0);
    cluster.rest().await;
    assert!(!cluster.status(3).await.validator);
    cluster.check_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_validator_goes_on_with_its_new_keys_in_the_same_process() {
    let mut cluster = Cluster::start(4).await;
    let (old, before) = (key_of(&cluster, 2), cluster.status(2).await);
    let keys = cluster.validator_dir(2).join("keys");
    let made = node(&["keygen", "--next", "--keys", keys.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let public = cluster.home.path().join("next.json");
    std::fs::write(&public, &made.stdout).unwrap();
    let (chain, old_hex) = (cluster.dir(), old.to_string());
    let args =
        ["validators", "--chain", chain.to_str().unwrap(), "rotate", &old_hex, "--keys", public.to_str().unwrap()];
    let rotated = tokio::task::block_in_place(|| node(&args));
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let took_over = |all: &[Status]| {
        let one = all.iter().find(|s| s.name == "validator-3");
        one.is_some_and(|s| s.validator && s.consensus_key != old && s.caught_up && !s.set_change_pending)
    };
    cluster.until("validator-3 votes with its new key", took_over).await;
    let after = cluster.status(2).await;
    assert_eq!((after.pid, after.consensus_key), (before.pid, key_of(&cluster, 2)));
    assert!(!keys.join("next").exists(), "the waiting keys are in place");
    // With another validator down, every block needs its vote.
    cluster.kill(0);
    anchored(&cluster, 1).await;
    let listed = tokio::task::block_in_place(|| node(&["validators", "--chain", chain.to_str().unwrap(), "list"]));
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains(&after.consensus_key.to_string()) && !listed.contains(&old_hex), "{listed}");
    cluster.run(0);
    cluster.rest().await;
    cluster.check_all();
}

/// As a mounted Secret holds them: the node moves nothing, and whoever does may come before or after any start of it.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_node_may_not_move_take_over_and_every_start_finds_the_right_ones() {
    let mut cluster = Cluster::start(4).await;
    let (old, dir) = (key_of(&cluster, 2), cluster.validator_dir(2).join("keys"));
    let made = NodeKeys::generate().unwrap();
    let (new, entries) = (made.consensus.public(), ["log.key", "cosigner.key", "consensus.key"]);
    assert_eq!(cluster.status(2).await.next_key, None);
    for (name, key) in entries.iter().zip([&made.log, &made.cosigner, &made.consensus]) {
        save_key(&dir.join(format!("next.{name}")), key).unwrap();
    }
    assert_eq!(cluster.status(2).await.next_key, Some(new));
    let keys = ValidatorKeys::of(&made.validator("bureau"));
    cluster.change_set(&Change::Rotate { validator: old, keys }).await;
    let votes = |all: &[Status]| {
        let one = all.iter().find(|s| s.name == "validator-3");
        one.is_some_and(|s| s.consensus_key == new && s.validator && s.caught_up && s.waits.is_none())
    };
    cluster.until("validator-3 votes with its new key", votes).await;
    assert_eq!(cluster.status(2).await.next_key, None, "what it runs with waits no more");
    assert_eq!(key_of(&cluster, 2), old, "the old keys are where they were");
    cluster.kill(2);
    cluster.run(2);
    cluster.until("validator-3 votes again, started with both", votes).await;
    for name in entries {
        std::fs::rename(dir.join(format!("next.{name}")), dir.join(name)).unwrap();
    }
    cluster.kill(2);
    cluster.run(2);
    cluster.until("validator-3 votes again, started with the new keys alone", votes).await;
    // With another validator down, every block needs its vote.
    cluster.kill(0);
    anchored(&cluster, 1).await;
    cluster.run(0);
    cluster.rest().await;
    cluster.check_all();
}
