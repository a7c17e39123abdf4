//! What a bad disk does to a store: it is whole, or refused with a sentence; it never answers wrongly.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use chain_node::ledger::Ledger;
use chain_node::store::{Retention, Store, StoreError, WholeBlock, check};

use super::cluster::{Cluster, check as check_home, copy_dir, node};
use super::load::{Load, all_committed};
use super::past::{self, Past, configure};

/// SplitMix64: the same damage for the same seed, everywhere.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// A store with tables and a write-ahead log, and everything that it says.
struct Original {
    cluster: Cluster,
    home: PathBuf,
    blocks: Vec<WholeBlock>,
    state: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Original {
    fn new() -> Self {
        let mut cluster = Cluster::make(4);
        past::write(&mut cluster, 120, 1_000);
        let home = cluster.dir().join("original");
        {
            let past = Past::open(&cluster, 0, Retention::default());
            past.ledger.store().copy_to(&home).unwrap();
        }
        // The copy is all tables; these last blocks are only in the write-ahead log, as after a power cut.
        let store = Store::open(&home, &cluster.genesis, 16).unwrap();
        drop(store);
        let target = cluster.validator_dir(1).join("data");
        std::fs::remove_dir_all(&target).unwrap();
        copy_dir(&home, &target);
        let past = Past::open(&cluster, 1, Retention::default());
        for n in 0..10u64 {
            let time_ms = past.ledger.tip().time_ms + 1_000;
            past.commit(vec![past::call_at(&cluster, 9_000 + n, time_ms)], time_ms);
        }
        // Copied while it is open: nothing is flushed.
        std::fs::remove_dir_all(&home).unwrap();
        copy_dir(&target, &home);
        let store = past.ledger.store();
        let blocks = (1..=130).map(|height| store.whole_block(height).unwrap().unwrap()).collect();
        let state = store.all_state().collect::<Result<_, _>>().unwrap();
        drop(past);
        Self { cluster, home, blocks, state }
    }

    /// How the store answers after damage: with a refusal, or with the truth up to its tip.
    fn judge(&self, path: &Path) -> Result<u64, StoreError> {
        let store = Store::open(path, &self.cluster.genesis, 16)?;
        let ledger = Ledger::open(store.clone())?;
        let tip = ledger.tip().height;
        for block in &self.blocks {
            let height = block.block.header.height;
            match store.whole_block(height) {
                Ok(Some(found)) => assert_eq!(&found, block, "block {height} is answered wrongly"),
                Ok(None) => assert!(height > tip, "block {height} of {tip} is silently gone"),
                Err(_) => {}
            }
        }
        let checked = check::check(&store, |_| ());
        if checked.is_ok() && tip == 130 {
            let state: Vec<_> = store.all_state().collect::<Result<_, _>>()?;
            assert_eq!(state, self.state, "the state is answered wrongly");
        }
        checked.map(|summary| summary.height)
    }

    fn files(&self, like: &[&str]) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = std::fs::read_dir(&self.home).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            like.iter().any(|l| name.contains(l)) && path.metadata().unwrap().len() > 0
        });
        files.sort();
        files
    }
}

fn seeds() -> u64 {
    std::env::var("FAULT_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

#[test]
fn flipped_bits_anywhere_are_refused_or_harmless_and_never_answered() {
    let original = Original::new();
    let files = original.files(&[".sst", "MANIFEST", "CURRENT", ".log"]);
    assert!(files.iter().any(|f| f.extension().is_some_and(|e| e == "sst")));
    let (mut refused, mut whole, mut shorter) = (0, 0, 0);
    for seed in 0..seeds() {
        let mut random = Seeded(seed);
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("data");
        copy_dir(&original.home, &path);
        for _ in 0..=random.below(3) {
            let name = files[random.below(files.len())].file_name().unwrap();
            let mut bytes = std::fs::read(path.join(name)).unwrap();
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
            std::fs::write(path.join(name), bytes).unwrap();
        }
        match original.judge(&path) {
            Ok(130) => whole += 1,
            Ok(_) => shorter += 1,
            Err(_) => refused += 1,
        }
    }
    println!("{refused} refused, {whole} whole, {shorter} whole but shorter");
    assert!(refused > 0);
}

#[test]
fn a_torn_write_ahead_log_recovers_to_its_last_whole_block() {
    let original = Original::new();
    let logs = original.files(&[".log"]);
    let log = logs.iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let length = log.metadata().unwrap().len();
    assert!(length > 1_000, "the last blocks are in the log");
    let mut tips = Vec::new();
    for seed in 0..seeds() / 2 {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("data");
        copy_dir(&original.home, &path);
        let keep = Seeded(seed).below(length as usize) as u64;
        let file = std::fs::File::options().write(true).open(path.join(log.file_name().unwrap())).unwrap();
        file.set_len(keep).unwrap();
        drop(file);
        // Never refused: a torn end is what a power cut leaves, and nothing in it was acknowledged.
        tips.push((keep, original.judge(&path).unwrap()));
    }
    tips.sort_unstable();
    assert!(tips.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{tips:?}");
    assert!(tips.first().unwrap().1 < tips.last().unwrap().1, "{tips:?}");
}

#[test]
fn a_missing_table_is_refused_with_a_sentence() {
    let original = Original::new();
    for file in original.files(&[".sst"]) {
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("data");
        copy_dir(&original.home, &path);
        std::fs::remove_file(path.join(file.file_name().unwrap())).unwrap();
        let refused = original.judge(&path).unwrap_err().to_string();
        assert!(refused.contains("store"), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_damaged_store_refuses_to_start_for_good_and_check_says_what_is_whole() {
    let mut cluster = Cluster::make(4);
    past::write(&mut cluster, 120, 1_000);
    let data = cluster.validator_dir(2).join("data");
    // All of it in tables, as it is after a while.
    let tables = cluster.dir().join("tables");
    Past::open(&cluster, 2, Retention::default()).ledger.store().copy_to(&tables).unwrap();
    let blocks = (0..)
        .map(|n| (n, tables.join(format!("{n:06}.sst"))))
        .take(200)
        .filter(|(_, path)| path.exists())
        .max_by_key(|(_, path)| path.metadata().unwrap().len())
        .unwrap();
    let mut bytes = std::fs::read(&blocks.1).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].iter_mut().for_each(|byte| *byte ^= 0xff);
    std::fs::write(&blocks.1, bytes).unwrap();
    std::fs::remove_dir_all(&data).unwrap();
    copy_dir(&tables, &data);
    let home = cluster.validator_dir(2);
    let checked = node(&["check", "--home", home.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && said.contains("whole") && said.contains("block"), "{said}");
    // The manifest of the tables gone: nothing can be read, and a supervisor is told not to try again.
    let manifest = std::fs::read_dir(&data).unwrap().map(|e| e.unwrap().path());
    let manifest = manifest.into_iter().find(|path| path.to_str().unwrap().contains("MANIFEST")).unwrap();
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes.iter_mut().skip(8).take(32).for_each(|byte| *byte ^= 0xff);
    std::fs::write(&manifest, bytes).unwrap();
    let config = home.join("node.toml");
    let output = tokio::task::block_in_place(|| node(&["run", "--config", config.to_str().unwrap()]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(22), "{said}");
    assert!(said.contains("the store is damaged") && said.contains("chain-node check"), "{said}");
}

/// A small disk of its own; ends with the test.
struct Disk(PathBuf);

impl Disk {
    /// None where this process may not mount: then the test says so and ends.
    fn mount(at: &Path, mib: u32) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let size = format!("size={mib}m");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match done {
            Ok(output) if output.status.success() => Some(Self(at.into())),
            _ => {
                eprintln!("skipped: this process may not mount a tmpfs");
                None
            }
        }
    }

    fn fill(&self) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        let block = vec![0; 64 << 10];
        while file.write_all(&block).is_ok() {}
    }

    fn fill_to(&self, free: u64) {
        use std::io::Write;
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        while self.free() > free {
            file.write_all(&vec![0; 64 << 10]).unwrap();
        }
    }

    fn free(&self) -> u64 {
        let output = Command::new("df").args(["--output=avail", "-B1"]).arg(&self.0).output().unwrap();
        String::from_utf8_lossy(&output.stdout).lines().last().unwrap().trim().parse().unwrap()
    }

    fn empty(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }

    fn read_only(&self, yes: bool) {
        let options = if yes { "remount,ro" } else { "remount,rw" };
        assert!(Command::new("mount").args(["-o", options]).arg(&self.0).status().unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Puts a validator's folder on a disk of its own.
fn on_disk(cluster: &Cluster, n: usize, mib: u32) -> Option<Disk> {
    let (home, aside) = (cluster.validator_dir(n), cluster.dir().join("aside"));
    copy_dir(&home, &aside);
    let disk = Disk::mount(&home, mib)?;
    copy_dir(&aside, &home);
    use std::os::unix::fs::PermissionsExt;
    for key in std::fs::read_dir(home.join("keys")).unwrap() {
        std::fs::set_permissions(key.unwrap().path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    Some(disk)
}

/// Waits for a validator's process to end by itself; gives its exit code.
async fn exit_code(cluster: &mut Cluster, n: usize) -> i32 {
    let start = Instant::now();
    loop {
        if let Some(code) = cluster.ended(n) {
            return code;
        }
        assert!(start.elapsed() < super::cluster::PATIENCE, "the node neither works nor ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_the_node_cleanly_and_it_continues_after_space_returns() {
    let mut cluster = Cluster::make(4);
    let Some(disk) = on_disk(&cluster, 3, 96) else { return };
    configure(&cluster, 3, "limits.disk_reserve_bytes = 16777216");
    for n in 0..4 {
        cluster.run(n);
    }
    cluster.until("all are up", |all| all.len() == 4 && all.iter().all(|s| s.height >= 1)).await;
    let load = Load::start(&cluster, 3);
    // To just below the reserve: the engine never meets a full disk.
    disk.fill_to(12 << 20);
    assert_eq!(exit_code(&mut cluster, 3).await, 20);
    let said = std::fs::read_to_string(cluster.validator_dir(3).join("log.txt")).unwrap();
    assert!(said.contains("make room, then start the node again"), "{said}");
    let config = cluster.validator_dir(3).join("node.toml");
    let again = tokio::task::block_in_place(|| node(&["run", "--config", config.to_str().unwrap()]));
    assert_eq!(again.status.code(), Some(20));
    disk.empty();
    cluster.run(3);
    cluster.until("it is back", |all| all.len() == 4 && all.iter().all(|s| s.caught_up)).await;
    // To the last byte, between two looks at the reserve: a write fails, and the node ends rather than guess.
    disk.fill();
    let code = exit_code(&mut cluster, 3).await;
    assert!(code == 20 || code == 1, "{code}");
    let others = cluster.statuses().await;
    assert!(others.len() == 3, "{others:?}");
    disk.empty();
    cluster.run(3);
    cluster.until("it is back again", |all| all.len() == 4 && all.iter().all(|s| s.caught_up)).await;
    let acknowledged = load.finish().await;
    assert!(acknowledged.len() > 10);
    all_committed(&cluster, &acknowledged).await;
    cluster.rest().await;
    cluster.check_all();
    cluster.kill_all();
    drop(disk);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_disk_is_refused_with_a_sentence_and_changes_nothing() {
    let mut cluster = Cluster::make(1);
    let Some(disk) = on_disk(&cluster, 0, 64) else { return };
    configure(&cluster, 0, "limits.disk_reserve_bytes = 1048576");
    cluster.run(0);
    cluster.until("the first block", |all| all.iter().any(|s| s.height >= 1)).await;
    cluster.kill_all();
    let before = check_home(&cluster.validator_dir(0));
    disk.read_only(true);
    let config = cluster.validator_dir(0).join("node.toml");
    let output = tokio::task::block_in_place(|| node(&["run", "--config", config.to_str().unwrap()]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(25), "{said}");
    assert!(said.to_lowercase().contains("read-only"), "{said}");
    disk.read_only(false);
    assert_eq!(check_home(&cluster.validator_dir(0)), before);
    cluster.run(0);
    let height = before["height"].as_u64().unwrap();
    cluster.until("it goes on", |all| all.iter().any(|s| s.height > height)).await;
    cluster.kill_all();
    drop(disk);
}
