//! Members' tokens. The configuration holds their hashes; comparing hashes of unknown input leaks nothing by its timing.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chain_types::Hash;

use super::{ApiError, Shared};

/// SHA-256 of the bearer token, if one was sent.
pub fn token_hash(headers: &HeaderMap) -> Option<Hash> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    value.strip_prefix("Bearer ").map(|token| Hash::of(token.trim().as_bytes()))
}

/// Lets members through; on a chain with public reads, everybody's reads too.
pub async fn members(State(api): State<Shared>, request: Request, next: Next) -> Response {
    let allowed = {
        let access = api.access.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_read = request.method() == axum::http::Method::GET;
        (access.public_reads && is_read)
            || token_hash(request.headers()).is_some_and(|hash| access.token_hashes.contains(&hash))
    };
    match allowed {
        true => next.run(request).await,
        false => ApiError::unauthorised().into_response(),
    }
}
