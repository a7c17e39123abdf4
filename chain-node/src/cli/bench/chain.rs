//! A chain to measure: made by `init`, run by this same program, as separate processes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chain_client::Client;
use chain_types::api::Status;
use chain_types::crypto::SigningKey;
use chain_types::{Fingerprint, Genesis};

use super::report::Row;
use super::usage::{cpu_seconds, folder_bytes, rss_mb};
use crate::cli::init::Init;
use crate::keys::load_key;

const DRAIN_LIMIT: Duration = Duration::from_secs(600);
const START_LIMIT: Duration = Duration::from_secs(180);

pub struct Chain {
    home: PathBuf,
    /// Of the loopback addresses: 127.NET.1.n.
    net: u8,
    children: Mutex<Vec<Child>>,
    /// The first so many are asked and counted.
    asked: AtomicUsize,
    /// From an empty folder until every validator had a block and all its peers.
    pub founded_in: Duration,
    pub fingerprint: Fingerprint,
    pub administrator: SigningKey,
    pub token: String,
    pub http: reqwest::Client,
    /// Accounts that send, once they are bound.
    pub senders: tokio::sync::OnceCell<Vec<SigningKey>>,
    next: AtomicU64,
}

impl Drop for Chain {
    fn drop(&mut self) {
        for child in self.children.get_mut().unwrap_or_else(PoisonError::into_inner) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Chain {
    /// With `keep_blocks`, every validator but the first drops older blocks as it goes.
    pub async fn start(dir: &Path, (net, validators): (u8, u8), keep_blocks: Option<u64>) -> anyhow::Result<Self> {
        let (home, begun) = (dir.join("chain"), Instant::now());
        Init::for_measuring(home.clone(), validators, net).run_quietly()?;
        let genesis: Genesis = serde_json::from_str(&std::fs::read_to_string(home.join("genesis.json"))?)?;
        let mut children = Vec::new();
        for n in 1..=validators {
            let dir = home.join(format!("validators/validator-{n}"));
            if let Some(keep) = keep_blocks.filter(|_| n > 1) {
                set_retention(&dir.join("node.toml"), keep)?;
            }
            children.push(spawn(&dir)?);
        }
        let mut chain = Self {
            net,
            asked: AtomicUsize::new(children.len()),
            children: Mutex::new(children),
            founded_in: Duration::ZERO,
            fingerprint: genesis.fingerprint(),
            administrator: load_key(&home.join("administrator.key"))?,
            token: std::fs::read_to_string(home.join("token"))?.trim().to_owned(),
            http: reqwest::Client::builder().pool_max_idle_per_host(256).timeout(Duration::from_secs(60)).build()?,
            senders: tokio::sync::OnceCell::new(),
            next: AtomicU64::new(0),
            home,
        };
        chain.wait_ready().await?;
        chain.founded_in = begun.elapsed();
        Ok(chain)
    }

    /// Validators that are asked.
    pub fn size(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The last validator is asked nothing from now on, and counts no more; its number.
    pub fn spare_last(&self) -> usize {
        self.asked.fetch_sub(1, Ordering::Relaxed) - 1
    }

    fn children(&self) -> MutexGuard<'_, Vec<Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn kill(&self, n: usize) -> anyhow::Result<()> {
        let mut children = self.children();
        let child = children.get_mut(n).context("no such validator")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    pub fn start_again(&self, n: usize) -> anyhow::Result<()> {
        let mut children = self.children();
        let child = children.get_mut(n).context("no such validator")?;
        *child = spawn(&self.home.join(format!("validators/validator-{}", n + 1)))?;
        Ok(())
    }

    /// A number that was not given before: salts and keys are made of it.
    pub fn unique(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Address of a validator's API, by turn.
    pub fn api(&self, n: usize) -> String {
        self.api_of(n % self.size())
    }

    fn api_of(&self, n: usize) -> String {
        format!("http://127.{}.1.{}:8080", self.net, n + 1)
    }

    /// A client of the validators that are asked.
    pub fn client(&self) -> anyhow::Result<Client> {
        let urls = (0..self.size()).map(|n| self.api(n).parse()).collect::<Result<_, _>>()?;
        Ok(Client::new(urls, self.fingerprint, Some(self.token.clone()))?)
    }

    async fn wait_ready(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        for n in 0..self.size() {
            while !self.is_ready(n).await {
                if let Some(status) = self.ended(n)? {
                    let log = self.home.join(format!("validators/validator-{}/log.txt", n + 1));
                    let said = std::fs::read_to_string(log).unwrap_or_default();
                    let last = said.lines().last().unwrap_or_default().to_owned();
                    bail!(
                        "validator {} ended with {status}: {last}; if addresses are in use, choose others with --net",
                        n + 1
                    );
                }
                if start.elapsed() > START_LIMIT {
                    bail!("validator {} is not ready after three minutes; see {}", n + 1, self.home.display());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    fn ended(&self, n: usize) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.children().get_mut(n).context("no such validator")?.try_wait()?)
    }

    async fn is_ready(&self, n: usize) -> bool {
        self.status(n).await.is_ok_and(|s| {
            // Another chain may have these addresses.
            s.fingerprint == self.fingerprint && s.height > 0 && s.peers.iter().all(|p| p.connected)
        })
    }

    /// Of this very validator, asked or not.
    pub async fn status(&self, n: usize) -> anyhow::Result<Status> {
        Ok(self.http.get(format!("{}/status", self.api_of(n))).send().await?.error_for_status()?.json().await?)
    }

    /// A validator's metrics, as text.
    pub async fn metrics(&self, n: usize) -> anyhow::Result<String> {
        let url = format!("http://127.{}.1.{}:9090/metrics", self.net, n % self.size() + 1);
        Ok(self.http.get(url).send().await?.error_for_status()?.text().await?)
    }

    pub fn pid(&self, n: usize) -> anyhow::Result<u32> {
        Ok(self.children().get(n).context("no such validator")?.id())
    }

    /// Of the validators that are asked.
    fn pids(&self) -> Vec<u32> {
        self.children().iter().take(self.size()).map(Child::id).collect()
    }

    /// Until no validator has anything left to commit.
    pub async fn drained(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        for n in 0..self.size() {
            while self.status(n).await?.pending > 0 {
                if start.elapsed() > DRAIN_LIMIT {
                    bail!("transactions are in no block after ten minutes");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        Ok(())
    }

    /// Memory and processor use of the validators over some quiet seconds.
    pub async fn idle_use(&self, key: &str, when: &str, seconds: u64) -> anyhow::Result<Vec<Row>> {
        let before = self.cpu_seconds()?;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let used = self.cpu_seconds()? - before;
        let share = used / seconds as f64 / self.size() as f64 * 100.0;
        Ok(vec![
            Row::new(
                format!("memory-{key}"),
                format!("validator, {when}: memory (largest RSS)"),
                self.memory_mb()?,
                "MB",
            ),
            Row::new(format!("processor-{key}"), format!("validator, {when}: processor"), share, "% of a core"),
        ])
    }

    /// Of the validator that has most.
    pub fn memory_mb(&self) -> anyhow::Result<f64> {
        self.pids().into_iter().map(rss_mb).try_fold(0.0, |largest, mb| Ok(f64::max(largest, mb?)))
    }

    /// Processor time of all validators so far.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.pids().into_iter().map(cpu_seconds).sum()
    }

    pub fn disk_bytes(&self, n: usize) -> anyhow::Result<f64> {
        folder_bytes(&self.home.join(format!("validators/validator-{}", n + 1))).map(|bytes| bytes as f64)
    }
}

/// Runs the validator of a folder, its log added to the folder's.
fn spawn(dir: &Path) -> anyhow::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(dir.join("log.txt"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("run").arg("--config").arg(dir.join("node.toml"));
    Ok(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?)
}

fn set_retention(path: &Path, keep_blocks: u64) -> anyhow::Result<()> {
    let mut config: toml::Table = std::fs::read_to_string(path)?.parse()?;
    let retention = config.entry("retention").or_insert_with(|| toml::Table::new().into());
    let table = retention.as_table_mut().context("`retention` in a node's configuration")?;
    table.insert("keep_blocks".into(), toml::Value::try_from(keep_blocks)?);
    Ok(std::fs::write(path, config.to_string())?)
}
