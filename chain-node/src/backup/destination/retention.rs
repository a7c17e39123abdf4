//! Which backups are too many. Pure.

use chain_types::Fingerprint;

use super::Manifest;

/// A finished backup in a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub name: String,
    pub manifest: Manifest,
}

/// Names of a chain's runs beyond the newest `keep`, without `proven`: the newest one that a drill restored stays whatever
/// came after it, since nobody has seen the others come back. Runs of other chains are nobody's business here.
pub fn superfluous(runs: &[Run], chain: Fingerprint, keep: usize, proven: Option<&str>) -> Vec<String> {
    let mut own: Vec<&Run> = runs.iter().filter(|run| run.manifest.fingerprint == chain).collect();
    own.sort_by_key(|run| std::cmp::Reverse((run.manifest.created_ms, &run.name)));
    let beyond = own.into_iter().skip(keep.max(1)).map(|run| run.name.clone());
    beyond.filter(|name| Some(name.as_str()) != proven).collect()
}

#[cfg(test)]
mod tests {
    use chain_types::{BlockId, Hash};

    use super::*;

    fn run(name: &str, created_ms: u64, chain: u8) -> Run {
        let manifest = Manifest {
            format: 1,
            store_format: 1,
            version: "0.1.0".into(),
            created_ms,
            chain_id: "yunchuan.notary.main".into(),
            fingerprint: Fingerprint([chain; 32]),
            height: created_ms,
            block_id: BlockId([0; 32]),
            block_time_ms: 0,
            certificate: String::new(),
            state_root: Hash([0; 32]),
            log_size: 0,
            log_root: Hash([0; 32]),
            files: Vec::new(),
        };
        Run { name: name.into(), manifest }
    }

    /// How many are kept, which one is proven, which go.
    const CASES: &[(usize, Option<&str>, &[&str])] = &[
        (3, None, &[]),
        (2, None, &["a"]),
        (1, None, &["b", "a"]),
        (1, Some("a"), &["b"]),
        (1, Some("c"), &["b", "a"]),
        (1, Some("gone"), &["b", "a"]),
        // Whoever says none gets one: the one that was just made.
        (0, None, &["b", "a"]),
    ];

    #[test]
    fn the_newest_stay_and_the_newest_proven_one_always() {
        let runs = [run("b", 2, 1), run("other", 9, 2), run("c", 3, 1), run("a", 1, 1)];
        let chain = Fingerprint([1; 32]);
        for (keep, proven, go) in CASES {
            assert_eq!(superfluous(&runs, chain, *keep, *proven), *go, "{keep} {proven:?}");
        }
    }
}
