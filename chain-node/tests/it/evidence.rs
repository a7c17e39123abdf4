//! From a file on a disk to proof that needs no node, through the command line.

use super::cluster::{Cluster, node};

#[tokio::test(flavor = "multi_thread")]
async fn an_anchored_file_verifies_offline_and_a_changed_one_does_not() {
    let mut cluster = Cluster::start(4).await;
    let dir = cluster.home.path().to_owned();
    let (file, chain) = (dir.join("contract.txt"), cluster.dir());
    std::fs::write(&file, "房屋租赁合同（示例）").unwrap();
    let (file, chain) = (file.to_str().unwrap(), chain.to_str().unwrap().to_owned());
    let anchored = tokio::task::block_in_place(|| node(&["anchor", "--chain", &chain, file]));
    assert!(anchored.status.success(), "{}", String::from_utf8_lossy(&anchored.stderr));
    cluster.kill_all();

    let evidence = format!("{file}.evidence.cbor");
    let trust = cluster.genesis.fingerprint().to_string();
    let verify = |extra: &[&str]| node(&[&["verify", &evidence], extra].concat());
    let good = verify(&["--file", file, "--trust", &trust, "--require", "file", "--require", "account"]);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stdout));
    assert!(String::from_utf8_lossy(&good.stdout).contains("valid, history not proven"));

    let stricter = verify(&["--file", file, "--trust", &trust, "--require", "history"]);
    assert_eq!(stricter.status.code(), Some(1));
    let elsewhere = verify(&["--file", file, "--trust", &"0".repeat(64)]);
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&elsewhere.stdout).contains("FAIL  genesis"));

    std::fs::write(file, "房屋租赁合同（示例）。").unwrap();
    let changed = verify(&["--file", file, "--trust", &trust]);
    assert_eq!(changed.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&changed.stdout).contains("FAIL  file"));
    assert_eq!(node(&["verify", "/does/not/exist"]).status.code(), Some(2));
}
