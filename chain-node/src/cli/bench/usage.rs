//! What a process has used so far, as Linux counts it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;

/// Clock ticks of a second in /proc; the same on every Linux that Rust runs on.
const TICKS_PER_S: f64 = 100.0;

/// Processor time, user and system.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    stat_seconds(Path::new(&format!("/proc/{pid}/stat")))
}

fn stat_seconds(path: &Path) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(path)?;
    let rest = stat.rsplit_once(')').context("a process's stat line")?.1;
    let ticks: u64 = rest.split_whitespace().skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Ok(ticks as f64 / TICKS_PER_S)
}

/// Processor time by the name of the thread, numbers at the name's end left out.
pub fn thread_seconds(pid: u32) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut threads = BTreeMap::new();
    for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let dir = entry?.path();
        // A thread may end while it is looked at.
        let Ok(name) = std::fs::read_to_string(dir.join("comm")) else { continue };
        let Ok(seconds) = stat_seconds(&dir.join("stat")) else { continue };
        let name = name.trim().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-').to_owned();
        *threads.entry(name).or_default() += seconds;
    }
    Ok(threads)
}

/// Memory that is resident now.
pub fn rss_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("a process's memory")?;
    let kilobytes: f64 = line.split_whitespace().nth(1).context("a process's memory")?.parse()?;
    Ok(kilobytes / 1024.0)
}

/// Bytes that went to the disk, compaction included.
pub fn written_bytes(pid: u32) -> anyhow::Result<f64> {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes:")).context("a process's writes")?;
    Ok(line.trim().parse()?)
}

pub fn folder_bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        // A running node deletes files while they are counted.
        let Ok(kind) = entry.metadata() else { continue };
        total += if kind.is_dir() { folder_bytes(&entry.path())? } else { kind.len() };
    }
    Ok(total)
}

/// How busy the machine was in the last minute, in processes that wanted to run.
pub fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(f64::NAN)
}
