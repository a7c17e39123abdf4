//! Who stands behind a signing key. The record lives in chain state under [`crate::state::account_key`]; evidence
//! carries it with a proof, so that a reader learns who signed and who held the key.

use serde::{Deserialize, Serialize};

use crate::bytes::PublicKey;

/// Who holds an account's secret key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Custody {
    /// Its owner alone.
    #[serde(rename = "self")]
    Own,
    /// The city platform, on the owner's behalf.
    Platform,
}

/// Whether an account may act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountStatus {
    Active,
    Suspended,
}

/// An account record as the state holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// The organisation it acts for.
    pub organisation: String,
    /// Administrators bind accounts and manage applications of their organisation.
    pub administrator: bool,
    pub custody: Custody,
    pub status: AccountStatus,
    /// A name without personal content, such as `gateway` or `window-3`.
    pub label: String,
}

/// An organisation record as the state holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its first administrator; more are bound like any account.
    pub administrator: PublicKey,
    pub title: crate::genesis::Text,
}
