//! `chain-node restore`: a backup becomes a store, file by file against its manifest and then block by block from genesis.

use std::path::PathBuf;

use anyhow::{Context, bail};
use chain_types::BlockId;
use chain_types::api::BackedUp;
use clap::{ArgGroup, Args};
use indicatif::{ProgressBar, ProgressStyle};

use super::destination::{Away, report};
use crate::backup::{self, Manifest, Restored};
use crate::store::Store;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("source").required(true).args(["from", "destination"]))]
pub struct Restore {
    /// The backup's folder
    #[arg(long)]
    from: Option<PathBuf>,
    #[command(flatten)]
    away: Away,
    /// The home to restore into; it must not hold `data` or `wal`
    #[arg(long)]
    home: PathBuf,
    /// HEIGHT=BLOCK that the restored chain must have, as another chain has anchored it; may be given again
    #[arg(long, value_name = "HEIGHT=BLOCK", value_parser = anchor)]
    expect: Vec<(u64, BlockId)>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn anchor(text: &str) -> Result<(u64, BlockId), String> {
    let (height, id) = text.split_once('=').ok_or("write it as HEIGHT=BLOCK")?;
    let height = height.parse().map_err(|_| format!("`{height}` is not a height"))?;
    Ok((height, id.parse().map_err(|e| format!("`{id}` is not a block's id: {e}"))?))
}

impl Restore {
    pub fn run(self) -> anyhow::Result<()> {
        report(self.away.report.as_deref(), || self.restore())
    }

    fn restore(&self) -> anyhow::Result<BackedUp> {
        let Restored { manifest, summary } = self.bring()?;
        for (height, id) in &self.expect {
            self.holds(*height, id)?;
        }
        match self.json {
            true => println!("{}", serde_json::to_string_pretty(&summary)?),
            false => {
                let home = self.home.display();
                println!("restored {} to height {} into {home}; it is whole", manifest.chain_id, manifest.height);
                println!("the node fetches what came later from its peers: start it with its configuration and keys");
            }
        }
        Ok(manifest.summary())
    }

    fn bring(&self) -> anyhow::Result<Restored> {
        let bar = ProgressBar::new(0);
        bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} blocks checked, {eta} left")?);
        let restored = match (&self.from, self.away.open()?) {
            (Some(from), _) => {
                bar.set_length(Manifest::load(from)?.height);
                backup::restore(from, &self.home, |height| bar.set_position(height)).map_err(anyhow::Error::from)
            }
            (None, Some(destination)) => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                let run = self.away.run()?;
                bar.set_length(runtime.block_on(destination.manifest(run))?.height);
                let restored = backup::restore_from(&destination, run, &self.home, |height| bar.set_position(height));
                runtime.block_on(restored).map_err(anyhow::Error::from)
            }
            (None, None) => bail!("give --from or --destination"),
        };
        bar.finish_and_clear();
        restored
    }

    fn holds(&self, height: u64, id: &BlockId) -> anyhow::Result<()> {
        let store = Store::open_read_only(&self.home.join("data"))?;
        let found = store.block(height)?.with_context(|| format!("the backup holds no block {height} to compare"))?;
        if found.id != *id {
            bail!("block {height} of the backup is {}, and {id} was anchored: it is another history", found.id);
        }
        Ok(())
    }
}
