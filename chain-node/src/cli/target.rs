//! Which chain a command speaks to and with whose key.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chain_client::{Client, Url};
use chain_types::api::{Committed, TxStatus};
use chain_types::crypto::SigningKey;
use chain_types::state::CHAIN_APP;
use chain_types::{Call, Fingerprint, Genesis, Transaction, Value};
use clap::Args;

use crate::config::Config;
use crate::consensus::now_ms;
use crate::keys::load_key;

/// How long a signed call stays valid.
const VALID_MS: u64 = 5 * 60 * 1000;

#[derive(Debug, Args)]
pub struct TargetArgs {
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
}

/// A chain and an account on it.
pub struct Target {
    pub client: Client,
    pub key: SigningKey,
    pub fingerprint: Fingerprint,
}

impl TargetArgs {
    /// Reads what the options name.
    pub fn open(&self) -> anyhow::Result<Target> {
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
}

impl Target {
    /// Signs a call of `chain/anchor` and waits for its result; fails if the chain refused it.
    pub async fn submit(&self, method: &str, args: Value) -> anyhow::Result<Committed> {
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).context("the operating system has no randomness")?;
        let call = Call {
            fingerprint: self.fingerprint,
            valid_until_ms: now_ms() + VALID_MS,
            salt,
            app: CHAIN_APP.into(),
            instance: "anchor".into(),
            method: method.into(),
            args,
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
fn configured_nodes(chain: &Path) -> anyhow::Result<Vec<Url>> {
    let dir = chain.join("validators");
    let mut nodes = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("failed to read {}", dir.display()))? {
        let config = Config::load(&entry?.path().join("node.toml"))?;
        nodes.push(format!("http://{}", config.listen.api).parse()?);
    }
    nodes.sort();
    Ok(nodes)
}
