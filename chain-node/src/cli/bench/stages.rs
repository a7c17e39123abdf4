//! Where the time went between two readings: the node's own counters, its threads, its writes.

use std::collections::BTreeMap;

use super::chain::Chain;
use super::report::Row;
use super::usage;

/// What one validator, or all of them, had used at a moment.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// By stage: seconds, calls, items; of all validators.
    stages: BTreeMap<String, [f64; 3]>,
    threads: BTreeMap<String, f64>,
    cpu_seconds: f64,
    written_bytes: f64,
    height: u64,
}

/// Stages as they are shown, and whether an item is a transaction, so that a time for each can be told.
const SHOWN: [(&str, &str, bool); 9] = [
    ("check", "check: signatures, in batches", true),
    ("gossip", "gossip: taking what peers send", true),
    ("propose", "propose: an own block, to disk", true),
    ("judge", "judge: another's block, to disk", false),
    ("order", "order: start of a height to decision, all of it", false),
    ("execute", "execute", true),
    ("commit", "commit: state, log and block, to disk", true),
    ("write", "of these, the store's synced writes", false),
    ("guard", "identity file's synced writes", false),
];

impl Reading {
    pub async fn take(chain: &Chain) -> anyhow::Result<Self> {
        let mut reading = Self { height: chain.status(0).await?.height, ..Self::default() };
        for n in 0..chain.size() {
            let text = chain.metrics(n).await?;
            for (place, kind) in ["seconds", "calls", "items"].iter().enumerate() {
                for (stage, value) in labelled(&text, &format!("citychain_stage_{kind}_total"), "stage") {
                    if let Some(total) = reading.stages.entry(stage).or_default().get_mut(place) {
                        *total += value;
                    }
                }
            }
            let pid = chain.pid(n)?;
            reading.cpu_seconds += usage::cpu_seconds(pid)?;
            reading.written_bytes += usage::written_bytes(pid)?;
            for (name, seconds) in usage::thread_seconds(pid)? {
                *reading.threads.entry(name).or_default() += seconds;
            }
        }
        Ok(reading)
    }

    /// What happened since, for so many transactions on so many validators.
    pub fn rows_since(&self, before: &Self, txs: usize, validators: usize) -> Vec<Row> {
        let (blocks, validators, txs) = ((self.height - before.height) as f64, validators as f64, txs as f64);
        let mut rows = Vec::new();
        for (stage, what, is_per_tx) in SHOWN {
            let [seconds, calls, items] = self.stage_since(before, stage);
            let each = if is_per_tx { items } else { calls };
            rows.push(Row::new(
                format!("stage-{stage}"),
                format!("  {what}, a transaction"),
                seconds * 1e6 / validators / txs,
                "us",
            ));
            rows.push(Row::new(
                format!("stage-{stage}-each"),
                format!("    each {}", if is_per_tx { "transaction that passes" } else { "time" }),
                if each == 0.0 { 0.0 } else { seconds * 1e6 / each },
                "us",
            ));
        }
        let [_, store, bytes] = self.stage_since(before, "write");
        let [_, guard, _] = self.stage_since(before, "guard");
        let [_, _, came] = self.stage_since(before, "gossip");
        // From one of three others: 0.75 with four validators, more if something had to be sent again.
        rows.push(Row::new("gossip-times", "  times a transaction came from a peer", came / validators / txs, ""));
        rows.push(Row::new("blocks-txs", "  transactions a block", txs / blocks, ""));
        rows.push(Row::new("syncs-store", "  synced writes a block: store", store / validators / blocks, ""));
        rows.push(Row::new("syncs-guard", "  synced writes a block: identity file", guard / validators / blocks, ""));
        rows.push(Row::new("bytes-log", "  bytes handed to the store a transaction", bytes / validators / txs, "B"));
        let written = (self.written_bytes - before.written_bytes) / validators / txs;
        rows.push(Row::new("bytes-disk", "  bytes written to disk a transaction, all of it", written, "B"));
        let cpu = self.cpu_seconds - before.cpu_seconds;
        rows.push(Row::new("cpu-tx", "  processor a transaction and validator", cpu * 1e6 / validators / txs, "us"));
        let mut threads: Vec<_> = self.threads.iter().map(|(name, s)| (name, s - before.thread(name))).collect();
        threads.sort_by(|a, b| f64::total_cmp(&b.1, &a.1));
        for (name, seconds) in threads.into_iter().take(6).filter(|(_, seconds)| *seconds > 0.0) {
            let us = seconds * 1e6 / validators / txs;
            rows.push(Row::new(format!("thread-{name}"), format!("    of it, threads `{name}`"), us, "us"));
        }
        rows
    }

    fn thread(&self, name: &str) -> f64 {
        self.threads.get(name).copied().unwrap_or(0.0)
    }

    fn stage_since(&self, before: &Self, stage: &str) -> [f64; 3] {
        let now = self.stages.get(stage).copied().unwrap_or_default();
        let then = before.stages.get(stage).copied().unwrap_or_default();
        std::array::from_fn(|n| now.get(n).copied().unwrap_or(0.0) - then.get(n).copied().unwrap_or(0.0))
    }
}

/// Lines `name{label="value"} number` of a metrics text.
pub fn labelled(text: &str, name: &str, label: &str) -> Vec<(String, f64)> {
    let start = format!("{name}{{{label}=\"");
    let parse = |line: &str| {
        let (value, number) = line.strip_prefix(&start)?.split_once("\"} ")?;
        Some((value.to_owned(), number.trim().parse().ok()?))
    };
    text.lines().filter_map(parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_one_name_are_read_and_no_other() {
        let text = "# TYPE a_total counter\na_total{stage=\"x\"} 1.5\na_total{stage=\"y\"} 2\nab_total{stage=\"x\"} 9\na_total 4\n";
        assert_eq!(labelled(text, "a_total", "stage"), [("x".to_owned(), 1.5), ("y".to_owned(), 2.0)]);
    }

    #[test]
    fn what_happened_between_two_readings_is_told_for_each_transaction() {
        let at = |scale: f64| Reading {
            stages: [("execute".to_owned(), [scale, scale * 10.0, scale * 1000.0])].into(),
            threads: [("worker".to_owned(), scale)].into(),
            cpu_seconds: 2.0 * scale,
            written_bytes: 4_000.0 * scale,
            height: scale as u64 * 10,
        };
        let rows = at(3.0).rows_since(&at(1.0), 1_000, 4);
        let value = |key: &str| rows.iter().find(|row| row.key == key).unwrap().value;
        assert_eq!(value("stage-execute"), 2.0 * 1e6 / 4.0 / 1_000.0);
        assert_eq!(value("stage-execute-each"), 1_000.0);
        assert_eq!(value("bytes-disk"), 2.0);
        assert_eq!(value("blocks-txs"), 50.0);
        assert_eq!(value("thread-worker"), 500.0);
    }
}
