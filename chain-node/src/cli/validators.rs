//! `chain-node validators`: shows the voting set of a chain that was made by hand, and signs one change of it as its steward.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use chain_client::Client;
use chain_types::membership::{Change, NewValidator, ValidatorKeys};
use chain_types::{Fingerprint, Genesis, PublicKey, Transaction};
use clap::{Args, Subcommand};
use serde::Deserialize;

use super::target::configured_nodes;
use crate::consensus::now_ms;
use crate::keys::load_key;

/// How long a signed change stays valid.
const VALID_MS: u64 = 60_000;

#[derive(Debug, Args)]
pub struct Validators {
    /// A chain's folder as `chain-node init` made it: gives genesis, the steward's key, token and addresses
    #[arg(long)]
    chain: PathBuf,
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Print the set that decides the next block
    List,
    /// Add a validator that has caught up as an observer
    Add {
        /// The organisation that runs it
        #[arg(long)]
        organisation: String,
        /// Its public keys, as `chain-node keygen` printed them
        #[arg(long)]
        keys: PathBuf,
    },
    /// Remove the validator with this consensus key; at least four stay
    Remove { validator: PublicKey },
    /// Put another validator in the place of the one with this consensus key
    Replace {
        validator: PublicKey,
        /// The organisation that runs the new one
        #[arg(long)]
        organisation: String,
        /// Its public keys, as `chain-node keygen` printed them
        #[arg(long)]
        keys: PathBuf,
    },
    /// Give the validator with this consensus key the keys that wait in its `keys/next`
    Rotate {
        validator: PublicKey,
        /// The new public keys, as `chain-node keygen --next` printed them
        #[arg(long)]
        keys: PathBuf,
    },
}

/// What `keygen` prints, as far as the set needs it.
#[derive(Deserialize)]
struct Printed {
    consensus_key: PublicKey,
    cosigner_key: PublicKey,
    log_key: PublicKey,
}

impl Validators {
    pub fn run(self) -> anyhow::Result<()> {
        let path = self.chain.join("genesis.json");
        let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
        let genesis: Genesis = serde_json::from_str(&text).context("the genesis file is not a chain's genesis")?;
        let token = fs::read_to_string(self.chain.join("token")).context("failed to read the member's token")?;
        let fingerprint = genesis.fingerprint();
        let client = Client::new(configured_nodes(&self.chain)?, fingerprint, Some(token.trim().to_owned()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        match change(&self.act)? {
            None => runtime.block_on(list(&client)),
            Some(change) => {
                let tx = self.sign(&change, fingerprint)?;
                runtime.block_on(carry_out(&client, &tx))
            }
        }
    }

    fn sign(&self, change: &Change, fingerprint: Fingerprint) -> anyhow::Result<Transaction> {
        let steward = load_key(&self.chain.join("steward.key"))?;
        let mut salt = [0; 8];
        getrandom::fill(&mut salt).context("the operating system has no randomness")?;
        Ok(Transaction::sign(change.call(fingerprint, now_ms() + VALID_MS, salt)?, &steward)?)
    }
}

fn change(act: &Act) -> anyhow::Result<Option<Change>> {
    let new = |organisation: &String, keys: &Path| {
        Ok::<_, anyhow::Error>(NewValidator { organisation: organisation.clone(), keys: read_keys(keys)? })
    };
    Ok(match act {
        Act::List => None,
        Act::Add { organisation, keys } => Some(Change::Add(new(organisation, keys)?)),
        Act::Remove { validator } => Some(Change::Remove { validator: *validator }),
        Act::Replace { validator, organisation, keys } => {
            Some(Change::Replace { validator: *validator, by: new(organisation, keys)? })
        }
        Act::Rotate { validator, keys } => Some(Change::Rotate { validator: *validator, keys: read_keys(keys)? }),
    })
}

fn read_keys(path: &Path) -> anyhow::Result<ValidatorKeys> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let printed: Printed = serde_json::from_str(&text)
        .with_context(|| format!("{} is not what `chain-node keygen` prints", path.display()))?;
    let Printed { consensus_key, cosigner_key, log_key } = printed;
    Ok(ValidatorKeys { consensus_key, cosigner_key, log_key })
}

async fn list(client: &Client) -> anyhow::Result<()> {
    let (from, set) = client.validators().await?;
    println!("{} validators since block {from}", set.len());
    for v in set.validators() {
        println!("{}  {}", v.consensus_key, v.organisation);
    }
    Ok(())
}

async fn carry_out(client: &Client, tx: &Transaction) -> anyhow::Result<()> {
    let committed = client.commit(tx, Duration::from_millis(VALID_MS)).await?;
    if let Some(refusal) = committed.refusal {
        bail!("the chain refused the change: {}", chain_types::manifest::sentence(&refusal).en);
    }
    println!(
        "block {}: the change is made; the new set decides from block {} on",
        committed.height,
        committed.height + 2
    );
    Ok(())
}
