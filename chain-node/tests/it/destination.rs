//! A backup that is kept elsewhere comes back exactly as it was, too many of them do not pile up, and one that was touched is
//! refused with the name of the file.

use std::path::{Path, PathBuf};
use std::process::Output;

use chain_types::api::{BackedUp, BackupReport};

use super::cluster::{Cluster, check, node};

/// A validator under load and a folder that stands for another machine's.
struct Place {
    cluster: Cluster,
    destination: PathBuf,
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Place {
    async fn start() -> Self {
        let cluster = Cluster::start(1).await;
        let destination = cluster.dir().join("elsewhere");
        Self { cluster, destination }
    }

    /// As a pod beside the validator's does it: with the administration's address and the node's own folder.
    fn save(&self, run: &str, extra: &[&str]) -> (Output, BackupReport) {
        let home = self.cluster.validator_dir(0);
        let admin = self.cluster.config(0).listen.admin.unwrap().to_string();
        let (token, report) = (self.cluster.dir().join("admin-token"), self.cluster.dir().join("report.json"));
        let scratch = home.join("backup");
        let mut args = vec!["backup", "--admin", &admin, "--token-file", text(&token), "--scratch", text(&scratch)];
        args.extend(["--destination", text(&self.destination), "--run", run, "--report", text(&report)]);
        args.extend(extra);
        let output = tokio::task::block_in_place(|| node(&args));
        assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "the copy on the node's disk is gone");
        (output, serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap())
    }

    fn saved(&self, run: &str, extra: &[&str]) -> BackedUp {
        match self.save(run, extra) {
            (output, BackupReport::Done(done)) if output.status.success() => done,
            (_, report) => panic!("{run}: {report:?}"),
        }
    }

    /// Into a home of its own, as a drill does it.
    fn restore(&self, run: &str, home: &str, extra: &[&str]) -> BackupReport {
        let (home, report) = (self.cluster.dir().join(home), self.cluster.dir().join("report.json"));
        std::fs::create_dir_all(&home).unwrap();
        let mut args = vec!["restore", "--destination", text(&self.destination), "--run", run, "--home", text(&home)];
        args.extend(["--report", text(&report)]);
        args.extend(extra);
        tokio::task::block_in_place(|| node(&args));
        serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap()
    }

    fn refused(&self, run: &str, home: &str, extra: &[&str]) -> String {
        match self.restore(run, home, extra) {
            BackupReport::Failed { reason } => {
                assert!(
                    !self.cluster.dir().join(home).join("data").exists() || !extra.is_empty(),
                    "{home} has a store"
                );
                reason
            }
            BackupReport::Done(done) => panic!("{home} was restored: {done:?}"),
        }
    }

    async fn grow(&self) {
        let before = self.cluster.status(0).await.height;
        let tx = self.cluster.anchor(&[super::cluster::digest(before)]);
        self.cluster.client().commit(&tx, super::cluster::PATIENCE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_elsewhere_comes_back_as_it_was() {
    let place = Place::start().await;
    place.grow().await;
    // What a killed run left on the node's disk is removed, not sent.
    let left = place.cluster.validator_dir(0).join("backup/killed/store");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("000001.sst"), b"old").unwrap();
    let saved = place.saved("first", &[]);
    assert!(saved.height >= 2 && saved.files > 3, "{saved:?}");
    place.grow().await;
    let id = place.cluster.client().header(saved.height).await.unwrap().0.id();
    let anchor = format!("{}={id}", saved.height);
    assert_eq!(place.restore("first", "restored", &["--expect", &anchor]), BackupReport::Done(saved));
    let found = check(&place.cluster.dir().join("restored"));
    assert_eq!(found["state_root"], saved.state_root.to_string());
    // Another history than the one that was anchored.
    let other = format!("{}={}", saved.height, "00".repeat(32));
    let sentence = place.refused("first", "another", &["--expect", &other]);
    assert!(sentence.contains("another history"), "{sentence}");
    // A name is used once.
    let (output, report) = place.save("first", &[]);
    let BackupReport::Failed { reason } = report else { panic!("{report:?}") };
    assert!(!output.status.success() && reason.contains("exists already"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_are_kept_and_the_proven_one() {
    let place = Place::start().await;
    for run in ["a", "b", "c", "d"] {
        place.saved(run, &["--keep", "2", "--keep-also", "a"]);
    }
    let mut found: Vec<_> = std::fs::read_dir(&place.destination).unwrap().map(|e| e.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, ["a", "c", "d"]);
    let sentence = place.refused("b", "gone", &[]);
    assert!(sentence.contains("there is no backup in"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_touched_backup_is_refused_with_the_files_name() {
    let place = Place::start().await;
    place.grow().await;
    place.saved("run", &[]);
    let run = place.destination.join("run");
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("manifest.json")).unwrap()).unwrap();
    for (n, file) in manifest["files"].as_array().unwrap().iter().enumerate() {
        let (name, path) = (file["name"].as_str().unwrap(), run.join("store").join(file["name"].as_str().unwrap()));
        let whole = std::fs::read(&path).unwrap();
        let mut touched = whole.clone();
        match touched.len() / 2 {
            0 => touched.push(1),
            middle => touched[middle] ^= 1,
        }
        std::fs::write(&path, &touched).unwrap();
        let sentence = place.refused("run", &format!("flipped-{n}"), &[]);
        assert!(sentence.contains(&format!("run/store/{name} is not the file that was saved")), "{sentence}");
        std::fs::remove_file(&path).unwrap();
        let sentence = place.refused("run", &format!("missing-{n}"), &[]);
        assert!(sentence.contains(&format!("run/store/{name} is missing")), "{sentence}");
        std::fs::write(&path, &whole).unwrap();
    }
    std::fs::remove_file(run.join("manifest.json")).unwrap();
    let sentence = place.refused("run", "unfinished", &[]);
    assert!(sentence.contains("there is no backup in"), "{sentence}");
}

/// A pod that has to go is told so first: the copy must not stay in the validator's volume, where nobody would look for it.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_asked_to_end_leaves_no_copy_on_the_nodes_disk() {
    let place = Place::start().await;
    // It takes connections and never answers.
    let bucket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", bucket.local_addr().unwrap());
    let (home, token) = (place.cluster.validator_dir(0), place.cluster.dir().join("admin-token"));
    let admin = place.cluster.config(0).listen.admin.unwrap().to_string();
    let credentials = place.cluster.dir().join("credentials");
    std::fs::create_dir_all(&credentials).unwrap();
    for name in ["access-key", "secret-key"] {
        std::fs::write(credentials.join(name), "x").unwrap();
    }
    let scratch = home.join("backup");
    let mut child = std::process::Command::new(super::cluster::NODE)
        .args(["backup", "--admin", &admin, "--token-file", text(&token), "--scratch", text(&scratch)])
        .args(["--destination", "s3://backups/city", "--run", "run", "--endpoint", &endpoint])
        .args(["--credentials", text(&credentials)])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let copied = || scratch.join("run/manifest.json").exists();
    place.cluster.until("the copy is made", |_| copied()).await;
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let ended = tokio::task::block_in_place(|| child.wait()).unwrap();
    assert!(!ended.success());
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0);
}

#[test]
fn a_wrong_place_is_named() {
    for (place, sentence) in [
        ("ftp://host/folder", "is no destination"),
        ("s3://", "is no destination"),
        ("/proc/no/such", "failed to write"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let output = node(&["restore", "--destination", place, "--run", "run", "--home", text(home.path())]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(sentence), "{place}: {said}");
    }
    let home = tempfile::tempdir().unwrap();
    let output = node(&["restore", "--destination", "/tmp", "--run", "../etc", "--home", text(home.path())]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not the name of a run"));
}
