//! The one error of the console and what each becomes: a status, a stable `code`, a page or `application/problem+json`.
//!
//! Internals are logged once, here, and never shown; the answer carries the request id instead. Rendering is `http::middleware`'s,
//! which knows the reader's language and whether a page or JSON is wanted.

use crate::text::Message;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What is wrong with the fields of a form, in the order of the form: field name and what to do. The empty name stands for the form as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FieldErrors(pub Vec<(&'static str, Message)>);

impl FieldErrors {
    pub fn one(field: &'static str, message: Message) -> Self {
        Self(vec![(field, message)])
    }

    /// The first error of a field is the one to correct first; a second is not told.
    pub fn add(&mut self, field: &'static str, message: Message) {
        if self.0.iter().all(|(known, _)| *known != field) {
            self.0.push((field, message));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value, unless something is wrong. `None` means that the parser added why.
    pub fn finish<T>(self, value: Option<T>) -> Result<T> {
        match value {
            Some(value) if self.is_empty() => Ok(value),
            _ => Err(Error::Invalid(self)),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing, or it belongs to somebody else; the two answer alike.
    #[error("not found")]
    NotFound,
    /// The reader may know that it exists, but may not do this.
    #[error("not permitted")]
    Forbidden,
    #[error("sign in first")]
    SignInRequired,
    #[error("the one-time password must be changed first")]
    PasswordChangeRequired,
    /// The form's token is missing or of another session.
    #[error("the form is out of date")]
    FormOutOfDate,
    /// Fields need correcting. Handlers of forms render these; elsewhere it is a 422.
    #[error("fields need correcting: {0:?}")]
    Invalid(FieldErrors),
    /// A refusal with its reason, e.g. an arithmetic of validators.
    #[error("refused: {code}")]
    Refused { status: StatusCode, code: &'static str, message: Message },
    #[error("body too large")]
    TooLarge,
    #[error("too many requests")]
    TooMany { retry_after_s: u64 },
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Template(#[from] tera::Error),
    #[error("{0:#}")]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// The request cannot be understood.
    pub fn bad_request(code: &'static str, message: Message) -> Self {
        Self::Refused { status: StatusCode::BAD_REQUEST, code, message }
    }

    /// It is understood, but not now: the state of things forbids it.
    pub fn conflict(code: &'static str, message: Message) -> Self {
        Self::Refused { status: StatusCode::CONFLICT, code, message }
    }

    /// Something that this needs does not answer at the moment.
    pub fn unavailable(code: &'static str, message: Message) -> Self {
        Self::Refused { status: StatusCode::SERVICE_UNAVAILABLE, code, message }
    }

    pub fn field(field: &'static str, message: Message) -> Self {
        Self::Invalid(FieldErrors::one(field, message))
    }

    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Forbidden | Self::FormOutOfDate | Self::PasswordChangeRequired => StatusCode::FORBIDDEN,
            Self::SignInRequired => StatusCode::UNAUTHORIZED,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Refused { status, .. } => *status,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Database(_) | Self::Template(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Stable: part of the API and the name of the texts `error-<code>` and `error-<code>-help`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::Forbidden => "forbidden",
            Self::SignInRequired => "sign-in-required",
            Self::PasswordChangeRequired => "password-change-required",
            Self::FormOutOfDate => "form-out-of-date",
            Self::Invalid(_) => "invalid-fields",
            Self::Refused { code, .. } => code,
            Self::TooLarge => "too-large",
            Self::TooMany { .. } => "too-many-requests",
            Self::Database(_) | Self::Template(_) | Self::Internal(_) => "internal",
        }
    }

    /// What to tell the reader.
    pub fn message(&self) -> Message {
        match self {
            Self::Refused { message, .. } => message.clone(),
            Self::Invalid(errors) => errors
                .0
                .first()
                .map(|(_, message)| message.clone())
                .unwrap_or_else(|| Message::new("error-invalid-fields-help")),
            Self::TooMany { retry_after_s } => {
                Message::new("error-too-many-requests-help").with("seconds", retry_after_s)
            }
            other => Message::new(format!("error-{}-help", other.code())),
        }
    }
}

/// Rides on a response until `http::middleware` renders it.
#[derive(Clone)]
pub struct Carried(pub Arc<Error>);

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Carried(Arc::new(self)));
        response
    }
}
