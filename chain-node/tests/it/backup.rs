//! A backup made under load restores to exactly what the chain was, and a half-made or damaged one never does.

use std::path::Path;

use super::cluster::{Cluster, check, copy_dir, node};
use super::load::{Load, all_committed};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn backup(cluster: &Cluster, n: usize, token: &Path, to: &Path) -> std::process::Output {
    let config = cluster.validator_dir(n).join("node.toml");
    let args = ["backup", "--config", text(&config), "--token-file", text(token), "--to", text(to), "--json"];
    tokio::task::block_in_place(|| node(&args))
}

fn restore(from: &Path, home: &Path) -> std::process::Output {
    tokio::task::block_in_place(|| node(&["restore", "--from", text(from), "--home", text(home), "--json"]))
}

fn json(output: &std::process::Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_restores_whole_and_the_node_goes_on_from_it() {
    let mut cluster = Cluster::make(4);
    let token = cluster.dir().join("admin-token");
    for n in 0..4 {
        cluster.run(n);
    }
    let load = Load::start(&cluster, 3);
    cluster.until("the load moves", |all| all.len() == 4 && all.iter().all(|s| s.height >= 6)).await;
    let to = cluster.dir().join("backup");
    let manifest = json(&backup(&cluster, 2, &token, &to));
    let height = manifest["height"].as_u64().unwrap();
    assert!(height >= 6, "{manifest}");
    assert_eq!(manifest["fingerprint"].as_str().unwrap(), cluster.genesis.fingerprint().to_string());
    cluster.until("blocks after the backup", |all| all.iter().any(|s| s.height > height + 5)).await;
    // The validator loses its disk; only its configuration and keys are brought back.
    cluster.kill(2);
    let home = cluster.validator_dir(2);
    for folder in ["data", "wal"] {
        std::fs::remove_dir_all(home.join(folder)).unwrap();
    }
    let summary = json(&restore(&to, &home));
    assert_eq!(summary["height"], manifest["height"]);
    assert_eq!((&summary["state_root"], &summary["log_root"]), (&manifest["state_root"], &manifest["log_root"]));
    assert_eq!(check(&home), summary);
    cluster.run(2);
    cluster.until("it caught up", |all| all.len() == 4 && all.iter().all(|s| s.caught_up && s.height > height)).await;
    let acknowledged = load.finish().await;
    all_committed(&cluster, &acknowledged).await;
    cluster.rest().await;
    let report = cluster.check_all();
    assert!(report["transactions"].as_u64().unwrap() >= acknowledged.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_is_backed_up_and_its_home_is_never_overwritten() {
    let mut cluster = Cluster::start(1).await;
    cluster.kill_all();
    let (home, to) = (cluster.validator_dir(0), cluster.dir().join("backup"));
    let made = node(&["backup", "--home", text(&home), "--to", text(&to), "--json"]);
    let manifest = json(&made);
    assert_eq!(check(&home)["state_root"], manifest["state_root"]);
    let again = node(&["backup", "--home", text(&home), "--to", text(&to)]);
    assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("exists"));
    let occupied = restore(&to, &home);
    assert!(!occupied.status.success());
    assert!(String::from_utf8_lossy(&occupied.stderr).contains("holds a chain's data already"));
    // What a crash in the middle leaves behind is in nobody's way.
    let fresh = cluster.dir().join("fresh");
    std::fs::create_dir_all(fresh.join("data.partial")).unwrap();
    std::fs::write(fresh.join("data.partial/000001.sst"), b"torn").unwrap();
    assert_eq!(json(&restore(&to, &fresh))["height"], manifest["height"]);
    assert!(!fresh.join("data.partial").exists());
    assert!(!fresh.join("keys").exists() && !fresh.join("wal").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_unfinished_backup_is_refused_and_leaves_no_store() {
    let mut cluster = Cluster::start(1).await;
    cluster.kill_all();
    let (home, to) = (cluster.validator_dir(0), cluster.dir().join("backup"));
    let manifest = json(&node(&["backup", "--home", text(&home), "--to", text(&to), "--json"]));
    let refused = |name: &str, change: &dyn Fn(&Path), sentence: &str| {
        let (from, fresh) = (cluster.dir().join(name), cluster.dir().join(format!("{name}-home")));
        copy_dir(&to, &from);
        change(&from);
        let output = restore(&from, &fresh);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(sentence), "{name}: {said}");
        assert!(!fresh.join("data").exists(), "{name} left a store");
    };
    for file in manifest["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        let flip = |from: &Path| {
            let path = from.join("store").join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            match bytes.len() / 2 {
                0 => bytes.push(1),
                middle => bytes[middle] ^= 1,
            }
            std::fs::write(path, bytes).unwrap();
        };
        refused(&format!("flipped-{name}"), &flip, "is not the file that was saved");
    }
    let rewrite = |from: &Path, change: &dyn Fn(&mut serde_json::Value)| {
        let path = from.join("manifest.json");
        let mut manifest = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut manifest);
        std::fs::write(path, manifest.to_string()).unwrap();
    };
    let remove = |from: &Path| std::fs::remove_file(from.join("manifest.json")).unwrap();
    refused("unfinished", &remove, "is not a backup");
    let newer = |from: &Path| rewrite(from, &|m| m["format"] = 9.into());
    refused("newer", &newer, "install the newer version");
    let outside = |from: &Path| rewrite(from, &|m| m["files"][0]["name"] = "../escape".into());
    refused("outside", &outside, "is not the name of a file in it");
    let height = |from: &Path| rewrite(from, &|m| m["height"] = 7_000.into());
    refused("height", &height, "height is not the manifest's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_node_gives_its_copy_only_to_the_administrator() {
    let mut cluster = Cluster::make(1);
    let token = cluster.dir().join("admin-token");
    cluster.run(0);
    cluster.until("the first block", |all| all.iter().any(|s| s.height >= 1)).await;
    let to = cluster.dir().join("backup");
    let wrong = cluster.dir().join("wrong");
    std::fs::write(&wrong, "guess").unwrap();
    let refused = backup(&cluster, 0, &wrong, &to);
    assert!(!refused.status.success() && !to.exists());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the node refused"));
    assert!(json(&backup(&cluster, 0, &token, &to))["height"].as_u64().unwrap() >= 1);
    cluster.kill_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_killed_at_any_moment_is_absent_or_whole() {
    let mut cluster = Cluster::make(1);
    let token = cluster.dir().join("admin-token");
    cluster.run(0);
    cluster.until("the first block", |all| all.iter().any(|s| s.height >= 1)).await;
    let config = cluster.validator_dir(0).join("node.toml");
    let (mut absent, mut whole) = (0, 0);
    for n in 0..24u64 {
        let to = cluster.dir().join(format!("backup-{n}"));
        let args = ["backup", "--config", text(&config), "--token-file", text(&token), "--to", text(&to)];
        let mut child = std::process::Command::new(super::cluster::NODE)
            .args(args)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(4 * n)).await;
        let _ = child.kill();
        let _ = child.wait();
        match to.exists() {
            true => {
                whole += 1;
                json(&restore(&to, &cluster.dir().join(format!("home-{n}"))));
            }
            false => {
                absent += 1;
                assert!(!restore(&to, &cluster.dir().join(format!("home-{n}"))).status.success());
                // The next one is not in its way.
                json(&backup(&cluster, 0, &token, &to));
            }
        }
    }
    println!("{absent} killed before the end, {whole} after");
    assert!(absent > 0);
    cluster.kill_all();
}
