//! A function is at most 80 lines from its `fn` to its closing brace; tests are free.

use super::modules::Modules;
use super::source::{Source, after_matching, skip_space, word_end, words};
use super::{Finding, Tree};

const LIMIT: usize = 80;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let modules = Modules::of(tree);
    tree.rust().filter(|file| !modules.is_test_file(file)).flat_map(too_long).collect()
}

fn too_long(file: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for function in functions(file.code()) {
        let first = file.line_at(function.start);
        let lines = file.line_at(function.end) - first + 1;
        if lines > LIMIT && !file.is_test_at(function.start) {
            let text =
                format!("fn {} has {lines} lines, limit {LIMIT}: give its steps names of their own", function.name);
            findings.push(Finding::new(&file.path, first, text));
        }
    }
    findings
}

struct Function<'a> {
    name: &'a str,
    start: usize,
    end: usize,
}

/// Every function with a body, nested ones included.
fn functions(code: &str) -> Vec<Function<'_>> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    for start in words(code, "fn") {
        let name_at = skip_space(bytes, start + 2);
        let name = &code[name_at..word_end(bytes, name_at)];
        if name.is_empty() {
            continue; // a function pointer type
        }
        let mut at = name_at;
        while at < bytes.len() {
            match bytes[at] {
                b'(' | b'[' => at = after_matching(bytes, at),
                b'{' => {
                    found.push(Function { name, start, end: after_matching(bytes, at).saturating_sub(1) });
                    break;
                }
                b';' => break,
                _ => at += 1,
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Finding> {
        check(&Tree::of(&[("a/src/x.rs", text)]))
    }

    #[test]
    fn a_function_of_81_lines_is_too_long_and_one_of_80_is_not() {
        let body =
            |lines: usize| format!("\npub fn long(a: [u8; 4]) -> u8\n{{\n{}}}\n", "    a();\n".repeat(lines - 3));
        assert_eq!(found(&body(81)).iter().map(|finding| finding.line).collect::<Vec<_>>(), [2]);
        assert_eq!(found(&body(80)), []);
    }

    #[test]
    fn braces_in_strings_do_not_lengthen_or_shorten_it() {
        let long = format!("fn a() {{\nlet x = \"}}}}\"; // }}\n{}}}\n", "    b();\n".repeat(90));
        assert_eq!(found(&long).len(), 1);
        assert_eq!(found(&format!("fn a() {{ '{{'; }}\n{}", "// x\n".repeat(90))), []);
    }

    #[test]
    fn tests_and_declarations_without_body_are_free() {
        let test = format!("#[cfg(test)]\nmod tests {{ fn a() {{\n{}}} }}\n", "b();\n".repeat(90));
        assert_eq!(found(&test), []);
        assert_eq!(found(&format!("trait A {{ fn a(); }}\ntype F = fn(u8);\n{}", "//\n".repeat(90))), []);
    }
}
