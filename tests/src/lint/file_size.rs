//! A file fits in one reading: at most 400 lines without its tests, and a `main.rs` only wires.

use super::modules::Modules;
use super::source::Source;
use super::{Finding, Tree};

const LIMIT: usize = 400;
const MAIN_LIMIT: usize = 60;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let modules = Modules::of(tree);
    tree.rust().filter(|file| !modules.is_test_file(file)).filter_map(too_long).collect()
}

fn too_long(file: &Source) -> Option<Finding> {
    let lines = lines_without_tests(file);
    let main = file.file_name() == "main.rs";
    let limit = if main { MAIN_LIMIT } else { LIMIT };
    if lines <= limit {
        return None;
    }
    let advice = if main { "move all but the wiring into the library" } else { "split it by what its parts decide" };
    Some(Finding::new(&file.path, limit, format!("{lines} lines without tests, limit {limit}: {advice}")))
}

fn lines_without_tests(file: &Source) -> usize {
    let mut offset = 0;
    let mut counted = 0;
    for line in file.text.split_inclusive('\n') {
        let start = offset + line.len() - line.trim_start().len();
        let blank_inside = line.trim().is_empty() && file.is_test_at(offset);
        if !blank_inside && !file.is_test_at(start) {
            counted += 1;
        }
        offset += line.len();
    }
    counted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Tree::of(&[(path, text)])).len()
    }

    #[test]
    fn a_file_of_401_lines_is_too_long_and_one_of_400_is_not() {
        assert_eq!(found("a/src/x.rs", &"//\n".repeat(401)), 1);
        assert_eq!(found("a/src/x.rs", &"//\n".repeat(400)), 0);
    }

    #[test]
    fn a_main_of_61_lines_is_too_long() {
        assert_eq!(found("a/src/main.rs", &"//\n".repeat(61)), 1);
        assert_eq!(found("a/src/main.rs", &"//\n".repeat(60)), 0);
    }

    #[test]
    fn tests_do_not_count() {
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n    fn a() {}\n".repeat(300));
        assert_eq!(found("a/src/x.rs", &format!("{}{tests}", "//\n".repeat(390))), 0);
        assert_eq!(found("a/src/x.rs", &format!("{}{tests}", "//\n".repeat(401))), 1);
        assert_eq!(found("a/src/tests.rs", &"//\n".repeat(900)), 0);
    }
}
