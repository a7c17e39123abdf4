//! The request log: which key asked what, and how it was answered. Bodies are never kept. Rows are written by a task of their own, so
//! that no answer waits for them; what a dying console had not written yet is lost, because nobody was promised it.

use super::keys::own_tenant;
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::Result;
use crate::time::now_ms;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Kept in memory at most; beyond it the log has a hole and says so in the console's own log.
const MOST_WAITING: usize = 50_000;
const ROWS: usize = 200;
pub const PER_PAGE: i64 = 50;

/// One request.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Request {
    pub id: String,
    pub at_ms: i64,
    pub tenant: String,
    pub key_id: String,
    pub method: String,
    pub path: String,
    pub status: i64,
    pub elapsed_us: i64,
    /// Of the problem, if it was one.
    pub code: String,
}

#[derive(Default)]
pub struct Log {
    waiting: Mutex<Vec<Request>>,
    some: Notify,
}

impl Log {
    pub fn add(&self, request: Request) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST_WAITING {
            waiting.push(request);
        }
        drop(waiting);
        self.some.notify_one();
    }

    fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes the log until the console stops.
pub async fn run(app: App) {
    loop {
        let stopping = tokio::select! {
            () = app.stopping.cancelled() => true,
            () = app.gateway.requests.some.notified() => false,
        };
        let rows = app.gateway.requests.take();
        if rows.len() >= MOST_WAITING {
            tracing::warn!("more API requests came than could be logged");
        }
        if let Err(error) = write(&app, &rows).await {
            tracing::error!(%error, lost = rows.len(), "API requests couldn't be logged");
        }
        if stopping {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn write(app: &App, rows: &[Request]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut tx = app.db.write().await?;
    for chunk in rows.chunks(ROWS) {
        let places = (0..chunk.len()).map(|row| {
            let place = |column| format!("${}", row * 9 + column);
            format!("({})", (1..=9).map(place).collect::<Vec<_>>().join(", "))
        });
        let text = format!(
            "insert into api_request (id, at_ms, tenant, key_id, method, path, status, elapsed_us, code) values {} on conflict do nothing",
            places.collect::<Vec<_>>().join(", ")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for row in chunk {
            query = query
                .bind(&row.id)
                .bind(row.at_ms)
                .bind(&row.tenant)
                .bind(&row.key_id)
                .bind(&row.method)
                .bind(&row.path)
                .bind(row.status)
                .bind(row.elapsed_us)
                .bind(&row.code);
        }
        query.execute(&mut *tx).await?;
    }
    let keys: HashSet<&str> = rows.iter().map(|row| row.key_id.as_str()).collect();
    for key in keys {
        sqlx::query("update api_key set last_used_ms = $1 where id = $2")
            .bind(now_ms())
            .bind(key)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await
}

/// What to look for, as it stands in the address.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filter {
    pub key: String,
    pub method: String,
    /// `2xx`, `4xx`, `429`, `5xx`
    pub status: String,
    pub path: String,
    pub id: String,
}

/// One page, the newest first, with the number of all that fit.
pub async fn page(app: &App, principal: &Principal, filter: &Filter, page: i64) -> Result<(Vec<Request>, i64, i64)> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ViewRequests, &Resource::Tenant(&tenant))?;
    let (from, to) = match filter.status.as_str() {
        "2xx" => (200, 299),
        "4xx" => (400, 499),
        "429" => (429, 429),
        "5xx" => (500, 599),
        _ => (0, 999),
    };
    let like = format!("%{}%", filter.path.trim().replace(['%', '_'], ""));
    const WHERE: &str =
        "where tenant = $1 and ($2 = '' or key_id = $2) and ($3 = '' or method = $3) and status >= $4 and status <= $5
                         and path like $6 and ($7 = '' or id = $7)";
    let count = format!("select count(*) from api_request {WHERE}");
    let (total,): (i64,) = sqlx::query_as(AssertSqlSafe(count))
        .bind(tenant.as_str())
        .bind(&filter.key)
        .bind(&filter.method)
        .bind(from)
        .bind(to)
        .bind(&like)
        .bind(filter.id.trim())
        .fetch_one(app.db.pool())
        .await?;
    let page = page.clamp(1, (total + PER_PAGE - 1).max(PER_PAGE) / PER_PAGE);
    let rows = format!(
        "select id, at_ms, tenant, key_id, method, path, status, elapsed_us, code from api_request {WHERE}
         order by at_ms desc, id limit $8 offset $9"
    );
    let rows = sqlx::query_as(AssertSqlSafe(rows))
        .bind(tenant.as_str())
        .bind(&filter.key)
        .bind(&filter.method)
        .bind(from)
        .bind(to)
        .bind(&like)
        .bind(filter.id.trim())
        .bind(PER_PAGE)
        .bind((page - 1) * PER_PAGE)
        .fetch_all(app.db.pool())
        .await?;
    Ok((rows, total, page))
}
