//! What the first release wrote opens and verifies in every later one. The data beside this file is never made anew.

use std::path::{Path, PathBuf};

use chain_node::archive::Archive;
use chain_node::backup::Manifest;
use chain_node::ledger::Ledger;
use chain_node::store::{FORMAT, Retention, Store};

use super::cluster::{check, copy_dir, node};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/format-1")
}

fn expected() -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(data().join("expected.json")).unwrap()).unwrap()
}

#[test]
fn the_first_formats_store_opens_and_is_whole() {
    let home = tempfile::tempdir().unwrap();
    copy_dir(&data().join("store"), &home.path().join("data"));
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

#[test]
fn the_first_formats_store_is_opened_for_writing_and_stays_what_it_was() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("data");
    copy_dir(&data().join("store"), &path);
    let genesis = Store::open_read_only(&path).unwrap().genesis().clone();
    {
        let store = Store::open(&path, &genesis, 16).unwrap();
        let store = store.with_retention(Retention { keep_blocks: Some(32), ..Retention::default() });
        let ledger = Ledger::open(store).unwrap();
        assert_eq!(ledger.tip().height, 5);
        // Nothing was dropped, so whoever goes back to the first version still can.
        assert_eq!(ledger.store().format().unwrap(), 1);
    }
    assert_eq!(check(home.path()), expected()["check"]);
}

/// Pruned, with its archive and its backup, as a version of that format wrote them.
fn pruned(format: u64) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/data/format-{format}"))
}

fn pruned_expected(format: u64) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(pruned(format).join("expected.json")).unwrap()).unwrap()
}

#[test]
fn every_formats_pruned_store_and_its_archive_open_and_are_whole() {
    for format in 2..=FORMAT {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        copy_dir(&pruned(format).join("backup/store"), &path);
        let expected = pruned_expected(format);
        let store = Store::open_read_only(&path).unwrap();
        let first = expected["kept"]["first"].as_u64().unwrap();
        assert_eq!((store.format().unwrap(), store.first_block().unwrap()), (format, first));
        let archive = home.path().join("archive");
        copy_dir(&pruned(format).join("archive"), &archive);
        let opened = Archive::open(&archive, store.fingerprint()).unwrap();
        opened.verify().unwrap();
        assert_eq!(opened.range().unwrap().0, 1);
        drop(store);
        assert_eq!(check(home.path()), expected["kept"]);
        let args = ["check", "--json", "--home", home.path().to_str().unwrap(), "--archive", archive.to_str().unwrap()];
        let whole = node(&args);
        assert!(whole.status.success(), "{}", String::from_utf8_lossy(&whole.stderr));
        let whole: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
        assert_eq!(whole, expected["whole"]);
    }
}

#[test]
fn every_formats_backup_restores() {
    for format in 2..=FORMAT {
        let home = tempfile::tempdir().unwrap();
        let from = pruned(format).join("backup");
        let manifest = Manifest::load(&from).unwrap();
        let restored =
            node(&["restore", "--json", "--from", from.to_str().unwrap(), "--home", home.path().to_str().unwrap()]);
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        let summary: serde_json::Value = serde_json::from_slice(&restored.stdout).unwrap();
        assert_eq!(summary, pruned_expected(format)["kept"]);
        assert_eq!(summary["height"].as_u64().unwrap(), manifest.height);
    }
}

/// How `format-2` and `format-3` were made: they stay as they were written, this shows that the present version makes the
/// same kind.
/// `FIXTURE_DIR` keeps the result, for a later format's own fixture.
#[test]
fn a_pruned_store_with_its_archive_and_backup_is_made_as_the_fixture_was() {
    use super::past::{self, Past};
    let mut cluster = super::cluster::Cluster::make(4);
    past::write(&mut cluster, 60, 60_000);
    let kept = std::env::var_os("FIXTURE_DIR").map(PathBuf::from);
    let (chain, to) = (cluster.genesis.fingerprint(), kept.unwrap_or_else(|| cluster.dir().join("fixture")));
    assert!(!to.exists(), "a fixture is never made anew");
    std::fs::create_dir_all(&to).unwrap();
    let retention = |archive| Retention { keep_blocks: Some(32), archive, address: None };
    {
        let archive = Archive::open(&to.join("archive"), chain).unwrap();
        let past = Past::open(&cluster, 0, retention(Some(archive)));
        while past.ledger.store().archive_next().unwrap().is_some() {}
        for _ in 0..2 {
            let time_ms = past.ledger.tip().time_ms + 60_000;
            past.commit(Vec::new(), time_ms);
        }
    }
    let (home, backup) = (cluster.validator_dir(0), to.join("backup"));
    let made = node(&["backup", "--home", home.to_str().unwrap(), "--to", backup.to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let archive = to.join("archive");
    let whole = node(&["check", "--json", "--home", home.to_str().unwrap(), "--archive", archive.to_str().unwrap()]);
    let whole: serde_json::Value = serde_json::from_slice(&whole.stdout).unwrap();
    let made = serde_json::json!({ "kept": check(&home), "whole": whole });
    for (summary, field) in [("kept", "first"), ("kept", "height"), ("whole", "first"), ("whole", "height")] {
        assert_eq!(made[summary][field], pruned_expected(FORMAT)[summary][field], "{summary}.{field}");
    }
    std::fs::write(to.join("expected.json"), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
}
