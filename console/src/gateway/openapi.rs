//! The gateway's description: one table from which the OpenAPI document and the reference page are made. A test asks every address that
//! stands here.

use super::keys::Scope;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

/// One operation, in both languages.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub scope: Scope,
    pub zh: &'static str,
    pub en: &'static str,
    /// What the body holds.
    pub body: &'static str,
    /// The answer of success.
    pub status: u16,
    pub answers: &'static str,
    pub example: &'static str,
}

const BASE: &str = "/api/v1/chains/{chain}";
const JSON: &str = "application/json";
const CBOR: &str = "application/cbor";
const COSE: &str = "application/cose";

/// Every operation, in the order in which they are learnt.
pub const OPERATIONS: &[Operation] = &[
    Operation {
        method: "post",
        path: "/anchors",
        scope: Scope::AnchorWrite,
        zh: "存证：一个摘要、最多 10,000 个摘要，或某个应用的一条记录",
        en: "Anchor a digest, up to 10,000 digests, or a record of an application",
        body: JSON,
        status: 202,
        answers: JSON,
        example: "{\"digest\": \"<64 hex digits>\"}",
    },
    Operation {
        method: "get",
        path: "/anchors/{id}",
        scope: Scope::AnchorRead,
        zh: "存证状态：queued → committed → provable",
        en: "How an anchor stands: queued → committed → provable",
        body: "",
        status: 200,
        answers: JSON,
        example: "",
    },
    Operation {
        method: "get",
        path: "/anchors/{id}/evidence",
        scope: Scope::AnchorRead,
        zh: "下载证据包 evidence.cbor（?digest= 选择其中一个摘要）",
        en: "Download evidence.cbor (?digest= chooses one of several)",
        body: "",
        status: 200,
        answers: CBOR,
        example: "",
    },
    Operation {
        method: "get",
        path: "/anchors/{id}/city-proof",
        scope: Scope::AnchorRead,
        zh: "下载城市主链的见证 city-proof.cbor：证明历史未被退役密钥重写（?digest= 同上）",
        en: "Download city-proof.cbor, what the city chain stored since: proves the history (?digest= as above)",
        body: "",
        status: 200,
        answers: CBOR,
        example: "",
    },
    Operation {
        method: "get",
        path: "/verify/digests/{digest}",
        scope: Scope::AnchorRead,
        zh: "核验摘要是否已上链，逐项给出核验结果",
        en: "Whether a digest is on the chain, with every check by name",
        body: "",
        status: 200,
        answers: JSON,
        example: "",
    },
    Operation {
        method: "post",
        path: "/entries",
        scope: Scope::AnchorWrite,
        zh: "登记签名声明（SCITT SCRAPI）：原文入日志，返回回执；处理中则 303",
        en: "Register a signed statement (SCITT SCRAPI): it enters the log verbatim, the answer is its receipt, or 303",
        body: COSE,
        status: 201,
        answers: COSE,
        example: "",
    },
    Operation {
        method: "get",
        path: "/entries/{id}",
        scope: Scope::AnchorRead,
        zh: "已登记声明的回执（COSE Receipts，RFC 9942）；id 为声明的 SHA-256",
        en: "The receipt of a registered statement (COSE Receipts, RFC 9942); the id is the statement's SHA-256",
        body: "",
        status: 200,
        answers: COSE,
        example: "",
    },
    Operation {
        method: "post",
        path: "/transactions",
        scope: Scope::TxWrite,
        zh: "提交自持密钥签名的交易原文（?wait_ms= 等待结果，至多 30000）",
        en: "Submit an envelope signed with your own key (?wait_ms= waits for the result, at most 30000)",
        body: COSE,
        status: 202,
        answers: JSON,
        example: "",
    },
    Operation {
        method: "get",
        path: "/transactions/{id}",
        scope: Scope::AnchorRead,
        zh: "交易状态与结果",
        en: "Where a transaction stands, and its result",
        body: "",
        status: 200,
        answers: JSON,
        example: "",
    },
    Operation {
        method: "get",
        path: "/trace/{application}/items/{code}",
        scope: Scope::TraceRead,
        zh: "追溯：一个追溯码的商品、批次、产品与全部事件",
        en: "Trace: an item with its lot, product and every event",
        body: "",
        status: 200,
        answers: JSON,
        example: "",
    },
    Operation {
        method: "get",
        path: "/trace/{application}/lots/{lot}",
        scope: Scope::TraceRead,
        zh: "追溯：一个批次（产品码%2F批号，或批号）",
        en: "Trace: a lot (product%2Flot, or the lot's number)",
        body: "",
        status: 200,
        answers: JSON,
        example: "",
    },
];

/// What errors can come, by code, for the reference page: `(status, code)`; the texts are `error-<code>-help`.
pub const ERRORS: &[(u16, &str)] = &[
    (400, "bad-json"),
    (400, "bad-statement"),
    (400, "bad-transaction"),
    (401, "key-missing"),
    (401, "key-invalid"),
    (403, "scope-missing"),
    (404, "not-found"),
    (409, "idempotency-in-progress"),
    (409, "not-provable-yet"),
    (409, "not-witnessed-yet"),
    (409, "organisation-not-on-chain"),
    (413, "too-large"),
    (422, "anchor-what"),
    (422, "bad-digest"),
    (422, "digest-count"),
    (422, "idempotency-mismatch"),
    (429, "too-many-requests"),
    (503, "chain-unreachable"),
];

/// The OpenAPI 3.1 document.
pub fn document(public_url: &str) -> Json {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(format!("{BASE}{}", operation.path)).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "CityChain gateway", "version": env!("CARGO_PKG_VERSION") },
        "servers": [{ "url": public_url }],
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": "An API key of the console, bk_test_… or bk_live_…" } },
            "schemas": schemas(),
        },
    })
}

fn describe(operation: &Operation) -> Json {
    let mut parameters: Vec<Json> = format!("{BASE}{}", operation.path)
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next().map(str::to_owned))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if operation.path == "/anchors" {
        parameters.push(json!({ "name": "Idempotency-Key", "in": "header", "required": false, "schema": { "type": "string", "maxLength": 200 } }));
    }
    let answer = match (operation.answers, operation.path) {
        (CBOR | COSE, _) => json!({ operation.answers: {} }),
        (_, "/anchors") => json!({ JSON: { "schema": { "$ref": "#/components/schemas/Queued" } } }),
        (_, "/anchors/{id}") => json!({ JSON: { "schema": { "$ref": "#/components/schemas/Anchor" } } }),
        _ => json!({ JSON: { "schema": { "type": "object" } } }),
    };
    let mut described = json!({
        "summary": operation.en,
        "description": operation.zh,
        "operationId": format!("{}{}", operation.method, operation.path.replace(['/', '{', '}'], "_")),
        "security": [{ "key": [operation.scope.as_str()] }],
        "parameters": parameters,
        "responses": {
            operation.status.to_string(): { "description": "done", "content": answer },
            "default": { "description": "a problem", "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } } },
        },
    });
    if !operation.body.is_empty() {
        let schema =
            if operation.body == JSON { json!({ "$ref": "#/components/schemas/NewAnchor" }) } else { json!({}) };
        described["requestBody"] = json!({ "required": true, "content": { operation.body: { "schema": schema } } });
    }
    described
}

fn schemas() -> Json {
    let digest = json!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$", "description": "SHA-256, hexadecimal" });
    let digests = json!({ "type": "array", "items": digest, "minItems": 1, "maxItems": 10_000 });
    json!({
        "NewAnchor": {
            "type": "object",
            "description": "Either digest, or digests, or application with fields and files.",
            "additionalProperties": false,
            "properties": {
                "digest": digest, "digests": digests, "application": { "type": "string" }, "instance": { "type": "string" },
                "fields": { "type": "object" }, "files": digests,
            },
        },
        "Queued": {
            "type": "object",
            "required": ["id", "chain", "state", "count", "tx", "links"],
            "properties": {
                "id": { "type": "string" }, "chain": { "type": "string" }, "state": { "const": "queued" },
                "count": { "type": "integer" }, "tx": { "type": "string" },
                "links": { "type": "object", "properties": { "self": { "type": "string" }, "evidence": { "type": "string" } } },
            },
        },
        "Anchor": {
            "type": "object",
            "required": ["id", "chain", "state", "count", "digests", "tx", "created_ms"],
            "properties": {
                "id": { "type": "string" }, "chain": { "type": "string" },
                "state": { "enum": ["queued", "committed", "provable", "refused", "rejected"] },
                "count": { "type": "integer" }, "digests": { "type": "array", "items": { "type": "string" } },
                "tx": { "type": "string" }, "created_ms": { "type": "integer" }, "height": { "type": "integer" },
                "time_ms": { "type": "integer" }, "entry": { "type": "integer" }, "number": { "type": "string" },
                "refusal": { "type": "object" }, "last_error": { "type": "string" },
            },
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "code", "detail", "request_id"],
            "properties": {
                "type": { "type": "string" }, "title": { "type": "string" }, "status": { "type": "integer" },
                "code": { "type": "string" }, "detail": { "type": "string" }, "request_id": { "type": "string" },
            },
        },
    })
}
