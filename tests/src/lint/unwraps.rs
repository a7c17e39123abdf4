//! Where a panic would cost a validator or accept a lie, nothing unwraps: types, runtime, consensus, store.

use super::modules::Modules;
use super::{Finding, Tree};

const PLACES: &[&str] =
    &["chain-node/types/src/", "chain-node/runtime/src/", "chain-node/src/consensus/", "chain-node/src/store/"];
const CALLS: &[&str] = &[".unwrap()", ".unwrap_err()", ".expect(", ".expect_err("];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let modules = Modules::of(tree);
    let mut findings = Vec::new();
    for file in PLACES.iter().flat_map(|place| tree.under(place)).filter(|file| file.path.ends_with(".rs")) {
        if modules.is_test_file(file) {
            continue;
        }
        for call in CALLS {
            // A decoder's own `self.expect(kind)` returns an error and is no panic.
            let own = |at: &usize| file.code()[..*at].ends_with("self");
            for at in file.find_in_code(call).into_iter().filter(|at| !own(at) && !file.is_test_at(*at)) {
                let text = format!("{call} may end a validator here: return an error or a value that cannot be absent");
                findings.push(Finding::new(&file.path, file.line_at(at), text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unwrap_in_types_runtime_consensus_or_store_is_found() {
        for place in PLACES {
            for call in ["b.unwrap();", "b\n  .expect(\"never\");"] {
                let path = format!("{place}x.rs");
                let text = format!("fn a() {{\n{call} }}");
                assert_eq!(check(&Tree::of(&[(&path, &text)])).len(), 1, "{path} {call}");
            }
        }
    }

    #[test]
    fn tests_comments_and_other_folders_may() {
        let test = "// .unwrap()\n#[cfg(test)]\nmod tests { fn a() { b.unwrap() } }";
        assert_eq!(check(&Tree::of(&[("chain-node/types/src/x.rs", test)])), []);
        assert_eq!(check(&Tree::of(&[("console/src/x.rs", "fn a() { b.expect(\"is set above\") }")])), []);
        assert_eq!(
            check(&Tree::of(&[(
                "chain-node/src/store/x.rs",
                "fn a() { b.unwrap_or(1).expect_none(); self.expect(7)? }"
            )])),
            []
        );
    }
}
