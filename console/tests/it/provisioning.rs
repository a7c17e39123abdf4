//! A console that is killed with -9 while it makes its chains finishes them by itself: no key, genesis or validator is made twice.

use super::site::{CHAIN, Site, until};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const VALIDATORS: usize = 4;

/// Files that are made once and never again, as they are.
fn made_once(chain: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = vec![chain.join("genesis.json"), chain.join("steward.key")];
    for n in 1..=VALIDATORS {
        let keys =
            fs::read_dir(chain.join("validators").join(n.to_string()).join("keys")).into_iter().flatten().flatten();
        files.extend(keys.map(|entry| entry.path()));
    }
    files.into_iter().filter_map(|path| fs::read(&path).ok().map(|bytes| (path, bytes))).collect()
}

/// Processes whose command line names a validator's folder.
fn processes(validator: &Path) -> usize {
    let needle = format!("{}/", validator.display());
    let of = |entry: fs::DirEntry| fs::read(entry.path().join("cmdline")).ok();
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(of);
    all.filter(|line| String::from_utf8_lossy(line).contains(&needle)).count()
}

#[tokio::test]
async fn a_console_killed_at_every_step_of_making_a_chain_finishes_it_once() {
    let mut site = Site::prepare(None).await;
    let chain = site.home().join("chains").join(CHAIN);
    let record = |n: usize| chain.join("validators").join(n.to_string()).join("process.json");
    let step_done = |site: &Site, id: &str| {
        let status = site.status(CHAIN);
        let steps = status["steps"].as_array().cloned().unwrap_or_default();
        steps.iter().any(|step| step["id"] == id && step["state"] == "done")
    };
    type Seen<'a> = Box<dyn Fn(&Site) -> bool + 'a>;
    let moments: [(&str, Seen<'_>); 6] = [
        ("the first key", Box::new(|_| chain.join("validators/1/keys").is_dir())),
        ("the genesis", Box::new(|_| chain.join("genesis.json").is_file())),
        ("the first validator", Box::new(|_| record(1).is_file())),
        ("the last validator", Box::new(|_| (1..=VALIDATORS).all(|n| record(n).is_file()))),
        ("the validators' step", Box::new(|site| step_done(site, "validators"))),
        ("the first block", Box::new(|site| step_done(site, "first-block"))),
    ];
    let mut known: BTreeMap<PathBuf, Vec<u8>> = BTreeMap::new();
    for (what, seen) in moments {
        site.spawn();
        until(&format!("{what} is there"), async || seen(&site).then_some(())).await;
        site.kill();
        let now = made_once(&chain);
        for (path, bytes) in &known {
            assert_eq!(now.get(path), Some(bytes), "{} was made anew before {what}", path.display());
        }
        known = now;
    }
    assert!(known.len() > 2 * VALIDATORS, "keys and genesis were looked at: {:?}", known.keys());
    site.launch().await;
    site.chain_works().await;
    assert_eq!(made_once(&chain).len(), known.len());
    for n in 1..=VALIDATORS {
        let folder = chain.join("validators").join(n.to_string());
        assert_eq!(processes(&folder), 1, "validator {n} runs once");
    }
    let steps = site.status(CHAIN)["steps"].as_array().cloned().unwrap_or_default();
    assert!(steps.len() == 5 && steps.iter().all(|step| step["state"] == "done"), "{steps:?}");
}
