//! The number of a chain's validators, or another in one's place: the form on the validators' tab, the page that shows every step with its
//! arithmetic before anything is done, and the confirmation.

use super::{Page, chain_name};
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::http::extract::{Form, Path, Query, View};
use crate::service::chains::Typed;
use crate::service::chains::set::{self, Preview, Wish};
use crate::text::Message;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};

/// The form's rows, with what was typed where something was.
pub fn with_form(page: Page, typed: &Typed) -> Result<Page> {
    let rows: Vec<Json> = set::rows(&page.found.view)
        .iter()
        .map(|row| {
            let field = row.organisation.as_ref().map_or("validators".to_owned(), |id| format!("validators-{id}"));
            let value = typed.get(&field).cloned().unwrap_or_else(|| row.validators.len().to_string());
            json!({ "field": field, "organisation": row.organisation, "title": row.title, "value": value })
        })
        .collect();
    let faults: Vec<Json> = (4..=10).step_by(3).map(|n| json!({ "validators": n, "faults": (n - 1) / 3 })).collect();
    page.with("set_rows", rows)?.with("set_faults", faults)
}

/// What would be done, step by step. Nothing is done here.
pub async fn ask(
    view: View,
    principal: Principal,
    Path(chain): Path<String>,
    Query(typed): Query<Typed>,
) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "validators").await?;
    principal.require(Action::ChangeChain, &Resource::Tenant(&page.found.tenant))?;
    let wish = match Wish::parse(&page.found.view, &typed) {
        Ok(wish) => wish,
        Err(Error::Invalid(errors)) => return shown(&view, page, &typed, None, &errors),
        Err(error) => return Err(error),
    };
    let preview = set::preview(&view.app, &page.found.view, wish)?;
    shown(&view, page, &typed, Some(preview), &FieldErrors::default())
}

pub async fn confirm(
    view: View,
    principal: Principal,
    Path(chain): Path<String>,
    Form(typed): Form<Typed>,
) -> Result<Response> {
    let name = chain_name(&chain)?;
    let wish = Wish::confirmed(&typed)?;
    match set::change_set(&view.app, &principal, view.lang(), &name, &wish).await {
        Ok(()) => Ok(view.done(&format!("/chains/{name}/validators"), Message::new("set-asked"))),
        Err(Error::Refused { status: StatusCode::CONFLICT, message, .. }) => {
            // The state of things may have changed since the steps were shown.
            let page = Page::of(&view, &principal, &chain, "validators").await?;
            let page = page.with("refusal", view.say(&message))?.with("here", format!("/chains/{name}/validators"))?;
            let page = with_form(page, &Typed::new())?;
            view.page_with(StatusCode::CONFLICT, "chains/validators.html", page.data())
        }
        Err(error) => Err(error),
    }
}

fn shown(view: &View, page: Page, typed: &Typed, preview: Option<Preview>, errors: &FieldErrors) -> Result<Response> {
    let preview = preview.map(|preview| {
        let steps: Vec<Json> =
            preview.steps.iter().map(|step| json!({ "holds": step.holds(), "sentence": step.sentence() })).collect();
        let (before, after) = (preview.before, preview.after);
        let fields: Vec<Json> =
            preview.wish.fields().into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        json!({
            "nothing": preview.wish.is_empty(), "steps": steps, "refusal": preview.refusal, "fields": fields,
            "retire": preview.wish.retire, "replaces": typed.contains_key("replace"),
            "before": before.validators, "after": after.validators,
            "quorum_before": before.needed(), "quorum_after": after.needed(),
            "faults_before": before.faults(), "faults_after": after.faults(),
        })
    });
    let page = with_form(page.with("preview", preview)?, typed)?;
    view.form("chains/set_change.html", typed, errors, page.data())
}
