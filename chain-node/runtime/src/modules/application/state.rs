//! Records: the application by name, each of its versions, the organisations admitted to it, the accounts assigned.

use std::collections::BTreeSet;

use chain_types::manifest::{Answers, ChainPart, Version};
use chain_types::state::{CHAIN_APP, key};
use chain_types::{Hash, PublicKey};
use serde::{Deserialize, Serialize};

use crate::modules::joined_id;

pub const INSTANCE: &str = "application";
/// Applications by name.
pub const APPLICATION: &str = "application";
/// Versions by name and revision.
pub const VERSION: &str = "version";
/// Roles of an organisation in an application.
pub const ADMISSION: &str = "admission";
/// Roles of an account in an application.
pub const ASSIGNMENT: &str = "assignment";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AppStatus {
    Active,
    Suspended,
    Uninstalled,
}

impl AppStatus {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Uninstalled => "uninstalled",
        }
    }
}

/// An application; small, because evidence carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRecord {
    /// The organisation that installed it.
    pub owner: String,
    pub template: String,
    pub version: Version,
    /// Counts installation and upgrades, from 1.
    pub revision: u32,
    /// SHA-256 of the chain part in force.
    pub manifest_hash: Hash,
    /// Hash of the console part in force.
    pub console_hash: Hash,
    pub status: AppStatus,
    pub installed_ms: u64,
    pub changed_ms: u64,
}

/// One version's chain part in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionRecord {
    pub version: Version,
    pub console_hash: Hash,
    pub manifest: ChainPart,
    pub answers: Answers,
    pub time_ms: u64,
}

/// Names of roles.
pub type Roles = BTreeSet<String>;

pub fn application_key(app: &str) -> Vec<u8> {
    key(CHAIN_APP, INSTANCE, APPLICATION, app.as_bytes())
}

pub fn version_key(app: &str, revision: u32) -> Vec<u8> {
    key(CHAIN_APP, INSTANCE, VERSION, &joined_id(app, &revision.to_be_bytes()))
}

pub fn admission_key(app: &str, organisation: &str) -> Vec<u8> {
    key(CHAIN_APP, INSTANCE, ADMISSION, &joined_id(app, organisation.as_bytes()))
}

pub fn assignment_key(app: &str, account: &PublicKey) -> Vec<u8> {
    key(CHAIN_APP, INSTANCE, ASSIGNMENT, &joined_id(app, &account.0))
}
