//! What surrounds every request: its context, the security headers, the token of forms, and how an error becomes a page or JSON.

use super::cookie;
use super::extract::{Info, View, redirect};
use crate::app::App;
use crate::auth::session;
use crate::error::{Carried, Error};
use crate::names::{random_bytes, random_id};
use crate::text::Lang;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// The largest form.
pub const FORM_BYTES: usize = 512 * 1024;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Headers of every answer. `no-store` unless the answer said otherwise: pages show what only their reader may see.
pub async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CSP),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(self), microphone=(), geolocation=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Finds out who asks and how they want to be answered; renders errors; keeps language, theme and visit in cookies.
pub async fn context(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
    let ip = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |info| info.0.ip());
    let (info, found) = read_info(&app, &uri, &headers, ip).await;
    let info = Arc::new(info);
    request.extensions_mut().insert(info.clone());
    let mut response = match found {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let Some(Carried(error)) = response.extensions_mut().remove::<Carried>() {
        response = render_error(&app, &info, &headers, &error);
    }
    keep_choices(&app, &info, &headers, &mut response);
    if let Ok(id) = HeaderValue::try_from(&info.request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    tracing::debug!(
        http.method = %method, http.path = %info.path, http.status = response.status().as_u16(),
        request.id = %info.request_id, elapsed_ms = started.elapsed().as_millis() as u64, "answered"
    );
    response
}

async fn read_info(app: &App, uri: &Uri, headers: &HeaderMap, ip: IpAddr) -> (Info, Result<(), Error>) {
    let request_id = random_id();
    let query = uri.query().unwrap_or_default().to_owned();
    let token = cookie::read(&app.config, headers, cookie::SESSION);
    let (principal, found) = match token {
        Some(token) => match session::find(app, token, &request_id).await {
            Ok(principal) => (principal, Ok(())),
            Err(error) => (None, Err(error)),
        },
        None => (None, Ok(())),
    };
    // The form token is bound to the session or, before signing in, to this browser's visit; the first page begins one.
    let visit = cookie::read(&app.config, headers, cookie::VISIT);
    let new_visit = (principal.is_none() && visit.is_none()).then(|| hex::encode(random_bytes::<16>()));
    let bound_to = match &principal {
        Some(principal) => format!("session {}", principal.session),
        None => format!("visit {}", visit.or(new_visit.as_deref()).unwrap_or_default()),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let info = Info {
        lang: parameter(&query, "lang")
            .or(cookie::read(&app.config, headers, cookie::LANG))
            .and_then(Lang::parse)
            .unwrap_or_else(|| Lang::negotiate(header("accept-language").unwrap_or_default())),
        theme: parameter(&query, "theme")
            .and_then(theme)
            .or_else(|| cookie::read(&app.config, headers, cookie::THEME).and_then(theme))
            .unwrap_or("auto"),
        csrf: app.sealing.tag("form", bound_to.as_bytes()),
        principal,
        new_visit,
        path: uri.path().to_owned(),
        query,
        said: cookie::read(&app.config, headers, cookie::SAID)
            .and_then(|text| serde_json::from_slice(&hex::decode(text).ok()?).ok()),
        partial: header("hx-request") == Some("true") && header("hx-request-type") != Some("full"),
        ip,
        agent: header("user-agent").unwrap_or_default().to_owned(),
        request_id,
    };
    (info, found)
}

/// A theme that exists.
pub fn theme(text: &str) -> Option<&'static str> {
    ["auto", "light", "dark"].into_iter().find(|theme| *theme == text)
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn keep_choices(app: &App, info: &Info, headers: &HeaderMap, response: &mut Response) {
    const YEAR_S: i64 = 365 * 24 * 3600;
    let mut set = |name, value: &str, age| {
        response.headers_mut().append(header::SET_COOKIE, cookie::write(&app.config, name, value, age))
    };
    if parameter(&info.query, "lang").and_then(Lang::parse).is_some() {
        set(cookie::LANG, info.lang.tag(), Some(YEAR_S));
    }
    if parameter(&info.query, "theme").and_then(theme).is_some() {
        set(cookie::THEME, info.theme, Some(YEAR_S));
    }
    if let Some(visit) = info.new_visit.as_ref().filter(|_| !wants_json(&info.path, headers)) {
        set(cookie::VISIT, visit, None);
    }
}

fn wants_json(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    path.starts_with("/api/") || (accept.contains("application/json") && !accept.contains("text/html"))
}

/// Refuses a form that was not made for this session. Paths under `/api/` carry a key instead of a cookie and are not concerned.
pub async fn csrf(State(_): State<App>, request: Request, next: Next) -> Response {
    let safe = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if safe || request.uri().path().starts_with("/api/") {
        return next.run(request).await;
    }
    let Some(info) = request.extensions().get::<Arc<Info>>().cloned() else {
        return Error::from(anyhow::anyhow!("the token check runs inside of middleware::context")).into_response();
    };
    let cross_site = request.headers().get("sec-fetch-site").is_some_and(|site| site == "cross-site");
    let in_header = request
        .headers()
        .get("x-csrf-token")
        .and_then(|value| value.to_str().ok())
        .is_some_and(|token| same(token, &info.csrf));
    if in_header && !cross_site {
        return next.run(request).await;
    }
    let is_form = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if cross_site || !is_form {
        return out_of_date(&info).into_response();
    }
    let (parts, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, FORM_BYTES).await else { return Error::TooLarge.into_response() };
    let token = std::str::from_utf8(&bytes).ok().and_then(|text| parameter(text, "_csrf")).unwrap_or_default();
    if !same(token, &info.csrf) {
        return out_of_date(&info).into_response();
    }
    next.run(Request::from_parts(parts, Body::from(bytes))).await
}

/// A form sent after the session ended leads to signing in, not to a riddle.
fn out_of_date(info: &Info) -> Error {
    if info.principal.is_none() && info.path != "/login" { Error::SignInRequired } else { Error::FormOutOfDate }
}

/// Compares in a time that tells nothing about where two tokens differ.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn render_error(app: &App, info: &Arc<Info>, headers: &HeaderMap, error: &Error) -> Response {
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(request.id = %info.request_id, http.path = %info.path, error.code = error.code(), error = %format!("{error:#}"), "a request failed");
    }
    let view = View { app: app.clone(), info: info.clone() };
    let mut response = if wants_json(&info.path, headers) {
        problem(&view, error)
    } else {
        match error {
            Error::SignInRequired => to_sign_in(info, headers),
            Error::PasswordChangeRequired => redirect("/account/password"),
            _ => error_page(&view, status, error),
        }
    };
    if let Error::TooMany { retry_after_s } = error {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*retry_after_s));
    }
    response
}

/// RFC 9457.
fn problem(view: &View, error: &Error) -> Response {
    let texts = view.app.texts();
    let mut body = json!({
        "type": "about:blank",
        "title": error.status().canonical_reason(),
        "status": error.status().as_u16(),
        "code": error.code(),
        "detail": texts.say(view.info.lang, &error.message()),
        "request_id": view.info.request_id,
    });
    if let Error::Invalid(errors) = error {
        body["fields"] = errors
            .0
            .iter()
            .map(|(field, message)| ((*field).to_owned(), json!(texts.say(view.info.lang, message))))
            .collect();
    }
    (error.status(), [(header::CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

fn to_sign_in(info: &Info, headers: &HeaderMap) -> Response {
    let is_htmx = headers.contains_key("hx-request");
    let back = match (is_htmx, headers.get("hx-current-url").and_then(|url| url.to_str().ok())) {
        (true, Some(url)) => url.splitn(4, '/').nth(3).map_or("/".to_owned(), |path| format!("/{path}")),
        _ if info.query.is_empty() => info.path.clone(),
        _ => format!("{}?{}", info.path, info.query),
    };
    let location = format!("/login?next={}", percent_encode(&back));
    if !is_htmx {
        return redirect(&location);
    }
    let location = HeaderValue::try_from(location).unwrap_or(HeaderValue::from_static("/login"));
    (StatusCode::UNAUTHORIZED, [(HeaderName::from_static("hx-redirect"), location)]).into_response()
}

/// Percent-encodes for a query parameter.
pub fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte))
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn error_page(view: &View, status: StatusCode, error: &Error) -> Response {
    let template = if view.info.partial { "error_part.html" } else { "error.html" };
    let texts = view.app.texts();
    let title_key = format!("error-{}", error.code());
    let title = if texts.has(view.info.lang, &title_key) {
        texts.get(view.info.lang, &title_key)
    } else {
        texts.get(view.info.lang, "error-refused")
    };
    let data =
        json!({ "status": status.as_u16(), "code": error.code(), "title": title, "help": view.say(&error.message()) });
    match view.page_with(status, template, &data) {
        Ok(page) => page,
        // The page for errors failed itself, perhaps because the database is gone: say it plainly.
        Err(second) => {
            tracing::error!(request.id = %view.info.request_id, error = %second, "the error page failed");
            (status, format!("{title} ({})\n", view.info.request_id)).into_response()
        }
    }
}
