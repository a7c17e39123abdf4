//! Machines and volumes that exist in name only: KWOK says that pods on such machines run, and claims are bound to volumes
//! that nobody mounts.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CHAINS, VALIDATORS};
use e2e::cluster::kubectl;
use e2e::cluster::wait::until;

/// The class that `.make/scale` gives the chart.
const CLASS: &str = "simulated";
const PODS_EACH: usize = 100;

fn class() -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": CLASS},
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "Immediate",
    })
}

fn volume(number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("simulated-{number}")},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/nonexistent"},
        },
    })
}

fn machine(number: usize) -> Value {
    let name = format!("simulated-{number}");
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": (PODS_EACH + 10).to_string()});
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "status": {"allocatable": room, "capacity": room},
    })
}

/// Made, and every machine Ready.
pub async fn make() {
    let pods = CHAINS * VALIDATORS;
    let machines = pods.div_ceil(PODS_EACH);
    let items: Vec<Value> =
        [class()].into_iter().chain((0..machines).map(machine)).chain((0..pods).map(volume)).collect();
    kubectl::apply(&json!({"apiVersion": "v1", "kind": "List", "items": items})).await.unwrap();
    until("simulated machines", Duration::from_secs(120), async || {
        let nodes = kubectl::list("default", "nodes", "").await?;
        let is_ready = |node: &&Value| {
            node["metadata"]["annotations"]["kwok.x-k8s.io/node"] == "fake"
                && node["status"]["conditions"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|c| c["type"] == "Ready" && c["status"] == "True")
        };
        let ready = nodes.iter().filter(is_ready).count();
        Ok(if ready == machines { Ok(()) } else { Err(format!("{ready} of {machines} ready")) })
    })
    .await;
}
