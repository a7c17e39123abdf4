//! Errors as problem documents. Codes are stable; sentences say what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chain_types::api::Problem;
use chain_types::transaction::TransactionError;

use crate::admission::NotAdmitted;
use crate::evidence::NoEvidence;
use crate::store::StoreError;

#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    detail: String,
    /// Seconds.
    retry_after: Option<u32>,
}

impl ApiError {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), retry_after: None }
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", detail)
    }

    pub fn unauthorised() -> Self {
        let detail = "this needs `Authorization: Bearer` with a member's token; ask the chain's operator";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorised", detail)
    }

    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// Something that no request can cause went wrong.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Status and sentence, for answers that are not JSON.
    pub(super) fn parts(self) -> (StatusCode, String) {
        (self.status, self.detail)
    }

    /// Code and sentence, for answers that hold many.
    pub(super) fn problem(self) -> (&'static str, String) {
        (self.code, self.detail)
    }

    /// It was here; the detail says where it is now.
    pub fn gone(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "pruned", detail)
    }

    pub fn retry(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = Problem {
            kind: "about:blank".into(),
            title: self.status.canonical_reason().unwrap_or("error").into(),
            status: self.status.as_u16(),
            code: self.code.into(),
            detail: self.detail,
        };
        let mut response = (self.status, Json(problem)).into_response();
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(e: StoreError) -> Self {
        tracing::error!(error = %e, "failed to answer a request from the store");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "store", "the node failed to read its store; see its log")
    }
}

impl From<chain_runtime::StateError> for ApiError {
    fn from(e: chain_runtime::StateError) -> Self {
        StoreError::Read(e.to_string()).into()
    }
}

impl From<NoEvidence> for ApiError {
    fn from(e: NoEvidence) -> Self {
        match e {
            NoEvidence::Store(e) => e.into(),
            NoEvidence::Invalid(_) => StoreError::Damaged(e.to_string()).into(),
            NoEvidence::NotSealed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", e.to_string()).retry(1),
            NoEvidence::Gone(detail) => Self::gone(detail),
            NoEvidence::NotFound(_) | NoEvidence::Refused(_) | NoEvidence::Statement { .. } => {
                Self::not_found(e.to_string())
            }
        }
    }
}

impl From<NotAdmitted> for ApiError {
    fn from(e: NotAdmitted) -> Self {
        let (status, code) = match &e {
            NotAdmitted::Malformed(TransactionError::TooLarge(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            NotAdmitted::Malformed(_) => (StatusCode::BAD_REQUEST, "malformed"),
            NotAdmitted::OtherChain(_) => (StatusCode::UNPROCESSABLE_ENTITY, "other_chain"),
            NotAdmitted::Late(_) => (StatusCode::UNPROCESSABLE_ENTITY, "late"),
            NotAdmitted::TooFar => (StatusCode::UNPROCESSABLE_ENTITY, "too_far"),
            NotAdmitted::Signature => (StatusCode::UNPROCESSABLE_ENTITY, "signature"),
            NotAdmitted::UnknownAccount(_) => (StatusCode::FORBIDDEN, "unknown_account"),
            NotAdmitted::Suspended(_) => (StatusCode::FORBIDDEN, "suspended"),
            NotAdmitted::Rate(..) => (StatusCode::TOO_MANY_REQUESTS, "rate"),
            NotAdmitted::Full(_) => (StatusCode::TOO_MANY_REQUESTS, "mempool_full"),
            NotAdmitted::Store(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
            NotAdmitted::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        };
        let error = Self::new(status, code, e.to_string());
        match status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => error.retry(1),
            _ => error,
        }
    }
}
