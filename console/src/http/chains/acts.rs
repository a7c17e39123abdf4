//! What a platform operator does to a chain: stop or start a validator, put the chain to sleep or wake it, delete it. A refusal is shown
//! where it was asked, with its arithmetic.

use super::{Page, chain_name, show};
use crate::auth::Principal;
use crate::error::{Error, FieldErrors, Result};
use crate::http::extract::{Form, Path, View};
use crate::service::chains;
use crate::text::Message;
use axum::http::StatusCode;
use axum::response::Response;
use operator_api::{ChainState, ValidatorName, ValidatorState};
use serde::Deserialize;

pub async fn validator(
    view: View,
    principal: Principal,
    Path((chain, validator, act)): Path<(String, String, String)>,
) -> Result<Response> {
    let name = chain_name(&chain)?;
    let node: ValidatorName = validator.parse().map_err(|_| Error::NotFound)?;
    let (state, said) = match act.as_str() {
        "stop" => (ValidatorState::Stopped, "chain-validator-stopping"),
        "start" => (ValidatorState::Running, "chain-validator-starting"),
        _ => return Err(Error::NotFound),
    };
    match chains::set_validator(&view.app, &principal, view.lang(), &name, node, state).await {
        Ok(()) => Ok(view.done(&format!("/chains/{name}/validators"), Message::new(said).with("name", node))),
        Err(Error::Refused { status: StatusCode::CONFLICT, message, .. }) => {
            let page = Page::of(&view, &principal, &chain, "validators").await?;
            let page = page.with("refusal", view.say(&message))?.with("here", format!("/chains/{name}/validators"))?;
            let page = super::set::with_form(page, &chains::Typed::new())?;
            view.page_with(StatusCode::CONFLICT, "chains/validators.html", page.data())
        }
        Err(error) => Err(error),
    }
}

pub async fn state(view: View, principal: Principal, Path((chain, act)): Path<(String, String)>) -> Result<Response> {
    let name = chain_name(&chain)?;
    let (state, said) = match act.as_str() {
        "hibernate" => (ChainState::Hibernated, "chain-hibernating"),
        "wake" => (ChainState::Running, "chain-waking"),
        _ => return Err(Error::NotFound),
    };
    match chains::set_state(&view.app, &principal, view.lang(), &name, state).await {
        Ok(()) => Ok(view.done(&format!("/chains/{name}"), Message::new(said))),
        Err(Error::Refused { status: StatusCode::CONFLICT, message, .. }) => {
            let page = Page::of(&view, &principal, &chain, "settings").await?;
            let mut answer = show::settings_page(&view, page, &FieldErrors::default(), "", &view.say(&message))?;
            *answer.status_mut() = StatusCode::CONFLICT;
            Ok(answer)
        }
        Err(error) => Err(error),
    }
}

#[derive(Deserialize)]
pub struct Confirmed {
    #[serde(default)]
    typed: String,
}

pub async fn delete(
    view: View,
    principal: Principal,
    Path(chain): Path<String>,
    Form(form): Form<Confirmed>,
) -> Result<Response> {
    let name = chain_name(&chain)?;
    match chains::delete(&view.app, &principal, &name, &form.typed).await {
        Ok(()) => Ok(view.done("/chains", Message::new("chain-deleting").with("name", &name))),
        Err(Error::Invalid(errors)) => {
            let page = Page::of(&view, &principal, &chain, "settings").await?;
            show::settings_page(&view, page, &errors, &form.typed, "")
        }
        Err(error) => Err(error),
    }
}
