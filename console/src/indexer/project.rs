//! Verified blocks into SQL: one transaction a batch, with the outcomes of waiting writes. Writing a block twice leaves what writing it
//! once did.

use super::records::Found;
use crate::app::App;
use crate::db::{Db, Tx};
use crate::outbox::settle;
use crate::reach::Way;
use chain_client::ChainBlock;
use chain_types::api::value_to_json;
use chain_types::{BlockId, Fingerprint, Transaction, TxOutcome};
use serde_json::{Value as Json, json};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};
use std::collections::HashSet;
use std::sync::Arc;

/// Arguments that are longer are cut: pages show what a call was about, the envelope is at the node.
const LONG_LIST: usize = 20;
const LONG_TEXT: usize = 2_000;
/// Rows of one insert: the databases limit the values of a statement.
const ROWS: usize = 200;

/// How far a chain is projected.
#[derive(Clone, Debug)]
pub struct Progress {
    pub fingerprint: Fingerprint,
    pub height: u64,
    pub id: BlockId,
}

/// `None` if nothing of the chain is projected, or what is there cannot be read.
pub async fn progress(db: &Db, chain: &str) -> Result<Option<Progress>, sqlx::Error> {
    let row: Option<(String, i64, String)> =
        sqlx::query_as("select fingerprint, height, block_id from index_chain where chain = $1")
            .bind(chain)
            .fetch_optional(db.pool())
            .await?;
    Ok(row.and_then(|(fingerprint, height, id)| {
        Some(Progress { fingerprint: fingerprint.parse().ok()?, height: height.unsigned_abs(), id: id.parse().ok()? })
    }))
}

/// Starts a chain from nothing.
pub async fn begin(app: &App, way: &Way, again: bool, first: &[Found]) -> Result<Progress, sqlx::Error> {
    let (chain, fingerprint) = (way.chain.as_str(), way.client.fingerprint());
    let mut tx = app.db.write().await?;
    if again {
        forget(&mut tx, chain).await?;
    }
    let id = BlockId(fingerprint.0);
    sqlx::query("insert into index_chain (chain, fingerprint, height, block_id, time_ms) values ($1, $2, 0, $3, 0)")
        .bind(chain)
        .bind(fingerprint.to_string())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
    records(&mut tx, chain, first, 0).await?;
    tx.commit().await?;
    Ok(Progress { fingerprint, height: 0, id })
}

/// Removes everything projected of a chain; whether there was anything.
pub async fn forget(tx: &mut Tx, chain: &str) -> Result<bool, sqlx::Error> {
    for statement in [
        "delete from block where chain = $1",
        "delete from chain_tx where chain = $1",
        "delete from record_event where chain = $1",
        "delete from record where chain = $1",
    ] {
        sqlx::query(statement).bind(chain).execute(&mut **tx).await?;
    }
    let done = sqlx::query("delete from index_chain where chain = $1").bind(chain).execute(&mut **tx).await?;
    Ok(done.rows_affected() > 0)
}

/// Projects blocks that follow one another; gives the roots of writes that were settled.
pub async fn blocks(
    app: &App,
    way: &Way,
    blocks: &[Arc<ChainBlock>],
    found: &[Found],
) -> Result<HashSet<String>, sqlx::Error> {
    let chain = way.chain.as_str();
    let (mut settled, Some(last)) = (HashSet::new(), blocks.last()) else { return Ok(HashSet::new()) };
    let mut tx = app.db.write().await?;
    insert_blocks(&mut tx, chain, blocks).await?;
    insert_txs(&mut tx, chain, blocks).await?;
    insert_events(&mut tx, chain, blocks).await?;
    records(&mut tx, chain, found, int(last.block.header.time_ms)).await?;
    let mut waiting = settle::waiting(&mut tx, chain).await?;
    for block in blocks {
        settle::block(&mut tx, block, &mut waiting, &mut settled).await?;
    }
    sqlx::query("update index_chain set height = $1, block_id = $2, time_ms = $3 where chain = $4")
        .bind(int(last.height()))
        .bind(last.id.to_string())
        .bind(int(last.block.header.time_ms))
        .bind(chain)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(settled)
}

fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

type Insert = Query<'static, Any, AnyArguments>;

/// Inserts rows by as few statements as the databases allow. Names and shape are this file's own; values are bound.
async fn insert<T>(
    tx: &mut Tx,
    into: &str,
    columns: usize,
    rows: &[T],
    bind: impl Fn(Insert, &T) -> Insert,
) -> Result<(), sqlx::Error> {
    for chunk in rows.chunks(ROWS) {
        let mut text = format!("insert into {into} values ");
        for row in 0..chunk.len() {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 1..=columns {
                text.push_str(&format!("{}${}", if column == 1 { "" } else { ", " }, row * columns + column));
            }
            text.push(')');
        }
        text.push_str(" on conflict do nothing");
        let query = chunk.iter().fold(sqlx::query(AssertSqlSafe(text)), &bind);
        query.execute(&mut **tx).await?;
    }
    Ok(())
}

async fn insert_blocks(tx: &mut Tx, chain: &str, blocks: &[Arc<ChainBlock>]) -> Result<(), sqlx::Error> {
    let into = "block (chain, height, id, parent, time_ms, round, proposer, txs, size_bytes, signers, log_size)";
    insert(tx, into, 11, blocks, |query, block| {
        let header = &block.block.header;
        query
            .bind(chain.to_owned())
            .bind(int(header.height))
            .bind(block.id.to_string())
            .bind(header.parent.to_string())
            .bind(int(header.time_ms))
            .bind(i64::from(header.round))
            .bind(header.proposer.to_string())
            .bind(block.txs.len() as i64)
            .bind(int(block.size_bytes))
            .bind(block.certificate.signatures.len() as i64)
            .bind(int(header.log_size))
    })
    .await
}

struct TxRow<'a> {
    block: &'a ChainBlock,
    position: usize,
    tx: &'a Transaction,
    result: &'a TxOutcome,
}

fn tx_rows(blocks: &[Arc<ChainBlock>]) -> Vec<TxRow<'_>> {
    let mut rows = Vec::new();
    for block in blocks {
        for (position, (tx, result)) in block.txs.iter().zip(&block.results).enumerate() {
            rows.push(TxRow { block, position, tx, result });
        }
    }
    rows
}

async fn insert_txs(tx: &mut Tx, chain: &str, blocks: &[Arc<ChainBlock>]) -> Result<(), sqlx::Error> {
    let into =
        "chain_tx (chain, id, height, position, time_ms, kid, app, instance, method, args_json, applied, refusal,
                          refusal_json, first_entry, entries, size_bytes)";
    insert(tx, into, 16, &tx_rows(blocks), |query, row| {
        let (call, refusal) = (row.tx.call(), row.result.verdict.as_ref().err());
        query
            .bind(chain.to_owned())
            .bind(row.tx.id().to_string())
            .bind(int(row.block.height()))
            .bind(row.position as i64)
            .bind(int(row.block.block.header.time_ms))
            .bind(row.tx.kid().to_string())
            .bind(call.app.clone())
            .bind(call.instance.clone())
            .bind(call.method.clone())
            .bind(shortened(value_to_json(&call.args)).to_string())
            .bind(i64::from(refusal.is_none()))
            .bind(refusal.map(|refusal| refusal.code.clone()))
            .bind(refusal.map(|refusal| json!(refusal.params).to_string()))
            .bind(int(row.result.first_entry))
            .bind(int(row.result.entries))
            .bind(row.tx.bytes().len() as i64)
    })
    .await
}

async fn insert_events(tx: &mut Tx, chain: &str, blocks: &[Arc<ChainBlock>]) -> Result<(), sqlx::Error> {
    let rows = tx_rows(blocks);
    let events: Vec<(&TxRow<'_>, usize, &chain_types::Event)> = rows
        .iter()
        .flat_map(|row| {
            let events = row.result.verdict.as_ref().ok().map(Vec::as_slice).unwrap_or_default();
            events.iter().enumerate().map(move |(seq, event)| (row, seq, event))
        })
        .collect();
    let into = "record_event (chain, height, position, seq, tx, time_ms, app, instance, name, fields_json)";
    insert(tx, into, 10, &events, |query, (row, seq, event)| {
        query
            .bind(chain.to_owned())
            .bind(int(row.block.height()))
            .bind(row.position as i64)
            .bind(*seq as i64)
            .bind(row.tx.id().to_string())
            .bind(int(row.block.block.header.time_ms))
            .bind(event.app.clone())
            .bind(event.instance.clone())
            .bind(event.name.clone())
            .bind(shortened(value_to_json(&event.fields)).to_string())
    })
    .await
}

/// Long lists become their number and beginning, long texts their beginning.
fn shortened(json: Json) -> Json {
    match json {
        Json::Array(items) if items.len() > LONG_LIST => {
            let first: Vec<Json> = items.iter().take(3).cloned().map(shortened).collect();
            json!({ "count": items.len(), "first": first })
        }
        Json::Array(items) => items.into_iter().map(shortened).collect(),
        Json::Object(fields) => fields.into_iter().map(|(name, value)| (name, shortened(value))).collect(),
        Json::String(text) if text.len() > LONG_TEXT => {
            let mut cut: String = text.chars().take(LONG_TEXT / 4).collect();
            cut.push('…');
            Json::String(cut)
        }
        other => other,
    }
}

async fn records(tx: &mut Tx, chain: &str, found: &[Found], now_ms: i64) -> Result<(), sqlx::Error> {
    for one in found {
        let Some(json) = &one.json else {
            sqlx::query("delete from record where chain = $1 and state_key = $2")
                .bind(chain)
                .bind(hex::encode(&one.touched.key))
                .execute(&mut **tx)
                .await?;
            continue;
        };
        let field = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        sqlx::query(
            "insert into record (chain, state_key, app, instance, kind, id, json, status, organisation, height, changed_ms)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
             on conflict (chain, state_key) do update set json = excluded.json, status = excluded.status,
                 organisation = excluded.organisation, height = excluded.height, changed_ms = excluded.changed_ms",
        )
        .bind(chain)
        .bind(hex::encode(&one.touched.key))
        .bind(&one.touched.app)
        .bind(&one.touched.instance)
        .bind(one.touched.kind)
        .bind(&one.touched.id)
        .bind(json.to_string())
        .bind(field("status"))
        .bind(field("organisation"))
        .bind(int(one.height))
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_arguments_keep_their_number_and_beginning() {
        let digests: Vec<String> = (0..10_000).map(|n| format!("{n:064x}")).collect();
        let short = shortened(json!({ "digests": digests, "note": "长".repeat(9_000), "n": 1 }));
        assert_eq!((short["digests"]["count"].as_u64(), short["n"].as_u64()), (Some(10_000), Some(1)));
        assert!(short.to_string().len() < 3_000);
        assert_eq!(shortened(json!([1, [2]])), json!([1, [2]]));
    }
}
