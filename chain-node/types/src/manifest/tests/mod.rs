//! The manifest's promises: every template of the catalog passes, and every kind of mistake is found at its place.

mod catalog;
mod faults;
mod upgrade;

use super::AppTemplate;

/// A small template with one of everything, of no catalog.
pub const SMALL: &str = include_str!("small.yaml");

/// The small template with a piece of its text replaced.
pub fn changed(from: &str, to: &str) -> Result<AppTemplate, String> {
    assert!(SMALL.contains(from), "the small template has no `{from}`");
    serde_yaml_ng::from_str(&SMALL.replace(from, to)).map_err(|e| e.to_string())
}

pub fn small() -> AppTemplate {
    serde_yaml_ng::from_str(SMALL).unwrap()
}
