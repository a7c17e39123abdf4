//! The project's own rules, read from the source text: sizes, module tree, crate borders, templates, texts, names.
//!
//! A rule is one file with one `check(&Tree) -> Vec<Finding>` and a test in which it fails. Rules read; they never
//! write, run a program or open a connection. What the compiler or clippy already says is not said again here.

mod borders;
mod file_doc;
mod file_size;
mod forbidden_names;
mod function_size;
mod locale_parity;
mod modules;
mod old_browsers;
mod old_idioms;
mod orphan_modules;
mod source;
mod template_code;
mod template_ids;
mod template_urls;
mod top_level;
mod tree;
mod unfinished;
mod unwraps;

use std::fmt;
pub use tree::Tree;

/// One place that breaks a rule, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub path: String,
    pub line: usize,
    pub text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// A named rule. The name is what `lint NAME` takes.
pub struct Rule {
    pub name: &'static str,
    check: fn(&Tree) -> Vec<Finding>,
}

/// Every rule, in the order in which a newcomer meets them.
pub const RULES: &[Rule] = &[
    Rule { name: "top-level", check: top_level::check },
    Rule { name: "borders", check: borders::check },
    Rule { name: "orphan-modules", check: orphan_modules::check },
    Rule { name: "file-doc", check: file_doc::check },
    Rule { name: "file-size", check: file_size::check },
    Rule { name: "function-size", check: function_size::check },
    Rule { name: "unwraps", check: unwraps::check },
    Rule { name: "unfinished", check: unfinished::check },
    Rule { name: "template-urls", check: template_urls::check },
    Rule { name: "template-code", check: template_code::check },
    Rule { name: "template-ids", check: template_ids::check },
    Rule { name: "old-idioms", check: old_idioms::check },
    Rule { name: "old-browsers", check: old_browsers::check },
    Rule { name: "locale-parity", check: locale_parity::check },
    Rule { name: "forbidden-names", check: forbidden_names::check },
];

/// Runs the rules whose names are given, or all of them when none is, and returns what they found in path order.
pub fn run(tree: &Tree, names: &[String]) -> Result<Vec<Finding>, String> {
    if let Some(unknown) = names.iter().find(|name| RULES.iter().all(|rule| rule.name != name.as_str())) {
        let known: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        return Err(format!("no rule is called {unknown}; the rules are {}", known.join(", ")));
    }
    let chosen = RULES.iter().filter(|rule| names.is_empty() || names.iter().any(|name| name == rule.name));
    let mut findings: Vec<Finding> = chosen.flat_map(|rule| (rule.check)(tree)).collect();
    findings.sort();
    findings.dedup();
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_reads_as_path_line_and_sentence() {
        let finding = Finding::new("a/b.rs", 7, "do this");
        assert_eq!(finding.to_string(), "a/b.rs:7: do this");
    }

    #[test]
    fn an_unknown_rule_is_refused_with_the_list() {
        let refusal = run(&Tree::of(&[]), &["speling".to_owned()]).unwrap_err();
        assert!(refusal.contains("speling") && refusal.contains("file-size"), "{refusal}");
    }

    #[test]
    fn an_empty_tree_has_no_findings() {
        assert_eq!(run(&Tree::of(&[]), &[]), Ok(vec![]));
    }
}
