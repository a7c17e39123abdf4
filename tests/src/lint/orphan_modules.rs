//! A Rust file that no `mod` names is never compiled and rots in silence: each one is a finding.

use super::modules::Modules;
use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let modules = Modules::of(tree);
    tree.rust()
        .filter(|file| !modules.contains(&file.path))
        .map(|file| {
            Finding::new(&file.path, 1, "no mod line names this file, so it is never compiled: name it or remove it")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: (&str, &str) = ("a/Cargo.toml", "[package]\nname = \"a\"\n");

    #[test]
    fn a_file_that_nothing_names_is_found() {
        let tree = Tree::of(&[PACKAGE, ("a/src/lib.rs", "mod named;"), ("a/src/named.rs", ""), ("a/src/lost.rs", "")]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["a/src/lost.rs"]);
    }

    #[test]
    fn a_file_outside_every_package_is_found() {
        assert_eq!(check(&Tree::of(&[PACKAGE, ("b/src/lib.rs", "")])).len(), 1);
    }

    #[test]
    fn a_test_in_a_subfolder_that_its_main_does_not_name_is_found() {
        let tree = Tree::of(&[
            PACKAGE,
            ("a/tests/it/main.rs", "mod one;"),
            ("a/tests/it/one.rs", ""),
            ("a/tests/it/two.rs", ""),
        ]);
        assert_eq!(check(&tree).len(), 1);
    }
}
