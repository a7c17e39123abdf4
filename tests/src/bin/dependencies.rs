//! `cargo metadata --format-version 1 --locked | dependencies`: whether everything that is compiled into the project may be
//! used and comes from where it should. A licence that is not on the list, or a source that is not the registry, fails.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::ExitCode;

use e2e::licences::is_allowed;
use serde_json::Value;

fn main() -> ExitCode {
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text).map_err(|e| e.to_string());
    let metadata = read.and_then(|_| serde_json::from_str::<Value>(&text).map_err(|e| e.to_string()));
    let packages = match &metadata {
        Ok(metadata) => metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default(),
        Err(reason) => return refuse(reason),
    };
    if packages.is_empty() {
        return refuse("no package came in");
    }
    let findings: BTreeSet<String> = packages.iter().filter_map(finding).collect();
    for finding in &findings {
        println!("{finding}");
    }
    println!("dependencies: {} packages, {} findings", packages.len(), findings.len());
    if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn finding(package: &Value) -> Option<String> {
    let name = format!("{} {}", package["name"].as_str().unwrap_or("?"), package["version"].as_str().unwrap_or("?"));
    // The project's own have no source.
    let source = package["source"].as_str()?;
    if !source.starts_with("registry+") {
        return Some(format!("{name}: comes from {source}; take a release from the registry"));
    }
    match package["license"].as_str() {
        Some(licence) if is_allowed(licence) => None,
        Some(licence) => Some(format!("{name}: licence `{licence}` is not on the list; use another package")),
        None => Some(format!("{name}: names no licence; read its licence file, or use another package")),
    }
}

fn refuse(reason: &str) -> ExitCode {
    eprintln!("dependencies: give it the output of `cargo metadata --format-version 1`: {reason}");
    ExitCode::from(2)
}
