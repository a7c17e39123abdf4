//! `chain-node backup`: a copy of a node's store, in a folder of this machine or in a destination elsewhere.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use chain_types::api::BackedUp;
use clap::{ArgGroup, Args};
use tokio::signal::unix::{SignalKind, signal};

use super::destination::{Away, report};
use crate::backup::destination::{Destination, superfluous};
use crate::backup::{self, Manifest};
use crate::config::Config;
use crate::consensus::now_ms;
use crate::store::Store;

/// Copying is short; flushing what is in memory may wait for a slow disk.
const COPY_LIMIT: std::time::Duration = std::time::Duration::from_secs(600);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
#[command(group = ArgGroup::new("target").required(true).args(["to", "destination"]))]
pub struct Backup {
    /// The node's configuration file: a running node is asked for the copy, a stopped one is read
    #[arg(long, group = "source")]
    config: Option<PathBuf>,
    /// A stopped node's home (with `data/` in it)
    #[arg(long, group = "source")]
    home: Option<PathBuf>,
    /// HOST:PORT of a running node's administration, where it and this program see the same folder under one path
    #[arg(long, group = "source")]
    admin: Option<String>,
    /// A file with the administration token, for a running node
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// The backup's folder; it must not exist. On the store's file system, tables are shared instead of copied
    #[arg(long)]
    to: Option<PathBuf>,
    #[command(flatten)]
    away: Away,
    /// With --destination: the folder in which the copy lies while it is sent, best on the store's file system. It is this
    /// program's alone: what is in it is removed first, and again at the end
    #[arg(long, requires = "destination")]
    scratch: Option<PathBuf>,
    /// With --destination: remove the chain's older backups there beyond so many
    #[arg(long, requires = "destination")]
    keep: Option<usize>,
    /// With --keep: a run that stays however old it is, such as the last one that a drill has restored
    #[arg(long, requires = "keep", value_name = "RUN")]
    keep_also: Option<String>,
    /// Print the manifest as JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub fn run(self) -> anyhow::Result<()> {
        report(self.away.report.as_deref(), || self.make())
    }

    fn make(&self) -> anyhow::Result<BackedUp> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match (&self.to, self.away.open()?) {
            (Some(to), _) => {
                let to = std::path::absolute(to)?;
                let manifest = runtime.block_on(self.copy(&to))?;
                self.say(&manifest, &to.display().to_string(), &format!("--from {}", to.display()))?;
                Ok(manifest.summary())
            }
            (None, Some(destination)) => {
                let manifest = runtime.block_on(self.send(&destination))?;
                let place = format!("{destination}/{}", self.away.run()?);
                self.say(&manifest, &place, &format!("--destination {destination} --run {}", self.away.run()?))?;
                Ok(manifest.summary())
            }
            (None, None) => bail!("give --to or --destination"),
        }
    }

    async fn copy(&self, to: &Path) -> anyhow::Result<Manifest> {
        let config = self.config.as_deref().map(Config::load).transpose()?;
        let data = match (&config, &self.home) {
            (Some(config), _) => config.data_dir(),
            (None, home) => home.clone().unwrap_or_default().join("data"),
        };
        // `None` where the node has no such listener or does not run.
        let mut running = self.admin.clone();
        if let Some(address) = config.as_ref().and_then(|config| config.listen.admin)
            && tokio::net::TcpStream::connect(address).await.is_ok()
        {
            running = Some(address.to_string());
        }
        let copied = backup::finish(to, async |copy| match &running {
            Some(address) => {
                let token = self.token_file.as_deref();
                ask(address, token.context("the node runs: give --token-file with its administration token")?, &copy)
                    .await
            }
            None => Ok(Store::open_existing(&data)?.copy_to(&copy)?),
        });
        copied.await
    }

    /// The copy on this disk goes in any case: it holds on to tables that the node would drop, so a full disk would follow.
    async fn send(&self, destination: &Destination) -> anyhow::Result<Manifest> {
        let run = self.away.run()?;
        let scratch = self.scratch.as_deref().context("give --scratch, a folder for the copy while it is sent")?;
        let scratch = std::path::absolute(scratch)?;
        empty(&scratch)?;
        let folder = scratch.join(run);
        let sending = async {
            let manifest = self.copy(&folder).await?;
            destination.upload(run, &folder).await?;
            anyhow::Ok(manifest)
        };
        let mut asked_to_end = signal(SignalKind::terminate())?;
        let sent = tokio::select! {
            sent = sending => sent,
            _ = asked_to_end.recv() => Err(anyhow::anyhow!("it was asked to end; nothing of it is left on this disk")),
        };
        let emptied = empty(&scratch);
        let manifest = sent?;
        emptied?;
        if let Some(keep) = self.keep {
            let runs = destination.runs().await?;
            for old in superfluous(&runs, manifest.fingerprint, keep, self.keep_also.as_deref()) {
                destination.remove(&old).await?;
            }
            destination.remove_unfinished(now_ms()).await?;
        }
        Ok(manifest)
    }

    fn say(&self, manifest: &Manifest, place: &str, source: &str) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(manifest)?);
            return Ok(());
        }
        let BackedUp { files, bytes, height, block_id, .. } = manifest.summary();
        println!("backup of {} at height {height} in {place}", manifest.chain_id);
        println!("{files} files, {bytes} bytes, block {block_id}");
        println!("restore with: chain-node restore {source} --home NEW_HOME");
        Ok(())
    }
}

/// Makes the folder, or removes what is in it: a killed run's copy, or the one that was sent.
fn empty(folder: &Path) -> anyhow::Result<()> {
    let emptied = || {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() { std::fs::remove_dir_all(path)? } else { std::fs::remove_file(path)? }
        }
        std::io::Result::Ok(())
    };
    emptied().with_context(|| format!("failed to empty {}", folder.display()))
}

async fn ask(admin: &str, token_file: &Path, copy: &Path) -> anyhow::Result<()> {
    let token = std::fs::read_to_string(token_file);
    let token = token.with_context(|| format!("failed to read {}", token_file.display()))?;
    let client = reqwest::Client::builder().no_proxy().timeout(COPY_LIMIT).build()?;
    let request = client.post(format!("http://{admin}/copy")).bearer_auth(token.trim());
    let answer = request.json(&serde_json::json!({ "to": copy })).send().await;
    let answer = answer.with_context(|| format!("the node at {admin} does not answer"))?;
    if answer.status().is_success() {
        return Ok(());
    }
    let problem: serde_json::Value = answer.json().await.unwrap_or_default();
    bail!("the node refused: {}", problem.get("detail").and_then(|d| d.as_str()).unwrap_or("it gave no reason"))
}
