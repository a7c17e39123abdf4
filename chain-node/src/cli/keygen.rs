//! `chain-node keygen`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::keys::NodeKeys;

#[derive(Debug, Args)]
pub struct Keygen {
    /// Folder for the four key files; none of them may exist
    #[arg(long)]
    keys: PathBuf,
}

impl Keygen {
    pub fn run(self) -> anyhow::Result<()> {
        let keys = NodeKeys::generate().context("the operating system has no randomness")?;
        keys.save(&self.keys)?;
        let public = serde_json::json!({
            "consensus_key": keys.consensus.public(),
            "peer_key": keys.peer.public(),
            "log_key": keys.log.public(),
            "cosigner_key": keys.cosigner.public(),
        });
        println!("{public:#}");
        Ok(())
    }
}
