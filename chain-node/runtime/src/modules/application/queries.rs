//! What readers ask.

use chain_types::PublicKey;
use chain_types::state::{CHAIN_APP, key, prefix};
use serde::Serialize;

use super::state::{
    ADMISSION, APPLICATION, ASSIGNMENT, AppRecord, INSTANCE, Roles, VersionRecord, admission_key, application_key,
    assignment_key, version_key,
};
use crate::modules::joined_id;
use crate::queries::{page, record, text};
use crate::state::{StateError, StateView};

/// An application with its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApplicationView {
    pub app: String,
    #[serde(flatten)]
    pub application: AppRecord,
}

/// An organisation's or account's roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RolesView<T> {
    pub of: T,
    pub roles: Roles,
}

pub fn application<S: StateView>(view: &S, app: &str) -> Result<Option<ApplicationView>, StateError> {
    let found = record(view, &application_key(app))?;
    Ok(found.map(|application| ApplicationView { app: app.to_owned(), application }))
}

pub fn applications<S: StateView>(
    view: &S,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<ApplicationView>, StateError> {
    let prefix = prefix(CHAIN_APP, INSTANCE, APPLICATION);
    let records = page(view, &prefix, after.map(str::as_bytes), limit)?;
    records.into_iter().map(|(id, application)| Ok(ApplicationView { app: text(id)?, application })).collect()
}

/// A version's manifest and answers; the present one is `application.revision`.
pub fn application_version<S: StateView>(
    view: &S,
    app: &str,
    revision: u32,
) -> Result<Option<VersionRecord>, StateError> {
    record(view, &version_key(app, revision))
}

/// Roles that an organisation is admitted to.
pub fn admission<S: StateView>(view: &S, app: &str, organisation: &str) -> Result<Roles, StateError> {
    Ok(record(view, &admission_key(app, organisation))?.unwrap_or_default())
}

/// Organisations admitted to an application.
pub fn admissions<S: StateView>(
    view: &S,
    app: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<RolesView<String>>, StateError> {
    let prefix = key(CHAIN_APP, INSTANCE, ADMISSION, &joined_id(app, b""));
    let records = page(view, &prefix, after.map(str::as_bytes), limit)?;
    records.into_iter().map(|(id, roles)| Ok(RolesView { of: text(id)?, roles })).collect()
}

/// Roles that an account was assigned; those that count are also admitted to its organisation.
pub fn assignment<S: StateView>(view: &S, app: &str, account: &PublicKey) -> Result<Roles, StateError> {
    Ok(record(view, &assignment_key(app, account))?.unwrap_or_default())
}

/// Accounts with roles in an application.
pub fn assignments<S: StateView>(
    view: &S,
    app: &str,
    after: Option<&PublicKey>,
    limit: usize,
) -> Result<Vec<RolesView<PublicKey>>, StateError> {
    let prefix = key(CHAIN_APP, INSTANCE, ASSIGNMENT, &joined_id(app, b""));
    let records = page(view, &prefix, after.map(|k| k.0.as_slice()), limit)?;
    let key =
        |id: Vec<u8>| PublicKey::from_slice(&id).ok_or_else(|| StateError("an account's key is not a key".into()));
    records.into_iter().map(|(id, roles)| Ok(RolesView { of: key(id)?, roles })).collect()
}
