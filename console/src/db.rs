//! The database: one code path for SQLite and PostgreSQL through sqlx's `Any` driver. Opens, migrates, begins writing transactions. Holds no query of a feature.
//!
//! Rules of the driver, for whoever writes SQL here: parameters are `$1`; columns are `bigint`, `text` or `blob`; truth values are 0 or 1;
//! `on conflict … do update` and `returning` work on both; query texts are `&'static str`;
//! `QueryBuilder` writes `?` and so fails on PostgreSQL: an optional condition is `($1 = '' or tenant = $1)`, see `service::audit_log`.

use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::migrate::Migrator;
use sqlx::{Any, AnyPool, Executor, Transaction};
use std::borrow::Cow;
use std::path::Path;

/// A writing transaction.
pub type Tx = Transaction<'static, Any>;

/// The pool and what differs between the two databases.
#[derive(Clone)]
pub struct Db {
    pool: AnyPool,
    begin: &'static str,
}

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

impl Db {
    /// Connects, and brings the schema up to date.
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        use anyhow::Context;
        install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        anyhow::ensure!(
            sqlite || url.starts_with("postgres://") || url.starts_with("postgresql://"),
            "database must start with sqlite:// or postgres://, not {:?}",
            url.split(':').next().unwrap_or_default()
        );
        let url = if sqlite && !url.contains("mode=") {
            format!("{url}{}mode=rwc", if url.contains('?') { '&' } else { '?' })
        } else {
            url.to_owned()
        };
        let pool = AnyPoolOptions::new()
            .max_connections(8)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    if sqlite {
                        // WAL: readers never wait for the writer. FULL: a commit survives power loss, because the outbox acknowledges on it.
                        connection
                            .execute("pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 10000; pragma foreign_keys = on")
                            .await?;
                    }
                    Ok(())
                })
            })
            .connect(&url)
            .await
            .context("couldn't open the database; check `database` in console.toml and that the server runs")?;
        migrator(sqlite)
            .run(&pool)
            .await
            .context("couldn't bring the database's tables up to date; was it written by a newer console?")?;
        // SQLite: take the write lock at the start, or a transaction that reads first fails when another one writes in between.
        Ok(Self { pool, begin: if sqlite { "begin immediate" } else { "begin" } })
    }

    /// For reading.
    pub fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// For writing: all changes of one act and its audit row.
    pub async fn write(&self) -> Result<Tx, sqlx::Error> {
        self.pool.begin_with(self.begin).await
    }

    /// The database answers.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        sqlx::query("select 1").execute(&self.pool).await.map(|_| ())
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// The statement broke a uniqueness rule: somebody was there first.
pub fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// The file of a SQLite address, to set its permissions.
pub fn sqlite_file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://")?;
    Some(Path::new(path.split('?').next().unwrap_or(path)))
}

/// The migrations in the database's own words: PostgreSQL calls a `blob` `bytea`.
fn migrator(sqlite: bool) -> Migrator {
    let mut migrations = MIGRATIONS.migrations.to_vec();
    if !sqlite {
        for migration in &mut migrations {
            let text = migration.sql.as_str().replace(" blob", " bytea");
            migration.sql = sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(text));
        }
    }
    Migrator { migrations: Cow::Owned(migrations), ..Migrator::DEFAULT }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A database of its own in a temporary folder.
    pub async fn temporary() -> (tempfile::TempDir, Db) {
        let home = tempfile::tempdir().unwrap();
        let db = Db::open(&format!("sqlite://{}", home.path().join("console.db").display())).await.unwrap();
        (home, db)
    }

    /// A new database on the server that the suite starts; `None` where none is given.
    pub async fn on_postgres() -> Option<Db> {
        let server = std::env::var("CITYCHAIN_TEST_POSTGRES_URL").ok()?;
        install_default_drivers();
        let name = format!("console_{}", crate::names::random_id());
        let admin = AnyPool::connect(&server).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&admin).await.unwrap();
        let (base, _) = server.rsplit_once('/').unwrap();
        Some(Db::open(&format!("{base}/{name}")).await.unwrap())
    }

    #[tokio::test]
    async fn opening_twice_changes_nothing_and_writers_queue() {
        let (home, db) = temporary().await;
        let again = Db::open(&format!("sqlite://{}", home.path().join("console.db").display())).await.unwrap();
        again.ping().await.unwrap();
        let writers = (0..20).map(|i| {
            let db = db.clone();
            tokio::spawn(async move {
                let mut tx = db.write().await.unwrap();
                let (seq,): (i64,) =
                    sqlx::query_as("select seq from audit_head where id = 1").fetch_one(&mut *tx).await.unwrap();
                sqlx::query("update audit_head set seq = $1 where id = 1")
                    .bind(seq + 1)
                    .execute(&mut *tx)
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
                i
            })
        });
        futures::future::join_all(writers).await.into_iter().for_each(|done| {
            done.unwrap();
        });
        let (seq,): (i64,) =
            sqlx::query_as("select seq from audit_head where id = 1").fetch_one(db.pool()).await.unwrap();
        assert_eq!(seq, 20);
    }

    #[tokio::test]
    async fn an_unknown_kind_of_database_is_refused_with_a_sentence() {
        let error = Db::open("mysql://x").await.err().unwrap().to_string();
        assert!(error.contains("sqlite://"), "{error}");
    }
}
