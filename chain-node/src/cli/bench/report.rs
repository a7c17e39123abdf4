//! The table and its JSON.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
}

impl Row {
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    version: &'static str,
    machine: Machine,
    validators: u8,
    rows: &'a [Row],
}

#[derive(Serialize)]
struct Machine {
    processor: String,
    cores: usize,
    memory_mib: u64,
    kernel: String,
}

pub fn print(rows: &[Row], validators: u8, json: Option<&Path>) -> anyhow::Result<()> {
    let machine = machine();
    println!(
        "{} validators as processes on loopback; {}, {} cores, {} MiB; Linux {}",
        validators, machine.processor, machine.cores, machine.memory_mib, machine.kernel
    );
    println!("fsync on, every signature checked on every validator; load generator on the same cores\n");
    for row in rows {
        let value = if row.value >= 100.0 { format!("{:.0}", row.value) } else { format!("{:.2}", row.value) };
        println!("{:<55} {:>12} {}", row.what, value, row.unit);
    }
    if let Some(path) = json {
        let document = Document { version: env!("CARGO_PKG_VERSION"), machine, validators, rows };
        let text = serde_json::to_string_pretty(&document)?;
        std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))?;
    }
    Ok(())
}

fn machine() -> Machine {
    let field = |path: &str, name: &str| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let kilobytes = field("/proc/meminfo", "MemTotal");
    let kilobytes: u64 = kilobytes.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
    Machine {
        processor: field("/proc/cpuinfo", "model name"),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        memory_mib: kilobytes / 1024,
        kernel: std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
    }
}
