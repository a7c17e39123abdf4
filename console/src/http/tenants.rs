//! Tenants: list, new, detail with people and organisations, suspend and resume.

use super::extract::{Form, Path, View};
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::names::Name;
use crate::service::tenants::{self, Titled};
use crate::service::users;
use crate::text::Message;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new()
        .route("/tenants", get(list).post(create))
        .route("/tenants/new", get(ask))
        .route("/tenants/{tenant}", get(show))
        .route("/tenants/{tenant}/organisations", post(add_organisation))
        .route("/tenants/{tenant}/organisations/new", get(ask_organisation))
        .route("/tenants/{tenant}/suspend", post(suspend))
        .route("/tenants/{tenant}/resume", post(resume))
}

/// A tenant's name in an address; one that cannot be a name does not exist.
pub fn tenant_name(text: &str) -> Result<Name> {
    Name::parse(text).ok_or(Error::NotFound)
}

#[derive(Default, Deserialize, Serialize)]
struct Typed {
    #[serde(default)]
    typed: String,
}

async fn list(view: View, principal: Principal) -> Result<Response> {
    let tenants = tenants::list(&view.app, &principal).await?;
    let can_create = principal.can(Action::CreateTenant, &Resource::City);
    view.page_or_block("tenants/list.html", "list", &json!({ "tenants": tenants, "can_create": can_create }))
}

async fn ask(view: View, principal: Principal) -> Result<Response> {
    principal.require(Action::CreateTenant, &Resource::City)?;
    view.form("tenants/new.html", &Titled::default(), &FieldErrors::default(), &json!({}))
}

async fn create(view: View, principal: Principal, Form(form): Form<Titled>) -> Result<Response> {
    principal.require(Action::CreateTenant, &Resource::City)?;
    let created = match form.parse() {
        Ok(new) => tenants::create(&view.app, &principal, new).await,
        Err(error) => Err(error),
    };
    match created {
        Ok(name) => Ok(view.done(&format!("/tenants/{name}"), Message::new("tenant-created"))),
        Err(Error::Invalid(errors)) => view.form("tenants/new.html", &form, &errors, &json!({})),
        Err(error) => Err(error),
    }
}

async fn show(view: View, principal: Principal, Path(tenant): Path<String>) -> Result<Response> {
    let name = tenant_name(&tenant)?;
    detail(&view, &principal, &name, &FieldErrors::default(), &Typed::default()).await
}

async fn detail(
    view: &View,
    principal: &Principal,
    name: &Name,
    errors: &FieldErrors,
    typed: &Typed,
) -> Result<Response> {
    let resource = Resource::Tenant(name);
    let tenant = tenants::find(&view.app, principal, name).await?;
    let organisations = tenants::organisations(&view.app, principal, name).await?;
    let people = if principal.can(Action::ListUsers, &resource) {
        Some(users::list(&view.app, principal, Some(name)).await?)
    } else {
        None
    };
    let data = json!({
        "tenant": tenant,
        "organisations": organisations,
        "users": people,
        "can_change": principal.can(Action::ChangeTenant, &resource),
        "can_manage_users": principal.can(Action::ManageUsers, &resource),
        "can_list_tenants": principal.can(Action::ListTenants, &Resource::City),
    });
    view.form("tenants/show.html", typed, errors, &data)
}

async fn ask_organisation(view: View, principal: Principal, Path(tenant): Path<String>) -> Result<Response> {
    organisation_page(&view, &principal, &tenant_name(&tenant)?, &Titled::default(), &FieldErrors::default()).await
}

async fn add_organisation(
    view: View,
    principal: Principal,
    Path(tenant): Path<String>,
    Form(form): Form<Titled>,
) -> Result<Response> {
    let name = tenant_name(&tenant)?;
    let added = match form.parse() {
        Ok(new) => tenants::add_organisation(&view.app, &principal, &name, new).await,
        Err(error) => Err(error),
    };
    match added {
        Ok(()) => Ok(view.done(&format!("/tenants/{name}"), Message::new("organisation-created"))),
        Err(Error::Invalid(errors)) => organisation_page(&view, &principal, &name, &form, &errors).await,
        Err(error) => Err(error),
    }
}

async fn organisation_page(
    view: &View,
    principal: &Principal,
    name: &Name,
    form: &Titled,
    errors: &FieldErrors,
) -> Result<Response> {
    principal.require(Action::ChangeTenant, &Resource::Tenant(name))?;
    let tenant = tenants::find(&view.app, principal, name).await?;
    view.form("tenants/organisation.html", form, errors, &json!({ "tenant": tenant }))
}

async fn suspend(
    view: View,
    principal: Principal,
    Path(tenant): Path<String>,
    Form(form): Form<Typed>,
) -> Result<Response> {
    let name = tenant_name(&tenant)?;
    match tenants::suspend(&view.app, &principal, &name, &form.typed).await {
        Ok(closed) => Ok(view.done(&format!("/tenants/{name}"), Message::new("tenant-suspended").with("n", closed))),
        Err(Error::Invalid(errors)) => detail(&view, &principal, &name, &errors, &form).await,
        Err(error) => Err(error),
    }
}

async fn resume(view: View, principal: Principal, Path(tenant): Path<String>) -> Result<Response> {
    let name = tenant_name(&tenant)?;
    tenants::resume(&view.app, &principal, &name).await?;
    Ok(view.done(&format!("/tenants/{name}"), Message::new("tenant-resumed")))
}
