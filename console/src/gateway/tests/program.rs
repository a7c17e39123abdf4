//! A program with a key, as the gateway meets it.

use super::super::keys::{self, NewKey};
use crate::app::App;
use crate::auth::{Principal, Role, Roles};
use crate::http::tests::Site;
use crate::indexer::tests::{CHAIN, LONG};
use crate::names::Name;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use serde_json::Value as Json;
use std::time::{Duration, Instant};
use tower::ServiceExt;

pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A program with a key.
#[derive(Clone)]
pub(super) struct Program {
    pub router: Router,
    pub secret: String,
    pub key_id: String,
}

impl Program {
    /// A key of the notary's developer, with what the form offers and `more`.
    pub async fn new(site: &Site, more: impl Fn(&mut NewKey)) -> Self {
        Self::of(site, "notary", more).await
    }

    pub async fn of(site: &Site, tenant: &str, more: impl Fn(&mut NewKey)) -> Self {
        let person = person(&site.app, tenant).await;
        let mut form = NewKey { name: "test".to_owned(), ..NewKey::offered(tenant) };
        more(&mut form);
        let (key, secret) = keys::create(&site.app, &person, &form).await.unwrap();
        Self { router: crate::http::router(site.app.clone()), secret, key_id: key.id }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        if !self.secret.is_empty() {
            request = request.header("authorization", format!("Bearer {}", self.secret));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: to_bytes(body, 16 << 20).await.unwrap().to_vec() }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], Body::empty()).await
    }

    pub async fn post(&self, path: &str, body: &Json) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], body.to_string()).await
    }

    pub async fn anchor(&self, body: &Json) -> Answer {
        self.post(&format!("/chains/{CHAIN}/anchors"), body).await
    }

    /// Waits until the anchor is decided.
    pub async fn decided(&self, id: &str) -> Json {
        let deadline = Instant::now() + LONG;
        loop {
            let anchor = self.get(&format!("/chains/{CHAIN}/anchors/{id}")).await.json();
            if !["queued", "committed"].contains(&anchor["state"].as_str().unwrap()) {
                return anchor;
            }
            assert!(Instant::now() < deadline, "undecided: {anchor}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// The tenant's administrator, as a session would know them.
pub(super) async fn person(app: &App, tenant: &str) -> Principal {
    let (user_id, login): (String, String) =
        sqlx::query_as("select u.id, u.login from users u join user_role r on r.user_id = u.id where u.tenant = $1 and r.role = 'tenant-admin'")
            .bind(tenant)
            .fetch_one(app.db.pool())
            .await
            .unwrap();
    Principal {
        user_id,
        display_name: login.clone(),
        login,
        roles: Roles::one(Role::TenantAdmin),
        tenant: Name::parse(tenant),
        organisation: None,
        must_change_password: false,
        language: None,
        theme: None,
        session: String::new(),
        previous_sign_in_ms: None,
        previous_sign_in_ip: None,
        request_id: "request".to_owned(),
    }
}
