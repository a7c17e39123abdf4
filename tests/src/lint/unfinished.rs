//! Nothing in the tree says that it is unfinished, and no test is switched off.

use super::{Finding, Tree};

/// What marks unfinished work. Put together here, so that this file does not find itself.
const MARKS: &[(&str, &str)] = &[
    (concat!("FIX", "ME"), "finish it now, or write the limit down as a fact"),
    (concat!("XX", "X"), "finish it now, or write the limit down as a fact"),
    (concat!("TO", "DO"), "finish it now, or write the limit down as a fact"),
    (concat!("#[ign", "ore"), "a test that never runs protects nothing: mend it or remove it"),
    (concat!("test.sk", "ip("), "a test that never runs protects nothing: mend it or remove it"),
    (concat!("test.on", "ly("), "this switches every other test off: remove it"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let read = |path: &str| {
        [".rs", ".js", ".mjs", ".html", ".css", ".ftl", ".yaml", ".toml"].iter().any(|end| path.ends_with(end))
    };
    for file in tree.all().filter(|file| read(&file.path) && !file.path.starts_with("web/static/vendor/")) {
        for (mark, advice) in MARKS {
            for at in file.find_in_text(mark) {
                findings.push(Finding::new(&file.path, file.line_at(at), format!("{mark}: {advice}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mark_is_found_where_people_write_and_not_in_vendored_files() {
        for (mark, _) in MARKS {
            let text = format!("//! a\n// {mark}\n");
            assert_eq!(
                check(&Tree::of(&[("a/src/x.rs", &text)])).iter().map(|found| found.line).collect::<Vec<_>>(),
                [2]
            );
            assert_eq!(check(&Tree::of(&[("web/static/vendor/x.js", &text)])), []);
        }
    }
}
