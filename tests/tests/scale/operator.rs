//! The operator's replicas as processes of this machine: their memory, and what the leading one says of itself.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;

use super::CHAINS;
use e2e::cluster::operators::{SYSTEM, leads};
use e2e::cluster::wait::{Look, until};
use e2e::cluster::{kubectl, measured};

/// One replica.
pub struct Replica {
    pod: String,
    pid: u32,
}

/// The one that leads, once somebody does.
pub async fn leader() -> Replica {
    until("somebody leads", Duration::from_secs(60), async || {
        let Some(pod) = leads().await? else { return Ok(Err("nobody".to_owned())) };
        // A lease outlives its holder for some seconds.
        if kubectl::get(SYSTEM, "pod", &pod).await?.is_none() {
            return Ok(Err(format!("{pod} is gone")));
        }
        Ok(process(&pod).map(|pid| Replica { pod, pid }).ok_or_else(|| "its process is not here".to_owned()))
    })
    .await
    .0
}

/// The process on this machine that was started for a pod.
fn process(pod: &str) -> Option<u32> {
    let wanted = format!("POD_NAME={pod}");
    let pids =
        std::fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let mut of_pod = pids.filter(|pid| {
        let surroundings = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        surroundings.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
    });
    of_pod.next()
}

impl Replica {
    /// Whether it has looked at every chain and found all of them well.
    pub async fn all_chains_are_well(&self) -> Look<()> {
        let text = self.metrics().await?;
        let well: usize = ["idle", "healthy"]
            .into_iter()
            .filter_map(|phase| value(&text, &format!("citychain_operator_chains{{phase=\"{phase}\"}}")))
            .sum();
        Ok(if well == CHAINS { Ok(()) } else { Err(format!("{well} of {CHAINS}")) })
    }

    async fn metrics(&self) -> anyhow::Result<String> {
        let pod: Value = kubectl::get(SYSTEM, "pod", &self.pod).await?.context("the leader's pod is gone")?;
        let address = pod["status"]["podIP"].as_str().context("the leader's pod has no address")?;
        Ok(reqwest::get(format!("http://{address}:8080/metrics")).await?.error_for_status()?.text().await?)
    }

    /// Notes its resident memory now and at its highest; gives the former in bytes.
    pub fn note_memory(&self, when: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let bytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse::<u64>().unwrap() << 10
        };
        let (now, most) = (bytes("VmRSS:"), bytes("VmHWM:"));
        let value = format!("{} MB, at most {} MB", now >> 20, most >> 20);
        measured::row(&format!("leading operator's memory {when}"), &value, "≤ 150 MB");
        now
    }
}

fn value(metrics: &str, row: &str) -> Option<usize> {
    metrics.lines().find_map(|line| line.strip_prefix(row))?.trim().parse().ok()
}
