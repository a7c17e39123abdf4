//! `lint [RULE…]`: checks the project below the current folder against its own rules and prints each place that breaks
//! one as `path:line: what to do`. Exits 1 if there is any.

use e2e::lint::{RULES, Tree, run};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let tree = match Tree::read(Path::new(".")) {
        Ok(tree) if tree.is_empty() => {
            return refuse("found no file here: run it in the project's folder");
        }
        Ok(tree) => tree,
        Err(error) => return refuse(&format!("failed to read the project's files: {error}")),
    };
    let findings = match run(&tree, &names) {
        Ok(findings) => findings,
        Err(refusal) => return refuse(&refusal),
    };
    for finding in &findings {
        println!("{finding}");
    }
    let rules = if names.is_empty() { RULES.len() } else { names.len() };
    println!("lint: {rules} rules, {} files, {} findings", tree.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn refuse(sentence: &str) -> ExitCode {
    eprintln!("lint: {sentence}");
    ExitCode::from(2)
}
