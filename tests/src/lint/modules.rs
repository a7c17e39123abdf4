//! The module tree as the compiler builds it: which files a crate root reaches, and which of them only for tests.

use super::source::{Source, after_matching, skip_space, word_end, words};
use super::tree::Tree;
use std::collections::BTreeMap;

/// Every Rust file that some crate reaches; the value says whether only tests do.
pub struct Modules {
    reached: BTreeMap<String, bool>,
}

impl Modules {
    pub fn of(tree: &Tree) -> Self {
        let mut modules = Self { reached: BTreeMap::new() };
        for manifest in tree.all().filter(|file| file.file_name() == "Cargo.toml" && file.text.contains("[package]")) {
            let package = manifest.path.trim_end_matches("Cargo.toml");
            for file in tree.rust() {
                if let Some(inside) = file.path.strip_prefix(package)
                    && is_root(inside, &manifest.text)
                {
                    let for_tests = ["tests/", "benches/", "examples/"].iter().any(|dir| inside.starts_with(dir));
                    modules.follow(tree, file, for_tests, true);
                }
            }
        }
        modules
    }

    pub fn contains(&self, path: &str) -> bool {
        self.reached.contains_key(path)
    }

    /// Whether a file is test code as a whole: reached by tests only, named so, or in a folder of tests.
    pub fn is_test_file(&self, file: &Source) -> bool {
        self.reached.get(&file.path).copied().unwrap_or(false)
            || file.file_name() == "tests.rs"
            || file.path.split('/').any(|part| part == "tests")
    }

    fn follow(&mut self, tree: &Tree, file: &Source, for_tests: bool, root: bool) {
        match self.reached.get(&file.path) {
            Some(known) if !known || for_tests => return,
            _ => self.reached.insert(file.path.clone(), for_tests),
        };
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let stem = file.file_name().trim_end_matches(".rs");
        let children = if root || stem == "mod" { folder.to_owned() } else { join(folder, stem) };
        for module in declared(file) {
            let candidates = match &module.path {
                Some(path) => vec![join(folder, path)],
                None => {
                    let below = module.inside.iter().fold(children.clone(), |folder, name| join(&folder, name));
                    vec![join(&below, &format!("{}.rs", module.name)), join(&below, &format!("{}/mod.rs", module.name))]
                }
            };
            for child in candidates.iter().filter_map(|path| tree.get(path)) {
                self.follow(tree, child, for_tests || module.for_tests, false);
            }
        }
    }
}

/// Whether Cargo takes `inside` (relative to its package) for the root of a target.
fn is_root(inside: &str, manifest: &str) -> bool {
    let parts: Vec<&str> = inside.split('/').collect();
    match parts.as_slice() {
        ["build.rs"] | ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] | ["src", "bin", _, "main.rs"] => true,
        ["tests" | "benches" | "examples", _] | ["tests" | "benches" | "examples", _, "main.rs"] => true,
        _ => manifest.contains(&format!("path = \"{inside}\"")),
    }
}

fn join(folder: &str, name: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in name.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

struct Declared {
    name: String,
    /// Inline modules around the declaration, outermost first.
    inside: Vec<String>,
    path: Option<String>,
    for_tests: bool,
}

/// The `mod name;` declarations of a file.
fn declared(file: &Source) -> Vec<Declared> {
    let code = file.code();
    let bytes = code.as_bytes();
    let mut inline: Vec<(std::ops::Range<usize>, String)> = Vec::new();
    let mut found = Vec::new();
    for at in words(code, "mod") {
        let mut name_at = skip_space(bytes, at + 3);
        if bytes[name_at..].starts_with(b"r#") {
            name_at += 2;
        }
        let name_ends = word_end(bytes, name_at);
        let name = code[name_at..name_ends].to_owned();
        let next = skip_space(bytes, name_ends);
        match bytes.get(next) {
            Some(b'{') if !name.is_empty() => inline.push((next..after_matching(bytes, next), name)),
            Some(b';') if !name.is_empty() => found.push(Declared {
                name,
                inside: inline.iter().filter(|(range, _)| range.contains(&at)).map(|(_, name)| name.clone()).collect(),
                path: path_attribute(file, at),
                for_tests: file.is_test_at(at),
            }),
            _ => {}
        }
    }
    found
}

/// The value of a `#[path = "…"]` among the attributes right before the declaration at `at`.
fn path_attribute(file: &Source, at: usize) -> Option<String> {
    let before = file.code()[..at].rfind([';', '{', '}']).map_or(0, |end| end + 1);
    let head = &file.text[before..at];
    let value = head.split_once("#[path")?.1.split_once('"')?.1;
    value.split_once('"').map(|(path, _)| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKAGE: (&str, &str) = ("a/Cargo.toml", "[package]\nname = \"a\"\n");

    #[test]
    fn files_are_reached_through_folders_inline_modules_and_path_attributes() {
        let tree = Tree::of(&[
            PACKAGE,
            ("a/src/lib.rs", "mod one;\nmod two;\nmod three { pub mod inner; }\n#[path = \"odd/name.rs\"]\nmod odd;"),
            ("a/src/one.rs", "mod below;"),
            ("a/src/one/below.rs", ""),
            ("a/src/two/mod.rs", "mod beside;"),
            ("a/src/two/beside.rs", ""),
            ("a/src/three/inner.rs", ""),
            ("a/src/odd/name.rs", ""),
        ]);
        let modules = Modules::of(&tree);
        for file in tree.rust() {
            assert!(modules.contains(&file.path), "{}", file.path);
        }
    }

    #[test]
    fn a_declaration_in_a_comment_or_string_reaches_nothing() {
        let tree =
            Tree::of(&[PACKAGE, ("a/src/lib.rs", "// mod one;\nconst X: &str = \"mod one;\";"), ("a/src/one.rs", "")]);
        assert!(!Modules::of(&tree).contains("a/src/one.rs"));
    }

    #[test]
    fn a_module_is_test_code_only_if_nothing_else_reaches_it() {
        let tree = Tree::of(&[
            PACKAGE,
            ("a/src/lib.rs", "#[cfg(test)]\nmod fixtures;\nmod real;"),
            ("a/src/fixtures.rs", "mod deeper;"),
            ("a/src/fixtures/deeper.rs", ""),
            ("a/src/real.rs", ""),
        ]);
        let modules = Modules::of(&tree);
        let is_test = |path: &str| modules.is_test_file(tree.get(path).unwrap());
        assert!(is_test("a/src/fixtures.rs") && is_test("a/src/fixtures/deeper.rs"));
        assert!(!is_test("a/src/real.rs") && !is_test("a/src/lib.rs"));
    }
}
