//! People: the city's own under `/users`, a tenant's under `/tenants/{tenant}/users`, each person's page under `/users/{id}`.

use super::extract::{Form, Path, View};
use super::tenants::tenant_name;
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::names::Name;
use crate::service::users::{self, Invitation, User};
use crate::service::{audit_log, tenants};
use crate::text::Message;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new()
        .route("/users", get(list).post(invite_to_city))
        .route("/users/new", get(ask_for_city))
        .route("/users/{id}", get(show))
        .route("/users/{id}/disable", post(disable))
        .route("/users/{id}/enable", post(enable))
        .route("/users/{id}/reset", post(reset))
        .route("/tenants/{tenant}/users", post(invite_to_tenant))
        .route("/tenants/{tenant}/users/new", get(ask_for_tenant))
}

async fn list(view: View, principal: Principal) -> Result<Response> {
    let users = users::list(&view.app, &principal, None).await?;
    let can_manage = principal.can(Action::ManageUsers, &Resource::City);
    view.page("users/list.html", &json!({ "users": users, "can_manage_users": can_manage }))
}

async fn ask_for_city(view: View, principal: Principal) -> Result<Response> {
    invitation(&view, &principal, None, &Invitation::default(), &FieldErrors::default()).await
}

async fn ask_for_tenant(view: View, principal: Principal, Path(tenant): Path<String>) -> Result<Response> {
    let tenant = tenant_name(&tenant)?;
    invitation(&view, &principal, Some(&tenant), &Invitation::default(), &FieldErrors::default()).await
}

async fn invite_to_city(view: View, principal: Principal, Form(form): Form<Invitation>) -> Result<Response> {
    invite(&view, &principal, None, form).await
}

async fn invite_to_tenant(
    view: View,
    principal: Principal,
    Path(tenant): Path<String>,
    Form(form): Form<Invitation>,
) -> Result<Response> {
    let tenant = tenant_name(&tenant)?;
    invite(&view, &principal, Some(&tenant), form).await
}

async fn invite(view: &View, principal: &Principal, tenant: Option<&Name>, form: Invitation) -> Result<Response> {
    principal.require(Action::ManageUsers, &Resource::of(tenant))?;
    let invited = match form.parse(tenant) {
        Ok(new) => users::invite(&view.app, principal, new).await,
        Err(error) => Err(error),
    };
    match invited {
        Ok((id, secret)) => {
            let user = users::find(&view.app, principal, &id).await?;
            handed_over(view, &user, &secret, true)
        }
        Err(Error::Invalid(errors)) => invitation(view, principal, tenant, &form, &errors).await,
        Err(error) => Err(error),
    }
}

async fn invitation(
    view: &View,
    principal: &Principal,
    tenant: Option<&Name>,
    form: &Invitation,
    errors: &FieldErrors,
) -> Result<Response> {
    principal.require(Action::ManageUsers, &Resource::of(tenant))?;
    let (whole, organisations) = match tenant {
        Some(name) => (
            Some(tenants::find(&view.app, principal, name).await?),
            tenants::organisations(&view.app, principal, name).await?,
        ),
        None => (None, Vec::new()),
    };
    let data = json!({ "tenant": whole, "organisations": organisations, "roles": users::roles(tenant) });
    view.form("users/new.html", form, errors, &data)
}

/// The only page that ever shows a one-time password. It is the answer to the form itself, so that it is in no address and no history.
fn handed_over(view: &View, user: &User, secret: &str, new: bool) -> Result<Response> {
    view.page("users/password.html", &json!({ "user": user, "password": secret, "new": new }))
}

async fn show(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    let user = users::find(&view.app, &principal, &id).await?;
    let tenant = user.tenant.as_deref().and_then(Name::parse);
    let own = user.id == principal.user_id;
    let can_manage = !own && principal.can(Action::ManageUsers, &Resource::of(tenant.as_ref()));
    let acts = if principal.can(Action::ViewAudit, &Resource::of(principal.tenant.as_ref())) {
        let filter = audit_log::Filter { who: user.login.clone(), ..Default::default() };
        Some(audit_log::page(&view.app, &principal, &filter, 1).await?.rows.into_iter().take(10).collect::<Vec<_>>())
    } else {
        None
    };
    view.page("users/show.html", &json!({ "user": user, "can_manage": can_manage, "own": own, "acts": acts }))
}

async fn disable(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    let user = users::set_active(&view.app, &principal, &id, false).await?;
    Ok(view.done(&format!("/users/{id}"), Message::new("user-disabled").with("name", user.display_name)))
}

async fn enable(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    let user = users::set_active(&view.app, &principal, &id, true).await?;
    Ok(view.done(&format!("/users/{id}"), Message::new("user-enabled").with("name", user.display_name)))
}

async fn reset(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    let (user, secret) = users::reset(&view.app, &principal, &id).await?;
    handed_over(&view, &user, &secret, false)
}
