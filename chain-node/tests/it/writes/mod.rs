//! Every write of a validator lost, torn, out of order, or failed, on real processes: whatever happens to a write, what
//! was acknowledged is there, no validator votes twice, every store is whole, and the node goes on or ends with a
//! sentence. At each of so many writes in `make torture`, at a sample of them in the suite.

mod case;
mod disk;

use std::time::{Duration, Instant};

use chain_types::api::Status;

use super::cluster::Cluster;
use super::load::{Load, all_committed};
use super::past::configure;
use case::{Ended, Log, struck, until_gone};
use disk::{Disk, Fault, Files, Kind};

/// The node's code for a disk that takes no writes.
const DISK_FAILED: i32 = 25;

async fn on_disks() -> (Cluster, Vec<Disk>) {
    let mut cluster = Cluster::make(4);
    let disks: Vec<Disk> = (0..4).map(|n| Disk::under(&mut cluster, n)).collect();
    for n in 0..4 {
        let archive = "retention.keep_blocks = 32\nretention.archive = \"archive\"\nlimits.state_history = 16";
        configure(&cluster, n, archive);
        cluster.run(n);
    }
    cluster.until("all are up", |all| all.len() == 4 && all.iter().all(|s| s.height >= 1)).await;
    (cluster, disks)
}

async fn height(cluster: &Cluster) -> u64 {
    cluster.statuses().await.iter().map(|s| s.height).max().unwrap()
}

/// What must hold whatever happened: everything acknowledged is there, every store is whole and the same, and nobody
/// has seen two votes of one validator for one round.
async fn nothing_is_lost_or_signed_twice(cluster: &mut Cluster, load: Load) {
    let acknowledged = load.finish().await;
    cluster.rest().await;
    all_committed(cluster, &acknowledged).await;
    let report = cluster.check_all();
    println!("{} acknowledged; {report}", acknowledged.len());
    assert!(report["transactions"].as_u64().unwrap() >= acknowledged.len() as u64);
    assert!(acknowledged.len() > 10);
    for n in 0..4 {
        let said = Log::of(cluster, n).whole();
        for never in ["misbehaviour", "double-signed", "signs elsewhere", "another vote", "panicked at"] {
            assert!(!said.contains(never), "validator {n} says `{never}`");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_whose_write_is_lost_torn_or_failed_goes_on_and_nothing_is_lost_or_signed_twice() {
    let (mut cluster, disks) = on_disks().await;
    let load = Load::start(&cluster, 3);
    let mut ended_by_itself = 0;
    for (number, case) in case::cases().into_iter().enumerate() {
        let start = Instant::now();
        let (v, log) = (number % 4, Log::of(&cluster, number % 4));
        let ended = case.run(&mut cluster, v, &disks[v]).await;
        let place = disks[v].struck().unwrap();
        disks[v].heal();
        let said = log.last();
        match ended {
            Ended::Killed => assert!(case.fault.kind.is_cut(), "{case:?}"),
            Ended::WentOn => assert!(!case.fault.kind.is_cut(), "{case:?}"),
            // 1: starting it again may help, and does.
            Ended::Code(code) => {
                assert!(!case.fault.kind.is_cut() && [1, DISK_FAILED].contains(&code), "{case:?}: {code}, {said}");
                ended_by_itself += 1;
            }
        }
        let from = height(&cluster).await;
        if ended != Ended::WentOn {
            cluster.run(v);
        }
        let (took, start) = (start.elapsed().as_millis(), Instant::now());
        case::votes(&cluster, v, from).await;
        println!(
            "{number} {case:?} validator {v}: {place}: {ended:?} after {took} ms, votes after {} ms{}",
            start.elapsed().as_millis(),
            log.warnings()
        );
    }
    assert!(ended_by_itself > 0);
    nothing_is_lost_or_signed_twice(&mut cluster, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_four_that_lose_their_writes_at_once_go_on_and_nothing_is_lost_or_signed_twice() {
    let (mut cluster, disks) = on_disks().await;
    let load = Load::start(&cluster, 4);
    let mut random = case::Seeded(case::seed());
    let kinds = [Kind::CutNow, Kind::Lost, Kind::Reordered, Kind::Torn, Kind::TornSector, Kind::Killed];
    for round in 0..case::rounds(6) {
        let at = height(&cluster).await;
        cluster.until("blocks come", |all| all.iter().any(|s| s.height >= at + 4)).await;
        let kind = kinds[round % kinds.len()];
        for disk in &disks {
            disk.arm(Fault { kind, files: Files::All, nth: 1 + random.below(150) });
        }
        // Two are enough to stop the chain; those that then write nothing lose their power where they are.
        let start = Instant::now();
        while disks.iter().any(|disk| disk.struck().is_none()) && start.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        for disk in &disks {
            if disk.struck().is_none() {
                disk.cut();
            }
        }
        for (n, disk) in disks.iter().enumerate() {
            assert_eq!(until_gone(&mut cluster, n).await, Ended::Killed);
            println!("{kind:?} validator {n}: {:?}", disk.struck());
            disk.heal();
            cluster.run(n);
        }
        let goes_on = |all: &[Status]| all.len() == 4 && all.iter().all(|s| s.height > at + 4);
        cluster.until(&format!("the chain goes on after {kind:?}"), goes_on).await;
    }
    nothing_is_lost_or_signed_twice(&mut cluster, load).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_while_running_stops_the_node_with_a_sentence_until_the_disk_is_back() {
    let (mut cluster, disks) = on_disks().await;
    let load = Load::start(&cluster, 3);
    for (v, kind) in [(3, Kind::ReadOnly), (0, Kind::Broken)] {
        let files = if v == 0 { Files::Identity } else { Files::All };
        let log = Log::of(&cluster, v);
        disks[v].arm(Fault { kind, files, nth: 7 });
        struck(&disks[v]).await;
        assert_eq!(until_gone(&mut cluster, v).await, Ended::Code(DISK_FAILED), "{}", log.last());
        assert!(log.since().contains("cannot be written to") && log.since().contains("start the node again"));
        let at = height(&cluster).await;
        cluster.until("the others go on", |all| all.len() == 3 && all.iter().all(|s| s.height >= at + 5)).await;
        // Started again upon the same disk it says the same, and changes nothing.
        disks[v].arm(Fault { kind, files: Files::All, nth: 1 });
        let log = Log::of(&cluster, v);
        cluster.run(v);
        assert_eq!(until_gone(&mut cluster, v).await, Ended::Code(DISK_FAILED), "{}", log.last());
        assert!(log.since().contains("cannot be written to"), "{}", log.since());
        disks[v].heal();
        cluster.run(v);
        case::votes(&cluster, v, height(&cluster).await).await;
    }
    nothing_is_lost_or_signed_twice(&mut cluster, load).await;
}

/// That the disk of these tests takes what was not synced, and that the tests would see it.
#[tokio::test(flavor = "multi_thread")]
async fn disks_that_only_say_that_they_sync_lose_what_was_acknowledged() {
    let (mut cluster, disks) = on_disks().await;
    for disk in &disks {
        disk.arm(Fault { kind: Kind::Lying, files: Files::All, nth: u64::MAX });
    }
    let kept = height(&cluster).await;
    let load = Load::start(&cluster, 2);
    cluster.until("blocks come", |all| all.len() == 4 && all.iter().all(|s| s.height >= kept + 20)).await;
    for disk in &disks {
        disk.cut();
    }
    for (n, disk) in disks.iter().enumerate() {
        assert_eq!(until_gone(&mut cluster, n).await, Ended::Killed);
        disk.heal();
    }
    let report = cluster.check_all();
    assert!(report["height"].as_u64().unwrap() < kept + 20, "{report}");
    for n in 0..4 {
        cluster.run(n);
    }
    cluster.until("it runs from where its disks are", |all| all.len() == 4).await;
    let acknowledged = load.finish().await;
    let client = cluster.client();
    let mut missing = 0;
    for id in &acknowledged {
        missing += usize::from(client.transaction(*id).await.is_err());
    }
    assert!(missing > 0, "of {} acknowledged all are there", acknowledged.len());
}
