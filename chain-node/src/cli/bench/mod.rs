//! `chain-node bench`: validators as processes on this machine's loopback, fsync on, every signature checked; what they do,
//! as a table, as JSON and as a picture. Nothing here decides pass or fail: it measures.

mod chain;
mod chart;
mod disk;
mod evidence;
mod faulted;
mod growth;
mod load;
mod offer;
mod profile;
mod report;
mod stages;
mod usage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use chain::Chain;
use profile::Profile;
use report::{Document, Row, Section, TABLE};

/// Transactions of one request in the run that sends many at a time.
const IN_REQUEST: usize = 100;

#[derive(Debug, Args)]
pub struct Bench {
    /// Add the results to this JSON document; a later run of the same kind and size replaces the earlier one
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draw the document as a picture
    #[arg(long, requires = "json")]
    svg: Option<PathBuf>,
    /// What the programs of tests/peers measured, to stand beside
    #[arg(long)]
    peers: Option<PathBuf>,
    /// One of the loads by which ledger services are compared, instead of the table
    #[arg(long)]
    profile: Option<Profile>,
    /// Length of a profile
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,
    /// Fill the state with so many records and measure again, instead of the table
    #[arg(long, conflicts_with = "profile")]
    keys: Option<usize>,
    /// Validators
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=32))]
    validators: u8,
    /// They listen on 127.NET.1.1, 127.NET.1.2 …
    #[arg(long, default_value_t = 93)]
    net: u8,
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
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        // Dropping the measurement ends the processes that it started.
        runtime.block_on(async {
            tokio::select! {
                done = self.measure() => done,
                _ = interrupt.recv() => bail!("interrupted"),
                _ = terminate.recv() => bail!("interrupted"),
            }
        })
    }

    async fn measure(self) -> anyhow::Result<()> {
        let load_before = usage::load_average();
        let dir = self
            .dir
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("citychain-bench-{}", std::process::id())));
        let fsync = disk::fsync_us(&dir)?;
        let keep_blocks = self.profile.and_then(Profile::keep_blocks);
        let chain = Arc::new(Chain::start(&dir, (self.net, self.validators), keep_blocks).await?);
        let measured = match (self.profile, self.keys) {
            (Some(profile), _) => {
                profile.measure(&chain, self.minutes).await.map(|(rows, points)| (profile.name(), rows, points))
            }
            (None, Some(keys)) => growth::measure(&chain, keys).await.map(|rows| ("growth", rows, Vec::new())),
            (None, None) => self.rows(&chain).await.map(|rows| (TABLE, rows, Vec::new())),
        };
        drop(chain);
        std::fs::remove_dir_all(&dir)?;
        let (name, rows, points) = measured?;
        let mut all = vec![
            Row::new("fsync-p50", "fsync of 4 KiB on this disk, p50", fsync.p50_us / 1e3, "ms"),
            Row::new("fsync-p99", "fsync of 4 KiB on this disk, p99", fsync.p99_us / 1e3, "ms"),
        ];
        all.extend(rows);
        self.report(Section::new(name, self.validators, load_before, all, points))
    }

    fn report(&self, section: Section) -> anyhow::Result<()> {
        section.print();
        let mut document = self.json.as_deref().map(Document::load).transpose()?.unwrap_or_default();
        if let Some(peers) = &self.peers {
            document.put_peers(read_peers(peers)?);
        }
        let is_table = section.name == TABLE;
        document.put(section);
        if is_table {
            document.print_ratios();
        }
        if let Some(json) = &self.json {
            document.save(json)?;
        }
        if let Some(svg) = &self.svg {
            std::fs::write(svg, chart::draw(&document))
                .with_context(|| format!("failed to write {}", svg.display()))?;
        }
        Ok(())
    }

    async fn rows(&self, chain: &Arc<Chain>) -> anyhow::Result<Vec<Row>> {
        let founded = chain.founded_in.as_secs_f64();
        let mut rows = vec![Row::new("founded", "from an empty folder to the first block everywhere", founded, "s")];
        rows.extend(chain.idle_use("fresh", "fresh and idle", self.idle_seconds).await?);
        let latency = load::idle_latency(chain, self.samples).await?;
        rows.push(Row::new("idle-p50", "idle chain, submit to committed, p50", latency.p50, "ms"));
        rows.push(Row::new("idle-p99", "idle chain, submit to committed, p99", latency.p99, "ms"));
        rows.extend(evidence::measure(chain, self.samples.div_ceil(4)).await?);
        let single = load::transactions(chain, self.transactions / 2, 1).await?;
        rows.extend(rate_rows("single", "one a request", &single));
        let batched = load::transactions(chain, self.transactions, IN_REQUEST).await?;
        rows.extend(rate_rows("batched", "100 a request", &batched));
        rows.extend(batched.stages.into_iter().filter(|row| row.key != "cpu-tx"));
        let half = load::latency_at(chain, single.rate / 2.0, 8.0).await?;
        rows.push(Row::new("half-p50", "one a request at half its rate, submit to committed, p50", half.p50, "ms"));
        rows.push(Row::new("half-p99", "one a request at half its rate, submit to committed, p99", half.p99, "ms"));
        let anchors = load::anchors(chain, self.transactions / 2).await?;
        rows.push(Row::new("anchors", "anchors, one digest and one request each, committed", anchors.rate, "/s"));
        let disk = chain.disk_bytes(0)?;
        let digests = load::digests(chain, self.digests).await?;
        rows.push(Row::new("digests", "anchored digests in batches of 10,000", digests.rate, "/s"));
        rows.push(Row::new("digests-cpu", "  processor a digest and validator", digests.cpu_us, "us"));
        let each = (chain.disk_bytes(0)? - disk) / self.digests as f64;
        rows.push(Row::new("digests-disk", "  bytes on disk a digest, every block kept", each, "B"));
        rows.extend(chain.idle_use("after", "after the load, idle", self.idle_seconds).await?);
        rows.push(Row::new("disk", "bytes on disk a validator, after all of it", chain.disk_bytes(0)? / 1e6, "MB"));
        rows.extend(faulted::measure(chain, single.rate).await?);
        Ok(rows)
    }
}

/// What a run at full rate did, and what it took.
fn rate_rows(key: &str, how: &str, run: &load::Throughput) -> [Row; 3] {
    let processor = "  processor, all validators and load generator";
    [
        Row::new(key, format!("signed transactions, {how}, committed"), run.rate, "/s"),
        Row::new(format!("{key}-cores"), processor, run.cpu_cores, "cores"),
        Row::new(format!("{key}-cpu"), format!("  processor a transaction and validator, {how}"), run.cpu_us, "us"),
    ]
}

fn read_peers(path: &Path) -> anyhow::Result<Vec<report::PeerSystem>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not what tests/peers writes", path.display()))
}
