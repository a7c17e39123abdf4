//! People: everybody with their roles under `/people`, each person's page under `/users/{id}`, invitations to the city under `/users` and to a
//! tenant under `/tenants/{tenant}/users`.

use super::extract::{Form, Path, Query, View, redirect};
use super::middleware::percent_encode;
use super::tenants::tenant_name;
use crate::app::App;
use crate::auth::{Action, Principal, Resource, Role};
use crate::error::{Error, FieldErrors, Result};
use crate::names::Name;
use crate::service::users::{self, Invitation, User};
use crate::service::{audit_log, roles, tenants};
use crate::text::Message;
use axum::Router;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;

pub fn router() -> Router<App> {
    Router::new()
        .route("/people", get(list))
        .route("/users", get(all).post(invite_to_city))
        .route("/users/new", get(ask_for_city))
        .route("/users/{id}", get(show))
        .route("/users/{id}/roles", post(grant))
        .route("/users/{id}/roles/{role}/remove", post(revoke))
        .route("/users/{id}/disable", post(disable))
        .route("/users/{id}/enable", post(enable))
        .route("/users/{id}/reset", post(reset))
        .route("/tenants/{tenant}/users", post(invite_to_tenant))
        .route("/tenants/{tenant}/users/new", get(ask_for_tenant))
}

#[derive(Deserialize)]
struct Asked {
    #[serde(flatten)]
    filter: roles::Filter,
    #[serde(default)]
    page: Option<String>,
}

/// A role to be given, as typed.
#[derive(Default, Deserialize, Serialize)]
struct Given {
    #[serde(default)]
    role: String,
}

async fn list(view: View, principal: Principal, Query(asked): Query<Asked>) -> Result<Response> {
    let number = asked.page.as_deref().and_then(|page| page.parse().ok()).unwrap_or(1i64).max(1);
    let filter = &asked.filter;
    let (people, total) = roles::page(&view.app, &principal, filter, number).await?;
    let of_city = principal.tenant.is_none();
    let tenants = if of_city { tenants::list(&view.app, &principal).await? } else { Vec::new() };
    let place = principal.tenant.clone().or_else(|| Name::parse(&filter.tenant));
    let invite = principal.can(Action::ManageUsers, &Resource::of(place.as_ref())).then(|| match &place {
        Some(tenant) => format!("/tenants/{tenant}/users/new"),
        None => "/users/new".to_owned(),
    });
    let shown: Vec<&str> = Role::ALL
        .into_iter()
        .filter(|role| of_city || role.fits(principal.tenant.as_ref()))
        .map(Role::as_str)
        .collect();
    let pairs = [("q", &filter.q), ("tenant", &filter.tenant), ("role", &filter.role)];
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = pairs.map(|(name, value)| format!("{name}={}", percent_encode(value))).collect();
    let data = json!({
        "people": people, "total": total, "page": number, "per_page": roles::PER_PAGE, "query": query.join("&"),
        "of_city": of_city, "tenants": tenants, "roles": shown, "invite": invite,
    });
    view.form("people/list.html", filter, &FieldErrors::default(), &data)
}

/// The address of before there was one page for all.
async fn all(principal: Principal) -> Result<Response> {
    principal.require(Action::ListUsers, &Resource::City)?;
    Ok(redirect("/people"))
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
    person(&view, &principal, &id, &Given::default(), &FieldErrors::default()).await
}

async fn person(view: &View, principal: &Principal, id: &str, form: &Given, errors: &FieldErrors) -> Result<Response> {
    let line = roles::line(&view.app, principal, id).await?;
    let user = &line.user;
    let tenant = user.of_tenant();
    let own = user.id == principal.user_id;
    let can_manage = !own && principal.can(Action::ManageUsers, &Resource::of(tenant.as_ref()));
    let acts = if principal.can(Action::ViewAudit, &Resource::of(principal.tenant.as_ref())) {
        let filter = audit_log::Filter { who: user.login.clone(), ..Default::default() };
        Some(audit_log::page(&view.app, principal, &filter, 1).await?.rows.into_iter().take(10).collect::<Vec<_>>())
    } else {
        None
    };
    let free = roles::free(user);
    let data = json!({ "user": user, "line": line, "can_manage": can_manage, "own": own, "acts": acts, "free": free });
    view.form("users/show.html", form, errors, &data)
}

async fn grant(view: View, principal: Principal, Path(id): Path<String>, Form(form): Form<Given>) -> Result<Response> {
    match roles::grant(&view.app, &principal, &id, &form.role).await {
        Ok(user) => Ok(view.done(&format!("/users/{id}"), Message::new("role-added").with("name", user.display_name))),
        Err(Error::Invalid(errors)) => person(&view, &principal, &id, &form, &errors).await,
        Err(error) => Err(error),
    }
}

async fn revoke(view: View, principal: Principal, Path((id, role)): Path<(String, String)>) -> Result<Response> {
    match roles::revoke(&view.app, &principal, &id, &role).await {
        Ok(user) => {
            Ok(view.done(&format!("/users/{id}"), Message::new("role-removed").with("name", user.display_name)))
        }
        Err(Error::Invalid(errors)) => person(&view, &principal, &id, &Given::default(), &errors).await,
        Err(error) => Err(error),
    }
}

async fn disable(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    match users::set_active(&view.app, &principal, &id, false).await {
        Ok(user) => {
            Ok(view.done(&format!("/users/{id}"), Message::new("user-disabled").with("name", user.display_name)))
        }
        Err(Error::Invalid(errors)) => person(&view, &principal, &id, &Given::default(), &errors).await,
        Err(error) => Err(error),
    }
}

async fn enable(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    let user = users::set_active(&view.app, &principal, &id, true).await?;
    Ok(view.done(&format!("/users/{id}"), Message::new("user-enabled").with("name", user.display_name)))
}

async fn reset(view: View, principal: Principal, Path(id): Path<String>) -> Result<Response> {
    let (user, secret) = users::reset(&view.app, &principal, &id).await?;
    handed_over(&view, &user, &secret, false)
}
