//! What pages and the gateway list: blocks, transactions, events and records of a chain, from SQL. Reads only; whether the reader may see
//! the chain was asked before.

use crate::app::App;
use crate::error::Result;
use serde::Serialize;
use serde_json::Value as Json;

/// How far a chain is projected.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Indexed {
    pub chain: String,
    pub fingerprint: String,
    pub height: i64,
    pub block_id: String,
    pub time_ms: i64,
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct BlockRow {
    pub height: i64,
    pub id: String,
    pub parent: String,
    pub time_ms: i64,
    pub round: i64,
    pub proposer: String,
    pub txs: i64,
    pub size_bytes: i64,
    pub signers: i64,
    pub log_size: i64,
}

/// A transaction, with the account behind its key.
#[derive(Clone, Debug, Serialize)]
pub struct TxRow {
    pub id: String,
    pub height: i64,
    pub position: i64,
    pub time_ms: i64,
    pub kid: String,
    pub organisation: Option<String>,
    pub account: Option<String>,
    /// self | platform
    pub custody: Option<String>,
    pub app: String,
    pub instance: String,
    pub method: String,
    pub args: Json,
    pub applied: bool,
    pub refusal: Option<String>,
    pub refusal_params: Option<Json>,
    pub first_entry: i64,
    pub entries: i64,
    pub size_bytes: i64,
}

#[derive(sqlx::FromRow)]
struct RawTx {
    id: String,
    height: i64,
    position: i64,
    time_ms: i64,
    kid: String,
    app: String,
    instance: String,
    method: String,
    args_json: String,
    applied: i64,
    refusal: Option<String>,
    refusal_json: Option<String>,
    first_entry: i64,
    entries: i64,
    size_bytes: i64,
    account_json: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct EventRow {
    pub height: i64,
    pub tx: String,
    pub time_ms: i64,
    pub app: String,
    pub instance: String,
    pub name: String,
    pub fields: Json,
}

/// A record of the state.
#[derive(Clone, Debug, Serialize)]
pub struct RecordRow {
    pub state_key: String,
    pub app: String,
    pub instance: String,
    pub kind: String,
    pub id: String,
    pub value: Json,
    pub status: String,
    pub organisation: String,
    pub height: i64,
    pub changed_ms: i64,
}

#[derive(sqlx::FromRow)]
struct RawRecord {
    state_key: String,
    app: String,
    instance: String,
    kind: String,
    id: String,
    json: String,
    status: String,
    organisation: String,
    height: i64,
    changed_ms: i64,
}

/// Which transactions; an empty text means any.
#[derive(Clone, Debug, Default)]
pub struct TxFilter<'a> {
    pub app: &'a str,
    pub method: &'a str,
    pub kid: &'a str,
    /// `applied` or `refused`
    pub result: &'a str,
    pub height: Option<i64>,
}

/// Which records; an empty text means any.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter<'a> {
    pub app: &'a str,
    pub instance: &'a str,
    pub kind: &'a str,
    pub status: &'a str,
    pub organisation: &'a str,
    /// Within the id or anywhere in the record.
    pub text: &'a str,
}

pub async fn indexed(app: &App, chain: &str) -> Result<Option<Indexed>> {
    let row = sqlx::query_as("select chain, fingerprint, height, block_id, time_ms from index_chain where chain = $1");
    Ok(row.bind(chain).fetch_optional(app.db.pool()).await?)
}

/// The newest first, below `before` if it is given.
pub async fn blocks(app: &App, chain: &str, before: Option<i64>, limit: i64) -> Result<Vec<BlockRow>> {
    let rows = sqlx::query_as(
        "select height, id, parent, time_ms, round, proposer, txs, size_bytes, signers, log_size from block
         where chain = $1 and height < $2 order by height desc limit $3",
    );
    Ok(rows.bind(chain).bind(before.unwrap_or(i64::MAX)).bind(limit).fetch_all(app.db.pool()).await?)
}

pub async fn block(app: &App, chain: &str, height: i64) -> Result<Option<BlockRow>> {
    let row = sqlx::query_as(
        "select height, id, parent, time_ms, round, proposer, txs, size_bytes, signers, log_size from block
         where chain = $1 and height = $2",
    );
    Ok(row.bind(chain).bind(height).fetch_optional(app.db.pool()).await?)
}

/// The newest first; `offset` counts from there.
pub async fn txs(app: &App, chain: &str, filter: &TxFilter<'_>, offset: i64, limit: i64) -> Result<Vec<TxRow>> {
    let applied = match filter.result {
        "applied" => 1,
        "refused" => 0,
        _ => -1,
    };
    let rows: Vec<RawTx> = sqlx::query_as(
        "select t.id, t.height, t.position, t.time_ms, t.kid, t.app, t.instance, t.method, t.args_json, t.applied, t.refusal,
                t.refusal_json, t.first_entry, t.entries, t.size_bytes, r.json as account_json
         from chain_tx t
         left join record r on r.chain = t.chain and r.app = 'chain' and r.kind = 'account' and r.id = t.kid
         where t.chain = $1 and ($2 = '' or t.app = $2) and ($3 = '' or t.method = $3) and ($4 = '' or t.kid = $4)
           and ($5 < 0 or t.applied = $5) and ($6 < 0 or t.height = $6)
         order by t.height desc, t.position desc limit $7 offset $8",
    )
    .bind(chain)
    .bind(filter.app)
    .bind(filter.method)
    .bind(filter.kid)
    .bind(i64::from(applied))
    .bind(filter.height.unwrap_or(-1))
    .bind(limit)
    .bind(offset)
    .fetch_all(app.db.pool())
    .await?;
    Ok(rows.into_iter().map(TxRow::from).collect())
}

pub async fn count_txs(app: &App, chain: &str) -> Result<i64> {
    let (count,): (i64,) =
        sqlx::query_as("select count(*) from chain_tx where chain = $1").bind(chain).fetch_one(app.db.pool()).await?;
    Ok(count)
}

pub async fn tx(app: &App, chain: &str, id: &str) -> Result<Option<TxRow>> {
    let row: Option<RawTx> = sqlx::query_as(
        "select t.id, t.height, t.position, t.time_ms, t.kid, t.app, t.instance, t.method, t.args_json, t.applied, t.refusal,
                t.refusal_json, t.first_entry, t.entries, t.size_bytes, r.json as account_json
         from chain_tx t
         left join record r on r.chain = t.chain and r.app = 'chain' and r.kind = 'account' and r.id = t.kid
         where t.chain = $1 and t.id = $2",
    )
    .bind(chain)
    .bind(id)
    .fetch_optional(app.db.pool())
    .await?;
    Ok(row.map(TxRow::from))
}

/// The newest first.
pub async fn events(app: &App, chain: &str, of_app: &str, instance: &str, limit: i64) -> Result<Vec<EventRow>> {
    let rows: Vec<(i64, String, i64, String, String, String, String)> = sqlx::query_as(
        "select height, tx, time_ms, app, instance, name, fields_json from record_event
         where chain = $1 and ($2 = '' or app = $2) and ($3 = '' or instance = $3)
         order by height desc, position desc, seq desc limit $4",
    )
    .bind(chain)
    .bind(of_app)
    .bind(instance)
    .bind(limit)
    .fetch_all(app.db.pool())
    .await?;
    let event =
        |(height, tx, time_ms, app, instance, name, fields): (i64, String, i64, String, String, String, String)| {
            EventRow { height, tx, time_ms, app, instance, name, fields: json(&fields) }
        };
    Ok(rows.into_iter().map(event).collect())
}

/// The last changed first.
pub async fn records(
    app: &App,
    chain: &str,
    filter: &RecordFilter<'_>,
    offset: i64,
    limit: i64,
) -> Result<(Vec<RecordRow>, i64)> {
    let like = match filter.text.trim() {
        "" => String::new(),
        text => format!("%{}%", text.to_lowercase().replace(['%', '_'], "")),
    };
    let rows: Vec<RawRecord> = sqlx::query_as(
        "select state_key, app, instance, kind, id, json, status, organisation, height, changed_ms from record
         where chain = $1 and ($2 = '' or app = $2) and ($3 = '' or instance = $3) and ($4 = '' or kind = $4)
           and ($5 = '' or status = $5) and ($6 = '' or organisation = $6)
           and ($7 = '' or lower(id) like $7 or lower(json) like $7)
         order by changed_ms desc, id desc limit $8 offset $9",
    )
    .bind(chain)
    .bind(filter.app)
    .bind(filter.instance)
    .bind(filter.kind)
    .bind(filter.status)
    .bind(filter.organisation)
    .bind(&like)
    .bind(limit)
    .bind(offset)
    .fetch_all(app.db.pool())
    .await?;
    let (total,): (i64,) = sqlx::query_as(
        "select count(*) from record
         where chain = $1 and ($2 = '' or app = $2) and ($3 = '' or instance = $3) and ($4 = '' or kind = $4)
           and ($5 = '' or status = $5) and ($6 = '' or organisation = $6)
           and ($7 = '' or lower(id) like $7 or lower(json) like $7)",
    )
    .bind(chain)
    .bind(filter.app)
    .bind(filter.instance)
    .bind(filter.kind)
    .bind(filter.status)
    .bind(filter.organisation)
    .bind(&like)
    .fetch_one(app.db.pool())
    .await?;
    Ok((rows.into_iter().map(RecordRow::from).collect(), total))
}

/// The record of an application by kind and id, whichever instance holds it.
pub async fn record(app: &App, chain: &str, of_app: &str, kind: &str, id: &str) -> Result<Option<RecordRow>> {
    let row: Option<RawRecord> = sqlx::query_as(
        "select state_key, app, instance, kind, id, json, status, organisation, height, changed_ms from record
         where chain = $1 and app = $2 and kind = $3 and id = $4 order by instance limit 1",
    )
    .bind(chain)
    .bind(of_app)
    .bind(kind)
    .bind(id)
    .fetch_optional(app.db.pool())
    .await?;
    Ok(row.map(RecordRow::from))
}

fn json(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_default()
}

impl From<RawTx> for TxRow {
    fn from(raw: RawTx) -> Self {
        let account = raw.account_json.as_deref().map(json).unwrap_or_default();
        let of = |name: &str| account.get(name).and_then(Json::as_str).map(str::to_owned);
        Self {
            organisation: of("organisation"),
            account: of("label"),
            custody: of("custody"),
            id: raw.id,
            height: raw.height,
            position: raw.position,
            time_ms: raw.time_ms,
            kid: raw.kid,
            app: raw.app,
            instance: raw.instance,
            method: raw.method,
            args: json(&raw.args_json),
            applied: raw.applied != 0,
            refusal: raw.refusal,
            refusal_params: raw.refusal_json.as_deref().map(json),
            first_entry: raw.first_entry,
            entries: raw.entries,
            size_bytes: raw.size_bytes,
        }
    }
}

impl From<RawRecord> for RecordRow {
    fn from(raw: RawRecord) -> Self {
        Self {
            value: json(&raw.json),
            state_key: raw.state_key,
            app: raw.app,
            instance: raw.instance,
            kind: raw.kind,
            id: raw.id,
            status: raw.status,
            organisation: raw.organisation,
            height: raw.height,
            changed_ms: raw.changed_ms,
        }
    }
}
