//! What the disk costs: the number that every latency stands on.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::load::percentile;

pub struct Fsync {
    pub p50_us: f64,
    pub p99_us: f64,
}

/// 200 writes of 4 KiB, each synced.
pub fn fsync_us(dir: &Path) -> anyhow::Result<Fsync> {
    std::fs::create_dir_all(dir)?;
    let path = dir.join("fsync");
    let mut file = std::fs::File::create(&path)?;
    let mut times = Vec::new();
    for _ in 0..200 {
        let start = Instant::now();
        file.write_all(&[0x5a; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    std::fs::remove_file(path)?;
    times.sort_by(f64::total_cmp);
    Ok(Fsync { p50_us: percentile(&times, 0.5), p99_us: percentile(&times, 0.99) })
}
