//! Citizens' browsers are not chosen by the city: scripts that public pages load are ES2017 and need no secure origin.
//!
//! A check by tokens, outside comments; the journeys in a real browser say whether the scripts work.

use super::source::Source;
use super::{Finding, Tree};

/// Scripts that only signed-in pages load; the console's browsers are newer.
const CONSOLE_ONLY: &[&str] = &["web/static/app.js", "web/static/console.js"];

const NEWER: &[(&str, &str)] = &[
    ("?.", "ES2020: write the condition out"),
    ("??", "ES2020: write the condition out"),
    ("catch {", "ES2019: name the error, catch (error) {"),
    ("{...", "ES2018: use Object.assign"),
    ("{ ...", "ES2018: use Object.assign"),
    ("for await", "ES2018: wait inside a plain loop"),
    ("BigInt", "ES2020: compute in arrays of numbers"),
    ("globalThis", "ES2020: use self"),
    ("this.#", "ES2022: keep it in a closure"),
    ("import(", "ES2020: load it with a script element"),
    (".flat(", "ES2019: use concat"),
    (".flatMap(", "ES2019: use map and concat"),
    (".finally(", "ES2018: repeat it in then and catch"),
    (".matchAll(", "ES2020: use exec in a loop"),
    (".replaceAll(", "ES2021: use a regular expression with the g flag"),
    (".fromEntries(", "ES2019: fill the object in a loop"),
    (".allSettled(", "ES2020: catch each promise before all"),
    (".at(", "ES2022: use an index"),
    ("(?<", "ES2018: use a numbered group"),
    ("crypto.subtle", "it does not exist on plain http: use the verifier's own functions"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let public = |file: &&Source| {
        file.path.starts_with("web/static/")
            && file.path.ends_with(".js")
            && !CONSOLE_ONLY.contains(&file.path.as_str())
    };
    tree.web().filter(public).flat_map(newer).collect()
}

fn newer(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut in_comment = false;
    for (index, line) in file.text.lines().enumerate() {
        let code = without_comment(line, &mut in_comment);
        for (token, advice) in NEWER {
            if code.match_indices(token).any(|(at, _)| !is_decimal(token, &code[at + token.len()..])) {
                let text = format!("{token} is not in every citizen's browser ({advice})");
                findings.push(Finding::new(&file.path, index + 1, text));
            }
        }
    }
    findings
}

/// `a?.5:b` is a condition and a decimal fraction.
fn is_decimal(token: &str, rest: &str) -> bool {
    token == "?." && rest.starts_with(|c: char| c.is_ascii_digit())
}

/// The line without its comments. `//` inside a text is taken for a comment only after a space.
fn without_comment(line: &str, in_comment: &mut bool) -> String {
    let mut code = String::new();
    let mut rest = line;
    loop {
        if *in_comment {
            let Some((_, after)) = rest.split_once("*/") else {
                return code;
            };
            *in_comment = false;
            rest = after;
        }
        let Some((before, after)) = rest.split_once("/*") else {
            let end = if rest.trim_start().starts_with("//") { Some(0) } else { rest.find(" //") };
            code.push_str(&rest[..end.unwrap_or(rest.len())]);
            return code;
        };
        code.push_str(before);
        *in_comment = true;
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_newer_token_is_found_in_what_public_pages_load() {
        for (token, _) in NEWER {
            let text = format!("var a;\nx = {token} y");
            let found = check(&Tree::of(&[("web/static/verifier.js", &text)]));
            assert!(found.iter().any(|finding| finding.line == 2), "{token}");
            assert_eq!(check(&Tree::of(&[("web/static/app.js", &text)])), []);
        }
    }

    #[test]
    fn comments_and_fractions_pass() {
        let text = "// a?.b\n/* BigInt\n ?? */ f(a?.5:1); // this.#x\nasync function f() { await g(...h); }";
        assert_eq!(check(&Tree::of(&[("web/static/verifier.js", text)])), []);
    }
}
