//! What callers send.

use chain_types::manifest::{Answers, ChainPart, Version};
use chain_types::{Hash, PublicKey};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Installs an application for the caller's organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Install {
    /// Its name on this chain: `[a-z][a-z0-9-]{0,29}`.
    pub app: String,
    pub template: String,
    pub version: Version,
    /// The chain part, answers filled in.
    pub manifest: ChainPart,
    pub console_hash: Hash,
    /// What was answered, for whoever upgrades it.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub answers: Answers,
}

/// Replaces an application by a newer version of the same template.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    pub app: String,
    pub template: String,
    pub version: Version,
    pub manifest: ChainPart,
    pub console_hash: Hash,
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub answers: Answers,
}

/// Names an application.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct App {
    pub app: String,
}

/// Admits an organisation to roles, in place of those it had.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Admit {
    pub app: String,
    pub organisation: String,
    pub roles: Vec<String>,
}

/// Assigns roles to an account of the caller's organisation, in place of those it had.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Assign {
    pub app: String,
    pub key: PublicKey,
    pub roles: Vec<String>,
}

/// Takes all roles from an account of the caller's organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unassign {
    pub app: String,
    pub key: PublicKey,
}
