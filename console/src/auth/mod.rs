//! Who somebody is and what they may do: passwords, sessions, and the one table of permissions.

pub mod limit;
pub mod password;
pub mod policy;
pub mod roles;
pub mod session;

pub use policy::{Action, Decision, Resource, Role, may};
pub use roles::Roles;

use crate::names::Name;

/// The person behind a request: signed in, active, of an active tenant.
#[derive(Clone, Debug)]
pub struct Principal {
    pub user_id: String,
    pub login: String,
    pub display_name: String,
    pub roles: Roles,
    /// `None`: the person works for the city itself.
    pub tenant: Option<Name>,
    pub organisation: Option<String>,
    /// The password was handed over by somebody else and serves once.
    pub must_change_password: bool,
    pub language: Option<crate::text::Lang>,
    pub theme: Option<String>,
    /// Names the session in SQL; not the token.
    pub session: String,
    pub previous_sign_in_ms: Option<i64>,
    pub previous_sign_in_ip: Option<String>,
    /// Of the request at hand, for audit rows.
    pub request_id: String,
}

impl Principal {
    /// Whether this is permitted; for showing or hiding a button.
    pub fn can(&self, action: Action, resource: &Resource<'_>) -> bool {
        may(self, action, resource) == Decision::Allow
    }

    /// Refuses what is not permitted; the first line of every service function.
    pub fn require(&self, action: Action, resource: &Resource<'_>) -> crate::error::Result<()> {
        match may(self, action, resource) {
            Decision::Allow => Ok(()),
            Decision::Hide => Err(crate::error::Error::NotFound),
            Decision::Refuse => Err(crate::error::Error::Forbidden),
        }
    }
}
