//! Typed reads for APIs and pages. Nothing here is used in execution, so these may scan.
//!
//! Every list takes `after`, the last id of the page before, and `limit`, at most [`MAX_PAGE`].

mod find;

use chain_types::PublicKey;
use chain_types::account::Account;
use chain_types::state::account_key;
use serde::de::DeserializeOwned;

use crate::overlay::decode;
use crate::state::{StateError, StateView};

pub use crate::modules::anchor::queries::*;
pub use crate::modules::application::queries::*;
pub use crate::modules::clients::queries::*;
pub use crate::modules::governance::queries::*;
pub use crate::modules::identity::queries::*;
pub use crate::modules::trace::queries as trace;
pub use find::{Found, Listed, Place, find, list, module_of};

/// Records of one page.
pub const MAX_PAGE: usize = 500;

/// The account of a signing key; a transaction without one is not admitted.
pub fn account<S: StateView>(view: &S, kid: &PublicKey) -> Result<Option<Account>, StateError> {
    record(view, &account_key(kid))
}

/// The record under a key.
pub(crate) fn record<S: StateView, T: DeserializeOwned>(view: &S, key: &[u8]) -> Result<Option<T>, StateError> {
    view.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
}

/// The records under a prefix with the rest of their keys, from after an id.
pub(crate) fn page<S: StateView, T: DeserializeOwned>(
    view: &S,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Vec<(Vec<u8>, T)>, StateError> {
    let after = after.map(|id| [prefix, id].concat());
    let records = view.scan(prefix, after.as_deref(), limit.min(MAX_PAGE))?;
    let one = |(key, value): (Vec<u8>, Vec<u8>)| {
        Ok((key.get(prefix.len()..).unwrap_or_default().to_vec(), decode(&key, &value)?))
    };
    records.into_iter().map(one).collect()
}

/// An id that was written as text.
pub(crate) fn text(id: Vec<u8>) -> Result<String, StateError> {
    String::from_utf8(id).map_err(|_| StateError("a record's id is not text".into()))
}
