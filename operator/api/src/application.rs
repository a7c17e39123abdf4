//! `Application`: a template of the catalog, wanted on a chain with these answers. The chain is the truth about what is
//! installed; the console carries the object out and writes the steps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Condition, Kind, Name, Object, Step, Text, Version};

pub type Application = Object<ApplicationSpec>;

/// Kept until the application is uninstalled on its chain; its history stays readable.
pub const FINALIZER: &str = "citychain.dev/uninstall";

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApplicationSpec {
    /// The chain it runs on. Never changes.
    pub chain: Name,
    /// The template's folder in the catalog. Never changes.
    pub template: Name,
    /// The template's version; a higher one is the upgrade.
    pub version: Version,
    /// The organisation that owns the application.
    pub owner: Name,
    /// Answers to the template's questions, by question id. The template's own rules judge them.
    #[serde(default)]
    pub answers: Map<String, Value>,
    /// Load the template's sample records, marked as such.
    #[serde(default)]
    pub sample_data: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApplicationStatus {
    pub observed_generation: u64,
    pub conditions: Vec<Condition>,
    pub sentences: Vec<Text>,
    pub steps: Vec<Step>,
    /// What the chain has installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installed_version: Option<Version>,
    /// The transaction that installed it, 64 hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub install_transaction: Option<String>,
    /// Where a citizen checks its records, as a path of the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_path: Option<String>,
}

impl Kind for ApplicationSpec {
    const KIND: &'static str = "Application";
    const PLURAL: &'static str = "applications";
    type Status = ApplicationStatus;
}
