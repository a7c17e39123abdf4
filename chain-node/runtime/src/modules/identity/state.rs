//! Records: [`Account`](chain_types::Account) under [`account_key`](chain_types::state::account_key) and
//! [`Organisation`](chain_types::account::Organisation) under its id.

/// Organisations by id.
pub const ORGANISATION: &str = "organisation";
/// Accounts by public key.
pub const ACCOUNT: &str = "account";
