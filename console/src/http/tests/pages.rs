//! Every page, in both languages and themes, for each kind of reader: renders, and keeps the rules of `html::check`.

use super::{Site, html};
use crate::text::Lang;
use axum::http::StatusCode;

/// The pages of a city's operator; the id of a user is filled in.
const OPERATOR: [&str; 22] = [
    "/",
    "/chains",
    "/chains/new",
    "/chains/new?tenant=medical",
    "/tenants",
    "/tenants/new",
    "/tenants/medical",
    "/tenants/medical/organisations/new",
    "/tenants/medical/users/new",
    "/people",
    "/people?tenant=notary&role=officer&q=wu",
    "/users/new",
    "/users/{id}",
    "/audit",
    "/audit?who=nobody&from=2026-01-01",
    "/audit/check",
    "/account",
    "/account/password",
    "/search?q=medical",
    "/search?q=nothing-like-it",
    "/help",
    "/gallery",
];

#[tokio::test]
async fn every_page_in_every_language_and_theme_keeps_the_rules() {
    let site = Site::new().await;
    let (id,): (String,) =
        sqlx::query_as("select id from users where login = 'notary-dev'").fetch_one(site.app.db.pool()).await.unwrap();
    let mut operator = site.signed_in("operator").await;
    for lang in Lang::ALL {
        for theme in ["light", "dark", "auto"] {
            for page in OPERATOR {
                let page = page.replace("{id}", &id);
                let join = if page.contains('?') { '&' } else { '?' };
                let answer = operator.get(&format!("{page}{join}lang={}&theme={theme}", lang.tag())).await;
                assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
                assert!(
                    answer.body.contains(&format!("<html lang=\"{}\" data-theme=\"{theme}\"", lang.tag())),
                    "{page}"
                );
                html::check(&page, &answer.body);
            }
        }
    }
}

#[tokio::test]
async fn every_page_works_the_same_on_postgresql() {
    let Some(db) = crate::db::tests::on_postgres().await else { return };
    let site = Site::on(Some(db)).await;
    let (id,): (String,) =
        sqlx::query_as("select id from users where login = 'notary-dev'").fetch_one(site.app.db.pool()).await.unwrap();
    let mut operator = site.signed_in("operator").await;
    for page in OPERATOR {
        let answer = operator.get(&page.replace("{id}", &id)).await;
        assert_eq!(answer.status, StatusCode::OK, "{page}: {}", answer.body);
    }
    let fields = [("name", "housing"), ("title_zh", "住建局"), ("title_en", "Housing")];
    assert_eq!(operator.post("/tenants", &fields).await.status, StatusCode::SEE_OTHER);
    assert_eq!(operator.post("/tenants", &fields).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.visitor().sign_in("nobody", "wrong").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(operator.get("/audit/check").await.body.contains("verdict ok"));
}

#[tokio::test]
async fn every_role_sees_its_own_pages_and_every_link_of_its_rail_opens() {
    let site = Site::new().await;
    for login in ["operator", "auditor", "trace-admin", "trace-officer", "notary-dev"] {
        let mut browser = site.signed_in(login).await;
        let home = browser.get("/").await;
        assert_eq!(home.status, StatusCode::OK);
        let links = html::tags(&home.body)
            .into_iter()
            .filter(|tag| tag.name == "a")
            .filter_map(|tag| tag.attributes.get("href").cloned());
        for link in links.filter(|link| link.starts_with('/') && !link.contains('?')) {
            let page = browser.get(&link).await;
            assert_eq!(page.status, StatusCode::OK, "{login} {link}");
            html::check(&link, &page.body);
        }
    }
}

#[tokio::test]
async fn pages_for_everybody_need_no_session() {
    let site = Site::new().await;
    for page in ["/login", "/help", "/no-such-page"] {
        for lang in Lang::ALL {
            let answer = site.visitor().get(&format!("{page}?lang={}", lang.tag())).await;
            html::check(page, &answer.body);
        }
    }
    assert_eq!(site.visitor().get("/gallery/public").await.status, StatusCode::SEE_OTHER);
    let answer = site.signed_in("operator").await.get("/gallery/public").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    html::check("/gallery/public", &answer.body);
}

#[tokio::test]
async fn answers_carry_the_security_headers_and_static_files_their_hash() {
    let site = Site::new().await;
    let mut visitor = site.visitor();
    let page = visitor.get("/login").await;
    assert_eq!(
        page.header("content-security-policy"),
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    assert_eq!(
        (page.header("x-content-type-options"), page.header("cache-control"), page.header("referrer-policy")),
        ("nosniff", "no-store", "same-origin")
    );
    assert_eq!(page.header("x-request-id").len(), 32);
    for tag in html::tags(&page.body).iter().filter(|tag| tag.name == "script" || tag.name == "link") {
        let address = tag.attributes.get("src").or(tag.attributes.get("href")).unwrap();
        let file = visitor.get(address).await;
        assert_eq!(
            (file.status, file.header("cache-control")),
            (StatusCode::OK, "public, max-age=31536000, immutable"),
            "{address}"
        );
        assert_eq!(visitor.get(&address.replace("/static/", "/static/0")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(visitor.get("/healthz").await.body, "ok\n");
    assert_eq!(visitor.get("/readyz").await.status, StatusCode::OK);
}
