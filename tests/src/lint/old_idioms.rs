//! The web libraries are Tera 2 and htmx 4; what their older versions wrote looks right and does nothing.

use super::{Finding, Tree};

const IDIOMS: &[(&str, &str)] = &[
    ("{% macro", "Tera 2 has no macros: write a component"),
    ("{%- macro", "Tera 2 has no macros: write a component"),
    ("{% import", "Tera 2 has no imports: components are known everywhere"),
    ("sse-swap", "htmx 4 swaps unnamed messages and hx-partial blocks by itself: use hx-sse:connect"),
    ("sse-connect", "htmx 4 calls it hx-sse:connect"),
    ("hx-ext", "htmx 4 loads extensions as plain scripts: remove the attribute"),
    ("htmx:afterSwap", "htmx 4 calls it htmx:after:swap"),
    ("htmx:beforeRequest", "htmx 4 calls it htmx:before:request"),
    ("htmx:afterRequest", "htmx 4 calls it htmx:after:request"),
    ("htmx:configRequest", "htmx 4 calls it htmx:config:request"),
    ("hx-disabled-elt", "htmx 4 calls it hx-disable"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.web().filter(|file| [".html", ".js", ".mjs"].iter().any(|end| file.path.ends_with(end))) {
        for (idiom, advice) in IDIOMS {
            for at in file.find_in_text(idiom) {
                findings.push(Finding::new(&file.path, file.line_at(at), format!("{idiom}: {advice}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_old_idiom_is_found_with_its_line() {
        for (idiom, _) in IDIOMS {
            let text = format!("<p>\n{idiom} x");
            let found = check(&Tree::of(&[("web/templates/a.html", &text)]));
            assert!(found.iter().any(|finding| finding.line == 2), "{idiom}");
        }
    }

    #[test]
    fn the_new_ones_and_the_library_itself_pass() {
        let new = "{% component ui.button(label: string) %}<p hx-sse:connect=\"/events\">";
        assert_eq!(check(&Tree::of(&[("web/templates/a.html", new), ("web/static/vendor/htmx.js", "sse-swap")])), []);
    }
}
