//! The three loads by which ledger services are compared: *pressure*, more than the chain can take for a while; *spike*, a
//! quiet load with a sudden one in between; *stability*, a steady load for long. Each after a short run that finds what
//! the chain can take, of which the loads are shares.

use std::sync::Arc;

use clap::ValueEnum;

use super::chain::Chain;
use super::load::{self, percentile};
use super::offer::{Outcome, Second, Stretch, offer};
use super::report::{Point, Row};
use super::stages::Reading;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Half as much again as the chain can take
    Pressure,
    /// A third of that, three times that, and a third again
    Spike,
    /// Six tenths of that, for --minutes, with older blocks dropped as it goes
    Stability,
}

/// Blocks that validators keep in the stability run, all but the first: few, so that dropping keeps up from the start.
pub const KEEP_BLOCKS: u64 = 300;
/// Transactions of the run that finds what the chain can take.
const FINDING: usize = 12_000;
const IN_REQUEST: usize = 100;

impl Profile {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pressure => "pressure",
            Self::Spike => "spike",
            Self::Stability => "stability",
        }
    }

    pub fn keep_blocks(self) -> Option<u64> {
        (self == Self::Stability).then_some(KEEP_BLOCKS)
    }

    fn plan(self, capacity: f64, minutes: u64) -> Vec<Stretch> {
        let stretch = |share: f64, seconds| Stretch { rate: capacity * share, seconds };
        match self {
            Self::Pressure => vec![stretch(1.5, 60 * minutes)],
            Self::Spike => vec![stretch(0.3, 20), stretch(3.0, 20), stretch(0.3, 20 + 60 * (minutes - 1))],
            Self::Stability => vec![stretch(0.6, 60 * minutes)],
        }
    }

    pub async fn measure(self, chain: &Arc<Chain>, minutes: u64) -> anyhow::Result<(Vec<Row>, Vec<Point>)> {
        let count = FINDING * 4 / chain.size().max(4);
        // The first run fills pools and caches; the second one tells.
        load::transactions(chain, count / 4, IN_REQUEST).await?;
        let capacity = load::transactions(chain, count, IN_REQUEST).await?.rate;
        let disk = [chain.disk_bytes(0)?, chain.disk_bytes(1)?];
        let plan = self.plan(capacity, minutes);
        let before = Reading::take(chain).await?;
        let outcome = offer(chain, &plan).await?;
        let reading = Reading::take(chain).await?;
        let mut rows = vec![Row::new("capacity", "what the chain takes, 100 a request", capacity, "/s")];
        rows.extend(totals(&outcome));
        if self == Self::Spike {
            rows.extend(phases(&outcome, &plan));
        }
        rows.extend(reading.rows_since(&before, outcome.committed as usize, chain.size()));
        let after = load::transactions(chain, count, IN_REQUEST).await?.rate;
        rows.push(Row::new("capacity-after", "what the chain takes afterwards, 100 a request", after, "/s"));
        if self == Self::Stability {
            rows.extend(decay(&outcome));
            let txs = (outcome.committed as usize + count) as f64;
            let each = |n: usize| anyhow::Ok((chain.disk_bytes(n)? - disk.get(n).copied().unwrap_or(0.0)) / txs);
            let kept = chain.status(1).await?.height;
            rows.push(Row::new("disk-whole", "disk a transaction, every block kept", each(0)?, "B"));
            rows.push(Row::new("disk-pruned", "disk a transaction, blocks dropped as allowed", each(1)?, "B"));
            rows.push(Row::new("blocks", "blocks in all", kept as f64, ""));
        }
        let width = match (self, minutes) {
            (Self::Stability, 5..) => 60,
            (Self::Stability, _) => 10,
            _ => 1,
        };
        Ok((rows, points(&outcome, width)))
    }
}

fn latencies<'a>(seconds: impl IntoIterator<Item = &'a Second>) -> Vec<f64> {
    let mut all: Vec<f64> = seconds.into_iter().flat_map(|second| second.latencies.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    all
}

fn totals(outcome: &Outcome) -> Vec<Row> {
    let offered = outcome.sum(|s| s.offered) as f64;
    let share = |count: u64| count as f64 / offered * 100.0;
    let (accepted, refused) = (outcome.sum(|s| s.accepted), outcome.sum(|s| s.refused));
    let failed = outcome.sum(|s| s.failed);
    let times = latencies(&outcome.seconds);
    let memory = outcome.seconds.iter().map(|s| s.memory_mb).fold(0.0, f64::max);
    let seconds = outcome.seconds.len() as f64;
    vec![
        Row::new("offered", "offered", offered / seconds, "/s"),
        Row::new("accepted", "acknowledged, each of them committed", share(accepted), "%"),
        Row::new("refused", "turned away with 429", share(refused), "%"),
        Row::new("refused-count", "  in number", refused as f64, ""),
        Row::new("failed", "failed in any other way", share(failed), "%"),
        Row::new("lost", "acknowledged and in no block", accepted.saturating_sub(outcome.committed) as f64, ""),
        Row::new("p50", "submit to committed, p50", percentile(&times, 0.5), "ms"),
        Row::new("p95", "submit to committed, p95", percentile(&times, 0.95), "ms"),
        Row::new("p99", "submit to committed, p99", percentile(&times, 0.99), "ms"),
        Row::new("memory-max", "memory of the largest validator, at most", memory, "MB"),
    ]
}

/// Each stretch by itself.
fn phases(outcome: &Outcome, plan: &[Stretch]) -> Vec<Row> {
    let (mut rows, mut from) = (Vec::new(), 0);
    for (name, stretch) in ["before", "spike", "after"].iter().zip(plan) {
        let to = from + stretch.seconds as usize;
        let seconds = outcome.seconds.get(from..to).unwrap_or_default();
        let (times, offered) = (latencies(seconds), seconds.iter().map(|s| s.offered).sum::<u64>() as f64);
        let accepted = seconds.iter().map(|s| s.accepted).sum::<u64>() as f64;
        rows.push(Row::new(format!("{name}-offered"), format!("{name}: offered"), stretch.rate, "/s"));
        rows.push(Row::new(
            format!("{name}-accepted"),
            "  acknowledged and committed",
            accepted / offered * 100.0,
            "%",
        ));
        rows.push(Row::new(format!("{name}-p50"), "  submit to committed, p50", percentile(&times, 0.5), "ms"));
        rows.push(Row::new(format!("{name}-p99"), "  submit to committed, p99", percentile(&times, 0.99), "ms"));
        from = to;
    }
    rows
}

/// The first minute beside the last.
fn decay(outcome: &Outcome) -> Vec<Row> {
    let minutes = points(outcome, 60);
    let [first, .., last] = minutes.as_slice() else { return Vec::new() };
    let memory = |p: &Point| p.memory_mb;
    let p99 = |p: &Point| p.p99_ms.unwrap_or(f64::NAN);
    vec![
        Row::new("first-rate", "first minute: committed", first.committed, "/s"),
        Row::new("last-rate", "last minute: committed", last.committed, "/s"),
        Row::new(
            "decay",
            "  lost from the first to the last minute",
            (1.0 - last.committed / first.committed) * 100.0,
            "%",
        ),
        Row::new("first-p99", "first minute: submit to committed, p99", p99(first), "ms"),
        Row::new("last-p99", "last minute: submit to committed, p99", p99(last), "ms"),
        Row::new("first-memory", "first minute: memory of the largest validator", memory(first), "MB"),
        Row::new("last-memory", "last minute: memory of the largest validator", memory(last), "MB"),
    ]
}

fn points(outcome: &Outcome, width: usize) -> Vec<Point> {
    let one = |(n, seconds): (usize, &[Second])| {
        let rate = |of: fn(&Second) -> u64| seconds.iter().map(of).sum::<u64>() as f64 / seconds.len() as f64;
        let times = latencies(seconds);
        let at = |share| (!times.is_empty()).then(|| percentile(&times, share));
        Point {
            at_s: (n * width + seconds.len()) as u64,
            offered: rate(|s| s.offered),
            committed: rate(|s| s.committed),
            refused: rate(|s| s.refused),
            failed: rate(|s| s.failed),
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            memory_mb: seconds.iter().map(|s| s.memory_mb).fold(0.0, f64::max),
        }
    };
    outcome.seconds.chunks(width).enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(offered: u64, committed: u64, latency: f64) -> Second {
        let latencies = vec![latency];
        Second { offered, committed, accepted: committed, refused: offered - committed, latencies, ..Second::default() }
    }

    #[test]
    fn decay_is_the_last_minute_beside_the_first() {
        let seconds = (0..180).map(|n| second(100, if n < 60 { 100 } else { 90 }, 5.0)).collect();
        let rows = decay(&Outcome { seconds, committed: 0 });
        let decay = rows.iter().find(|row| row.key == "decay").unwrap().value;
        assert!((decay - 10.0).abs() < 1e-9, "{decay}");
    }

    #[test]
    fn a_spike_is_told_apart_from_what_comes_before_and_after() {
        let plan = [
            Stretch { rate: 10.0, seconds: 2 },
            Stretch { rate: 40.0, seconds: 1 },
            Stretch { rate: 10.0, seconds: 1 },
        ];
        let seconds = vec![second(10, 10, 1.0), second(10, 10, 1.0), second(40, 20, 9.0), second(10, 10, 2.0)];
        let outcome = Outcome { seconds, committed: 50 };
        let rows = phases(&outcome, &plan);
        let value = |key: &str| rows.iter().find(|row| row.key == key).unwrap().value;
        assert_eq!([value("before-accepted"), value("spike-accepted"), value("after-accepted")], [100.0, 50.0, 100.0]);
        assert_eq!([value("before-p99"), value("spike-p99"), value("after-p99")], [1.0, 9.0, 2.0]);
        let lost = totals(&outcome).into_iter().find(|row| row.key == "lost").unwrap().value;
        assert_eq!(lost, 0.0);
    }
}
