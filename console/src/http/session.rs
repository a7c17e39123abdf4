//! Signing in and out.

use super::cookie;
use super::extract::{Form, Query, View, local_path, redirect};
use crate::app::App;
use crate::auth::Principal;
use crate::error::{Error, FieldErrors, Result};
use crate::service::sign_in;
use axum::Router;
use axum::http::header;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

pub fn router() -> Router<App> {
    Router::new().route("/login", get(ask).post(enter)).route("/logout", post(leave))
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

#[derive(Deserialize)]
struct Credentials {
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    next: String,
}

#[derive(Serialize)]
struct Typed<'a> {
    login: &'a str,
    next: &'a str,
}

async fn ask(view: View, Query(query): Query<Next>) -> Result<Response> {
    if view.info.principal.is_some() {
        return Ok(redirect(local_path(&query.next)));
    }
    let typed = Typed { login: "", next: local_path(&query.next) };
    view.form("session/login.html", &typed, &FieldErrors::default(), &json!({}))
}

async fn enter(view: View, Form(form): Form<Credentials>) -> Result<Response> {
    let password = Zeroizing::new(form.password);
    let info = &view.info;
    let opened = sign_in::enter(&view.app, &form.login, password, info.ip, &info.agent, &info.request_id).await;
    let next = local_path(&form.next);
    match opened {
        Ok(opened) => {
            let mut response = redirect(next);
            let config = &view.app.config;
            let headers = response.headers_mut();
            headers.append(header::SET_COOKIE, cookie::write(config, cookie::SESSION, opened.token.as_str(), None));
            if let Some(lang) = opened.language {
                headers.append(header::SET_COOKIE, cookie::write(config, cookie::LANG, lang.tag(), None));
            }
            if let Some(theme) = opened.theme {
                headers.append(header::SET_COOKIE, cookie::write(config, cookie::THEME, theme, None));
            }
            Ok(response)
        }
        Err(Error::Invalid(errors)) => {
            view.form("session/login.html", &Typed { login: &form.login, next }, &errors, &json!({}))
        }
        Err(error) => Err(error),
    }
}

async fn leave(view: View, principal: Principal) -> Result<Response> {
    sign_in::leave(&view.app, &principal).await?;
    let mut response = redirect("/login");
    response.headers_mut().append(header::SET_COOKIE, cookie::write(&view.app.config, cookie::SESSION, "", Some(0)));
    Ok(response)
}
