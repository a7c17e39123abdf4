//! The bench itself: what it prints comes from a chain that ran, stands beside what peers did, and is kept as JSON and as a
//! picture. How large the numbers are is not tested.

use std::collections::BTreeMap;
use std::path::Path;

use super::cluster::{free_net, node};

/// Values of one section by key.
fn rows(document: &serde_json::Value, name: &str) -> BTreeMap<String, f64> {
    let sections = document["sections"].as_array().unwrap();
    let section = sections.iter().find(|section| section["name"] == name).unwrap();
    let row = |row: &serde_json::Value| (row["key"].as_str().unwrap().to_owned(), row["value"].as_f64().unwrap());
    section["rows"].as_array().unwrap().iter().map(row).collect()
}

fn bench(dir: &Path, args: &[&str]) -> String {
    let (net, _mark) = free_net();
    let (json, svg) = (dir.join("bench.json"), dir.join("bench.svg"));
    let (net, home) = (net.to_string(), dir.join("chain"));
    let mut all = vec!["bench", "--net", &net, "--dir", home.to_str().unwrap()];
    all.extend(["--json", json.to_str().unwrap(), "--svg", svg.to_str().unwrap()]);
    all.extend(args);
    let output = node(&all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!home.exists(), "a bench leaves nothing behind");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_bench_tells_what_a_chain_did_where_the_time_went_and_how_it_stands_beside_others() {
    let dir = tempfile::tempdir().unwrap();
    let peers = dir.path().join("peers.json");
    let text = r#"[{"name": "CometBFT 1.0.1, 4 validators, kvstore", "settings": [], "rows": [
        {"key": "cometbft/batched", "what": "transactions, 100 a request, committed", "value": 1, "unit": "/s"}]}]"#;
    std::fs::write(&peers, text).unwrap();
    let short = ["--transactions", "2000", "--digests", "20000", "--samples", "3", "--idle-seconds", "1"];
    let printed = bench(dir.path(), &[&["--peers", peers.to_str().unwrap()][..], &short].concat());
    let document = std::fs::read_to_string(dir.path().join("bench.json")).unwrap();
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let rows = rows(&document, "table");
    for key in ["idle-p50", "single", "batched", "digests", "batched-cpu", "bytes-disk", "memory-after", "half-p99"] {
        assert!(rows.get(key).is_some_and(|value| *value > 0.0), "{key}: {rows:?}");
    }
    for stage in ["check", "gossip", "propose", "judge", "order", "execute", "commit", "write", "guard"] {
        assert!(rows[&format!("stage-{stage}")] > 0.0, "{stage} was not gone through: {rows:?}");
    }
    // A block and the proposal of it: neither may be acknowledged before it is on disk.
    assert!(rows["syncs-store"] >= 2.0, "{rows:?}");
    assert!(rows["bytes-log"] > 300.0, "a transaction of 300 bytes and its record cannot be stored in less: {rows:?}");
    let times = document["ratios"][0]["times"].as_f64().unwrap();
    assert!((times - rows["batched"]).abs() < 1e-6, "ours beside a peer's 1 a second");
    assert!(printed.contains("CometBFT 1.0.1 kvstore, no signatures"), "{printed}");
    let svg = std::fs::read_to_string(dir.path().join("bench.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("prefers-color-scheme"), "{svg}");
}

#[test]
fn what_grows_with_the_state_is_told_by_kind_of_row() {
    let dir = tempfile::tempdir().unwrap();
    bench(dir.path(), &["--keys", "2000"]);
    let document = std::fs::read_to_string(dir.path().join("bench.json")).unwrap();
    let rows = rows(&serde_json::from_str(&document).unwrap(), "growth");
    for key in ["rate-empty", "rate-full", "disk-tx", "disk-digest", "digests"] {
        assert!(rows.get(key).is_some_and(|value| *value > 0.0), "{key}: {rows:?}");
    }
    assert!(rows["disk-digest"] > 32.0, "a digest is 32 bytes: {rows:?}");
}
