//! `chain-node adopt`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use crate::identity::adopt;
use crate::keys::NodeKeys;
use crate::store::Store;

#[derive(Debug, Args)]
pub struct Adopt {
    /// The home of a stopped node that was moved, with `data/` and `keys/` in it
    #[arg(long)]
    home: PathBuf,
    /// You are sure that no other copy of this node's keys runs or will run: two that vote can split the chain
    #[arg(long, required = true)]
    only_copy: bool,
}

impl Adopt {
    pub fn run(self) -> anyhow::Result<()> {
        // Fails while the node runs, which holds the store's lock.
        let store = Store::open_existing(&self.home.join("data"))?;
        let key = NodeKeys::load(&self.home.join("keys"))?.consensus.public();
        let last = adopt(&self.home, key, store.last_signed(&key)?).context("failed to write the identity file")?;
        store.mark_identity()?;
        println!("{key} votes from here at its next start, after height {}, round {}", last.height, last.round);
        Ok(())
    }
}
