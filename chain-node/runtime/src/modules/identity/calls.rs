//! What callers send.

use chain_types::PublicKey;
use chain_types::account::Custody;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Binds a key to the caller's organisation.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BindAccount {
    #[schemars(with = "String")]
    pub key: PublicKey,
    /// A name without personal content, such as `gateway` or `window-3`.
    pub label: String,
    #[schemars(with = "String")]
    pub custody: Custody,
    /// Whether it may bind accounts and manage applications.
    pub administrator: bool,
}

/// Stops an account of the caller's organisation from acting.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendAccount {
    #[schemars(with = "String")]
    pub key: PublicKey,
}

/// Lets a suspended account act again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeAccount {
    #[schemars(with = "String")]
    pub key: PublicKey,
}
