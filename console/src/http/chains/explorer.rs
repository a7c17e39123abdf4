//! Blocks and transactions of a chain: listed from the index, raw parts and evidence fetched from a node as they are.

use super::Page;
use crate::app::App;
use crate::auth::Principal;
use crate::chains::{self, NodeError};
use crate::error::{Error, Result};
use crate::http::download;
use crate::http::extract::{Path, Query, View};
use crate::indexer::lists::{self, TxFilter};
use crate::names::Name;
use axum::response::Response;
use chain_types::api::{BlockInfo, ValidatorInfo};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

const PER_PAGE: i64 = 50;

#[derive(Deserialize)]
pub struct Before {
    before: Option<i64>,
}

pub async fn blocks(
    view: View,
    principal: Principal,
    Path(chain): Path<String>,
    Query(query): Query<Before>,
) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "blocks").await?;
    let before = query.before.filter(|height| *height > 0);
    let rows = lists::blocks(&view.app, page.name.as_str(), before, PER_PAGE).await?;
    let names = Names::of(&page);
    let rows: Vec<Json> = rows
        .iter()
        .map(|row| json!({ "height": row.height, "id": row.id, "time_ms": row.time_ms, "txs": row.txs, "size_bytes": row.size_bytes,
                           "signers": row.signers, "round": row.round, "proposer": names.of_key(&row.proposer) }))
        .collect();
    let older = rows.last().and_then(|row| row["height"].as_i64()).filter(|height| *height > 1);
    page.with("blocks", rows)?.with("older", older)?.with("newest", before.is_none())?.show(&view, "chains/blocks.html")
}

/// One block as a node has it: the index may be a moment behind, and the raw parts come from there as well.
pub async fn block(view: View, principal: Principal, Path((chain, height)): Path<(String, u64)>) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "blocks").await?;
    let info: BlockInfo = ask(&view.app, &page.name, &format!("/blocks/{height}")).await?;
    let filter = TxFilter { height: i64::try_from(height).ok(), ..TxFilter::default() };
    let indexed = lists::txs(&view.app, page.name.as_str(), &filter, 0, 2_000).await?;
    let names = Names::of(&page);
    // Indexes are places in the set that decided this height.
    let set: Vec<ValidatorInfo> = ask(&view.app, &page.name, &format!("/validators?height={height}")).await?;
    let signers: Vec<String> = info.signers.iter().map(|index| names.of_index(&set, *index)).collect();
    let rows: Vec<Json> = info
        .txs
        .iter()
        .map(|id| {
            let id = id.to_string();
            let known = indexed.iter().find(|row| row.id == id);
            json!({ "id": id, "row": known })
        })
        .collect();
    let data = json!({ "height": info.height, "id": info.id.to_string(), "parent": info.parent.to_string(), "time_ms": info.time_ms,
        "round": info.round, "size_bytes": info.size_bytes, "tx_root": info.tx_root.to_string(), "state_root": info.state_root.to_string(),
        "log_size": info.log_size, "log_root": info.log_root.to_string(), "results_root": info.results_root.to_string(),
        "proposer": names.of_key(&info.proposer.to_string()), "signers": signers });
    page.with("block", data)?.with("rows", rows)?.show(&view, "chains/block.html")
}

/// A block's header or commit certificate, byte for byte.
pub async fn raw(
    view: View,
    principal: Principal,
    Path((chain, height, part)): Path<(String, u64, String)>,
) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "blocks").await?;
    if !matches!(part.as_str(), "header" | "certificate") {
        return Err(Error::NotFound);
    }
    let bytes = fetch(&view.app, &page.name, &format!("/blocks/{height}/{part}")).await?;
    Ok(download::file(&format!("{}-{height}-{part}.cbor", page.name), download::CBOR, bytes))
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filter {
    page: Option<i64>,
    result: String,
    app: String,
}

pub async fn transactions(
    view: View,
    principal: Principal,
    Path(chain): Path<String>,
    Query(filter): Query<Filter>,
) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "transactions").await?;
    let number = filter.page.unwrap_or(1).clamp(1, 1_000_000);
    let wanted = TxFilter { app: filter.app.trim(), result: &filter.result, ..TxFilter::default() };
    // One more than fits says whether there is a next page.
    let mut rows = lists::txs(&view.app, page.name.as_str(), &wanted, (number - 1) * PER_PAGE, PER_PAGE + 1).await?;
    let more = rows.len() as i64 > PER_PAGE;
    rows.truncate(PER_PAGE as usize);
    let mut query = String::new();
    for (key, value) in [("result", filter.result.as_str()), ("app", filter.app.trim())] {
        // Both are of a closed alphabet; anything else finds nothing and is not repeated.
        if !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            query.push_str(&format!("{key}={value}&"));
        }
    }
    let page = page.with("txs", rows)?.with("filter", &filter)?.with("number", number)?.with("more", more)?;
    page.with("query", query)?.show(&view, "chains/transactions.html")
}

pub async fn transaction(
    view: View,
    principal: Principal,
    Path((chain, id)): Path<(String, String)>,
) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "transactions").await?;
    let id = transaction_id(&id)?;
    let row = lists::tx(&view.app, page.name.as_str(), &id).await?;
    // The index may be a block behind; what the node says is final as well.
    let status: Json = match ask(&view.app, &page.name, &format!("/transactions/{id}")).await {
        Ok(status) => status,
        Err(Error::NotFound) if row.is_none() => return Err(Error::NotFound),
        Err(_) => Json::Null,
    };
    let args = row.as_ref().map(|row| serde_json::to_string_pretty(&row.args).unwrap_or_default());
    let page = page.with("id", &id)?.with("tx", &row)?.with("args", args)?;
    let raw = serde_json::to_string_pretty(&status).unwrap_or_default();
    page.with("status", &status)?.with("raw", raw)?.show(&view, "chains/transaction.html")
}

/// The signed bytes of a transaction, or its evidence.
pub async fn download(
    view: View,
    principal: Principal,
    Path((chain, id, part)): Path<(String, String, String)>,
) -> Result<Response> {
    let page = Page::of(&view, &principal, &chain, "transactions").await?;
    let id = transaction_id(&id)?;
    let (path, file) = match part.as_str() {
        "evidence" => (format!("/evidence/transactions/{id}"), format!("evidence-{}.cbor", &id[..12])),
        "envelope" => (format!("/transactions/{id}/envelope"), format!("transaction-{}.cose", &id[..12])),
        _ => return Err(Error::NotFound),
    };
    let bytes = fetch(&view.app, &page.name, &path).await?;
    Ok(download::file(&file, download::CBOR, bytes))
}

fn transaction_id(text: &str) -> Result<String> {
    let id: chain_types::TxId = text.parse().map_err(|_| Error::NotFound)?;
    Ok(id.to_string())
}

async fn ask<T: serde::de::DeserializeOwned>(app: &App, chain: &Name, path: &str) -> Result<T> {
    Ok(chains::client(app, chain).await?.json(path).await?)
}

async fn fetch(app: &App, chain: &Name, path: &str) -> Result<Vec<u8>> {
    let bytes: Result<Vec<u8>, NodeError> = chains::client(app, chain).await?.bytes(path).await;
    Ok(bytes?)
}

/// Validators by key: those that there are, and those that founded the chain.
struct Names(Vec<(String, String)>);

impl Names {
    fn of(page: &Page) -> Self {
        let Some(plan) = &page.found.view.plan else { return Self(Vec::new()) };
        let now = plan.nodes.iter().filter_map(|node| Some((node.consensus_key?.to_string(), node.name.to_string())));
        let founders = plan.genesis.genesis().map(|genesis| genesis.validators.as_slice()).unwrap_or_default();
        let founders = founders.iter().map(|named| (named.validator.consensus_key.to_string(), named.name.clone()));
        Self(now.chain(founders).collect())
    }

    fn of_key(&self, key: &str) -> String {
        self.0.iter().find(|(known, _)| known == key).map_or(key, |(_, name)| name).to_owned()
    }

    /// Of the set that decided the block; of one that has left, its organisation.
    fn of_index(&self, set: &[ValidatorInfo], index: u32) -> String {
        let Some(validator) = set.iter().find(|validator| validator.index == u64::from(index)) else {
            return format!("#{index}");
        };
        let key = validator.consensus_key.to_string();
        let known = self.0.iter().find(|(other, _)| *other == key).map(|(_, name)| name.clone());
        known.unwrap_or_else(|| format!("{} ({}…)", validator.organisation, &key[..8]))
    }
}
