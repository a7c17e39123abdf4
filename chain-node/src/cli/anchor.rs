//! `chain-node anchor`: puts the fingerprints of files on a chain and saves evidence beside them. The files themselves
//! never leave the machine.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use chain_types::Hash;
use chain_types::encoding::to_value;
use chain_types::limits::MAX_DIGESTS;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::target::{Target, TargetArgs};
use super::verify::hash_file;

#[derive(Debug, Args)]
pub struct Anchor {
    #[command(flatten)]
    target: TargetArgs,
    /// Save packages, FILE.evp, instead of their cores alone
    #[arg(long)]
    package: bool,
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

impl Anchor {
    pub fn run(self) -> anyhow::Result<()> {
        let target = self.target.open()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.anchor(&target))
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
            let committed = target.submit("digests", to_value(&Digests { digests: batch.to_vec() })?).await?;
            let entry = committed.entry.context("the node gave no log entry for an applied call")?;
            // The call is one entry, its digests follow in order.
            for ((file, digest), index) in files.iter().zip(batch).zip(entry + 1..) {
                let proven = match self.package {
                    true => target.client.package_of_entry(index).await?,
                    false => target.client.evidence_of_entry(index).await?,
                };
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
        let name = format!("{}.{}", name.to_string_lossy(), if self.package { "evp" } else { "evidence.cbor" });
        match &self.out {
            Some(dir) => {
                fs::create_dir_all(dir)?;
                Ok(dir.join(name))
            }
            None => Ok(file.with_file_name(name)),
        }
    }
}

fn progress_bar(what: &'static str, length: usize) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(length as u64).with_message(what);
    bar.set_style(ProgressStyle::with_template("{msg} {bar:40} {pos}/{len}, {eta} left")?);
    Ok(bar)
}
