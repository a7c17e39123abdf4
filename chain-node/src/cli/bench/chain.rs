//! A chain to measure: made by `init`, run by this same program, as separate processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain_types::crypto::SigningKey;
use chain_types::{Fingerprint, Genesis};

use super::report::Row;
use crate::cli::init::Init;
use crate::keys::load_key;

/// Network of the bench's loopback addresses: 127.NET.1.n.
const NET: u8 = 93;
const START_LIMIT: Duration = Duration::from_secs(60);

pub struct Chain {
    home: PathBuf,
    children: Vec<Child>,
    pub fingerprint: Fingerprint,
    pub administrator: SigningKey,
    pub token: String,
    pub http: reqwest::Client,
}

impl Drop for Chain {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Chain {
    pub async fn start(dir: &Path, validators: u8) -> anyhow::Result<Self> {
        let home = dir.join("chain");
        Init::for_measuring(home.clone(), validators, NET).run_quietly()?;
        let genesis: Genesis = serde_json::from_str(&std::fs::read_to_string(home.join("genesis.json"))?)?;
        let program = std::env::current_exe()?;
        let mut children = Vec::new();
        for n in 1..=validators {
            let dir = home.join(format!("validators/validator-{n}"));
            let log = std::fs::File::create(dir.join("log.txt"))?;
            let mut command = Command::new(&program);
            command.arg("run").arg("--config").arg(dir.join("node.toml"));
            children.push(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
        }
        let chain = Self {
            children,
            fingerprint: genesis.fingerprint(),
            administrator: load_key(&home.join("administrator.key"))?,
            token: std::fs::read_to_string(home.join("token"))?.trim().to_owned(),
            http: reqwest::Client::builder().pool_max_idle_per_host(256).timeout(Duration::from_secs(60)).build()?,
            home,
        };
        chain.wait_ready().await?;
        Ok(chain)
    }

    pub fn stop(mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn size(&self) -> usize {
        self.children.len()
    }

    /// Address of a validator's API, by turn.
    pub fn api(&self, n: usize) -> String {
        format!("http://127.{NET}.1.{}:8080", n % self.size() + 1)
    }

    async fn wait_ready(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        for n in 0..self.size() {
            while !self.is_ready(n).await {
                if start.elapsed() > START_LIMIT {
                    bail!("validator {} is not ready after a minute; see {}", n + 1, self.home.display());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    async fn is_ready(&self, n: usize) -> bool {
        let answer = self.http.get(format!("{}/status", self.api(n))).send().await;
        let status = async { answer.ok()?.json::<chain_types::api::Status>().await.ok() };
        status.await.is_some_and(|s| s.height > 0 && s.peers.iter().all(|p| p.connected))
    }

    /// Memory and processor use of the validators over some quiet seconds.
    pub async fn idle_use(&self, when: &str, seconds: u64) -> anyhow::Result<Vec<Row>> {
        let before = self.cpu_seconds()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let used = self.cpu_seconds()? - before;
        let memory = self.children.iter().map(|c| rss_mb(c.id())).collect::<Result<Vec<_>, _>>()?;
        let share = used / seconds as f64 / self.size() as f64 * 100.0;
        let largest = memory.into_iter().fold(0.0, f64::max);
        Ok(vec![
            Row::new(format!("validator, {when}: memory (largest RSS)"), largest, "MB"),
            Row::new(format!("validator, {when}: processor"), share, "% of a core"),
        ])
    }

    /// Processor time of all validators so far.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.children.iter().map(|c| cpu_seconds(c.id())).sum()
    }

    pub fn disk_bytes(&self, n: usize) -> anyhow::Result<f64> {
        folder_bytes(&self.home.join(format!("validators/validator-{}", n + 1))).map(|bytes| bytes as f64)
    }
}

pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let rest = stat.rsplit_once(')').context("a process's stat line")?.1;
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / 100.0)
}

fn rss_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("a process's memory")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a process's memory")?.parse()?;
    Ok(kilobytes / 1024.0)
}

fn folder_bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.metadata()?;
        total += if kind.is_dir() { folder_bytes(&entry.path())? } else { kind.len() };
    }
    Ok(total)
}
