//! Records of the chain's state, for members.

use axum::Json;
use axum::extract::{Query, State};
use chain_runtime::StateView;
use chain_types::api::value_to_json;
use chain_types::encoding::{Encode, read_value};
use serde::Deserialize;
use serde_json::{Value as Json_, json};

use super::{ApiError, Shared};
use crate::store::Found;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueQuery {
    key: String,
    /// `1` adds the path to the state root; where there is no record, the proof that there is none.
    #[serde(default)]
    prove: u8,
    /// With `prove`: after which height, within the history that the node keeps.
    height: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    prefix: String,
    after: Option<String>,
    /// At most 500.
    limit: Option<usize>,
}

/// `GET /state/value?key=`
pub async fn value(State(api): State<Shared>, Query(query): Query<ValueQuery>) -> Result<Json<Json_>, ApiError> {
    let (key, store) = (parse(&query.key)?, api.ledger.store());
    let height = query.height.unwrap_or_else(|| api.ledger.tip().height);
    if query.prove == 0 {
        let value = StateView::get(store, &key)?.ok_or_else(missing)?;
        return Ok(Json(record(&key, &value, height)));
    }
    let (mut answer, proof) = match store.prove(&key, height)? {
        Found::Record(proof) => (record(&key, &proof.value, height), proof.to_bytes()),
        Found::Nothing(proof) => (absent(&key, height), proof.to_bytes()),
    };
    if let Some(fields) = answer.as_object_mut() {
        fields.insert("proof".into(), hex::encode(proof).into());
        fields.insert("state_root".into(), store.roots(height)?.state_root.to_string().into());
    }
    Ok(Json(answer))
}

/// `GET /state/list?prefix=`: records in key order.
pub async fn list(State(api): State<Shared>, Query(query): Query<ListQuery>) -> Result<Json<Json_>, ApiError> {
    let prefix = parse(&query.prefix)?;
    let after = query.after.as_deref().map(parse).transpose()?;
    let limit = query.limit.unwrap_or(100).min(500);
    let height = api.ledger.tip().height;
    let records = api.ledger.store().scan(&prefix, after.as_deref(), limit)?;
    Ok(Json(records.iter().map(|(key, value)| record(key, value, height)).collect()))
}

fn record(key: &[u8], value: &[u8], height: u64) -> Json_ {
    let open = read_value(value).map(|value| value_to_json(&value)).unwrap_or(Json_::Null);
    json!({ "key": hex::encode(key), "value": hex::encode(value), "json": open, "height": height })
}

/// What is proven about a key that no record has.
fn absent(key: &[u8], height: u64) -> Json_ {
    json!({ "key": hex::encode(key), "value": null, "json": null, "height": height })
}

fn parse(text: &str) -> Result<Vec<u8>, ApiError> {
    hex::decode(text).map_err(|_| ApiError::bad_request("state keys are written in hexadecimal"))
}

fn missing() -> ApiError {
    ApiError::not_found("there is no such record")
}
