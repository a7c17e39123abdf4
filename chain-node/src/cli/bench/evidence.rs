//! Evidence of one act: when it can be had, how large it is, and what checking it costs.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chain_types::evidence::Inputs;
use chain_types::evidence::package::verify_file;

use super::chain::Chain;
use super::load::{Latency, bind, submit};
use super::report::Row;

/// Evidence that is not there after this long has failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// On a resting chain, so many acts one after the other.
pub async fn measure(chain: &Chain, samples: usize) -> anyhow::Result<Vec<Row>> {
    let client = chain.client()?;
    let (mut provable, mut checked, mut cores, mut packages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for n in 0..samples {
        let tx = bind(chain, &chain.administrator)?;
        let sent = Instant::now();
        submit(chain, n, &tx, 10_000).await?;
        let core = loop {
            match client.evidence_of_transaction(tx.id()).await {
                Ok(proven) => break proven.bytes,
                Err(error) if sent.elapsed() > PATIENCE => {
                    return Err(error).context("a committed act has no evidence");
                }
                // The next block certifies this one.
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        };
        provable.push(sent.elapsed().as_secs_f64() * 1e3);
        let package = client.package_of_transaction(tx.id()).await?.bytes;
        let inputs = Inputs { trust: Some(chain.fingerprint), file: None };
        let begun = Instant::now();
        let report = verify_file(&core, &inputs);
        checked.push(begun.elapsed().as_secs_f64() * 1e3);
        ensure!(report.is_valid(), "evidence did not verify: {:?}", report.checks);
        cores.push(core.len() as f64 / 1e3);
        packages.push(package.len() as f64 / 1e3);
    }
    let (provable, checked) = (Latency::of(provable), Latency::of(checked));
    let largest = |values: Vec<f64>| values.into_iter().fold(0.0, f64::max);
    Ok(vec![
        Row::new("provable-p50", "idle chain, submit to evidence in hand, p50", provable.p50, "ms"),
        Row::new("provable-p99", "idle chain, submit to evidence in hand, p99", provable.p99, "ms"),
        Row::new("evidence-core", "  evidence of an act, its core, at most", largest(cores), "KB"),
        Row::new("evidence-package", "  the package around it, at most", largest(packages), "KB"),
        Row::new("evidence-verify", "  checking it, one thread, p50", checked.p50, "ms"),
    ])
}
