//! A file that the browser keeps instead of showing it.

use axum::http::header;
use axum::response::{IntoResponse, Response};

pub const CBOR: &str = "application/cbor";
pub const CSV: &str = "text/csv; charset=utf-8";

/// `name` is ours: letters, digits, dots and hyphens, nothing that would end the quotation.
pub fn file(name: &str, content_type: &str, content: impl IntoResponse) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, content_type.to_owned()), (header::CONTENT_DISPOSITION, disposition)], content)
        .into_response()
}

/// `evidence.cbor`, under the name by which every page and program speaks of it.
pub fn evidence(bytes: Vec<u8>) -> Response {
    file("evidence.cbor", CBOR, bytes)
}
