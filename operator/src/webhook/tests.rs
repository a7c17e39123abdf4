//! The webhook as the API server meets it: a review over HTTP, an answer with a verdict or a status that is no verdict.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::{fixtures, mock::ApiServer};

const TENANT: &str = "/apis/citychain.dev/v1alpha1/tenants/notary";

fn server() -> ApiServer {
    let server = ApiServer::default();
    server.put(TENANT, fixtures::tenant_json("notary"));
    server
}

async fn ask(server: &ApiServer, request: Value) -> (StatusCode, Value) {
    let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    let request = Request::post(registration::PATH)
        .header("content-type", "application/json")
        .body(Body::from(review.to_string()))
        .unwrap();
    let answer = router(fixtures::context(server)).oneshot(request).await.unwrap();
    let status = answer.status();
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

fn review(kind: &str, operation: &str, object: &Value, old: &Value) -> Value {
    let of = if object.is_null() { old } else { object };
    json!({
        "uid": "1", "kind": {"group": "citychain.dev", "version": "v1alpha1", "kind": kind},
        "resource": {"group": "citychain.dev", "version": "v1alpha1", "resource": format!("{}s", kind.to_lowercase())},
        "name": of["metadata"]["name"], "namespace": of["metadata"]["namespace"], "operation": operation,
        "userInfo": {"username": "somebody"}, "object": object, "oldObject": old, "dryRun": false,
    })
}

fn verdict(answer: &(StatusCode, Value)) -> (bool, String) {
    assert_eq!(answer.0, StatusCode::OK, "{}", answer.1);
    let response = &answer.1["response"];
    assert_eq!(response["uid"], "1");
    (response["allowed"].as_bool().unwrap(), response["status"]["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_chain_of_a_known_tenant_is_let_in_and_one_in_a_foreign_namespace_is_not() {
    let server = server();
    let chain = fixtures::chain_json("notary", "main", 4);
    assert!(verdict(&ask(&server, review("Chain", "CREATE", &chain, &Value::Null)).await).0);
    let mut elsewhere = chain.clone();
    elsewhere["metadata"]["namespace"] = json!("tenant-health");
    let (allowed, reason) = verdict(&ask(&server, review("Chain", "CREATE", &elsewhere, &Value::Null)).await);
    assert!(!allowed && reason.contains("lives in the namespace `tenant-notary`"), "{reason}");
    server.put(
        "/apis/citychain.dev/v1alpha1/namespaces/tenant-health/chains/medical",
        fixtures::chain_json("health", "medical", 4),
    );
    let taken = fixtures::chain_json("notary", "medical", 4);
    let (allowed, reason) = verdict(&ask(&server, review("Chain", "CREATE", &taken, &Value::Null)).await);
    assert!(!allowed && reason.contains("tenant health already has a chain `medical`"), "{reason}");
    let unknown = fixtures::chain_json("health", "main", 4);
    let (allowed, reason) = verdict(&ask(&server, review("Chain", "CREATE", &unknown, &Value::Null)).await);
    assert!(!allowed && reason.contains("there is no tenant `health`"), "{reason}");
}

#[tokio::test]
async fn a_chain_is_deleted_only_when_its_name_was_typed_once_more() {
    let server = server();
    let mut chain = fixtures::chain_json("notary", "main", 4);
    let (allowed, reason) = verdict(&ask(&server, review("Chain", "DELETE", &Value::Null, &chain)).await);
    let command = "kubectl annotate chain main -n tenant-notary citychain.dev/confirm-deletion=main";
    assert!(!allowed && reason.contains(command), "{reason}");
    chain["metadata"]["annotations"] = json!({"citychain.dev/confirm-deletion": "other"});
    assert!(!verdict(&ask(&server, review("Chain", "DELETE", &Value::Null, &chain)).await).0);
    chain["metadata"]["annotations"] = json!({"citychain.dev/confirm-deletion": "main"});
    assert!(verdict(&ask(&server, review("Chain", "DELETE", &Value::Null, &chain)).await).0);
}

#[tokio::test]
async fn labels_and_finalizers_change_without_a_question() {
    // It holds nothing, so whatever asked it anything would be refused.
    let server = ApiServer::default();
    let old = fixtures::chain_json("notary", "main", 4);
    let mut new = old.clone();
    new["metadata"]["finalizers"] = json!(["citychain.dev/chain"]);
    assert!(verdict(&ask(&server, review("Chain", "UPDATE", &new, &old)).await).0);
    let mut leaving = old.clone();
    leaving["metadata"]["deletionTimestamp"] = json!("2026-03-02T08:00:00Z");
    leaving["spec"]["validators"]["count"] = json!(1);
    assert!(verdict(&ask(&server, review("Chain", "UPDATE", &leaving, &old)).await).0);
}

#[tokio::test]
async fn without_facts_there_is_no_verdict() {
    let server = server();
    server.fail("/chains", 503);
    let chain = fixtures::chain_json("notary", "main", 4);
    let (status, _) = ask(&server, review("Chain", "CREATE", &chain, &Value::Null)).await;
    assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_change_while_no_node_can_be_asked_is_refused_where_it_needs_a_quorum() {
    let server = server();
    let old = fixtures::chain_json("notary", "main", 4);
    server.put("/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chains/main", old.clone());
    let mut stopping = old.clone();
    stopping["spec"]["validatorStates"] = json!({"validator-1": "stopped"});
    let (allowed, reason) = verdict(&ask(&server, review("Chain", "UPDATE", &stopping, &old)).await);
    assert!(!allowed && reason.contains("quorum 3"), "{reason}");
    let mut titled = old.clone();
    titled["spec"]["title"]["en"] = json!("Another title");
    assert!(verdict(&ask(&server, review("Chain", "UPDATE", &titled, &old)).await).0);
}

#[tokio::test]
async fn a_tenant_with_a_chain_is_not_deleted() {
    let server = server();
    server.put(
        "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chains/main",
        fixtures::chain_json("notary", "main", 4),
    );
    let (allowed, reason) =
        verdict(&ask(&server, review("Tenant", "DELETE", &Value::Null, &fixtures::tenant_json("notary"))).await);
    assert!(!allowed && reason.contains("still has 1 chain(s): main"), "{reason}");
}
