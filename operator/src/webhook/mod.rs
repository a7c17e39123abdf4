//! The admission webhook: `POST /validate`. It refuses what would cost a chain its quorum, what another object forbids, and what
//! nobody confirmed; everything about one object alone is refused by the API server itself (see [`crate::crds`]).
//!
//! Each kind has a file with a pure judgement over facts. When the facts cannot be had the answer is an error, and the API server
//! does what the registration says: a Chain is refused, the rest passes.

mod application;
mod chain;
mod observe;
pub mod registration;
mod tenant;

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use kube::{
    api::DynamicObject,
    core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview, Operation},
};
use operator_api::Text;

use crate::{
    context::Shared,
    objects::{self, names},
};

/// An object of 1.5 MB, twice.
const LARGEST_REVIEW_BYTES: usize = 8 << 20;

/// Why a request is refused, as the person who made it reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Refusal {
    /// The field, the sentence in English and then in Chinese.
    pub fn of(field: &str, reason: &Text) -> Self {
        Self(format!("{field}: {} / {}", reason.en, reason.zh))
    }

    pub fn new(field: &str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::of(field, &Text::new(zh, en))
    }
}

/// What a judgement comes to; the error is that the facts could not be had.
pub type Judgement = kube::Result<Result<(), Refusal>>;

pub fn router(context: Shared) -> Router {
    Router::new()
        .route(registration::PATH, post(validate))
        .layer(DefaultBodyLimit::max(LARGEST_REVIEW_BYTES))
        .with_state(context)
}

async fn validate(State(context): State<Shared>, Json(review): Json<AdmissionReview<DynamicObject>>) -> Response {
    let request: AdmissionRequest<DynamicObject> = match review.try_into() {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let kind = known(&request.kind.kind);
    match judge(&context, &request).await {
        Ok(Ok(())) => {
            context.metrics.admission(kind, true);
            Json(AdmissionResponse::from(&request).into_review()).into_response()
        }
        Ok(Err(Refusal(reason))) => {
            context.metrics.admission(kind, false);
            tracing::info!(kind, name = request.name, namespace = request.namespace, operation = ?request.operation, reason, "refused");
            Json(AdmissionResponse::from(&request).deny(reason).into_review()).into_response()
        }
        Err(error) => {
            tracing::warn!(kind, name = request.name, %error, "a request couldn't be judged");
            (StatusCode::INTERNAL_SERVER_ERROR, "the API server did not give the operator what it needs to judge")
                .into_response()
        }
    }
}

async fn judge(context: &Shared, request: &AdmissionRequest<DynamicObject>) -> Judgement {
    if is_settled(request) {
        return Ok(Ok(()));
    }
    match known(&request.kind.kind) {
        "Chain" => chain::judge(context, request).await,
        "Tenant" => tenant::judge(context, request).await,
        "Application" => application::judge(context, request).await,
        _ => Ok(Ok(())),
    }
}

fn known(kind: &str) -> &'static str {
    ["Chain", "Tenant", "Application"].into_iter().find(|known| *known == kind).unwrap_or("other")
}

/// Labels, annotations and finalizers may change at any time, and an object that is being deleted must be able to go.
fn is_settled(request: &AdmissionRequest<DynamicObject>) -> bool {
    if request.sub_resource.as_ref().is_some_and(|part| !part.is_empty()) {
        return true;
    }
    match (&request.operation, &request.object, &request.old_object) {
        (Operation::Update, Some(new), Some(old)) => {
            new.data.get("spec") == old.data.get("spec") || new.metadata.deletion_timestamp.is_some()
        }
        (Operation::Connect, ..) => true,
        _ => false,
    }
}

/// Whether the object's own name stands in its annotation, which must be so before it is deleted.
fn is_confirmed(object: &DynamicObject) -> bool {
    let annotation = object.metadata.annotations.as_ref().and_then(|all| all.get(names::CONFIRM_DELETION));
    annotation.is_some() && annotation == object.metadata.name.as_ref()
}

/// The object as its kind reads it; what does not fit is refused with its field.
fn parsed<S: operator_api::Kind>(object: Option<&DynamicObject>) -> Result<operator_api::Object<S>, Refusal> {
    let object = object.ok_or_else(|| Refusal("the request has no object".to_owned()))?;
    objects::parse(object).map_err(Refusal)
}

#[cfg(test)]
mod tests;
