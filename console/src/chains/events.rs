//! What happened to a chain, in SQL: the newest thousand sentences of each. Not the audit log, which says who did what.

use crate::db::Db;
use crate::time::now_ms;
use operator_api::{Name, Text};
use serde::Serialize;

const KEPT: i64 = 1000;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Event {
    pub seq: i64,
    pub at_ms: i64,
    pub level: String,
    pub zh: String,
    pub en: String,
}

/// Adds a sentence. The provisioner's loop of the chain is the only caller, so numbers follow one another.
pub async fn add(db: &Db, chain: &Name, level: &'static str, text: &Text) -> Result<(), sqlx::Error> {
    let mut tx = db.write().await?;
    let (last,): (i64,) =
        sqlx::query_as("select cast(coalesce(max(seq), 0) as bigint) from chain_event where chain = $1")
            .bind(chain.as_str())
            .fetch_one(&mut *tx)
            .await?;
    sqlx::query("insert into chain_event (chain, seq, at_ms, level, zh, en) values ($1, $2, $3, $4, $5, $6)")
        .bind(chain.as_str())
        .bind(last + 1)
        .bind(now_ms())
        .bind(level)
        .bind(&text.zh)
        .bind(&text.en)
        .execute(&mut *tx)
        .await?;
    sqlx::query("delete from chain_event where chain = $1 and seq <= $2")
        .bind(chain.as_str())
        .bind(last + 1 - KEPT)
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// The newest first.
pub async fn newest(db: &Db, chain: &Name, limit: i64) -> Result<Vec<Event>, sqlx::Error> {
    sqlx::query_as("select seq, at_ms, level, zh, en from chain_event where chain = $1 order by seq desc limit $2")
        .bind(chain.as_str())
        .bind(limit)
        .fetch_all(db.pool())
        .await
}
