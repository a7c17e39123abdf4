//! The one search box: asks every noun for what the reader may see. A new noun adds one function and one line in `find`.

use super::chains::Found;
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
    hits.extend(chains(app, principal, q, lang));
    hits.extend(transactions(app, principal, q).await?);
    Ok(hits)
}

/// By name, title, identifier or the beginning of the fingerprint.
fn chains(app: &App, principal: &Principal, q: &str, lang: Lang) -> Vec<Hit> {
    let q = q.trim().to_lowercase();
    let fits = |found: &Found| {
        let (title, status) = (found.view.title(), &found.view.status);
        let id = status.chain_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let words = [found.entry.name.to_string(), title.zh, title.en.to_lowercase(), id];
        let fingerprint = status.fingerprint.as_deref().unwrap_or_default();
        words.iter().any(|word| word.contains(&q)) || (q.len() >= 8 && fingerprint.starts_with(&q))
    };
    let hit = |found: Found| {
        let title = found.view.title();
        Hit {
            kind: "chain",
            title: lang.pick(&title.zh, &title.en).to_owned(),
            detail: found.entry.name.to_string(),
            href: format!("/chains/{}", found.entry.name),
        }
    };
    let found = super::chains::list(app, principal).into_iter().filter(fits);
    found.take(MOST_PER_KIND as usize).map(hit).collect()
}

/// A whole transaction id, on any chain that the reader may see.
async fn transactions(app: &App, principal: &Principal, q: &str) -> Result<Vec<Hit>> {
    let Ok(id) = q.trim().to_lowercase().parse::<chain_types::TxId>() else { return Ok(Vec::new()) };
    let mut hits = Vec::new();
    for found in super::chains::list(app, principal) {
        let chain = &found.entry.name;
        if let Some(row) = crate::indexer::lists::tx(app, chain.as_str(), &id.to_string()).await? {
            hits.push(Hit {
                kind: "transaction",
                title: format!("{}.{}", row.instance, row.method),
                detail: chain.to_string(),
                href: format!("/chains/{chain}/transactions/{id}"),
            });
        }
    }
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
