//! No application template is known to a program: the name of a folder of `web/apps` occurs in no Rust source, so that
//! any one folder can be removed.

use super::{Finding, Tree};
use std::collections::BTreeSet;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let ids: BTreeSet<&str> = tree
        .under("web/apps/")
        .filter_map(|file| file.path.strip_prefix("web/apps/")?.split_once('/').map(|(id, _)| id))
        .collect();
    let mut findings = Vec::new();
    for file in tree.rust() {
        for id in &ids {
            for at in standing_alone(&file.text, id) {
                let text =
                    format!("\"{id}\" is a template's id: read it from the catalog, or keep this in web/apps/{id}");
                findings.push(Finding::new(&file.path, file.line_at(at), text));
            }
        }
    }
    findings
}

/// Ids hold letters, digits and hyphens, so `food-trace-2` is not an occurrence of `food-trace`.
fn standing_alone(text: &str, id: &str) -> Vec<usize> {
    let part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let bytes = text.as_bytes();
    let alone =
        |at: &usize| !part(at.checked_sub(1).and_then(|before| bytes.get(before))) && !part(bytes.get(at + id.len()));
    text.match_indices(id).map(|(at, _)| at).filter(alone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: (&str, &str) = ("web/apps/food-trace/app.yaml", "kind: AppTemplate");

    #[test]
    fn a_template_named_in_a_program_is_found() {
        let tree = Tree::of(&[APP, ("console/src/x.rs", "//!\nfn a() { open(\"food-trace\") }")]);
        assert_eq!(check(&tree).iter().map(|found| found.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn longer_names_and_other_languages_pass() {
        let tree = Tree::of(&[
            APP,
            ("a.rs", "\"food-trace-2\" food_trace"),
            ("web/apps/food-trace/journey.mjs", "food-trace"),
        ]);
        assert_eq!(check(&tree), []);
    }
}
