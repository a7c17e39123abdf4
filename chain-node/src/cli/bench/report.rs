//! The results: a table on the terminal, one JSON document that several runs add to, and the ratios to what others do.

use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

/// One number. The key stays the same from version to version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub key: String,
    pub what: String,
    pub value: f64,
    pub unit: String,
}

impl Row {
    pub fn new(key: impl Into<String>, what: impl Into<String>, value: f64, unit: &str) -> Self {
        Self { key: key.into(), what: what.into(), value, unit: unit.to_owned() }
    }
}

/// A stretch of a longer run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// End of the stretch, since the start.
    pub at_s: u64,
    /// Transactions a second.
    pub offered: f64,
    pub committed: f64,
    pub refused: f64,
    pub failed: f64,
    /// Submit to committed; none if nothing of the stretch was.
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    /// Of the validator that has most.
    pub memory_mb: f64,
}

/// One run on one chain. A later run of the same name and size takes its place in the document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Section {
    pub name: String,
    pub validators: u8,
    pub version: String,
    pub machine: Machine,
    /// Of the last minute before the run: what is far above 0 here shared the machine with others.
    pub load_before: f64,
    pub rows: Vec<Row>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
}

/// What the programs of tests/peers measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PeerSystem {
    pub name: String,
    /// How it was set, where that differs from how it ships.
    pub settings: Vec<String>,
    pub rows: Vec<Row>,
}

/// Our number beside another's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ratio {
    pub what: String,
    pub ours: f64,
    pub theirs: f64,
    pub unit: String,
    pub peer: String,
    /// How many times better ours is: above 1 is better, whatever the unit.
    pub times: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    pub sections: Vec<Section>,
    #[serde(default)]
    pub peers: Vec<PeerSystem>,
    #[serde(default)]
    pub ratios: Vec<Ratio>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub processor: String,
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
}

/// Name of the section that is put beside others.
pub const TABLE: &str = "table";

/// Our key, the peer's, and whether less is better.
const BESIDE: [(&str, &str, bool); 14] = [
    ("single", "cometbft-signed/single", false),
    ("single", "cometbft/single", false),
    ("single-cpu", "cometbft-signed/single-cpu", true),
    ("single-cpu", "cometbft/single-cpu", true),
    ("batched", "cometbft-signed/batched", false),
    ("batched", "cometbft/batched", false),
    ("batched-cpu", "cometbft-signed/batched-cpu", true),
    ("batched-cpu", "cometbft/batched-cpu", true),
    ("idle-p50", "cometbft-signed/idle-p50", true),
    ("idle-p50", "cometbft/idle-p50", true),
    ("idle-p99", "cometbft-signed/idle-p99", true),
    ("idle-p99", "cometbft/idle-p99", true),
    ("digests", "tessera/shipped", false),
    ("digests", "tessera/large", false),
];

impl Ratio {
    /// The peer in so few words that they fit beside a bar.
    pub fn peer_short(&self) -> String {
        let (system, what) = self.peer.rsplit_once(": ").unwrap_or((&self.peer, ""));
        let name = system.split(',').next().unwrap_or(system);
        match () {
            () if system.contains("Ed25519") => format!("{name} kvstore, signatures checked"),
            () if system.contains("kvstore") => format!("{name} kvstore, no signatures"),
            () => format!("{name}, {}", what.split_once(", ").map_or(what, |(_, how)| how)),
        }
    }
}

impl Document {
    /// The document of earlier runs, or an empty one.
    pub fn load(path: &Path) -> anyhow::Result<Self> {
        match std::fs::read_to_string(path) {
            // One of another version is no loss: it is measured again.
            Ok(text) => Ok(serde_json::from_str(&text).unwrap_or_default()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(e).with_context(|| format!("failed to read {}", path.display())),
        }
    }

    /// Puts a run in the place of the earlier one.
    pub fn put(&mut self, section: Section) {
        let is_same = |s: &Section| (&s.name, s.validators) == (&section.name, section.validators);
        match self.sections.iter_mut().find(|s| is_same(s)) {
            Some(place) => *place = section,
            None => self.sections.push(section),
        }
        self.compare();
    }

    pub fn put_peers(&mut self, peers: Vec<PeerSystem>) {
        self.peers = peers;
        self.compare();
    }

    /// Four validators beside four validators, as far as both were measured.
    fn compare(&mut self) {
        let Some(table) = self.sections.iter().find(|s| s.name == TABLE && s.validators == 4) else { return };
        let one = |(ours, theirs, less): &(&str, &str, bool)| {
            let own = table.rows.iter().find(|row| row.key == *ours)?;
            let all = self.peers.iter().flat_map(|peer| peer.rows.iter().map(move |row| (peer, row)));
            let (peer, row) = all.into_iter().find(|(_, row)| row.key == *theirs)?;
            let times = if *less { row.value / own.value } else { own.value / row.value };
            let (what, unit) = (own.what.trim().to_owned(), own.unit.clone());
            let peer = format!("{}: {}", peer.name, row.what.trim());
            Some(Ratio { what, ours: own.value, theirs: row.value, unit, peer, times })
        };
        self.ratios = BESIDE.iter().filter_map(one).collect();
    }

    pub fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
    }

    pub fn print_ratios(&self) {
        if self.ratios.is_empty() {
            return;
        }
        println!("\nbeside others on this machine; above 1 ours is better\n");
        for ratio in &self.ratios {
            let numbers = format!("{} / {} {}", short(ratio.ours), short(ratio.theirs), ratio.unit);
            println!("{:>6.2} x  {:<56} {:<22} {}", ratio.times, ratio.what, numbers, ratio.peer_short());
        }
    }
}

impl Section {
    /// What could not be measured (nothing was committed, say) has no number and is left out.
    pub fn new(name: &str, validators: u8, load_before: f64, mut rows: Vec<Row>, points: Vec<Point>) -> Self {
        rows.retain(|row| row.value.is_finite());
        let (name, version) = (name.to_owned(), env!("CARGO_PKG_VERSION").to_owned());
        Self { name, validators, version, machine: machine(), load_before, rows, points }
    }

    pub fn print(&self) {
        let m = &self.machine;
        println!("{}: {} validators as processes on loopback", self.name, self.validators);
        println!("{}, {} cores, {} MiB; Linux {}", m.processor, m.cores, m.memory_mib, m.kernel);
        println!("fsync on, every signature checked on every validator; load generator on the same cores");
        println!("load of the machine in the minute before: {:.2}\n", self.load_before);
        for row in &self.rows {
            println!("{:<62} {:>12} {}", row.what, short(row.value), row.unit);
        }
        if !self.points.is_empty() {
            println!(
                "\n{:>6} {:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8}",
                "s", "offered/s", "done/s", "429/s", "failed/s", "p50 ms", "p99 ms", "MB"
            );
        }
        let or_dash = |ms: Option<f64>| ms.map_or("-".to_owned(), short);
        for p in &self.points {
            println!(
                "{:>6} {:>9.0} {:>9.0} {:>9.0} {:>8.0} {:>8} {:>8} {:>8.0}",
                p.at_s,
                p.offered,
                p.committed,
                p.refused,
                p.failed,
                or_dash(p.p50_ms),
                or_dash(p.p99_ms),
                p.memory_mb
            );
        }
    }
}

/// Three digits or so.
pub fn short(value: f64) -> String {
    match value {
        v if v >= 100.0 || v == 0.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, rows: Vec<Row>) -> Section {
        Section::new(name, 4, 0.0, rows, Vec::new())
    }

    fn peers(text: &str) -> Vec<PeerSystem> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_later_run_replaces_its_own_and_ratios_say_how_many_times_better() {
        let mut document = Document::default();
        document.put(section("spike", vec![Row::new("x", "x", 1.0, "")]));
        document.put(section(TABLE, vec![Row::new("single", "one", 10.0, "/s")]));
        let rows = vec![Row::new("single", "one", 30.0, "/s"), Row::new("idle-p50", "idle", 8.0, "ms")];
        document.put(section(TABLE, rows));
        document.put_peers(peers(
            r#"[{"name": "C", "settings": [], "rows": [
                {"key": "cometbft/single", "what": "s", "value": 10, "unit": "/s"},
                {"key": "cometbft/idle-p50", "what": "i", "value": 2, "unit": "ms"}]}]"#,
        ));
        assert_eq!(document.sections.len(), 2);
        let times: Vec<f64> = document.ratios.iter().map(|ratio| ratio.times).collect();
        assert_eq!(times, [3.0, 0.25], "ours does three times as many, and takes four times as long");
    }

    #[test]
    fn a_number_that_is_none_is_left_out_and_the_document_is_read_back() {
        let mut document = Document::default();
        let point = Point { at_s: 1, p50_ms: None, p99_ms: Some(2.5), ..Point::default() };
        let rows = vec![Row::new("nothing", "nothing", f64::NAN, "ms"), Row::new("x", "x", 0.1, "")];
        document.put(Section::new("spike", 16, 0.5, rows, vec![point]));
        let dir = tempfile::tempdir().unwrap();
        document.save(&dir.path().join("bench.json")).unwrap();
        let read = Document::load(&dir.path().join("bench.json")).unwrap();
        assert_eq!(read, document);
        assert!(read.sections[0].rows.iter().all(|row| row.key == "x"));
    }
}
