//! The operator's two replicas: how many there are, who leads, and what they wrote.

use std::time::Duration;

use serde_json::Value;

use super::kubectl::{self, kubectl};
use super::wait::until;

/// Its Deployment, and its Lease.
pub const OPERATOR: &str = "citychain-operator";
/// The release's namespace.
pub const SYSTEM: &str = "citychain-system";

/// So many replicas, all ready.
pub async fn operators(replicas: u32) {
    kubectl(&["scale", "deployment", OPERATOR, "-n", SYSTEM, &format!("--replicas={replicas}")], None).await.unwrap();
    until("the operator's replicas", Duration::from_secs(60), async || {
        let pods = kubectl::list(SYSTEM, "pods", "app.kubernetes.io/name=citychain-operator").await?;
        let ready = pods.iter().filter(|pod| pod_is_ready(pod)).count();
        let there = pods.len() == replicas as usize && ready == replicas as usize;
        Ok(if there { Ok(()) } else { Err(format!("{ready} of {} ready", pods.len())) })
    })
    .await;
}

/// Who holds the operator's lead.
pub async fn leads() -> anyhow::Result<Option<String>> {
    let lease = kubectl::get(SYSTEM, "lease", OPERATOR).await?.unwrap_or_default();
    Ok(lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned))
}

/// The operator's own writes, from the API server's audit log; the Lease apart, which it renews.
pub async fn audited_writes() -> Vec<String> {
    let path = std::env::var("CITYCHAIN_AUDIT_LOG").expect("CITYCHAIN_AUDIT_LOG names the audit log: see .make/e2e");
    let text = std::fs::read_to_string(path).unwrap();
    let writes =
        text.lines().filter(|line| line.contains(":citychain-operator\"") && !line.contains("\"resource\":\"leases\""));
    writes.map(str::to_owned).collect()
}

/// Whether a pod passes its readiness probe.
pub fn pod_is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}
