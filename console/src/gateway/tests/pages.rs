//! What the developers' pages promise.

use super::{CHAIN, Program, running};
use axum::http::StatusCode;
use serde_json::json;

const FORM: [(&str, &str); 7] = [
    ("name", "archive"),
    ("organisation", "notary"),
    ("anchor_write", "1"),
    ("anchor_read", "1"),
    ("rate_per_s", "100"),
    ("days", "30"),
    ("trace_read", "1"),
];

#[tokio::test]
async fn a_key_is_shown_once_with_a_line_to_copy_and_its_anchors_appear() {
    let (site, _node) = running().await;
    let mut developer = site.signed_in("notary-dev").await;
    assert!(developer.get("/developers").await.body.contains("YOUR_KEY"));
    developer.get("/developers/keys/new").await;
    let made = developer.post("/developers/keys", &FORM).await;
    assert_eq!(made.status, StatusCode::OK);
    let secret = made.body.split("id=\"api-key\">").nth(1).and_then(|rest| rest.split('<').next()).unwrap().to_owned();
    assert!(secret.starts_with("bk_test_"));
    assert_eq!(made.body.matches(&secret).count(), 2, "the key and the line with it");
    assert!(made.body.contains(&format!("/api/v1/chains/{CHAIN}/anchors")));
    for page in ["/developers", "/developers/keys", "/developers/requests", "/audit"] {
        assert!(!developer.get(page).await.body.contains(&secret), "{page}");
    }
    let program = Program { secret, key_id: String::new(), router: crate::http::router(site.app.clone()) };
    let digest = super::digest(7);
    let id = program.anchor(&json!({ "digest": digest })).await.json()["id"].as_str().unwrap().to_owned();
    program.decided(&id).await;
    developer.headers.push(("hx-request", "true".to_owned()));
    let live = developer.get(&format!("/developers/transactions?chain={CHAIN}")).await;
    assert!(live.body.contains(&digest) && live.body.contains(&format!("/developers/anchors/{id}/evidence")));
    assert!(!live.body.contains("<html"), "the part alone");
}

#[tokio::test]
async fn a_form_with_errors_keeps_what_was_typed_and_makes_no_key() {
    let (site, _node) = running().await;
    let mut developer = site.signed_in("notary-dev").await;
    developer.get("/developers/keys/new").await;
    let wrong = [("name", ""), ("organisation", "no-such"), ("rate_per_s", "7"), ("days", "30")];
    let answer = developer.post("/developers/keys", &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    for field in ["name", "organisation", "rate_per_s", "anchor_write"] {
        assert!(answer.body.contains(&format!("href=\"#field-{field}\"")), "{field}");
    }
    assert!(!developer.get("/developers/keys").await.body.contains("<td class=\"mono nowrap\""));
}

#[tokio::test]
async fn keys_and_requests_are_for_those_who_build_and_only_their_own() {
    let (site, _node) = running().await;
    let program = Program::new(&site, |_| ()).await;
    let id = program.anchor(&json!({ "digest": super::digest(1) })).await.json()["id"].as_str().unwrap().to_owned();
    program.decided(&id).await;
    let mut officer = site.signed_in("notary-officer").await;
    let mut operator = site.signed_in("operator").await;
    for page in
        ["/developers", "/developers/keys", "/developers/keys/new", "/developers/requests", "/developers/reference"]
    {
        assert_eq!(officer.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
        assert_eq!(operator.get(page).await.status, StatusCode::FORBIDDEN, "{page}");
    }
    let mut other = site.signed_in("medical-admin").await;
    assert_eq!(other.get(&format!("/developers/anchors/{id}/evidence")).await.status, StatusCode::NOT_FOUND);
    other.get("/developers/keys").await;
    let revoke = format!("/developers/keys/{}/revoke", program.key_id);
    assert_eq!(other.post(&revoke, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(program.get("/chains").await.status, StatusCode::OK);
    let mut developer = site.signed_in("notary-dev").await;
    developer.get("/developers/keys/new").await;
    assert_eq!(developer.post(&revoke, &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(program.get("/chains").await.status, StatusCode::UNAUTHORIZED);
}
