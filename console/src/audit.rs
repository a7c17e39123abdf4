//! The audit log: who did what to which thing, when, with which result. Rows are only added, in the transaction of the act itself.
//!
//! Each row's hash covers the hash of the row before it, so one hash stands for everything up to it and can be anchored on the city chain.
//! Row hash = SHA-256 of the deterministic CBOR array `["citychain/audit/1", previous, seq, at, actor, actor name, tenant, action, kind, id, result, request, before, after]`.
//! The caller keeps secrets out of `before` and `after`.

use crate::auth::Principal;
use crate::db::{Db, Tx};
use crate::names::Name;
use crate::time::now_ms;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Who acts.
#[derive(Clone, Copy)]
pub enum Actor<'a> {
    Person(&'a Principal),
    /// The console itself, at start-up or in the background.
    System,
    /// Somebody who is not signed in (yet): the account concerned and the request.
    Nobody {
        user_id: &'a str,
        name: &'a str,
        request_id: &'a str,
    },
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    Done,
    Refused,
    Failed,
}

impl Outcome {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// One act. `action` is `noun.verb`, e.g. `tenant.create`; a text `audit-<noun>-<verb>` names it on pages.
pub struct Entry<'a> {
    pub action: &'static str,
    pub object_kind: &'static str,
    pub object_id: &'a str,
    /// The tenant whose people may read this row, besides the city's.
    pub tenant: Option<&'a Name>,
    pub outcome: Outcome,
    pub before: Option<Value>,
    pub after: Option<Value>,
}

impl<'a> Entry<'a> {
    /// An act that succeeded.
    pub fn done(action: &'static str, object_kind: &'static str, object_id: &'a str) -> Self {
        Self { action, object_kind, object_id, tenant: None, outcome: Outcome::Done, before: None, after: None }
    }

    #[must_use]
    pub fn of(mut self, tenant: Option<&'a Name>) -> Self {
        self.tenant = tenant;
        self
    }

    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    #[must_use]
    pub fn before(mut self, value: Value) -> Self {
        self.before = Some(value);
        self
    }

    #[must_use]
    pub fn after(mut self, value: Value) -> Self {
        self.after = Some(value);
        self
    }
}

/// A row as stored.
#[derive(Clone, Debug, sqlx::FromRow, Serialize)]
pub struct Row {
    pub seq: i64,
    pub at_ms: i64,
    pub actor: String,
    pub actor_name: String,
    pub tenant: Option<String>,
    pub action: String,
    pub object_kind: String,
    pub object_id: String,
    pub result: String,
    pub request_id: String,
    pub before_json: Option<String>,
    pub after_json: Option<String>,
    pub previous_hash: String,
    pub hash: String,
}

/// The end of the log: everything up to `seq` is what `hash` says.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow, Serialize)]
pub struct Head {
    pub seq: i64,
    pub hash: String,
}

/// What a check of the whole log found.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Intact(Head),
    /// The first row that is missing or is not what its hash says.
    Broken {
        seq: i64,
    },
}

/// Adds a row to the log, in the transaction of the act. Returns its number.
pub async fn record(tx: &mut Tx, actor: Actor<'_>, entry: Entry<'_>) -> Result<i64, sqlx::Error> {
    // First statement on purpose: it locks the head, so that rows are numbered and linked one after another.
    let head: Head = sqlx::query_as("update audit_head set seq = seq + 1 where id = 1 returning seq, hash")
        .fetch_one(&mut **tx)
        .await?;
    let (actor_id, actor_name, request_id) = match actor {
        Actor::Person(person) => (person.user_id.as_str(), person.display_name.as_str(), person.request_id.as_str()),
        Actor::System => ("system", "system", ""),
        Actor::Nobody { user_id, name, request_id } => (user_id, name, request_id),
    };
    let mut row = Row {
        seq: head.seq,
        at_ms: now_ms(),
        actor: actor_id.to_owned(),
        actor_name: actor_name.to_owned(),
        tenant: entry.tenant.map(|tenant| tenant.as_str().to_owned()),
        action: entry.action.to_owned(),
        object_kind: entry.object_kind.to_owned(),
        object_id: entry.object_id.to_owned(),
        result: entry.outcome.as_str().to_owned(),
        request_id: request_id.to_owned(),
        before_json: entry.before.map(|value| value.to_string()),
        after_json: entry.after.map(|value| value.to_string()),
        previous_hash: head.hash,
        hash: String::new(),
    };
    row.hash = row_hash(&row);
    insert(tx, &row).await?;
    sqlx::query("update audit_head set hash = $1 where id = 1").bind(&row.hash).execute(&mut **tx).await?;
    Ok(row.seq)
}

async fn insert(tx: &mut Tx, row: &Row) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into audit (seq, at_ms, actor, actor_name, tenant, action, object_kind, object_id, result, request_id, before_json, after_json, previous_hash, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(row.seq)
    .bind(row.at_ms)
    .bind(&row.actor)
    .bind(&row.actor_name)
    .bind(&row.tenant)
    .bind(&row.action)
    .bind(&row.object_kind)
    .bind(&row.object_id)
    .bind(&row.result)
    .bind(&row.request_id)
    .bind(&row.before_json)
    .bind(&row.after_json)
    .bind(&row.previous_hash)
    .bind(&row.hash)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The end of the log now.
pub async fn head(db: &Db) -> Result<Head, sqlx::Error> {
    sqlx::query_as("select seq, hash from audit_head where id = 1").fetch_one(db.pool()).await
}

/// The end of the log as it was before `end_ms`, to be anchored as the root of that time; `None` if nothing had happened yet.
pub async fn head_before(db: &Db, end_ms: i64) -> Result<Option<Head>, sqlx::Error> {
    sqlx::query_as("select seq, hash from audit where at_ms < $1 order by seq desc limit 1")
        .bind(end_ms)
        .fetch_optional(db.pool())
        .await
}

/// Recomputes every row from the first to the head.
pub async fn verify(db: &Db) -> Result<Verdict, sqlx::Error> {
    const BATCH: i64 = 1000;
    let head = head(db).await?;
    let mut previous = Head { seq: 0, hash: "0".repeat(64) };
    while previous.seq < head.seq {
        let rows: Vec<Row> = sqlx::query_as("select * from audit where seq > $1 and seq <= $2 order by seq limit $3")
            .bind(previous.seq)
            .bind(head.seq)
            .bind(BATCH)
            .fetch_all(db.pool())
            .await?;
        if rows.is_empty() {
            return Ok(Verdict::Broken { seq: previous.seq + 1 });
        }
        for row in rows {
            let follows =
                row.seq == previous.seq + 1 && row.previous_hash == previous.hash && row.hash == row_hash(&row);
            if !follows {
                return Ok(Verdict::Broken { seq: previous.seq + 1 });
            }
            previous = Head { seq: row.seq, hash: row.hash };
        }
    }
    if previous.hash != head.hash {
        return Ok(Verdict::Broken { seq: head.seq });
    }
    Ok(Verdict::Intact(head))
}

fn row_hash(row: &Row) -> String {
    let fields = (
        "citychain/audit/1",
        &row.previous_hash,
        (row.seq, row.at_ms),
        (&row.actor, &row.actor_name, &row.tenant),
        (&row.action, &row.object_kind, &row.object_id, &row.result),
        &row.request_id,
        (&row.before_json, &row.after_json),
    );
    let mut bytes = Vec::new();
    ciborium::into_writer(&fields, &mut bytes).expect("texts and numbers are CBOR");
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::tests::temporary;

    async fn write_rows(db: &Db, n: usize) {
        for i in 0..n {
            let mut tx = db.write().await.unwrap();
            record(
                &mut tx,
                Actor::System,
                Entry::done("tenant.create", "tenant", &format!("t{i}")).after(serde_json::json!({"n": i})),
            )
            .await
            .unwrap();
            tx.commit().await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_log_nobody_touched_is_intact() {
        let (_home, sqlite) = temporary().await;
        for db in [Some(sqlite), crate::db::tests::on_postgres().await].into_iter().flatten() {
            is_intact(&db).await;
        }
    }

    async fn is_intact(db: &Db) {
        assert!(matches!(verify(db).await.unwrap(), Verdict::Intact(Head { seq: 0, .. })));
        write_rows(db, 5).await;
        assert_eq!(verify(db).await.unwrap(), Verdict::Intact(head(db).await.unwrap()));
        assert_eq!(head_before(db, i64::MAX).await.unwrap(), Some(head(db).await.unwrap()));
        assert_eq!(head_before(db, 0).await.unwrap(), None);
    }

    #[tokio::test]
    async fn any_changed_removed_or_cut_row_is_found() {
        for (statement, broken) in [
            ("update audit set actor_name = 'somebody else' where seq = 3", 3),
            ("update audit set after_json = null where seq = 1", 1),
            ("update audit set at_ms = at_ms + 1 where seq = 5", 5),
            ("delete from audit where seq = 2", 2),
            ("delete from audit where seq = 5", 5),
        ] {
            let (_home, db) = temporary().await;
            write_rows(&db, 5).await;
            sqlx::query(statement).execute(db.pool()).await.unwrap();
            assert_eq!(verify(&db).await.unwrap(), Verdict::Broken { seq: broken }, "{statement}");
        }
    }

    #[tokio::test]
    async fn an_act_that_is_rolled_back_leaves_no_row() {
        let (_home, db) = temporary().await;
        let mut tx = db.write().await.unwrap();
        record(&mut tx, Actor::System, Entry::done("tenant.create", "tenant", "x")).await.unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(head(&db).await.unwrap().seq, 0);
    }
}
