//! Every Rust file opens with `//!` lines: what it decides or does, and what it must not do.

use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| !file.text.trim_start().starts_with("//!"))
        .map(|file| Finding::new(&file.path, 1, "begin the file with //! lines that say what it decides or does"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_opens_with_code_or_a_plain_comment_is_found() {
        let tree = Tree::of(&[
            ("a.rs", "use std::fmt;"),
            ("b.rs", "// what\n"),
            ("c.rs", ""),
            ("d.rs", "//! What it does.\n"),
        ]);
        let found: Vec<String> = check(&tree).into_iter().map(|finding| finding.path).collect();
        assert_eq!(found, ["a.rs", "b.rs", "c.rs"]);
    }
}
