//! What `backup` and `restore` have in common: how a destination is named, and the file in which they say how they ended.

use std::path::{Path, PathBuf};

use anyhow::Context;
use chain_types::api::{BackedUp, BackupReport};
use clap::Args;

use crate::backup::destination::{Bucket, Destination};

/// A container's last words may be 4 KiB.
const LONGEST_REASON_BYTES: usize = 1_500;

#[derive(Debug, Args)]
pub struct Away {
    /// s3://BUCKET/PREFIX, or a folder for backups of this chain; each is a run in it
    #[arg(long, value_name = "PLACE")]
    destination: Option<String>,
    /// With --destination: the run's name
    #[arg(long, requires = "destination")]
    run: Option<String>,
    /// For a bucket that is not Amazon's: https://HOST:PORT
    #[arg(long, requires = "destination")]
    endpoint: Option<String>,
    /// The bucket's region
    #[arg(long, requires = "destination")]
    region: Option<String>,
    /// A folder with the files `access-key` and `secret-key`
    #[arg(long, requires = "destination", value_name = "FOLDER")]
    credentials: Option<PathBuf>,
    /// Write how it ended, as JSON, to this file
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

impl Away {
    pub fn open(&self) -> anyhow::Result<Option<Destination>> {
        let Some(address) = &self.destination else { return Ok(None) };
        let bucket = Bucket {
            endpoint: self.endpoint.as_deref(),
            region: self.region.as_deref(),
            credentials: self.credentials.as_deref(),
        };
        Ok(Some(Destination::open(address, &bucket)?))
    }

    pub fn run(&self) -> anyhow::Result<&str> {
        self.run.as_deref().context("give --run, the name of one backup in the destination")
    }
}

/// Does it and writes down how it ended.
pub fn report(file: Option<&Path>, act: impl FnOnce() -> anyhow::Result<BackedUp>) -> anyhow::Result<()> {
    let outcome = act();
    if let Some(file) = file {
        let report = match &outcome {
            Ok(done) => BackupReport::Done(*done),
            Err(e) => {
                let mut reason = format!("{e:#}");
                reason.truncate(reason.floor_char_boundary(LONGEST_REASON_BYTES));
                BackupReport::Failed { reason }
            }
        };
        let written = std::fs::write(file, serde_json::to_vec(&report)?);
        written.with_context(|| format!("failed to write {}", file.display()))?;
    }
    outcome.map(|_| ())
}
