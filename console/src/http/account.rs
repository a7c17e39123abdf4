//! A person's own account: password, language, theme, open sessions.

use super::cookie;
use super::extract::{Form, View, redirect};
use super::middleware::theme;
use crate::app::App;
use crate::auth::{Principal, session};
use crate::error::{Error, FieldErrors, Result};
use crate::service::account;
use crate::text::{Lang, Message};
use axum::Router;
use axum::http::header;
use axum::response::Response;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

pub fn router() -> Router<App> {
    Router::new()
        .route("/account", get(show))
        .route("/account/preferences", post(prefer))
        .route("/account/password", get(ask_password).post(change_password))
        .route("/account/sessions/close", post(close_others))
}

#[derive(Deserialize, Serialize)]
struct Preferences {
    #[serde(default)]
    language: String,
    #[serde(default)]
    theme: String,
}

#[derive(Deserialize)]
struct Passwords {
    #[serde(default)]
    current: String,
    #[serde(default)]
    new: String,
    #[serde(default)]
    again: String,
}

async fn show(view: View, principal: Principal) -> Result<Response> {
    let form = Preferences { language: view.lang().tag().to_owned(), theme: view.info.theme.to_owned() };
    let mut sessions = session::list(&view.app, &principal.user_id).await?;
    for session in &mut sessions {
        session.agent = device(&session.agent);
    }
    let data =
        json!({ "sessions": sessions, "this_session": principal.session, "organisation": principal.organisation });
    view.form("account/show.html", &form, &FieldErrors::default(), &data)
}

async fn prefer(view: View, principal: Principal, Form(form): Form<Preferences>) -> Result<Response> {
    const YEAR_S: i64 = 365 * 24 * 3600;
    let (Some(lang), Some(theme)) = (Lang::parse(&form.language), theme(&form.theme)) else {
        return Err(Error::bad_request("bad-form", Message::new("error-bad-form-help")));
    };
    account::prefer(&view.app, &principal, lang, theme).await?;
    let mut response = view.done("/account", Message::new("account-preferences-saved"));
    for (name, value) in [(cookie::LANG, lang.tag()), (cookie::THEME, theme)] {
        response.headers_mut().append(header::SET_COOKIE, cookie::write(&view.app.config, name, value, Some(YEAR_S)));
    }
    Ok(response)
}

async fn ask_password(view: View, _: Principal) -> Result<Response> {
    password_page(&view, &FieldErrors::default())
}

async fn change_password(view: View, principal: Principal, Form(form): Form<Passwords>) -> Result<Response> {
    let (current, new, again) = (Zeroizing::new(form.current), Zeroizing::new(form.new), Zeroizing::new(form.again));
    match account::change_password(&view.app, &principal, current, new, &again).await {
        Ok(()) if principal.must_change_password => Ok(view.done("/", Message::new("account-password-changed"))),
        Ok(()) => Ok(view.done("/account", Message::new("account-password-changed"))),
        Err(Error::Invalid(errors)) => password_page(&view, &errors),
        Err(error) => Err(error),
    }
}

fn password_page(view: &View, errors: &FieldErrors) -> Result<Response> {
    let required = view.info.principal.as_ref().is_some_and(|principal| principal.must_change_password);
    view.form(
        "account/password.html",
        &json!({}),
        errors,
        &json!({ "required": required, "shortest": crate::auth::password::SHORTEST }),
    )
}

async fn close_others(view: View, principal: Principal) -> Result<Response> {
    let closed = account::close_other_sessions(&view.app, &principal).await?;
    if closed == 0 {
        return Ok(redirect("/account"));
    }
    Ok(view.done("/account", Message::new("account-sessions-closed").with("n", closed)))
}

/// `Chrome · Windows` from a browser's long description of itself; empty if neither is known.
fn device(agent: &str) -> String {
    // Order matters: most browsers also name the ones they want to be taken for.
    let browsers = [
        ("MicroMessenger", "WeChat"),
        ("Edg", "Edge"),
        ("Firefox", "Firefox"),
        ("Chrome", "Chrome"),
        ("Safari", "Safari"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ];
    let known =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    [known(&browsers), known(&systems)].into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn a_device_is_named_as_people_call_it() {
        let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120.0";
        assert_eq!(device(agent), "Edge · Windows");
        assert_eq!(device("curl/8.0"), "");
    }
}
