//! One key votes from one place: real copies of a validator's folder, started beside the original.

use std::path::PathBuf;

use chain_types::api::Status;

use super::cluster::{Cluster, PATIENCE, Process, copy_dir, digest, node, spawn};

/// Exit code of a node whose key votes elsewhere.
const DUPLICATE: Option<i32> = Some(21);

/// Copies the folder of a stopped validator, to listen on an address of its own.
fn copy(cluster: &Cluster, n: usize) -> PathBuf {
    let to = cluster.home.path().join("copy");
    copy_dir(&cluster.validator_dir(n), &to);
    let mut config = cluster.config(n);
    config.genesis = cluster.dir().join("genesis.json");
    let at = |port: u16| format!("127.{}.1.99:{port}", cluster.net).parse().unwrap();
    let listen = &mut config.listen;
    (listen.consensus, listen.gossip, listen.api) = (at(26656), at(26657), at(8080));
    (listen.metrics, listen.admin) = (None, None);
    std::fs::write(to.join("node.toml"), toml::to_string_pretty(&config).unwrap()).unwrap();
    to
}

async fn anchored(cluster: &Cluster, n: u64) {
    let committed = cluster.client().commit(&cluster.anchor(&[digest(n)]), PATIENCE).await.unwrap();
    assert!(committed.applied, "{:?}", committed.refusal);
}

async fn until_it_votes(cluster: &Cluster, n: usize) {
    let name = format!("validator-{}", n + 1);
    let votes = |all: &[Status]| {
        let one = all.iter().find(|s| s.name == name);
        one.is_some_and(|s| s.validator && s.waits.is_none() && s.caught_up && s.height > 0)
    };
    cluster.until("it votes", votes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_beside_the_original_never_votes_and_stops_for_good() {
    let mut cluster = Cluster::start(4).await;
    anchored(&cluster, 1).await;
    cluster.kill(3);
    let dir = copy(&cluster, 3);
    cluster.run(3);
    until_it_votes(&cluster, 3).await;
    let mut copy = Process(spawn(&[], &dir));
    assert_eq!(copy.ended().await, DUPLICATE);
    let log = std::fs::read_to_string(dir.join("log.txt")).unwrap();
    assert!(log.contains("votes from another place"), "{log}");
    // The original was not disturbed: with another validator down, every block needs its vote.
    cluster.kill(0);
    anchored(&cluster, 2).await;
    cluster.run(0);
    // Started again by hand while the original lives, it stops again.
    let mut again = Process(spawn(&[], &dir));
    assert_eq!(again.ended().await, DUPLICATE);
    until_it_votes(&cluster, 0).await;
    cluster.rest().await;
    cluster.check_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_volumes_that_cannot_be_told_apart_never_both_go_on_and_one_alone_may_return() {
    let mut cluster = Cluster::start(4).await;
    cluster.rest().await;
    cluster.kill(3);
    let dir = copy(&cluster, 3);
    // As near to a snapshot of a disk as one file system comes: the same file, number and all, written by both.
    let (original, twin) = (cluster.validator_dir(3).join("identity"), dir.join("identity"));
    std::fs::remove_file(&twin).unwrap();
    std::fs::hard_link(&original, &twin).unwrap();
    cluster.run(3);
    let (mut original, mut twin) = (cluster.take(3), Process(spawn(&[], &dir)));
    // Peers tell both, but one may learn it before from a vote that is not its own, or find that the file is ahead of its
    // store and give way: then the other is alone, and goes on.
    let first = tokio::select! {
        code = original.ended() => code,
        code = twin.ended() => code,
    };
    assert_eq!(first, DUPLICATE);
    drop((original, twin));
    anchored(&cluster, 1).await;
    // The twin is gone for good; the original watches, then votes.
    cluster.run(3);
    until_it_votes(&cluster, 3).await;
    cluster.kill(0);
    anchored(&cluster, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_identity_or_a_wiped_volume_watches_before_it_votes() {
    let mut cluster = Cluster::start(4).await;
    anchored(&cluster, 1).await;
    for (before, wiped) in [&["identity"][..], &["identity", "data", "wal"]].into_iter().enumerate() {
        // A block that needs its vote: of a chain this young, a certificate that names its key is all that tells a wiped volume
        // from a founder's, and a quorum does without it otherwise.
        cluster.kill(0);
        anchored(&cluster, 20 + wiped.len() as u64).await;
        cluster.run(0);
        until_it_votes(&cluster, 0).await;
        cluster.kill(2);
        for part in wiped {
            let part = cluster.validator_dir(2).join(part);
            if part.is_dir() { std::fs::remove_dir_all(part).unwrap() } else { std::fs::remove_file(part).unwrap() }
        }
        cluster.run(2);
        // A wiped volume looks new until it sees how old the chain is: what counts is that it has watched and says so.
        let log = cluster.validator_dir(2).join("log.txt");
        let says = || std::fs::read_to_string(&log).unwrap().matches("signs nowhere else, so it may vote").count();
        cluster.until("it has watched", |_| says() > before).await;
        until_it_votes(&cluster, 2).await;
        assert!(std::fs::read_to_string(&log).unwrap().contains("follows without voting until"));
        anchored(&cluster, 2 + wiped.len() as u64).await;
    }
    cluster.kill(0);
    anchored(&cluster, 9).await;
    cluster.run(0);
    cluster.rest().await;
    cluster.check_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_moved_as_a_whole_goes_on_once_a_person_says_so() {
    let mut cluster = Cluster::start(4).await;
    anchored(&cluster, 1).await;
    cluster.kill_all();
    for n in 0..4 {
        // A move to another disk: new files with the same content.
        let (dir, elsewhere) = (cluster.validator_dir(n), cluster.home.path().join("elsewhere"));
        copy_dir(&dir, &elsewhere);
        std::fs::remove_dir_all(&dir).unwrap();
        std::fs::rename(&elsewhere, &dir).unwrap();
        cluster.run(n);
    }
    let wait = |all: &[Status]| all.len() == 4 && all.iter().all(|s| s.waits.is_some());
    cluster.until("all wait for each other", wait).await;
    assert_eq!(cluster.ready(0).await.0, 503);
    cluster.kill_all();
    for n in 0..4 {
        let home = cluster.validator_dir(n);
        let adopted = node(&["adopt", "--only-copy", "--home", home.to_str().unwrap()]);
        assert!(adopted.status.success(), "{}", String::from_utf8_lossy(&adopted.stderr));
        cluster.run(n);
    }
    anchored(&cluster, 2).await;
    let running = tokio::task::block_in_place(|| {
        node(&["adopt", "--only-copy", "--home", cluster.validator_dir(0).to_str().unwrap()])
    });
    assert!(String::from_utf8_lossy(&running.stderr).contains("stop that node first"));
}
