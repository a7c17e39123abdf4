//! The one search box: asks every noun for what the reader may see. A new noun adds one function and one line in `find`.

use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::Result;
use crate::names::Name;
use crate::text::Lang;
use serde::Serialize;

/// Something found: its kind (text `search-<kind>`), what to show, where it is.
#[derive(Serialize)]
pub struct Hit {
    pub kind: &'static str,
    pub title: String,
    pub detail: String,
    pub href: String,
}

const MOST_PER_KIND: i64 = 10;

pub async fn find(app: &App, principal: &Principal, q: &str, lang: Lang) -> Result<Vec<Hit>> {
    if q.is_empty() {
        return Ok(Vec::new());
    }
    let like = format!("%{}%", q.to_lowercase().replace(['%', '_'], ""));
    let mut hits = tenants(app, principal, &like, lang).await?;
    hits.extend(users(app, principal, &like).await?);
    Ok(hits)
}

async fn tenants(app: &App, principal: &Principal, like: &str, lang: Lang) -> Result<Vec<Hit>> {
    if !principal.can(Action::ListTenants, &Resource::City) {
        return Ok(Vec::new());
    }
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select name, title_zh, title_en from tenant where lower(name) like $1 or lower(title_zh) like $1 or lower(title_en) like $1 order by name limit $2",
    )
    .bind(like)
    .bind(MOST_PER_KIND)
    .fetch_all(app.db.pool())
    .await?;
    Ok(found
        .into_iter()
        .map(|(name, zh, en)| Hit {
            kind: "tenant",
            title: lang.pick(&zh, &en).to_owned(),
            href: format!("/tenants/{name}"),
            detail: name,
        })
        .collect())
}

async fn users(app: &App, principal: &Principal, like: &str) -> Result<Vec<Hit>> {
    if !principal.can(Action::ListUsers, &Resource::of(principal.tenant.as_ref())) {
        return Ok(Vec::new());
    }
    let scope = principal.tenant.as_ref().map_or("", Name::as_str);
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select id, login, display_name from users where (lower(login) like $1 or lower(display_name) like $1) and ($2 = '' or tenant = $2) order by login limit $3",
    )
    .bind(like)
    .bind(scope)
    .bind(MOST_PER_KIND)
    .fetch_all(app.db.pool())
    .await?;
    Ok(found
        .into_iter()
        .map(|(id, login, name)| Hit { kind: "user", title: name, detail: login, href: format!("/users/{id}") })
        .collect())
}
