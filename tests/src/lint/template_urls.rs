//! Pages ask nobody else for anything: no external address in templates, the catalog or our own assets.
//!
//! An XML namespace names a vocabulary and is never fetched, so `www.w3.org` is let through.

use super::source::Source;
use super::{Finding, Tree};

const PLACES: &[&str] = &["web/templates/", "web/apps/", "web/static/"];
const STARTS: &[&str] = &["http://", "https://", "\"//", "'//", "url(//", "=//", "ws://", "wss://"];
const ALLOWED: &[&str] = &["http://www.w3.org/", "http://127.0.0.1", "http://localhost"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let read = |file: &&Source| PLACES.iter().any(|place| file.path.starts_with(place)) && !is_licence(file);
    tree.web().filter(read).flat_map(external).collect()
}

fn is_licence(file: &Source) -> bool {
    file.file_name().starts_with("LICENSE") || file.path.ends_with(".md")
}

fn external(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for start in STARTS {
        for at in file.find_in_text(start) {
            let here = &file.text[at..];
            if ALLOWED.iter().any(|allowed| here.starts_with(allowed)) {
                continue;
            }
            let shown: String =
                here.chars().take_while(|c| !c.is_whitespace() && *c != '<' && *c != '>').take(60).collect();
            let text = format!("{shown} leaves this machine: vendor the file under web/static/vendor or use a path");
            findings.push(Finding::new(&file.path, file.line_at(at), text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_address_is_found_in_pages_catalog_and_styles() {
        for (path, text) in [
            ("web/templates/a.html", "<p>\n<img src=\"https://example.org/a.png\">"),
            ("web/templates/a.html", "\n<script src='//example.org/a.js'></script>"),
            ("web/apps/x/app.yaml", "a: 1\nicon: http://example.org/a.svg"),
            ("web/static/theme.css", "a{}\n@import url(//example.org/a.css);"),
        ] {
            let lines: Vec<usize> = check(&Tree::of(&[(path, text)])).iter().map(|found| found.line).collect();
            assert_eq!(lines, [2], "{text}");
        }
    }

    #[test]
    fn namespaces_own_paths_and_vendored_files_pass() {
        let own = "<svg xmlns=\"http://www.w3.org/2000/svg\"><a href=\"/chains\">// not an address</a>";
        assert_eq!(check(&Tree::of(&[("web/templates/a.html", own)])), []);
        assert_eq!(check(&Tree::of(&[("web/static/vendor/htmx.js", "https://example.org")])), []);
    }
}
