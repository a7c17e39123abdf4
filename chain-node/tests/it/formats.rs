//! What the first release wrote opens and verifies in every later one. The data beside this file is never made anew.

use std::path::{Path, PathBuf};

use super::cluster::{check, node};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format-1")
}

fn expected() -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(data().join("expected.json")).unwrap()).unwrap()
}

#[test]
fn the_first_formats_store_opens_and_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("data");
    std::fs::create_dir(&store).unwrap();
    for entry in std::fs::read_dir(data().join("store")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), store.join(entry.file_name())).unwrap();
    }
    assert_eq!(check(home.path()), expected()["check"]);
}

#[test]
fn the_first_formats_evidence_verifies() {
    let trust = expected()["fingerprint"].as_str().unwrap().to_owned();
    let path = |name: &str| data().join(name).to_str().unwrap().to_owned();
    let file = path("file.txt");
    let digest =
        node(&["verify", &path("digest.evidence.cbor"), "--file", &file, "--trust", &trust, "--require", "file"]);
    assert!(digest.status.success(), "{}", String::from_utf8_lossy(&digest.stdout));
    let call = node(&["verify", &path("call.evidence.cbor"), "--file", &file, "--trust", &trust, "--require", "file"]);
    assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stdout));
}

#[test]
fn the_configuration_that_a_plan_writes_is_one_that_the_node_reads() {
    let written = Path::new(env!("CARGO_MANIFEST_DIR")).join("../operator/plan/testdata/node.toml");
    let config = chain_node::config::Config::load(&written).unwrap();
    assert_eq!(config.peers.len(), 3);
    assert!(config.access.admin_token_hash.is_some() && !config.access.public_reads);
    assert_eq!(config.listen.api.port(), 8080);
}
