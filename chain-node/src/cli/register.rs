//! `chain-node register`: carries a signed statement (SCITT) to a chain by a transaction of the caller's account, and saves
//! the receipt beside it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use chain_types::Value;
use chain_types::encoding::Encode;
use chain_types::tlog::SignedStatement;
use clap::Args;

use super::target::{Target, TargetArgs};

#[derive(Debug, Args)]
pub struct Register {
    #[command(flatten)]
    target: TargetArgs,
    /// Where to save the receipt; by default beside the statement, as STATEMENT.receipt.cose
    #[arg(long)]
    out: Option<PathBuf>,
    /// The statement: a COSE_Sign1 by an account of the chain
    statement: PathBuf,
}

impl Register {
    pub fn run(self) -> anyhow::Result<()> {
        let failed = || format!("failed to read {}", self.statement.display());
        let statement = fs::read(&self.statement).with_context(failed)?;
        let parsed = SignedStatement::parse(&statement)?;
        ensure!(parsed.verify(), "the statement's signature does not verify");
        let target = self.target.open()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.register(&target, statement))
    }

    async fn register(&self, target: &Target, statement: Vec<u8>) -> anyhow::Result<()> {
        // Registered before, by whomever: its receipt is as good.
        if target.client.receipt(&statement).await.is_err() {
            let args = Value::Map(vec![("statement".into(), Value::Bytes(statement.clone()))]);
            target.submit("register", args).await?;
        }
        let receipt = target.client.receipt(&statement).await?;
        let out = self.out.clone().unwrap_or_else(|| {
            let mut name = self.statement.clone().into_os_string();
            name.push(".receipt.cose");
            name.into()
        });
        fs::write(&out, receipt.to_bytes()).with_context(|| format!("failed to write {}", out.display()))?;
        println!("statement {} is log entry {}", SignedStatement::id(&statement), receipt.index);
        println!("receipt: {}", out.display());
        Ok(())
    }
}
