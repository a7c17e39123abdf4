//! What a verified block says of waiting writes, in the SQL transaction that projects the block: in it, or too late for it.

use crate::db::Tx;
use crate::time::now_ms;
use chain_client::ChainBlock;
use chain_types::api::{Committed, EventInfo, value_to_json};
use std::collections::{HashMap, HashSet};

/// A chain's writes without an outcome: id → root and last moment.
pub type Waiting = HashMap<String, (String, i64)>;

/// Reads the waiting writes of a chain.
pub async fn waiting(tx: &mut Tx, chain: &str) -> Result<Waiting, sqlx::Error> {
    let rows: Vec<(String, String, i64)> =
        sqlx::query_as("select tx_id, root, valid_until_ms from outbox where chain = $1 and state = 'waiting'")
            .bind(chain)
            .fetch_all(&mut **tx)
            .await?;
    Ok(rows.into_iter().map(|(id, root, valid_until)| (id, (root, valid_until))).collect())
}

/// Settles what the block decides; `told` collects the roots concerned.
pub async fn block(
    tx: &mut Tx,
    block: &ChainBlock,
    waiting: &mut Waiting,
    told: &mut HashSet<String>,
) -> Result<(), sqlx::Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    for (position, transaction) in block.txs.iter().enumerate() {
        let id = transaction.id().to_string();
        let Some((root, _)) = waiting.remove(&id) else { continue };
        let committed = committed(block, position);
        sqlx::query("update outbox set state = 'committed', result_json = $1, answered_ms = $2, last_error = null where tx_id = $3")
            .bind(serde_json::to_string(&committed).unwrap_or_default())
            .bind(now_ms())
            .bind(&id)
            .execute(&mut **tx)
            .await?;
        told.insert(root);
    }
    // A block holds nothing that is valid only until before its time, and times only grow: these are in no later block either.
    let time = i64::try_from(block.block.header.time_ms).unwrap_or(i64::MAX);
    let late: Vec<String> =
        waiting.iter().filter(|(_, (_, valid_until))| *valid_until < time).map(|(id, _)| id.clone()).collect();
    for id in late {
        sqlx::query("update outbox set state = 'expired', answered_ms = $1 where tx_id = $2")
            .bind(now_ms())
            .bind(&id)
            .execute(&mut **tx)
            .await?;
        if let Some((root, _)) = waiting.remove(&id) {
            told.insert(root);
        }
    }
    Ok(())
}

/// A verified result in the words of the node's API.
pub fn committed(block: &ChainBlock, position: usize) -> Committed {
    let header = &block.block.header;
    let result = block.results.get(position);
    let events = result.and_then(|result| result.verdict.as_ref().ok()).map(Vec::as_slice).unwrap_or_default();
    let event = |event: &chain_types::Event| EventInfo {
        app: event.app.clone(),
        instance: event.instance.clone(),
        name: event.name.clone(),
        fields: value_to_json(&event.fields),
    };
    let applied = result.is_some_and(|result| result.verdict.is_ok());
    Committed {
        height: header.height,
        position: u32::try_from(position).unwrap_or(u32::MAX),
        time_ms: header.time_ms,
        sealed: true,
        applied,
        refusal: result.and_then(|result| result.verdict.as_ref().err().cloned()),
        events: events.iter().map(event).collect(),
        entry: result.filter(|_| applied).map(|result| result.first_entry),
        entries: result.map_or(0, |result| result.entries),
    }
}
