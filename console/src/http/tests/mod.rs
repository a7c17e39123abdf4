//! A whole console in a test: temporary home, real database, the router called directly. Other modules' tests use `Site` too.

mod access;
pub(crate) mod html;
mod pages;
mod roles;
mod texts;

use crate::app::App;
use crate::config::{Config, File, Settings};
use crate::db::Db;
use crate::objects::Objects;
use crate::provisioner::home::Home;
use crate::sealing::SealingKey;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode, header};
use std::collections::{BTreeMap, HashMap};
use tower::ServiceExt;

/// A console with the demo's tenants and people.
pub struct Site {
    pub app: App,
    router: Router,
    passwords: HashMap<String, String>,
    _home: tempfile::TempDir,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// Somebody's browser: keeps cookies, finds the form token of the page it is on.
pub struct Browser<'a> {
    site: &'a Site,
    cookies: BTreeMap<String, String>,
    pub csrf: String,
    pub headers: Vec<(&'static str, String)>,
}

impl Site {
    pub async fn new() -> Self {
        Self::on(None).await
    }

    /// On a database that is given, or a SQLite file of its own.
    pub async fn on(db: Option<Db>) -> Self {
        Self::made(db, None).await
    }

    /// With objects that live elsewhere than in the home, and without the demo.
    pub async fn in_place(db: Option<Db>, objects: Objects) -> Self {
        Self::made(db, Some(objects)).await
    }

    async fn made(db: Option<Db>, objects: Option<Objects>) -> Self {
        // What goes wrong inside is in the log, never on the page.
        let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_test_writer().try_init();
        let home = tempfile::tempdir().unwrap();
        let settings = Settings { home: home.path().to_owned(), ..Settings::default() };
        let config = Config::decide(&settings, File::default()).unwrap();
        let db = match db {
            Some(db) => db,
            None => Db::open(&config.database).await.unwrap(),
        };
        let key = SealingKey::create(&home.path().join("master.key")).unwrap();
        let is_demo = objects.is_none();
        let objects = objects.unwrap_or_else(|| Objects::Home(Home::new(home.path())));
        let app = App::new(config, db, key, objects).unwrap();
        let made = crate::setup::create_missing(&app, is_demo).await.unwrap();
        let passwords = made.into_iter().map(|account| (account.login, account.password)).collect();
        Self { router: crate::http::router(app.clone()), app, passwords, _home: home }
    }

    /// Somebody who is not signed in.
    pub fn visitor(&self) -> Browser<'_> {
        Browser { site: self, cookies: BTreeMap::new(), csrf: String::new(), headers: Vec::new() }
    }

    /// One of the demo's people, signed in.
    pub async fn signed_in(&self, login: &str) -> Browser<'_> {
        let mut browser = self.visitor();
        let answer = browser.sign_in(login, &self.passwords[login]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        browser
    }
}

impl Browser<'_> {
    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), Body::empty()).await
    }

    /// Posts a form with the token of the last page.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| crate::http::middleware::percent_encode(text);
        let mut body: Vec<String> = fields.iter().map(|(key, value)| format!("{key}={}", encode(value))).collect();
        body.push(format!("_csrf={}", self.csrf));
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request, Body::from(body.join("&"))).await
    }

    pub async fn sign_in(&mut self, login: &str, password: &str) -> Answer {
        self.get("/login").await;
        let answer = self.post("/login", &[("login", login), ("password", password)]).await;
        if answer.status == StatusCode::SEE_OTHER {
            self.get("/account").await;
        }
        answer
    }

    pub async fn send(&mut self, mut request: axum::http::request::Builder, body: Body) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request = request.header(header::COOKIE, cookies.join("; "));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let response = self.site.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            match rest.split(';').next().unwrap() {
                "" => self.cookies.remove(name),
                value => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        let body = String::from_utf8(to_bytes(body, 16 << 20).await.unwrap().to_vec()).unwrap();
        if let Some(token) = body.split("name=\"_csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()) {
            self.csrf = token.to_owned();
        }
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub fn forget_cookie(&mut self, name: &str) {
        self.cookies.remove(name);
    }
}
