//! What handlers take from a request: the person, the page to answer with, path, query and form, each with the console's own errors.

use super::cookie;
use super::nav;
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, FieldErrors, Result};
use crate::text::{Lang, Message};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use tera::Context;

/// What is known of a request before its handler runs; made by `middleware::context`.
#[derive(Clone)]
pub struct Info {
    pub request_id: String,
    pub lang: Lang,
    /// `light`, `dark`, or `auto` for the system's.
    pub theme: &'static str,
    pub principal: Option<Principal>,
    pub csrf: String,
    /// The mark of a browser that comes for the first time.
    pub new_visit: Option<String>,
    pub path: String,
    pub query: String,
    /// What the last act wants said once.
    pub said: Option<Message>,
    /// The request came from htmx and replaces a part of a page.
    pub partial: bool,
    pub ip: IpAddr,
    pub agent: String,
}

/// The answer under construction: knows the reader, renders templates.
#[derive(Clone)]
pub struct View {
    pub app: App,
    pub info: Arc<Info>,
}

impl FromRequestParts<App> for View {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let info = parts.extensions.get::<Arc<Info>>().cloned();
        let info = info.ok_or_else(|| anyhow::anyhow!("a handler outside of middleware::context asked for a view"))?;
        Ok(Self { app: app.clone(), info })
    }
}

impl FromRequestParts<App> for Principal {
    type Rejection = Error;

    /// Signed in, and not about to change a one-time password.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let view = View::from_request_parts(parts, app).await?;
        let principal = view.info.principal.clone().ok_or(Error::SignInRequired)?;
        let may_stay = view.info.path.starts_with("/account/password") || view.info.path == "/logout";
        if principal.must_change_password && !may_stay {
            return Err(Error::PasswordChangeRequired);
        }
        Ok(principal)
    }
}

/// Path parameters; one that does not fit is an address that does not exist.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Path<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, app).await;
        path.map(|path| Self(path.0)).map_err(|_| Error::NotFound)
    }
}

/// Query parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, app).await;
        query
            .map(|query| Self(query.0))
            .map_err(|_| Error::bad_request("bad-query", Message::new("error-bad-query-help")))
    }
}

/// A form as typed: fields are `String`s with defaults, parsing them is the service's. Its token was checked by `middleware::csrf`.
pub struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Error;

    async fn from_request(request: Request, app: &App) -> Result<Self> {
        match axum::extract::Form::<T>::from_request(request, app).await {
            Ok(form) => Ok(Self(form.0)),
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Error::TooLarge),
            Err(_) => Err(Error::bad_request("bad-form", Message::new("error-bad-form-help"))),
        }
    }
}

impl View {
    pub fn lang(&self) -> Lang {
        self.info.lang
    }

    /// The text of a message in the reader's language.
    pub fn say(&self, message: &Message) -> String {
        self.app.texts().say(self.info.lang, message)
    }

    /// A page.
    pub fn page(&self, template: &str, data: &impl Serialize) -> Result<Response> {
        self.page_with(StatusCode::OK, template, data)
    }

    pub fn page_with(&self, status: StatusCode, template: &str, data: &impl Serialize) -> Result<Response> {
        self.render(status, template, Context::from_serialize(data)?)
    }

    fn render(&self, status: StatusCode, template: &str, page: Context) -> Result<Response> {
        let html = self.app.pages.engine()?.tera.render(template, &self.context(page))?;
        let mut response = (status, Html(html)).into_response();
        if self.info.said.is_some() {
            response
                .headers_mut()
                .append(header::SET_COOKIE, cookie::write(&self.app.config, cookie::SAID, "", Some(0)));
        }
        Ok(response)
    }

    /// One block of a page's template, for htmx to put in place.
    pub fn block(&self, template: &str, block: &str, data: &impl Serialize) -> Result<Response> {
        let html = self.app.pages.engine()?.tera.render_block(
            template,
            block,
            &self.context(Context::from_serialize(data)?),
        )?;
        Ok(Html(html).into_response())
    }

    /// The block if htmx asks for a part, the page otherwise: one handler, with and without JavaScript.
    pub fn page_or_block(&self, template: &str, block: &str, data: &impl Serialize) -> Result<Response> {
        if self.info.partial { self.block(template, block, data) } else { self.page(template, data) }
    }

    /// A page with a form. `form` is what was typed, `errors` what is wrong with it; with errors the status is 422.
    /// In the template `form.<field>` is the value and `errors.<field>` the text; `form.*` components read both by themselves.
    pub fn form(
        &self,
        template: &str,
        form: &impl Serialize,
        errors: &FieldErrors,
        data: &impl Serialize,
    ) -> Result<Response> {
        let texts: Vec<(&str, String)> = errors.0.iter().map(|(field, message)| (*field, self.say(message))).collect();
        let list: Vec<_> =
            texts.iter().map(|(field, text)| serde_json::json!({ "field": field, "text": text })).collect();
        let mut whole = Context::from_serialize(data)?;
        whole.insert("form", form);
        whole.insert("errors", &texts.into_iter().collect::<BTreeMap<_, _>>());
        whole.insert("error_list", &list);
        let status = if errors.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.render(status, template, whole)
    }

    /// Leads to another page, which says `message` once.
    pub fn done(&self, location: &str, message: Message) -> Response {
        let said = hex::encode(serde_json::to_vec(&message).unwrap_or_default());
        let mut response = redirect(location);
        response
            .headers_mut()
            .append(header::SET_COOKIE, cookie::write(&self.app.config, cookie::SAID, &said, Some(60)));
        response
    }

    fn context(&self, page: Context) -> Context {
        let info = &self.info;
        let texts = self.app.texts();
        let mut context = Context::new();
        context.insert("lang", info.lang.tag());
        context.insert("theme", info.theme);
        context.insert("csrf", &info.csrf);
        context.insert("request_id", &info.request_id);
        context.insert("path", &info.path);
        context.insert("said", &info.said.as_ref().map(|message| texts.say(info.lang, message)));
        context.insert("city", &self.app.config.city);
        context.insert("environment", &self.app.config.environment);
        context.insert("public_url", &self.app.config.public_url);
        context.insert("reachable", &self.app.config.reachable);
        context.insert("lang_links", &self.switches("lang", &["zh-CN", "en"]));
        context.insert("theme_links", &self.switches("theme", &["auto", "light", "dark"]));
        context.insert("principal", &info.principal.as_ref().map(Reader::of));
        context.insert("navigation", &info.principal.as_ref().map(|principal| nav::groups(principal, &info.path)));
        context.extend(page);
        context
    }

    /// This page in another language or theme: its own address with one parameter replaced.
    fn switches(&self, parameter: &str, values: &[&'static str]) -> Vec<Switch> {
        let prefix = format!("{parameter}=");
        let kept: Vec<&str> =
            self.info.query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with(&prefix)).collect();
        let current = if parameter == "lang" { self.info.lang.tag() } else { self.info.theme };
        let link = |value: &&'static str| Switch {
            value,
            href: format!("?{}{}{prefix}{value}", kept.join("&"), if kept.is_empty() { "" } else { "&" }),
            current: *value == current,
        };
        values.iter().map(link).collect()
    }
}

#[derive(Serialize)]
struct Switch {
    value: &'static str,
    href: String,
    current: bool,
}

/// What templates may know of the person.
#[derive(Serialize)]
struct Reader<'a> {
    display_name: &'a str,
    login: &'a str,
    roles: Vec<&'static str>,
    tenant: Option<&'a str>,
    previous_sign_in_ms: Option<i64>,
    previous_sign_in_ip: Option<&'a str>,
    can_search: bool,
}

impl<'a> Reader<'a> {
    fn of(principal: &'a Principal) -> Self {
        Self {
            display_name: &principal.display_name,
            login: &principal.login,
            roles: principal.roles.words(),
            tenant: principal.tenant.as_ref().map(crate::names::Name::as_str),
            previous_sign_in_ms: principal.previous_sign_in_ms,
            previous_sign_in_ip: principal.previous_sign_in_ip.as_deref(),
            can_search: !principal.must_change_password
                && principal.can(Action::ViewCatalog, &Resource::of(principal.tenant.as_ref())),
        }
    }
}

/// 303: the next request is a GET.
pub fn redirect(location: &str) -> Response {
    let location = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// A path of this console, or `/`: whatever else stands in `next` leads nowhere.
pub fn local_path(next: &str) -> &str {
    let local = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\n', '\r', '\t']);
    if local { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local_path;

    #[test]
    fn nobody_is_led_to_another_site_after_signing_in() {
        assert_eq!(local_path("/audit?x=1"), "/audit?x=1");
        for bad in ["", "https://x", "//x", "/\\x", "javascript:alert(1)", "/a\nb", "/\t/x"] {
            assert_eq!(local_path(bad), "/", "{bad:?}");
        }
    }
}
