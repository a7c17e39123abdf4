//! `chain-node anchor`: puts the fingerprints of files on a chain and saves evidence beside them. The files themselves
//! never leave the machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chain_client::{Client, Url};
use chain_types::api::{Committed, TxStatus};
use chain_types::crypto::SigningKey;
use chain_types::encoding::to_value;
use chain_types::limits::MAX_DIGESTS;
use chain_types::state::CHAIN_APP;
use chain_types::{Call, Fingerprint, Genesis, Hash, Transaction};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::verify::hash_file;
use crate::config::Config;
use crate::consensus::now_ms;
use crate::keys::load_key;

/// How long a signed call stays valid.
const VALID_MS: u64 = 5 * 60 * 1000;

#[derive(Debug, Args)]
pub struct Anchor {
    /// A chain's folder as `chain-node init` made it: gives genesis, key, token and addresses
    #[arg(long)]
    chain: Option<PathBuf>,
    /// The chain's genesis file
    #[arg(long, required_unless_present = "chain")]
    genesis: Option<PathBuf>,
    /// The signing key's file
    #[arg(long, required_unless_present = "chain")]
    key: Option<PathBuf>,
    /// A file with a member's token
    #[arg(long, required_unless_present = "chain")]
    token_file: Option<PathBuf>,
    /// Address of a validator's API, such as http://127.80.1.1:8080; may be given more than once
    #[arg(long, required_unless_present = "chain")]
    node: Vec<Url>,
    /// Where to save evidence; by default beside each file, as FILE.evidence.cbor
    #[arg(long)]
    out: Option<PathBuf>,
    /// Files to anchor
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// Arguments of `chain/anchor.digests`.
#[derive(Serialize)]
struct Digests {
    digests: Vec<Hash>,
}

struct Target {
    client: Client,
    key: SigningKey,
    fingerprint: Fingerprint,
}

impl Anchor {
    pub fn run(self) -> anyhow::Result<()> {
        let target = self.target()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.anchor(&target))
    }

    fn target(&self) -> anyhow::Result<Target> {
        let chain = |name: &str| self.chain.as_ref().map(|chain| chain.join(name));
        let pick = |given: &Option<PathBuf>, name: &str| {
            given.clone().or_else(|| chain(name)).with_context(|| format!("give --chain, or the path of `{name}`"))
        };
        let genesis = pick(&self.genesis, "genesis.json")?;
        let text = fs::read_to_string(&genesis).with_context(|| format!("failed to read {}", genesis.display()))?;
        let genesis: Genesis = serde_json::from_str(&text).context("the genesis file is not a chain's genesis")?;
        let key = load_key(&pick(&self.key, "administrator.key")?)?;
        let token_file = pick(&self.token_file, "token")?;
        let token =
            fs::read_to_string(&token_file).with_context(|| format!("failed to read {}", token_file.display()))?;
        let nodes = match (&self.chain, self.node.is_empty()) {
            (Some(chain), true) => configured_nodes(chain)?,
            _ => self.node.clone(),
        };
        let fingerprint = genesis.fingerprint();
        let client = Client::new(nodes, fingerprint, Some(token.trim().to_owned()))?;
        Ok(Target { client, key, fingerprint })
    }

    async fn anchor(&self, target: &Target) -> anyhow::Result<()> {
        let bar = progress_bar("hashing", self.files.len())?;
        let mut digests = Vec::with_capacity(self.files.len());
        for file in &self.files {
            digests.push(hash_file(file)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
        let bar = progress_bar("anchoring and proving", self.files.len())?;
        for (files, batch) in self.files.chunks(MAX_DIGESTS).zip(digests.chunks(MAX_DIGESTS)) {
            let committed = target.submit(batch).await?;
            let entry = committed.entry.context("the node gave no log entry for an applied call")?;
            // The call is one entry, its digests follow in order.
            for ((file, digest), index) in files.iter().zip(batch).zip(entry + 1..) {
                let proven = target.client.evidence_of_entry(index).await?;
                ensure!(proven.report.digest == Some(*digest), "the node proved another digest than {digest}");
                fs::write(self.evidence_path(file)?, &proven.bytes)?;
                bar.inc(1);
            }
            bar.suspend(|| println!("block {}: {} files anchored", committed.height, batch.len()));
        }
        bar.finish_and_clear();
        if let Some(file) = self.files.first() {
            let evidence = self.evidence_path(file)?;
            println!(
                "check with: chain-node verify {} --file {} --trust {}",
                evidence.display(),
                file.display(),
                target.fingerprint
            );
        }
        Ok(())
    }

    fn evidence_path(&self, file: &Path) -> anyhow::Result<PathBuf> {
        let name = file.file_name().with_context(|| format!("{} is not a file", file.display()))?;
        let name = format!("{}.evidence.cbor", name.to_string_lossy());
        match &self.out {
            Some(dir) => {
                fs::create_dir_all(dir)?;
                Ok(dir.join(name))
            }
            None => Ok(file.with_file_name(name)),
        }
    }
}

impl Target {
    async fn submit(&self, digests: &[Hash]) -> anyhow::Result<Committed> {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).context("the operating system has no randomness")?;
        let call = Call {
            fingerprint: self.fingerprint,
            valid_until_ms: now_ms() + VALID_MS,
            salt,
            app: CHAIN_APP.into(),
            instance: "anchor".into(),
            method: "digests".into(),
            args: to_value(&Digests { digests: digests.to_vec() })?,
        };
        let tx = Transaction::sign(call, &self.key)?;
        // The same bytes until there is a result: sending them again is safe.
        for _ in 0..10 {
            match self.client.submit(&tx, Duration::from_secs(15)).await?.status {
                TxStatus::Committed(committed) if committed.applied => return Ok(committed),
                TxStatus::Committed(committed) => {
                    let refusal = committed.refusal.map(|r| r.code).unwrap_or_default();
                    bail!("the chain refused the call: {refusal}");
                }
                TxStatus::Expired => bail!("the call expired before a block took it; is the chain making blocks?"),
                TxStatus::Pending => {}
            }
        }
        bail!("no block took the call for two minutes; the chain has stalled, see the nodes' /status")
    }
}

/// API addresses of the validators below a chain's folder.
pub(super) fn configured_nodes(chain: &Path) -> anyhow::Result<Vec<Url>> {
    let dir = chain.join("validators");
    let mut nodes = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("failed to read {}", dir.display()))? {
        let config = Config::load(&entry?.path().join("node.toml"))?;
        nodes.push(format!("http://{}", config.listen.api).parse()?);
    }
    nodes.sort();
    Ok(nodes)
}

fn progress_bar(what: &'static str, length: usize) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(length as u64).with_message(what);
    bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left")?);
    Ok(bar)
}
