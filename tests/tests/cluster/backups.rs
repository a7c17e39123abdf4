//! Backups that are proven: made from a chain under load, restored by a drill and found to be the chain, refused when a byte
//! of them was changed; and a validator that loses its volume.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::city::City;
use crate::kubectl;
use crate::kubectl::condition;
use crate::life::Watch;
use crate::load::{Load, lost};
use crate::measured;
use crate::wait::until;

const NAME: &str = "daily";
const CLAIM: &str = "backups";
const PATIENCE: Duration = Duration::from_secs(120);

pub fn documents(city: &City) -> [Value; 2] {
    let metadata = |name: &str| json!({"name": name, "namespace": city.namespace});
    [
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(CLAIM),
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }),
        json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainBackup", "metadata": metadata(NAME),
            "spec": {
                "tenant": city.tenant, "chain": city.chain, "destination": {"volume": {"claim": CLAIM}},
                "schedule": {"everyHours": 24}, "keep": 2,
            },
        }),
    ]
}

pub async fn object(city: &City) -> anyhow::Result<Value> {
    kubectl::get(&city.namespace, "chainbackup", NAME).await?.context("there is no ChainBackup")
}

/// Everything that the conditions say.
pub fn said(object: &Value) -> String {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .map(|one| format!("{} {}: {}", one["type"], one["status"], one["message"]))
        .collect::<Vec<_>>()
        .join("; ")
}

/// Waits until a condition is so; the object then.
pub async fn holds(city: &City, kind: &str, status: &str) -> Value {
    let look = async || {
        let object = object(city).await?;
        Ok(if condition(&object, kind).as_deref() == Some(status) { Ok(object) } else { Err(said(&object)) })
    };
    until(&format!("{kind} is {status}"), PATIENCE, look).await.0
}

async fn ask(city: &City, annotation: &str, value: &str) {
    let patch = json!({"metadata": {"annotations": {format!("citychain.dev/{annotation}"): value}}});
    kubectl::patch(&city.namespace, "chainbackup", NAME, &patch).await.unwrap();
}

/// The newest run's tables, on this machine: the cluster's volumes are folders of it.
async fn tables(city: &City, run: &str) -> PathBuf {
    let claim = kubectl::get(&city.namespace, "pvc", CLAIM).await.unwrap().unwrap();
    let volume = kubectl::get("default", "pv", claim["spec"]["volumeName"].as_str().unwrap()).await.unwrap().unwrap();
    let path = volume["spec"]["hostPath"]["path"].as_str().or(volume["spec"]["local"]["path"].as_str()).unwrap();
    Path::new(path).join(&city.tenant).join(&city.chain).join(NAME).join(run).join("store")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_proven_by_a_drill_and_a_flipped_byte_is_named() {
    let city = City::made("saved", 4).await;
    let load = Load::start(&city).await;
    city.blocks(5, Duration::from_secs(20)).await;
    let begun = Instant::now();
    for document in documents(&city) {
        kubectl::apply(&document).await.unwrap();
    }
    let made = holds(&city, "Ready", "True").await;
    measured::took("backup under load: applied → in the destination", begun.elapsed());
    let proven = holds(&city, "BackupProven", "True").await;
    measured::took("drill: applied → backup proven", begun.elapsed());
    let holds_height = &made["status"]["runs"][0]["holds"];
    measured::row("backup: height, bytes", &format!("{}, {}", holds_height["height"], holds_height["bytes"]), "");
    assert_eq!(proven["status"]["runs"][0]["drill"]["validators"], 4);
    let acknowledged = load.finish().await;
    measured::exactly("backed up under load: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    // A byte of the backup changes where it lies.
    let run = proven["status"]["runs"][0]["name"].as_str().unwrap().to_owned();
    let tables = tables(&city, &run).await;
    let table = std::fs::read_dir(&tables).unwrap().map(|entry| entry.unwrap().path());
    let table = table.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let whole = std::fs::read(&table).unwrap();
    let mut touched = whole.clone();
    let middle = touched.len() / 2;
    touched[middle] ^= 1;
    std::fs::write(&table, &touched).unwrap();
    ask(&city, "drill-now", "touched").await;
    let object = holds(&city, "BackupProven", "False").await;
    let file = table.file_name().unwrap().to_str().unwrap();
    assert!(said(&object).contains(&format!("{run}/store/{file} is not the file that was saved")), "{}", said(&object));
    std::fs::write(&table, &whole).unwrap();
    ask(&city, "drill-now", "whole").await;
    holds(&city, "BackupProven", "True").await;
    kept(&city).await;
    city.removed().await;
}

/// Two more are made: as many as asked for stay, and the one that was proven.
async fn kept(city: &City) {
    let proven = object(city).await.unwrap()["status"]["runs"][0]["name"].as_str().unwrap().to_owned();
    for round in ["second", "third"] {
        ask(city, "backup-now", round).await;
        until("another backup", PATIENCE, async || {
            let object = object(city).await?;
            let answered = object["status"]["answeredBackup"] == round && object["status"]["phase"] == "Idle";
            Ok(if answered { Ok(()) } else { Err(said(&object)) })
        })
        .await;
    }
    let runs = tables(city, &proven).await;
    let folder = runs.parent().and_then(Path::parent).unwrap();
    let mut there: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there.len(), 3, "{there:?}");
    assert_eq!(there[0].to_str(), Some(proven.as_str()));
    let object = object(city).await.unwrap();
    assert_eq!(object["status"]["runs"].as_array().unwrap().len(), 3, "{object}");
    // Each of another validator.
    let mut validators: Vec<_> =
        object["status"]["runs"].as_array().unwrap().iter().map(|run| run["validator"].to_string()).collect();
    validators.dedup();
    assert_eq!(validators.len(), 3);
    // Nothing of them is left on the validators' own disks, and no Job.
    let jobs = kubectl::list(&city.namespace, "jobs", "citychain.dev/backup").await.unwrap();
    assert!(jobs.is_empty(), "{jobs:?}");
    for claim in kubectl::list(&city.namespace, "pvc", &format!("citychain.dev/chain={}", city.chain)).await.unwrap() {
        let volume =
            kubectl::get("default", "pv", claim["spec"]["volumeName"].as_str().unwrap()).await.unwrap().unwrap();
        let path = volume["spec"]["hostPath"]["path"].as_str().or(volume["spec"]["local"]["path"].as_str()).unwrap();
        let left = std::fs::read_dir(Path::new(path).join("backup")).map(Iterator::count).unwrap_or(0);
        assert_eq!(left, 0, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused_with_the_field() {
    let city = City::called("unsaved");
    kubectl::apply(&city.tenant_document()).await.unwrap();
    until("the tenant's namespace is there", PATIENCE, async || {
        let namespace = kubectl::get("default", "namespace", &city.namespace).await?;
        Ok(namespace.map(drop).ok_or_else(|| "not yet".to_owned()))
    })
    .await;
    let [_, right] = documents(&city);
    for (change, sentence) in [
        (json!({"destination": {}}), "exactly one of `volume` and `s3`"),
        (json!({"keep": 0}), "between 1 and 100"),
        (json!({"schedule": {"everyHours": 0}}), "between 1 and 8760"),
        (json!({"drill": {"everyDays": 0}}), "a backup that nobody restores is none"),
        (
            json!({"destination": {"s3": {"endpoint": "minio:9000", "bucket": "backups", "credentials": "c"}}}),
            "write it as https://HOST",
        ),
    ] {
        let mut wrong = right.clone();
        for (key, value) in change.as_object().unwrap() {
            wrong["spec"][key] = value.clone();
        }
        let refused = kubectl::apply(&wrong).await.unwrap_err().to_string();
        assert!(refused.contains(sentence), "{refused}");
    }
    // Nothing is wrong with it but that its chain is not there yet.
    kubectl::apply(&right).await.unwrap();
    let look = async || {
        let object = object(&city).await?;
        Ok(if said(&object).contains("there is no chain") { Ok(()) } else { Err(said(&object)) })
    };
    until("it says so", PATIENCE, look).await;
    kubectl::delete("default", "tenant", &city.tenant).await.unwrap();
}

/// Asks for these validators' data anew; the object's name is the test's.
pub async fn restore(city: &City, name: &str, validators: &[&str]) {
    let document = json!({
        "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainRestore",
        "metadata": {"name": name, "namespace": city.namespace},
        "spec": {"tenant": city.tenant, "chain": city.chain, "validators": validators},
    });
    kubectl::apply(&document).await.unwrap();
}

pub async fn phase(city: &City, name: &str, phase: &str) -> Value {
    let look = async || {
        let object = kubectl::get(&city.namespace, "chainrestore", name).await?.context("it is not there")?;
        Ok(if object["status"]["phase"] == phase { Ok(object) } else { Err(said(&object)) })
    };
    until(&format!("{name} is {phase}"), Duration::from_secs(180), look).await.0
}

pub async fn claim(city: &City, validator: &str) -> Value {
    let name = format!("data-{}-{validator}-0", city.chain);
    kubectl::get(&city.namespace, "pvc", &name).await.unwrap().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_gets_its_data_anew_and_three_of_four_never_do() {
    let city = City::made("resynced", 4).await;
    let load = Load::start(&city).await;
    city.blocks(20, Duration::from_secs(20)).await;
    let watch = Watch::start(&city).await;
    let before = claim(&city, "validator-2").await["metadata"]["uid"].clone();
    let begun = Instant::now();
    restore(&city, "second", &["validator-2"]).await;
    phase(&city, "second", "Done").await;
    measured::took("validator's volume thrown away under load: it votes again", begun.elapsed());
    assert_ne!(claim(&city, "validator-2").await["metadata"]["uid"], before);
    measured::exactly("volume thrown away: validators down at once, at most", watch.most_down().await, 1);
    let acknowledged = load.finish().await;
    measured::exactly("volume thrown away: acknowledged transactions lost", lost(&city, &acknowledged).await, 0);
    city.agree().await;
    damaged(&city).await;
    restore(&city, "all", &["validator-1", "validator-2", "validator-3"]).await;
    let refused = phase(&city, "all", "Refused").await;
    assert!(said(&refused).contains("4 validators, quorum 3"), "{}", said(&refused));
    let chain = city.object().await.unwrap();
    assert!(chain["metadata"]["annotations"]["citychain.dev/resync"].is_null(), "{chain}");
    city.removed().await;
}

/// A store that cannot be opened: the node stays down until somebody says that its data may go.
async fn damaged(city: &City) {
    let claim = claim(city, "validator-3").await;
    let volume = kubectl::get("default", "pv", claim["spec"]["volumeName"].as_str().unwrap()).await.unwrap().unwrap();
    let path = volume["spec"]["hostPath"]["path"].as_str().or(volume["spec"]["local"]["path"].as_str()).unwrap();
    std::fs::write(Path::new(path).join("data/CURRENT"), b"no manifest\n").unwrap();
    kubectl::delete(&city.namespace, "pod", &city.pod("validator-3")).await.unwrap();
    until("it is missed", PATIENCE, async || {
        let status = city.status().await?;
        let row = status.validators.iter().find(|row| row.name.to_string() == "validator-3");
        let row = row.context("no such validator")?;
        Ok(if !row.ready && row.restarts > 0 { Ok(()) } else { Err(row.text.en.clone()) })
    })
    .await;
    let begun = Instant::now();
    restore(city, "third", &["validator-3"]).await;
    phase(city, "third", "Done").await;
    measured::took("validator with a damaged store: it votes again", begun.elapsed());
    city.ready(4).await;
    city.agree().await;
}
