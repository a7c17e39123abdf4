//! A ChainBackup's life against an API server in memory, and the decisions as tables.

mod decisions;
mod farewells;
mod jobs;
mod passes;

use operator_api::{BackupRun, Chain, ChainBackup, Holds, RunDrill, Time};
use serde_json::{Value, json};

use super::*;
use crate::fixtures;

/// 2026-11-23 17:15:00 UTC.
const NOW: u64 = 1_795_454_100_000;
const HOUR: u64 = 3_600_000;

fn backup_json(spec: Value) -> Value {
    let mut whole = json!({
        "tenant": "notary", "chain": "main", "destination": {"volume": {"claim": "backups"}},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    json!({
        "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainBackup",
        "metadata": {"name": "daily", "namespace": "tenant-notary", "uid": "uid-of-daily", "generation": 1},
        "spec": whole,
    })
}

fn backup(spec: Value) -> ChainBackup {
    serde_json::from_value(backup_json(spec)).unwrap()
}

/// Four validators; those named are caught up.
fn chain_json(ready: &[u8]) -> Value {
    let mut chain = fixtures::chain_json("notary", "main", 4);
    chain["status"] = json!({
        "phase": "healthy", "fingerprint": "07".repeat(32), "validators": fixtures::four_validators(ready),
    });
    chain
}

fn chain(ready: &[u8]) -> Chain {
    serde_json::from_value(chain_json(ready)).unwrap()
}

fn holds(height: u64) -> Holds {
    Holds {
        fingerprint: "07".repeat(32),
        height,
        block_id: "01".repeat(32),
        state_root: "02".repeat(32),
        log_size: 3,
        log_root: "03".repeat(32),
        files: 5,
        bytes: 1_000,
    }
}

/// What the program reports of the same.
fn reported(height: u64) -> Value {
    json!({
        "outcome": "done", "fingerprint": "07".repeat(32), "height": height, "block_id": "01".repeat(32),
        "state_root": "02".repeat(32), "log_size": 3, "log_root": "03".repeat(32), "files": 5, "bytes": 1_000,
    })
}

/// A run that began so many hours before now, on the validator of that number.
fn run(name: &str, hours_ago: u64, validator: u8) -> BackupRun {
    let started_at = Time::from_ms(NOW - hours_ago * HOUR);
    BackupRun {
        name: name.to_owned(),
        validator: format!("validator-{validator}").parse().unwrap(),
        started_at,
        finished_at: Some(started_at),
        failure: None,
        holds: Some(holds(9)),
        drill: None,
        final_of: None,
    }
}

fn failed(run: BackupRun) -> BackupRun {
    BackupRun { failure: Some("disk full".to_owned()), holds: None, ..run }
}

fn drilled(run: BackupRun, hours_ago: u64, failure: Option<&str>) -> BackupRun {
    let drill = RunDrill {
        at: Time::from_ms(NOW - hours_ago * HOUR),
        validators: failure.is_none().then_some(4),
        anchored_height: None,
        failure: failure.map(str::to_owned),
    };
    BackupRun { drill: Some(drill), ..run }
}
