//! `chain-node check`

use std::path::PathBuf;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use crate::archive::Archive;
use crate::store::{Retention, Store, check};

#[derive(Debug, Args)]
pub struct Check {
    /// The node's home (with `data/` in it); the node must not be running
    #[arg(long)]
    home: PathBuf,
    /// The node's archive, if it drops old blocks: lets the check begin with block 1
    #[arg(long)]
    archive: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> anyhow::Result<()> {
        let store = Store::open_existing(&self.home.join("data"))?;
        let archive = self.archive.as_deref().map(|dir| Archive::open(dir, store.fingerprint())).transpose()?;
        let store = store.with_retention(Retention { archive, ..Retention::default() });
        let bar = ProgressBar::new(store.tip()?);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} blocks, {eta} left")?);
        let whole = std::cell::Cell::new(None);
        let summary = check::check(&store, |height| {
            whole.set(Some(height));
            bar.set_position(height);
        });
        bar.finish_and_clear();
        let summary = summary.map_err(|e| match (whole.get(), store.oldest_block()) {
            (Some(last), Ok(first)) => anyhow::anyhow!("blocks {first} to {last} are whole; {e}"),
            _ => anyhow::anyhow!("no block was found whole; {e}"),
        })?;
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&summary)?),
            false => {
                println!(
                    "whole: {} blocks, {} transactions, {} log entries, {} records",
                    summary.height, summary.transactions, summary.log_size, summary.records
                );
                if let Some(first) = summary.first {
                    println!("blocks before {first} were dropped; give --archive to check from block 1");
                }
                println!("state root {}", summary.state_root);
                println!("log root   {}", summary.log_root);
            }
        }
        Ok(())
    }
}
