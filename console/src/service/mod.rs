//! Use cases, a file a noun. Each function takes `&App` and `&Principal`, asks the policy first, writes the audit row in the transaction of the act, and holds the SQL it needs.

pub mod account;
pub mod audit_anchor;
pub mod audit_log;
pub mod chains;
pub mod developers;
pub mod overview;
pub mod roles;
pub mod search;
pub mod sign_in;
pub mod tenants;
pub mod users;
pub mod witness;
