//! The API's own description.

use axum::Json;
use chain_types::evidence::package;
use serde_json::{Value, json};

/// One operation: method, path, summary, whether a member's token is needed, parameters, and the answer's media type.
type Operation = (&'static str, &'static str, &'static str, bool, &'static [&'static str], &'static str);

const JSON: &str = "application/json";
const CBOR: &str = "application/cbor";
const COSE: &str = "application/cose";
const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

const OPERATIONS: [Operation; 37] = [
    ("get", "/healthz", "The process answers.", false, &[], "text/plain"),
    (
        "get",
        "/readyz",
        "200 if caught up, able to vote and connected to a quorum; else 503 and a sentence that says what is missing.",
        false,
        &[],
        "text/plain",
    ),
    ("get", "/status", "How the node is.", false, &[], JSON),
    ("get", "/genesis", "What the chain started from.", false, &[], JSON),
    ("get", "/validators", "The set that decides a height.", false, &["height"], JSON),
    ("get", "/blocks", "Blocks, newest first.", false, &["before", "limit"], JSON),
    ("get", "/blocks/{height}", "A block.", false, &[], JSON),
    ("get", "/blocks/{height}/header", "A header; its SHA-256 is the block's id.", false, &[], CBOR),
    ("get", "/blocks/{height}/certificate", "The signatures that decided a block.", false, &[], CBOR),
    ("get", "/evidence/transactions/{id}", "Evidence of an applied call.", false, &["package"], CBOR),
    ("get", "/evidence/entries/{index}", "Evidence of a log entry.", false, &["package"], CBOR),
    ("get", "/evidence/digests/{digest}", "Evidence of an anchored SHA-256.", false, &["package"], CBOR),
    ("get", "/evidence/state", "Evidence of a state record.", false, &["key", "package"], CBOR),
    ("get", "/digests/{digest}", "Log entries that hold a SHA-256.", false, &[], JSON),
    ("get", "/checkpoint", "The log's newest cosigned checkpoint (C2SP tlog-checkpoint).", false, &[], TEXT),
    ("get", "/tile/{path}", "A tile of hashes or a bundle of entries (C2SP tlog-tiles).", false, &[], BYTES),
    ("get", "/policy", "Whose signatures make a checkpoint valid (C2SP tlog-policy).", false, &["height", "log"], TEXT),
    ("get", "/proof/{index}", "A portable proof of a log entry (C2SP tlog-proof).", false, &[], TEXT),
    ("get", "/consistency", "That the log only grew (RFC 9162).", false, &["old", "new"], JSON),
    ("get", "/entries/{id}", "A registered statement's receipt (RFC 9942).", false, &[], COSE),
    ("get", "/entries/{id}/statement", "A statement with all validators' receipts.", false, &[], COSE),
    ("get", "/.well-known/scitt-keys", "The keys that sign receipts (COSE key set).", false, &[], CBOR),
    ("get", "/.well-known/scitt-keys/{kid}", "One key that signs or signed receipts.", false, &[], CBOR),
    ("post", "/entries", "Registers the statement that a transaction carries (SCRAPI).", true, &[], COSE),
    ("get", "/openapi.json", "This description.", false, &[], JSON),
    ("post", "/transactions", "Submit a signed transaction (COSE_Sign1).", true, &["wait_ms"], JSON),
    ("post", "/transactions/batch", "Submit up to 1,000 signed transactions (a CBOR array).", true, &[], JSON),
    ("get", "/transactions/{id}", "What became of a transaction.", true, &[], JSON),
    ("get", "/transactions/{id}/envelope", "The signed bytes.", true, &[], "application/cose"),
    (
        "get",
        "/blocks/stream",
        "Blocks with certificates and results, history then live.",
        true,
        &["from"],
        "text/event-stream",
    ),
    (
        "get",
        "/state/value",
        "A state record; `prove=1` adds its path or proves that there is none.",
        true,
        &["key", "prove", "height"],
        JSON,
    ),
    ("get", "/state/list", "State records by key prefix.", true, &["prefix", "after", "limit"], JSON),
    ("get", "/snapshot", "What the newest snapshot holds, for nodes that join.", true, &[], CBOR),
    ("get", "/snapshot/{height}/state/{piece}", "A piece of a snapshot's state.", true, &[], CBOR),
    ("get", "/snapshot/{height}/tiles/{level}/{first}", "Complete tiles of the log.", true, &[], CBOR),
    ("get", "/snapshot/{height}/blocks/{from}", "Blocks with results, downwards from one.", true, &[], CBOR),
    ("post", "/heartbeat", "Asks for an empty block now.", true, &[], JSON),
];

/// `GET /openapi.json` (OpenAPI 3.1)
pub async fn show() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let mut paths = serde_json::Map::new();
    for operation in &OPERATIONS {
        let entry = paths.entry(operation.1).or_insert_with(|| json!({}));
        if let Some(methods) = entry.as_object_mut() {
            methods.insert(operation.0.into(), describe(operation));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "CityChain node",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Takes signed bytes and signs nothing. What proves records is public; the rest needs a member's token.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "member": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Problem": {
                "type": "object",
                "required": ["type", "title", "status", "code", "detail"],
                "properties": {
                    "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                    "code": { "type": "string", "description": "stable, for programs" },
                    "detail": { "type": "string", "description": "what to do about it" },
                },
            } },
        },
    })
}

fn describe((method, path, summary, members, queries, answer): &Operation) -> Value {
    let segment = |part: &str| part.strip_prefix('{').and_then(|p| p.strip_suffix('}')).map(str::to_owned);
    let parameter = |name: &str, place: &str| {
        let required = place == "path";
        json!({ "name": name, "in": place, "required": required, "schema": { "type": "string" } })
    };
    let in_path = path.split('/').filter_map(segment).map(|name| parameter(&name, "path"));
    let in_query = queries.iter().map(|name| parameter(name, "query"));
    let problem = json!({
        "description": "a problem document (RFC 9457)",
        "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
    });
    let mut operation = json!({
        "summary": summary,
        "parameters": in_path.chain(in_query).collect::<Vec<_>>(),
        "responses": { "200": { "description": "as described", "content": { *answer: {} } }, "default": problem },
    });
    // `?package=1`, or this type in `Accept`: evidence with all that goes with it.
    if queries.contains(&"package") {
        operation["responses"]["200"]["content"][package::MEDIA_TYPE] = json!({});
    }
    if let Some(fields) = operation.as_object_mut() {
        if *members {
            fields.insert("security".into(), json!([{ "member": [] }]));
        }
        if *method == "post" && matches!(*path, "/transactions" | "/entries") {
            fields.insert("requestBody".into(), json!({ "required": true, "content": { COSE: {} } }));
        }
        if *path == "/transactions/batch" {
            fields.insert("requestBody".into(), json!({ "required": true, "content": { CBOR: {} } }));
        }
    }
    operation
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_once() {
        let document = document();
        let described: usize =
            document["paths"].as_object().unwrap().values().map(|p| p.as_object().unwrap().len()).sum();
        assert_eq!(described, OPERATIONS.len());
        assert_eq!(document["paths"]["/blocks/{height}"]["get"]["parameters"][0]["in"], "path");
        assert!(document["paths"]["/transactions"]["post"]["security"].is_array());
    }
}
