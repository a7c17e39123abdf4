//! `chain-node backup` and `chain-node restore`

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};

use crate::backup::{self, Manifest};
use crate::config::Config;
use crate::store::Store;

/// Copying is short; flushing what is in memory may wait for a slow disk.
const COPY_LIMIT: std::time::Duration = std::time::Duration::from_secs(600);

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true))]
pub struct Backup {
    /// The node's configuration file: a running node is asked for the copy, a stopped one is read
    #[arg(long, group = "source")]
    config: Option<PathBuf>,
    /// A stopped node's home (with `data/` in it)
    #[arg(long, group = "source")]
    home: Option<PathBuf>,
    /// A file with the administration token, for a running node
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// The backup's folder; it must not exist. On the store's file system, tables are shared instead of copied
    #[arg(long)]
    to: PathBuf,
    /// Print the manifest as JSON
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub fn run(self) -> anyhow::Result<()> {
        let to = std::path::absolute(&self.to)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let config = self.config.as_deref().map(Config::load).transpose()?;
        let data = match (&config, &self.home) {
            (Some(config), _) => config.data_dir(),
            (None, Some(home)) => home.join("data"),
            (None, None) => bail!("give --config or --home"),
        };
        let admin = config.as_ref().and_then(|config| config.listen.admin);
        let token_file = self.token_file.as_deref();
        let manifest = runtime.block_on(backup::finish(&to, async |copy| match admin {
            Some(address) if tokio::net::TcpStream::connect(address).await.is_ok() => {
                ask(
                    address,
                    token_file.context("the node runs: give --token-file with its administration token")?,
                    &copy,
                )
                .await
            }
            _ => Ok(Store::open_existing(&data)?.copy_to(&copy)?),
        }))?;
        self.say(&to, &manifest)
    }

    fn say(&self, to: &Path, manifest: &Manifest) -> anyhow::Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(manifest)?);
            return Ok(());
        }
        let bytes: u64 = manifest.files.iter().map(|file| file.bytes).sum();
        println!("backup of {} at height {} in {}", manifest.chain_id, manifest.height, to.display());
        println!("{} files, {bytes} bytes, block {}", manifest.files.len(), manifest.block_id);
        println!("restore with: chain-node restore --from {} --home NEW_HOME", to.display());
        Ok(())
    }
}

async fn ask(admin: std::net::SocketAddr, token_file: &Path, copy: &Path) -> anyhow::Result<()> {
    let token = std::fs::read_to_string(token_file);
    let token = token.with_context(|| format!("failed to read {}", token_file.display()))?;
    let client = reqwest::Client::builder().no_proxy().timeout(COPY_LIMIT).build()?;
    let request = client.post(format!("http://{admin}/copy")).bearer_auth(token.trim());
    let answer = request.json(&serde_json::json!({ "to": copy })).send().await?;
    if answer.status().is_success() {
        return Ok(());
    }
    let problem: serde_json::Value = answer.json().await.unwrap_or_default();
    bail!("the node refused: {}", problem.get("detail").and_then(|d| d.as_str()).unwrap_or("it gave no reason"))
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The backup's folder
    #[arg(long)]
    from: PathBuf,
    /// The home to restore into; it must not hold `data` or `wal`
    #[arg(long)]
    home: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Restore {
    pub fn run(self) -> anyhow::Result<()> {
        let bar = ProgressBar::new(Manifest::load(&self.from)?.height);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} blocks checked, {eta} left")?);
        let restored = backup::restore(&self.from, &self.home, |height| bar.set_position(height));
        bar.finish_and_clear();
        let restored = restored?;
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&restored.summary)?),
            false => {
                let (manifest, home) = (&restored.manifest, self.home.display());
                println!("restored {} to height {} into {home}; it is whole", manifest.chain_id, manifest.height);
                println!("the node fetches what came later from its peers: start it with its configuration and keys");
            }
        }
        Ok(())
    }
}
