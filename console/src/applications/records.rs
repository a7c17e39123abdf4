//! Records of an application: where the native modules keep them, one record from the node as it is now, lists from SQL. The fields of a
//! record are flattened to the names that manifests use.

use super::Deployed;
use super::people::joined;
use super::unreachable;
use crate::app::App;
use crate::error::Result;
use chain_client::Client;
use chain_types::manifest::{Module, Target};
use chain_types::state::key;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use sqlx::AssertSqlSafe;

/// A record with its fields by the names of the manifest.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    pub id: String,
    pub instance: String,
    pub kind: String,
    /// As a reader is told: an item of a recalled lot is recalled.
    pub status: String,
    pub fields: Map<String, Json>,
    pub changed_ms: i64,
}

/// What a list asks for; pairs of field and value, `text` anywhere.
#[derive(Clone, Debug, Default)]
pub struct Asked<'a> {
    pub text: &'a str,
    pub equal: Vec<(String, String)>,
    /// Fields that hold a moment, and the day that it must lie in.
    pub days: Vec<(String, String)>,
    pub page: i64,
    pub per_page: i64,
}

/// The kind of a target's records in the state.
pub fn kind_of(target: &Target) -> &str {
    target.kind.as_deref().unwrap_or("record")
}

/// The last part of a record's key, from the id that people know.
pub fn key_of(kind: &str, id: &str) -> Vec<u8> {
    match kind {
        "lot" => match id.split_once('/') {
            Some((product, lot)) => joined(product, lot.as_bytes()),
            None => id.as_bytes().to_vec(),
        },
        "event" | "recall" => id.parse::<u64>().unwrap_or(u64::MAX).to_be_bytes().to_vec(),
        _ => id.as_bytes().to_vec(),
    }
}

pub fn state_key(app: &str, instance: &str, kind: &str, id: &str) -> Vec<u8> {
    key(app, instance, kind, &key_of(kind, id))
}

async fn value(client: &Client, key: &[u8]) -> Result<Option<Json>> {
    let value = client.state_value(key).await.map_err(|_| unreachable())?;
    Ok(value.map(|value| value.json))
}

/// One record as the chain has it now.
pub async fn find(app: &App, deployed: &Deployed, target: &Target, id: &str) -> Result<Option<Record>> {
    let client = &deployed.way(app)?.client;
    let (name, instance, kind) = (deployed.name(), target.instance.as_str(), kind_of(target));
    let at = |kind: &str, id: &str| state_key(name, instance, kind, id);
    let Some(json) = value(client, &at(kind, id)).await? else { return Ok(None) };
    let mut record = flatten(deployed, instance, kind, id, &json);
    if kind == "item" {
        let text = |name: &str| json.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let (product, lot) = (text("product"), format!("{}/{}", text("product"), text("lot")));
        let (product_key, lot_key, scan_key) = (at("product", &product), at("lot", &lot), at("scan", id));
        let (product, lot, scans) =
            tokio::try_join!(value(client, &product_key), value(client, &lot_key), value(client, &scan_key))?;
        complete_item(&mut record, product.as_ref(), lot.as_ref(), scans.as_ref());
    }
    Ok(Some(record))
}

/// All versions of a numbered record, the first first.
pub async fn versions(app: &App, deployed: &Deployed, instance: &str, number: &str) -> Result<Vec<Record>> {
    let client = &deployed.way(app)?.client;
    let prefix = key(deployed.name(), instance, "version", &joined(number, b""));
    let entries = client.state_list(&prefix, None, 200).await.map_err(|_| unreachable())?;
    let mut all: Vec<Record> =
        entries.iter().map(|entry| flatten(deployed, instance, "record", number, &entry.json)).collect();
    let now = value(client, &state_key(deployed.name(), instance, "record", number)).await?;
    all.extend(now.map(|json| flatten(deployed, instance, "record", number, &json)));
    Ok(all)
}

/// Events of an item or a lot, the newest first.
pub async fn events(app: &App, deployed: &Deployed, target: &Target, record: &Record) -> Result<Vec<Record>> {
    let client = &deployed.way(app)?.client;
    let instance = target.instance.as_str();
    let ids: Vec<u64> = match record.kind.as_str() {
        "item" => record
            .fields
            .get("events")
            .and_then(Json::as_array)
            .into_iter()
            .flatten()
            .filter_map(Json::as_u64)
            .collect(),
        "lot" => {
            let (product, lot) = record.id.split_once('/').unwrap_or((&record.id, ""));
            let prefix = key(deployed.name(), instance, "lot_event", &joined(product, &joined(lot, b"")));
            let entries = client.state_list(&prefix, None, 500).await.map_err(|_| unreachable())?;
            entries.iter().filter_map(|entry| entry.json.as_u64()).collect()
        }
        _ => Vec::new(),
    };
    let mut all = Vec::new();
    for id in ids.into_iter().rev().take(100) {
        let id = id.to_string();
        if let Some(json) = value(client, &state_key(deployed.name(), instance, "event", &id)).await? {
            all.push(flatten(deployed, instance, "event", &id, &json));
        }
    }
    // A recall touches a lot, not each item: what happened to the lot since is part of an item's story.
    if record.kind == "item" {
        add_recalls(app, deployed, target, record, &mut all).await?;
    }
    Ok(all)
}

async fn add_recalls(
    app: &App,
    deployed: &Deployed,
    target: &Target,
    item: &Record,
    all: &mut Vec<Record>,
) -> Result<()> {
    let text = |name: &str| item.fields.get(name).and_then(Json::as_str).unwrap_or_default();
    let lot = Record { id: format!("{}/{}", text("product"), text("lot")), kind: "lot".to_owned(), ..item.clone() };
    let events = Box::pin(events(app, deployed, target, &lot)).await?;
    let of_lot = |event: &Record| {
        matches!(
            event.fields.get("bizStep").and_then(Json::as_str),
            Some("holding" | "decommissioning" | "creating_class_instance")
        )
    };
    all.extend(events.into_iter().filter(of_lot));
    all.sort_by_key(|event| std::cmp::Reverse(event.id.parse::<u64>().unwrap_or(0)));
    Ok(())
}

/// Fields by the manifest's names.
pub fn flatten(deployed: &Deployed, instance: &str, kind: &str, id: &str, json: &Json) -> Record {
    let mut fields = json.as_object().cloned().unwrap_or_default();
    if let Some(Json::Object(own)) = fields.remove("fields") {
        fields.extend(own);
    }
    let of = deployed.instance(instance);
    if let Some((instance, _)) = of {
        let digests = super::arguments::own_fields(instance)
            .into_iter()
            .find(|(_, field)| field.kind == chain_types::manifest::FieldType::Digests);
        if let Some((name, _)) = digests.filter(|(name, _)| *name != "files")
            && let Some(files) = fields.remove("files")
        {
            fields.insert(name.to_owned(), files);
        }
    }
    match kind {
        "record" => {
            let number =
                of.and_then(|(instance, _)| instance.record.as_ref()?.number().map(|(name, _)| name.to_owned()));
            fields.insert(number.unwrap_or_else(|| "number".to_owned()), json!(id));
        }
        "lot" => {
            let (product, lot) = id.split_once('/').unwrap_or((id, ""));
            fields.insert("product".to_owned(), json!(product));
            fields.insert("lot".to_owned(), json!(lot));
        }
        "item" => drop(fields.insert("code".to_owned(), json!(id))),
        "recall" => drop(fields.insert("recall".to_owned(), json!(id))),
        other => drop(fields.entry(other.to_owned()).or_insert_with(|| json!(id))),
    }
    let text = |name: &str| fields.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let time = ["changed_at", "recordTime", "opened_at", "registered_at"];
    let changed_ms = time.iter().find_map(|name| fields.get(*name)?.as_i64()).unwrap_or(0);
    Record {
        id: id.to_owned(),
        instance: instance.to_owned(),
        kind: kind.to_owned(),
        status: text("status"),
        changed_ms,
        fields,
    }
}

/// What an item's product, lot and scans say of it.
fn complete_item(item: &mut Record, product: Option<&Json>, lot: Option<&Json>, scans: Option<&Json>) {
    let about = product.and_then(|product| product.get("fields")?.as_object().cloned()).unwrap_or_default();
    for (name, value) in about {
        item.fields.entry(name).or_insert(value);
    }
    if let Some(lot) = lot {
        for name in ["made_on", "expire_on", "place", "line", "recall"] {
            item.fields
                .extend(lot.get(name).filter(|value| !value.is_null()).map(|value| (name.to_owned(), value.clone())));
        }
        item.fields.extend(lot.get("organisation").map(|value| ("producer".to_owned(), value.clone())));
        // A recall covers everything but what is destroyed, as the runtime tells its readers.
        if lot.get("status").and_then(Json::as_str) == Some("recalled") && item.status != "destroyed" {
            item.status = "recalled".to_owned();
        }
    }
    let count = scans.and_then(|scans| scans.get("count")?.as_u64()).unwrap_or(0);
    item.fields.insert("scans".to_owned(), json!(count));
    item.fields
        .extend(scans.and_then(|scans| scans.get("first_at").map(|at| ("first_scan_at".to_owned(), at.clone()))));
    item.fields.insert("status".to_owned(), json!(item.status));
}

/// Rows that a list narrowed by day looks at.
const MOST_NARROWED: i64 = 20_000;

fn like(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '%' | '_')).collect::<String>().to_lowercase()
}

/// What a list is narrowed to, as SQL with numbered places, and the texts that belong there.
async fn conditions(
    app: &App,
    deployed: &Deployed,
    target: &Target,
    asked: &Asked<'_>,
) -> Result<(String, Vec<String>)> {
    let kind = kind_of(target);
    let mut texts =
        vec![deployed.row.chain.clone(), deployed.name().to_owned(), target.instance.clone(), kind.to_owned()];
    let mut conditions = "chain = $1 and app = $2 and instance = $3 and kind = $4".to_owned();
    let mut add = |condition: &dyn Fn(usize) -> String, value: String| {
        texts.push(value);
        conditions.push_str(&condition(texts.len()));
    };
    if !asked.text.trim().is_empty() {
        let pattern = format!("%{}%", like(asked.text.trim()));
        add(&|n| format!(" and (lower(id) like ${n} or lower(json) like ${n})"), pattern);
    }
    for (field, value) in &asked.equal {
        match (field.as_str(), kind) {
            ("status", "item") => {
                let lots = recalled_lots(app, deployed, &target.instance).await?;
                let (recalled, others) = (value == "recalled", value != "destroyed" && value != "recalled");
                let mut either = Vec::new();
                for lot in &lots {
                    let (product, number) = lot.split_once('/').unwrap_or((lot, ""));
                    texts.push(format!("%{}%", like(&format!("\"product\":{}", json!(product)))));
                    texts.push(format!("%{}%", like(&format!("\"lot\":{}", json!(number)))));
                    either.push(format!(
                        "(lower(json) like ${} and lower(json) like ${})",
                        texts.len() - 1,
                        texts.len()
                    ));
                }
                let covered = if either.is_empty() { "1 = 0".to_owned() } else { either.join(" or ") };
                if recalled {
                    conditions.push_str(&format!(" and ({covered}) and status <> 'destroyed'"));
                } else {
                    texts.push(value.clone());
                    conditions.push_str(&format!(" and status = ${}", texts.len()));
                    if others {
                        conditions.push_str(&format!(" and not ({covered})"));
                    }
                }
            }
            ("status", _) => {
                texts.push(value.clone());
                conditions.push_str(&format!(" and status = ${}", texts.len()));
            }
            _ => {
                texts.push(format!("%{}:{}%", like(&json!(field).to_string()), like(&json!(value).to_string())));
                conditions.push_str(&format!(" and lower(json) like ${}", texts.len()));
            }
        }
    }
    Ok((conditions, texts))
}

/// A page of a list, the last changed first, and how many there are in all.
pub async fn list(app: &App, deployed: &Deployed, target: &Target, asked: &Asked<'_>) -> Result<(Vec<Record>, i64)> {
    let kind = kind_of(target);
    let (conditions, texts) = conditions(app, deployed, target, asked).await?;
    let (total,): (i64,) = texts
        .iter()
        .fold(
            sqlx::query_as(AssertSqlSafe(format!("select count(*) from record where {conditions}"))),
            |query, text| query.bind(text.clone()),
        )
        .fetch_one(app.db.pool())
        .await?;
    // A day of a moment is no text in the record: such lists are narrowed here, over the newest rows.
    let (limit, offset) = match asked.days.is_empty() {
        true => (asked.per_page, (asked.page - 1) * asked.per_page),
        false => (MOST_NARROWED, 0),
    };
    let text = format!(
        "select id, json, changed_ms from record where {conditions} order by changed_ms desc, id desc limit ${} offset ${}",
        texts.len() + 1,
        texts.len() + 2
    );
    let rows: Vec<(String, String, i64)> = texts
        .iter()
        .fold(sqlx::query_as(AssertSqlSafe(text)), |query, text| query.bind(text.clone()))
        .bind(limit)
        .bind(offset)
        .fetch_all(app.db.pool())
        .await?;
    let mut records = Vec::new();
    for (id, json, changed_ms) in rows {
        let json: Json = serde_json::from_str(&json).unwrap_or_default();
        let mut record = flatten(deployed, &target.instance, kind, &id, &json);
        record.changed_ms = changed_ms;
        if kind == "item" {
            indexed_item(app, deployed, &mut record).await?;
        }
        let on = |(field, day): &(String, String)| {
            record.fields.get(field).and_then(Json::as_i64).is_some_and(|ms| crate::time::local_date(ms) == *day)
        };
        if asked.days.iter().all(on) {
            records.push(record);
        }
    }
    if asked.days.is_empty() {
        return Ok((records, total));
    }
    let total = records.len() as i64;
    let page = usize::try_from((asked.page - 1) * asked.per_page).unwrap_or(usize::MAX);
    let records = records.into_iter().skip(page).take(usize::try_from(asked.per_page).unwrap_or(50)).collect();
    Ok((records, total))
}

async fn recalled_lots(app: &App, deployed: &Deployed, instance: &str) -> Result<Vec<String>> {
    let rows: Vec<(String,)> = sqlx::query_as(
        "select id from record where chain = $1 and app = $2 and instance = $3 and kind = 'lot' and status = 'recalled' limit 200",
    )
    .bind(&deployed.row.chain)
    .bind(deployed.name())
    .bind(instance)
    .fetch_all(app.db.pool())
    .await?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

async fn indexed_item(app: &App, deployed: &Deployed, item: &mut Record) -> Result<()> {
    let text = |name: &str| item.fields.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (product, lot) = (text("product"), format!("{}/{}", text("product"), text("lot")));
    let mut found = [None, None, None];
    for (at, (kind, id)) in [("product", product.as_str()), ("lot", &lot), ("scan", &item.id)].into_iter().enumerate() {
        let row: Option<(String,)> =
            sqlx::query_as("select json from record where chain = $1 and app = $2 and kind = $3 and id = $4")
                .bind(&deployed.row.chain)
                .bind(deployed.name())
                .bind(kind)
                .bind(id)
                .fetch_optional(app.db.pool())
                .await?;
        found[at] = row.and_then(|(json,)| serde_json::from_str::<Json>(&json).ok());
    }
    complete_item(item, found[0].as_ref(), found[1].as_ref(), found[2].as_ref());
    Ok(())
}

/// Ids of a kind, for choosing from; at most `limit`.
pub async fn ids(
    app: &App,
    deployed: &Deployed,
    instance: &str,
    kind: &str,
    limit: i64,
) -> Result<Vec<(String, Json)>> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "select id, json from record where chain = $1 and app = $2 and instance = $3 and kind = $4 order by changed_ms desc, id limit $5",
    )
    .bind(&deployed.row.chain)
    .bind(deployed.name())
    .bind(instance)
    .bind(kind)
    .bind(limit)
    .fetch_all(app.db.pool())
    .await?;
    Ok(rows.into_iter().map(|(id, json)| (id, serde_json::from_str(&json).unwrap_or_default())).collect())
}

/// The module of an instance.
pub fn module(deployed: &Deployed, instance: &str) -> Option<Module> {
    deployed.instance(instance).map(|(instance, _)| instance.module)
}
