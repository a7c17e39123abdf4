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
    /// For a node that has keys: make new ones that it takes over when the chain's steward has rotated to them
    #[arg(long)]
    next: bool,
}

impl Keygen {
    pub fn run(self) -> anyhow::Result<()> {
        let keys = NodeKeys::generate().context("the operating system has no randomness")?;
        let peer_key = match self.next {
            true => {
                NodeKeys::load(&self.keys).and_then(|old| keys.save_next(&self.keys).map(|()| old.peer.public()))?
            }
            false => keys.save(&self.keys).map(|()| keys.peer.public())?,
        };
        let public = serde_json::json!({
            "consensus_key": keys.consensus.public(),
            "peer_key": peer_key,
            "log_key": keys.log.public(),
            "cosigner_key": keys.cosigner.public(),
        });
        println!("{public:#}");
        Ok(())
    }
}
