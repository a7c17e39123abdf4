//! Items and lots of a traceability application, from the index.

use crate::app::App;
use crate::error::{Error, Result};
use crate::indexer::lists::{self, RecordRow};
use crate::reach::Way;
use serde_json::{Value as Json, json};

/// An item with its lot, product, scans and events.
pub async fn item(app: &App, way: &Way, application: &str, code: &str) -> Result<Json> {
    let item = find(app, way, application, "item", code).await?.ok_or(Error::NotFound)?;
    let text = |name: &str| item.value.get(name).and_then(Json::as_str).unwrap_or_default();
    let lot = find(app, way, application, "lot", &format!("{}/{}", text("product"), text("lot"))).await?;
    let product = find(app, way, application, "product", text("product")).await?;
    let scans = find(app, way, application, "scan", code).await?;
    let mut events = Vec::new();
    for number in item.value.get("events").and_then(Json::as_array).into_iter().flatten() {
        events.extend(find(app, way, application, "event", &number.to_string()).await?.map(|row| row.value));
    }
    let recalled = lot.as_ref().is_some_and(|lot| lot.status == "recalled") && item.status != "destroyed";
    let status = if recalled { "recalled" } else { item.status.as_str() };
    Ok(json!({
        "code": code, "status": status, "item": item.value, "lot": value(lot), "product": value(product),
        "scans": value(scans), "events": events, "height": item.height, "state_key": item.state_key,
    }))
}

/// A lot; `lot` is `PRODUCT/LOT`, or the number alone if only one product has it.
pub async fn lot(app: &App, way: &Way, application: &str, lot: &str) -> Result<Json> {
    let exact = find(app, way, application, "lot", lot).await?;
    let row = match exact {
        Some(row) => row,
        None => {
            let filter = lists::RecordFilter { app: application, kind: "lot", text: lot, ..Default::default() };
            let (rows, _) = lists::records(app, way.chain.as_str(), &filter, 0, 50).await?;
            let mut same =
                rows.into_iter().filter(|row| row.id.split_once('/').is_some_and(|(_, number)| number == lot));
            match (same.next(), same.next()) {
                (Some(row), None) => row,
                _ => return Err(Error::NotFound),
            }
        }
    };
    let product = row.id.split_once('/').map_or("", |(product, _)| product).to_owned();
    let product = find(app, way, application, "product", &product).await?;
    Ok(json!({
        "lot": row.id, "status": row.status, "record": row.value, "product": value(product),
        "height": row.height, "state_key": row.state_key,
    }))
}

async fn find(app: &App, way: &Way, application: &str, kind: &str, id: &str) -> Result<Option<RecordRow>> {
    lists::record(app, way.chain.as_str(), application, kind, id).await
}

fn value(row: Option<RecordRow>) -> Json {
    row.map_or(Json::Null, |row| row.value)
}
