//! Machines and volumes that exist in name only: KWOK says that pods on such machines run, and claims are bound to volumes
//! that nobody mounts.

use std::time::Duration;

use serde_json::{Value, json};

use super::{CHAINS, VALIDATORS, chain_name, namespace};
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

/// Of one validator: thousands of claims that look for a volume among thousands would take the cluster minutes.
fn volume(chain: usize, validator: usize) -> Value {
    let (name, namespace) = (chain_name(chain), namespace(chain));
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("{name}-{validator}")},
        "spec": {
            "claimRef": {"namespace": namespace, "name": format!("data-{name}-validator-{validator}-0")},
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
    let machines = (CHAINS * VALIDATORS).div_ceil(PODS_EACH);
    let volumes = (0..CHAINS).flat_map(|chain| (1..=VALIDATORS).map(move |validator| volume(chain, validator)));
    let items: Vec<Value> = [class()].into_iter().chain((0..machines).map(machine)).chain(volumes).collect();
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
