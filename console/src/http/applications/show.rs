//! The list of applications, and one application's page: its steps while it is deployed, then where everything is.

use super::Frame;
use crate::applications::{self, Deployed, Row, calls, object, public, upgrade, worker};
use crate::auth::{Action, Principal, Resource};
use crate::catalog;
use crate::error::{Error, FieldErrors, Result};
use crate::http::extract::{Form, Path, View, redirect};
use crate::text::Message;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

#[derive(Default, Deserialize, Serialize)]
pub struct Typed {
    #[serde(default)]
    typed: String,
}

fn summary(catalog: &catalog::Catalog, row: &Row) -> Json {
    let higher = upgrade::offered(catalog, row).map(|listed| listed.template.version.to_string());
    let title = Deployed::of(row.clone()).ok().map(|deployed| deployed.template().title.clone());
    json!({
        "name": row.name, "tenant": row.tenant, "chain": row.chain, "template": row.template, "version": row.version,
        "state": row.state, "title": title, "higher": higher, "created_ms": row.created_ms, "status": applications::shown::status_of(&row.state),
    })
}

pub async fn list(view: View, principal: Principal) -> Result<Response> {
    let rows = applications::list(&view.app, &principal).await?;
    let catalog = catalog::load(&view.app);
    let summary = |row: &Row| summary(&catalog, row);
    let (gone, present): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.state == "removed");
    let data = json!({
        "applications": present.into_iter().map(&summary).collect::<Vec<_>>(),
        "removed": gone.into_iter().map(&summary).collect::<Vec<_>>(),
        "of_city": principal.tenant.is_none(),
        "topic": principal.tenant.as_ref().map(|tenant| format!("tenant/{tenant}/applications")),
    });
    view.page_or_block("applications/list.html", "list", &data)
}

pub async fn show(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    detail(&view, &principal, &name, &FieldErrors::default(), &Typed::default()).await
}

async fn detail(
    view: &View,
    principal: &Principal,
    name: &str,
    errors: &FieldErrors,
    typed: &Typed,
) -> Result<Response> {
    let deployed = applications::find(&view.app, principal, name, Action::ViewApplication).await?;
    let resource = Resource::Tenant(&deployed.tenant);
    let frame = Frame::of(view, principal, deployed.clone()).await?;
    let words = frame.words(view);
    let publics: Vec<Json> = public::pages(&deployed)
        .map(|(id, page)| {
            json!({ "title": page.title.as_ref().map_or_else(|| id.to_owned(), |title| words.pick(title)), "route": page.route,
                    "start": page.route.split('{').next().unwrap_or("/").trim_end_matches('/') })
        })
        .collect();
    let answers: Vec<Json> = deployed
        .template()
        .questions
        .iter()
        .map(|(id, question)| {
            let answer = deployed.resolved.answers().get(id);
            json!({ "title": words.pick(&question.title), "answer": answer.map(ToString::to_string) })
        })
        .collect();
    let higher = upgrade::offered(&catalog::load(&view.app), &deployed.row);
    let sees_key = principal.can(Action::ManageApiKeys, &resource);
    let data = json!({
        "has_key": sees_key && calls::has_key(&view.app, name).await?, "secret": null,
        "head": frame.head(view, ""),
        "progress": worker::progress_data(&deployed, &deployed.row.steps(), &deployed.row.state),
        "template": deployed.row.template, "version": deployed.row.version, "owner": words.organisation(&deployed.row.owner),
        "created_by": deployed.row.created_by, "created_ms": deployed.row.created_ms,
        "summary": deployed.template().summary, "publics": publics, "answers": answers,
        "higher": higher.map(|listed| listed.template.version.to_string()),
        "withdrawable": upgrade::withdrawable(&deployed.row),
        "topic": deployed.row.topic().map(|topic| topic.to_string()),
        "can_use": principal.can(Action::UseApplication, &resource),
        "can_change": principal.can(Action::DeployApplication, &resource),
        "first_page": frame.head(view, "")["tabs"].as_array().and_then(|tabs| tabs.get(1)).map(|tab| tab["href"].clone()),
    });
    view.form("applications/show.html", typed, errors, &data)
}

/// The part of the page that shows the steps, for a page that lost the thread.
pub async fn progress(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::ViewApplication).await?;
    let data = worker::progress_data(&deployed, &deployed.row.steps(), &deployed.row.state);
    view.page("applications/progress.html", &data)
}

pub async fn retry(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    object::retry(&view.app, &principal, &name).await?;
    Ok(redirect(&format!("/applications/{name}")))
}

pub async fn remove(
    view: View,
    principal: Principal,
    Path(name): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response> {
    match object::delete(&view.app, &principal, &name, &form.typed).await {
        Ok(()) => Ok(view.done(&format!("/applications/{name}"), Message::new("application-removing"))),
        Err(Error::Invalid(errors)) => detail(&view, &principal, &name, &errors, &form).await,
        Err(error) => Err(error),
    }
}

/// Shows the secret of the application's API key, once.
pub async fn key(view: View, principal: Principal, Path(name): Path<String>) -> Result<Response> {
    let deployed = applications::find(&view.app, &principal, &name, Action::ManageApiKeys).await?;
    let secret = calls::take_key(&view.app, &name).await?.ok_or(Error::NotFound)?;
    let frame = Frame::of(&view, &principal, deployed).await?;
    view.page("applications/key.html", &json!({ "head": frame.head(&view, ""), "secret": secret }))
}
