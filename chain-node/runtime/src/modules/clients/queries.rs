//! What readers ask.

use chain_types::Fingerprint;
use chain_types::light::{StoredHeader, client_key, header_key, header_prefix};

use super::state::Client;
use crate::queries::{page, record};
use crate::state::{StateError, StateView};

/// The light client of a chain.
pub fn client<S: StateView>(view: &S, chain: &Fingerprint) -> Result<Option<Client>, StateError> {
    record(view, &client_key(chain))
}

/// The stored header of a height.
pub fn stored_header<S: StateView>(
    view: &S,
    chain: &Fingerprint,
    height: u64,
) -> Result<Option<StoredHeader>, StateError> {
    record(view, &header_key(chain, height))
}

/// Stored headers of a chain, by height.
pub fn stored_headers<S: StateView>(
    view: &S,
    chain: &Fingerprint,
    after: Option<u64>,
    limit: usize,
) -> Result<Vec<StoredHeader>, StateError> {
    let after = after.map(u64::to_be_bytes);
    let found = page(view, &header_prefix(chain), after.as_ref().map(|n| n.as_slice()), limit)?;
    Ok(found.into_iter().map(|(_, header)| header).collect())
}
