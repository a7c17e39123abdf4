//! Who gets in, what they reach, and what bad input gets: through the router, as a browser would.

use super::{Browser, Site};
use axum::body::Body;
use axum::http::{Request, StatusCode, header};

async fn user_id(site: &Site, login: &str) -> String {
    let (id,): (String,) = sqlx::query_as("select id from users where login = $1")
        .bind(login.to_owned())
        .fetch_one(site.app.db.pool())
        .await
        .unwrap();
    id
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer_and_the_fifth_locks() {
    let site = Site::new().await;
    let mut answers = Vec::new();
    for login in ["notary-dev", "nobody-at-all"] {
        let mut visitor = site.visitor();
        visitor.headers.push(("accept-language", "en".to_owned()));
        let mut texts = Vec::new();
        for _ in 0..6 {
            let answer = visitor.sign_in(login, "wrong-password").await;
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(answer.body.contains(&format!("value=\"{login}\"")), "what was typed is kept");
            assert!(!answer.body.contains("wrong-password"), "but never the password");
            texts.push(answer.body.split("<ul><li>").nth(1).unwrap().split("</li>").next().unwrap().to_owned());
        }
        answers.push(texts);
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0][3].contains("wrong") && answers[0][4].contains("15 minutes"), "{:?}", answers[0]);
    // The right password does not open a locked account; a reset by an administrator does.
    let password = site.passwords["notary-dev"].clone();
    assert_eq!(site.visitor().sign_in("notary-dev", &password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let id = user_id(&site, "notary-dev").await;
    let mut admin = site.signed_in("notary-admin").await;
    let page = admin.post(&format!("/users/{id}/reset"), &[]).await;
    assert_eq!(page.status, StatusCode::OK);
    let new = page.body.split("id=\"one-time-password\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert_eq!(site.visitor().sign_in("notary-dev", &new).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn too_many_failures_from_one_address_have_to_wait() {
    let site = Site::new().await;
    let mut visitor = site.visitor();
    for i in 0..30 {
        visitor.sign_in(&format!("somebody-{i}"), "wrong").await;
    }
    let answer = visitor.sign_in("somebody-else", "wrong").await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn a_one_time_password_opens_only_the_page_that_changes_it() {
    let site = Site::new().await;
    let mut admin = site.signed_in("notary-admin").await;
    let invited = admin
        .post(
            "/tenants/notary/users",
            &[("login", "new.person"), ("display_name", "New"), ("role", "officer"), ("organisation", "notary")],
        )
        .await;
    let one_time =
        invited.body.split("id=\"one-time-password\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let mut person = site.visitor();
    person.sign_in("new.person", &one_time).await;
    for page in ["/", "/account", "/tenants/notary"] {
        let answer = person.get(page).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/account/password"), "{page}");
    }
    person.get("/account/password").await;
    let change = |current: &str, new: &str, again: &str| {
        vec![
            ("current".to_owned(), current.to_owned()),
            ("new".to_owned(), new.to_owned()),
            ("again".to_owned(), again.to_owned()),
        ]
    };
    for (fields, status) in [
        (change(&one_time, "short", "short"), 422),
        (change(&one_time, "a long enough one", "another one here"), 422),
        (change("not-it", "a long enough one", "a long enough one"), 422),
        (change(&one_time, "new.person-1234", "new.person-1234"), 422),
        (change(&one_time, "a long enough one", "a long enough one"), 303),
    ] {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(person.post("/account/password", &fields).await.status.as_u16(), status);
    }
    assert_eq!(person.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn another_tenants_things_are_not_there_in_pages_and_json_alike() {
    let site = Site::new().await;
    let (theirs, operators) = (user_id(&site, "notary-dev").await, user_id(&site, "operator").await);
    let mut admin = site.signed_in("medical-admin").await;
    for json in [false, true] {
        admin.headers.clear();
        if json {
            admin.headers.push(("accept", "application/json".to_owned()));
        }
        for path in [
            "/tenants/notary",
            "/tenants/notary/users/new",
            "/tenants/notary/organisations/new",
            "/tenants/no-such",
            "/tenants/No",
            &format!("/users/{theirs}"),
            &format!("/users/{operators}"),
            "/events?topic=tenant%2Fnotary%2Fx",
        ] {
            assert_eq!(admin.get(path).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        for path in [
            "/tenants/notary/users",
            "/tenants/notary/suspend",
            &format!("/users/{theirs}/disable"),
            &format!("/users/{theirs}/reset"),
            &format!("/users/{theirs}/roles"),
            &format!("/users/{theirs}/roles/developer/remove"),
        ] {
            assert_eq!(admin.post(path, &[("typed", "notary")]).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    // What is the city's is refused, not hidden: that there are tenants is no secret.
    for path in ["/tenants", "/tenants/new", "/users", "/users/new"] {
        assert_eq!(admin.get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let mut officer = site.signed_in("notary-officer").await;
    assert_eq!(officer.get("/tenants/notary/users/new").await.status, StatusCode::FORBIDDEN);
    assert_eq!(officer.get("/audit").await.status, StatusCode::FORBIDDEN);
    let problem = {
        officer.headers.push(("accept", "application/json".to_owned()));
        officer.get("/audit").await
    };
    assert_eq!(problem.header("content-type"), "application/problem+json");
    let body: serde_json::Value = serde_json::from_str(&problem.body).unwrap();
    assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some("forbidden"), Some(403)));
}

#[tokio::test]
async fn the_audit_log_shows_a_tenant_only_its_own_rows() {
    let site = Site::new().await;
    let mut admin = site.signed_in("medical-admin").await;
    let page = admin.get("/audit?tenant=notary").await;
    assert!(page.body.contains("medical-admin") && !page.body.contains("notary-dev"));
    let csv = admin.get("/audit.csv").await;
    assert!(csv.body.starts_with('\u{feff}') && csv.body.contains("medical-admin") && !csv.body.contains("notary-dev"));
    assert_eq!(admin.get("/audit/check").await.status, StatusCode::FORBIDDEN);
    let wrong = admin.get("/audit?from=yesterday").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("value=\"yesterday\""));
}

#[tokio::test]
async fn a_form_with_errors_keeps_what_was_typed_and_creates_nothing() {
    let site = Site::new().await;
    let mut operator = site.signed_in("operator").await;
    let answer =
        operator.post("/tenants", &[("name", "Bad Name"), ("title_zh", "<b>住建局</b>"), ("title_en", "")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("value=\"Bad Name\"") && answer.body.contains("&lt;b&gt;住建局"));
    assert!(answer.body.contains("href=\"#field-name\"") && answer.body.contains("aria-invalid=\"true\""));
    let good = [("name", "housing"), ("title_zh", "住建局"), ("title_en", "Housing")];
    assert_eq!(operator.post("/tenants", &good).await.header("location"), "/tenants/housing");
    let page = operator.get("/tenants/housing").await;
    assert!(page.body.contains("toast-line"), "the next page says that it was done");
    assert!(!operator.get("/tenants/housing").await.body.contains("toast-line"), "once");
    assert_eq!(operator.post("/tenants", &good).await.status, StatusCode::UNPROCESSABLE_ENTITY, "the name is taken");
}

#[tokio::test]
async fn suspending_needs_the_name_ends_sessions_and_can_be_undone() {
    let site = Site::new().await;
    let (mut operator, mut admin) = (site.signed_in("operator").await, site.signed_in("medical-admin").await);
    assert_eq!(
        operator.post("/tenants/medical/suspend", &[("typed", "medica")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(admin.get("/").await.status, StatusCode::OK);
    assert_eq!(operator.post("/tenants/medical/suspend", &[("typed", "medical")]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get("/").await.header("location"), "/login?next=/");
    let password = site.passwords["medical-admin"].clone();
    assert_eq!(site.visitor().sign_in("medical-admin", &password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    operator.get("/tenants/medical").await;
    operator.post("/tenants/medical/resume", &[]).await;
    assert_eq!(site.visitor().sign_in("medical-admin", &password).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_without_the_sessions_token_changes_nothing() {
    let site = Site::new().await;
    let mut operator = site.signed_in("operator").await;
    let token = operator.csrf.clone();
    let fields = [("name", "housing"), ("title_zh", "住建局"), ("title_en", "Housing")];
    for wrong in ["", "0000", &"0".repeat(64)] {
        operator.csrf = wrong.to_owned();
        assert_eq!(operator.post("/tenants", &fields).await.status, StatusCode::FORBIDDEN);
    }
    operator.csrf = site.signed_in("auditor").await.csrf.clone();
    assert_eq!(operator.post("/tenants", &fields).await.status, StatusCode::FORBIDDEN, "another session's token");
    operator.csrf = token.clone();
    operator.headers.push(("sec-fetch-site", "cross-site".to_owned()));
    assert_eq!(operator.post("/tenants", &fields).await.status, StatusCode::FORBIDDEN, "from another site");
    operator.headers.clear();
    let no_type = operator.send(Request::post("/tenants"), Body::from(format!("name=housing&_csrf={token}"))).await;
    assert_eq!(no_type.status, StatusCode::FORBIDDEN, "not a form");
    assert_eq!(operator.get("/tenants/housing").await.status, StatusCode::NOT_FOUND);
    operator.csrf = token;
    operator.headers.push(("hx-request", "true".to_owned()));
    assert_eq!(operator.post("/tenants", &fields).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn bad_requests_get_a_status_and_a_sentence() {
    let site = Site::new().await;
    let mut operator = site.signed_in("operator").await;
    let large = format!("_csrf={}&name={}", operator.csrf, "x".repeat(600 * 1024));
    let request = Request::post("/tenants").header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(operator.send(request, Body::from(large)).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(
        operator
            .send(Request::delete("/tenants").header("x-csrf-token", operator.csrf.clone()), Body::empty())
            .await
            .status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    assert_eq!(operator.get("/events").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(operator.get("/events?topic=nonsense").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(operator.get("/help/no-such-page").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn nobody_disables_their_own_account_and_a_disabled_one_is_out() {
    let site = Site::new().await;
    let mut admin = site.signed_in("notary-admin").await;
    let own = user_id(&site, "notary-admin").await;
    assert_eq!(admin.post(&format!("/users/{own}/disable"), &[]).await.status, StatusCode::CONFLICT);
    let mut developer = site.signed_in("notary-dev").await;
    let id = user_id(&site, "notary-dev").await;
    admin.get("/account").await;
    admin.post(&format!("/users/{id}/disable"), &[]).await;
    assert_eq!(developer.get("/").await.status, StatusCode::SEE_OTHER);
    let password = site.passwords["notary-dev"].clone();
    assert_eq!(site.visitor().sign_in("notary-dev", &password).await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn sessions_end_by_idling_by_age_and_by_signing_out() {
    let site = Site::new().await;
    let age = async |statement: &'static str, ms: i64| {
        sqlx::query(statement).bind(ms).execute(site.app.db.pool()).await.unwrap();
    };
    const SEEN: &str = "update session set last_seen_ms = last_seen_ms - $1";
    const MADE: &str = "update session set created_ms = created_ms - $1";
    let out = async |browser: &mut Browser<'_>| browser.get("/").await.status == StatusCode::SEE_OTHER;
    let mut idle = site.signed_in("operator").await;
    age(SEEN, 29 * 60_000).await;
    assert!(!out(&mut idle).await);
    age(SEEN, 31 * 60_000).await;
    assert!(out(&mut idle).await);
    let mut old = site.signed_in("operator").await;
    age(MADE, 12 * 3_600_000 + 1).await;
    assert!(out(&mut old).await);
    let (mut here, mut there) = (site.signed_in("operator").await, site.signed_in("operator").await);
    assert_eq!(here.post("/account/sessions/close", &[]).await.header("location"), "/account");
    assert!(out(&mut there).await && !out(&mut here).await);
    here.get("/account").await;
    assert_eq!(here.post("/logout", &[]).await.header("location"), "/login");
    assert!(out(&mut here).await);
    here.forget_cookie("citychain_session");
    assert_eq!(here.get("/audit?page=2").await.header("location"), "/login?next=/audit%3Fpage%3D2");
}
