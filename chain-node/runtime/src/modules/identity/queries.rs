//! What readers ask.

use chain_types::PublicKey;
use chain_types::account::{Account, Organisation};
use chain_types::state::{CHAIN_APP, key, prefix};
use serde::Serialize;

use super::state::{ACCOUNT, ORGANISATION};
use crate::queries::{page, record, text};
use crate::state::{StateError, StateView};

/// An organisation with its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OrganisationView {
    pub id: String,
    #[serde(flatten)]
    pub organisation: Organisation,
}

/// An account with its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    pub key: PublicKey,
    #[serde(flatten)]
    pub account: Account,
}

pub fn organisation<S: StateView>(view: &S, id: &str) -> Result<Option<OrganisationView>, StateError> {
    let found = record(view, &key(CHAIN_APP, "identity", ORGANISATION, id.as_bytes()))?;
    Ok(found.map(|organisation| OrganisationView { id: id.to_owned(), organisation }))
}

pub fn organisations<S: StateView>(
    view: &S,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<OrganisationView>, StateError> {
    let prefix = prefix(CHAIN_APP, "identity", ORGANISATION);
    let records = page(view, &prefix, after.map(str::as_bytes), limit)?;
    records.into_iter().map(|(id, organisation)| Ok(OrganisationView { id: text(id)?, organisation })).collect()
}

pub fn accounts<S: StateView>(
    view: &S,
    after: Option<&PublicKey>,
    limit: usize,
) -> Result<Vec<AccountView>, StateError> {
    let prefix = prefix(CHAIN_APP, "identity", ACCOUNT);
    let records = page(view, &prefix, after.map(|k| k.0.as_slice()), limit)?;
    let key =
        |id: Vec<u8>| PublicKey::from_slice(&id).ok_or_else(|| StateError("an account's key is not a key".into()));
    records.into_iter().map(|(id, account)| Ok(AccountView { key: key(id)?, account })).collect()
}
