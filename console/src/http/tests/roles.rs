//! People and their roles: who sees whom, what one more role opens at once, and who is never left without an administrator.

use super::{Browser, Site};
use crate::db::tests::on_postgres;
use axum::http::StatusCode;

async fn id(site: &Site, login: &str) -> String {
    let (id,): (String,) = sqlx::query_as("select id from users where login = $1")
        .bind(login.to_owned())
        .fetch_one(site.app.db.pool())
        .await
        .unwrap();
    id
}

async fn audited(site: &Site, action: &'static str) -> i64 {
    let query = sqlx::query_as("select count(*) from audit where action = $1 and result = 'done'").bind(action);
    let (n,): (i64,) = query.fetch_one(site.app.db.pool()).await.unwrap();
    n
}

async fn give(by: &mut Browser<'_>, id: &str, role: &str) -> StatusCode {
    by.get(&format!("/users/{id}")).await;
    by.post(&format!("/users/{id}/roles"), &[("role", role)]).await.status
}

async fn take(by: &mut Browser<'_>, id: &str, role: &str) -> StatusCode {
    by.get(&format!("/users/{id}")).await;
    by.post(&format!("/users/{id}/roles/{role}/remove"), &[]).await.status
}

#[tokio::test]
async fn the_city_sees_everybody_and_a_tenant_its_own() {
    let site = Site::new().await;
    let mut operator = site.signed_in("operator").await;
    let all = operator.get("/people").await.body;
    for login in ["operator", "notary-dev", "medical-admin", "trace-seller"] {
        assert!(all.contains(&format!(">{login}</td>")), "{login}");
    }
    let some = operator.get("/people?tenant=notary&role=developer").await.body;
    assert!(
        some.contains(">notary-dev</td>")
            && !some.contains(">notary-officer</td>")
            && !some.contains(">medical-admin</td>")
    );
    let city = operator.get("/people?tenant=-").await.body;
    assert!(city.contains(">auditor</td>") && !city.contains(">notary-dev</td>"));
    let mut admin = site.signed_in("notary-admin").await;
    let own = admin.get("/people?tenant=medical").await.body;
    assert!(own.contains(">notary-dev</td>") && !own.contains("medical-admin"), "a filter leads to no other tenant");
    assert_eq!(site.signed_in("notary-officer").await.get("/people").await.status, StatusCode::FORBIDDEN);
    assert_eq!(site.signed_in("auditor").await.get("/people").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_role_works_from_the_next_request_until_it_is_taken_away() {
    works(Site::new().await).await;
}

#[tokio::test]
async fn roles_work_the_same_on_postgresql() {
    let Some(db) = on_postgres().await else { return };
    works(Site::on(Some(db)).await).await;
}

async fn works(site: Site) {
    let mut admin = site.signed_in("notary-admin").await;
    let mut officer = site.signed_in("notary-officer").await;
    let who = id(&site, "notary-officer").await;
    assert_eq!(officer.get("/developers/keys").await.status, StatusCode::FORBIDDEN);
    assert_eq!(give(&mut admin, &who, "developer").await, StatusCode::SEE_OTHER);
    assert_eq!(officer.get("/developers/keys").await.status, StatusCode::OK, "in the session that is open");
    for (role, word) in
        [("developer", "role-has"), ("auditor", "role-audit"), ("platform-operator", "role-place"), ("king", "choose")]
    {
        assert_eq!(give(&mut admin, &who, role).await, StatusCode::UNPROCESSABLE_ENTITY, "{word}");
    }
    assert_eq!(take(&mut admin, &who, "officer").await, StatusCode::SEE_OTHER);
    assert_eq!(take(&mut admin, &who, "officer").await, StatusCode::NOT_FOUND);
    assert_eq!(take(&mut admin, &who, "developer").await, StatusCode::UNPROCESSABLE_ENTITY, "everybody keeps one role");
    assert_eq!((audited(&site, "role.grant").await, audited(&site, "role.revoke").await), (1, 1));
    let own = id(&site, "notary-admin").await;
    assert_eq!(give(&mut admin, &own, "officer").await, StatusCode::CONFLICT, "nobody changes their own");
    assert_eq!(give(&mut officer, &who, "tenant-admin").await, StatusCode::FORBIDDEN);
    let mut auditor = site.signed_in("auditor").await;
    assert_eq!(give(&mut auditor, &who, "tenant-admin").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn the_last_administrator_stays_whoever_asks() {
    let site = Site::new().await;
    let mut operator = site.signed_in("operator").await;
    let (admin, officer) = (id(&site, "notary-admin").await, id(&site, "notary-officer").await);
    assert_eq!(give(&mut operator, &admin, "officer").await, StatusCode::SEE_OTHER);
    assert_eq!(take(&mut operator, &admin, "tenant-admin").await, StatusCode::UNPROCESSABLE_ENTITY);
    operator.headers.push(("accept-language", "en".to_owned()));
    operator.get(&format!("/users/{admin}")).await;
    let refused = operator.post(&format!("/users/{admin}/disable"), &[]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("last active administrator"), "{}", refused.body);
    assert_eq!(
        audited(&site, "user.disable").await + audited(&site, "role.revoke").await,
        0,
        "what was refused was not done"
    );
    assert_eq!(give(&mut operator, &officer, "tenant-admin").await, StatusCode::SEE_OTHER);
    let mut session = site.signed_in("notary-admin").await;
    operator.get(&format!("/users/{admin}")).await;
    assert_eq!(operator.post(&format!("/users/{admin}/disable"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(session.get("/").await.status, StatusCode::SEE_OTHER, "its sessions have ended");
    // The other one is the last now: a disabled administrator does not count.
    assert_eq!(take(&mut operator, &officer, "tenant-admin").await, StatusCode::UNPROCESSABLE_ENTITY);

    // The city's own: two operators at once cannot take each other's role.
    operator.get("/users/new").await;
    let invited = operator
        .post("/users", &[("login", "second"), ("display_name", "Second"), ("role", "platform-operator")])
        .await;
    let password =
        invited.body.split("id=\"one-time-password\">").nth(1).unwrap().split('<').next().unwrap().to_owned();
    assert!(password.len() >= 20, "made by the system, shown once");
    let first = id(&site, "operator").await;
    let second = id(&site, "second").await;
    assert_eq!(
        take(&mut operator, &second, "platform-operator").await,
        StatusCode::UNPROCESSABLE_ENTITY,
        "the only role"
    );
    assert_eq!(operator.post(&format!("/users/{second}/disable"), &[]).await.status, StatusCode::SEE_OTHER);
    assert_eq!(operator.post(&format!("/users/{first}/disable"), &[]).await.status, StatusCode::CONFLICT);
}
