//! `chain-node bench`: four validators as processes on this machine's loopback, fsync on, every signature checked; what
//! they do, as a table and as JSON. Nothing here decides pass or fail: it measures.

mod chain;
mod disk;
mod load;
mod report;

use std::path::PathBuf;

use clap::Args;

use chain::Chain;
use report::Row;

/// Transactions of one request in the run that sends many at a time.
const IN_REQUEST: usize = 100;

#[derive(Debug, Args)]
pub struct Bench {
    /// Write the results as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Validators
    #[arg(long, default_value_t = 4)]
    validators: u8,
    /// Transactions of the throughput run
    #[arg(long, default_value_t = 60_000)]
    transactions: usize,
    /// Digests of the anchoring run
    #[arg(long, default_value_t = 600_000)]
    digests: usize,
    /// Samples of the idle latency run
    #[arg(long, default_value_t = 200)]
    samples: usize,
    /// Seconds of idling before memory and processor use are read
    #[arg(long, default_value_t = 15)]
    idle_seconds: u64,
    /// Where the chain lives while it is measured; the disk matters
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Bench {
    pub fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(self.measure())
    }

    async fn measure(self) -> anyhow::Result<()> {
        let dir = self
            .dir
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("citychain-bench-{}", std::process::id())));
        let fsync = disk::fsync_us(&dir)?;
        let chain = Chain::start(&dir, self.validators).await?;
        let rows = self.rows(&chain, fsync).await;
        chain.stop();
        std::fs::remove_dir_all(&dir)?;
        report::print(&rows?, self.validators, self.json.as_deref())
    }

    async fn rows(&self, chain: &Chain, fsync: disk::Fsync) -> anyhow::Result<Vec<Row>> {
        let mut rows = vec![
            Row::new("fsync of 4 KiB on this disk, p50", fsync.p50_us / 1e3, "ms"),
            Row::new("fsync of 4 KiB on this disk, p99", fsync.p99_us / 1e3, "ms"),
        ];
        rows.extend(chain.idle_use("fresh and idle", self.idle_seconds).await?);
        let latency = load::idle_latency(chain, self.samples).await?;
        rows.push(Row::new("idle chain, submit to committed, p50", latency.p50, "ms"));
        rows.push(Row::new("idle chain, submit to committed, p99", latency.p99, "ms"));
        let single = load::transactions(chain, self.transactions / 2, 1).await?;
        rows.push(Row::new("signed transactions, one a request, committed", single.rate, "/s"));
        rows.push(Row::new("  processor, all validators and load generator", single.cpu_cores, "cores"));
        let transactions = load::transactions(chain, self.transactions, IN_REQUEST).await?;
        rows.push(Row::new("signed transactions, 100 a request, committed", transactions.rate, "/s"));
        rows.push(Row::new("  processor, all validators and load generator", transactions.cpu_cores, "cores"));
        let half = load::latency_at(chain, single.rate / 2.0, 8.0).await?;
        rows.push(Row::new("one a request at half its rate, submit to committed, p50", half.p50, "ms"));
        rows.push(Row::new("one a request at half its rate, submit to committed, p99", half.p99, "ms"));
        let digests = load::digests(chain, self.digests).await?;
        rows.push(Row::new("anchored digests in batches of 10,000", digests.rate, "/s"));
        rows.extend(chain.idle_use("after the load, idle", self.idle_seconds).await?);
        rows.push(Row::new("bytes on disk a validator, after all of it", chain.disk_bytes(0)? / 1e6, "MB"));
        Ok(rows)
    }
}
