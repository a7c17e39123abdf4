//! The top of the house holds the rooms of the design and the usual root files, nothing else.

use super::{Finding, Tree};
use std::collections::BTreeSet;

const ALLOWED: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "Makefile",
    "LICENSE",
    "NOTICE",
    "CHANGELOG.md",
    "SECURITY.md",
    "CONTRIBUTING.md",
    "deny.toml",
    "clippy.toml",
    "rustfmt.toml",
    "rust-toolchain.toml",
    "chain-node",
    "operator",
    "console",
    "web",
    "charts",
    "crds",
    "tests",
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let entries: BTreeSet<&str> = tree.all().filter_map(|file| file.path.split('/').next()).collect();
    entries
        .into_iter()
        .filter(|entry| !entry.starts_with('.') && !ALLOWED.contains(entry))
        .map(|entry| Finding::new(entry, 1, "does not belong at the top: move it into the folder of what it is for"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stray_entry_is_found_and_the_house_is_not() {
        let tree =
            Tree::of(&[("scripts/a.sh", ""), ("notes.txt", ""), (".ci/run", ""), ("web/a", ""), ("LICENSE", "")]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["notes.txt", "scripts"]);
    }
}
