//! Passes over a Tenant against an API server in memory.

use serde_json::{Value, json};

use super::*;
use crate::{fixtures, mock::ApiServer};

const TENANT: &str = "/apis/citychain.dev/v1alpha1/tenants/notary";
const NAMESPACE: &str = "/api/v1/namespaces/tenant-notary";
const CHAIN: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chains/main";
const DENY: &str = "/apis/networking.k8s.io/v1/namespaces/tenant-notary/networkpolicies/default-deny";

fn server() -> ApiServer {
    let server = ApiServer::default();
    server.put(TENANT, fixtures::tenant_json("notary"));
    server
}

/// A pass over the object as it is stored now.
async fn pass(server: &ApiServer) -> Action {
    let object: DynamicObject = serde_json::from_value(server.get(TENANT).expect("the tenant")).unwrap();
    reconcile(&object, &fixtures::context(server)).await.unwrap()
}

fn ready(server: &ApiServer) -> (Value, Value, String) {
    let tenant = server.get(TENANT).unwrap();
    let ready = tenant["status"]["conditions"][0].clone();
    assert_eq!(ready["type"], "Ready");
    (ready["status"].clone(), ready["reason"].clone(), ready["message"].as_str().unwrap().to_owned())
}

/// Writes but events.
fn writes(server: &ApiServer) -> Vec<String> {
    let all = server.writes().into_iter().filter(|write| !write.path.contains("events"));
    all.map(|write| format!("{} {}", write.method, write.path)).collect()
}

#[tokio::test]
async fn a_tenant_gets_its_namespace_and_a_second_pass_writes_nothing() {
    let server = server();
    pass(&server).await;
    assert_eq!(ready(&server).0, json!("True"));
    assert_eq!(server.get(NAMESPACE).unwrap()["metadata"]["labels"]["citychain.dev/tenant"], "notary");
    assert_eq!(server.get(DENY).unwrap()["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
    assert_eq!(server.get(TENANT).unwrap()["metadata"]["finalizers"], json!([names::TENANT_FINALIZER]));
    assert_eq!(writes(&server).len(), 8, "finalizer, namespace, five guards, status");
    pass(&server).await;
    assert_eq!(writes(&server), Vec::<String>::new());
}

#[tokio::test]
async fn a_hand_edit_and_a_deletion_are_mended_and_nothing_else_is_written() {
    let server = server();
    pass(&server).await;
    writes(&server);
    let mut opened = server.get(DENY).unwrap();
    opened["spec"]["policyTypes"] = json!(["Ingress"]);
    server.put(DENY, opened);
    server.remove("/api/v1/namespaces/tenant-notary/resourcequotas/tenant");
    pass(&server).await;
    assert_eq!(
        writes(&server),
        ["PATCH /api/v1/namespaces/tenant-notary/resourcequotas/tenant".to_owned(), format!("PATCH {DENY}")]
    );
    assert_eq!(server.get(DENY).unwrap()["spec"]["policyTypes"], json!(["Ingress", "Egress"]));
}

#[tokio::test]
async fn a_foreign_namespace_is_left_as_it_is() {
    for labels in [json!({}), json!({"citychain.dev/tenant": "notary"}), json!({"citychain.dev/tenant": "other"})] {
        let server = server();
        let foreign = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"labels": labels}});
        server.put(NAMESPACE, foreign);
        let before = server.get(NAMESPACE);
        pass(&server).await;
        assert_eq!((ready(&server).0, ready(&server).1), (json!("False"), json!("NamespaceForeign")));
        assert_eq!(server.get(NAMESPACE), before);
        assert_eq!(writes(&server), [format!("PATCH {TENANT}/status")]);
    }
}

#[tokio::test]
async fn use_is_counted_and_the_consoles_fields_of_the_status_stay() {
    let server = server();
    pass(&server).await;
    let mut tenant = server.get(TENANT).unwrap();
    tenant["status"]["organisations"] = json!([{"id": "court", "publicKey": "00".repeat(32), "custody": "platform"}]);
    server.put(TENANT, tenant);
    server.put(CHAIN, fixtures::chain_json("notary", "main", 5));
    pass(&server).await;
    let status = server.get(TENANT).unwrap()["status"].clone();
    assert_eq!(status["used"], json!({"chains": 1, "validators": 5, "storageGib": 50}));
    assert_eq!(status["organisations"][0]["id"], "court");
}

/// Asks for the tenant's deletion as the API server records it.
fn delete(server: &ApiServer, annotations: Value) {
    let mut tenant = server.get(TENANT).unwrap();
    tenant["metadata"]["deletionTimestamp"] = json!("2026-03-02T08:00:00Z");
    tenant["metadata"]["annotations"] = annotations;
    server.put(TENANT, tenant);
}

#[tokio::test]
async fn a_tenant_goes_after_its_chains_and_what_they_left() {
    let server = server();
    server.put(CHAIN, fixtures::chain_json("notary", "main", 4));
    pass(&server).await;
    delete(&server, json!({}));
    pass(&server).await;
    assert_eq!(ready(&server).1, "ChainsRemain");
    server.remove(CHAIN);
    let kept = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"labels": {"citychain.dev/retained": "true"}},
        "spec": {"resources": {"requests": {"storage": "10Gi"}}},
    });
    let volume = "/api/v1/namespaces/tenant-notary/persistentvolumeclaims/data-main-validator-1-0";
    server.put(volume, kept);
    pass(&server).await;
    let (_, reason, message) = ready(&server);
    assert_eq!(reason, "VolumesRetained");
    assert!(message.contains("keeps 1 volume(s)"), "{message}");
    assert!(server.get(NAMESPACE).is_some());
    server.remove(volume);
    pass(&server).await;
    assert_eq!(server.get(NAMESPACE), None);
    pass(&server).await;
    assert_eq!(server.get(TENANT), None);
}

#[tokio::test]
async fn what_was_kept_goes_with_the_tenant_when_a_person_says_so() {
    let server = server();
    pass(&server).await;
    let kept =
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"labels": {"citychain.dev/retained": "true"}}});
    server.put("/api/v1/namespaces/tenant-notary/secrets/main-validator-1-keys", kept);
    delete(&server, json!({"citychain.dev/retention": "delete"}));
    pass(&server).await;
    assert_eq!(server.get(NAMESPACE), None);
}

#[tokio::test]
async fn a_foreign_namespace_survives_the_tenant() {
    let server = server();
    server.put(NAMESPACE, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {}}));
    delete(&server, json!({}));
    let mut tenant = server.get(TENANT).unwrap_or_else(|| fixtures::tenant_json("notary"));
    tenant["metadata"]["deletionTimestamp"] = json!("2026-03-02T08:00:00Z");
    tenant["metadata"]["finalizers"] = json!([names::TENANT_FINALIZER]);
    server.put(TENANT, tenant);
    pass(&server).await;
    assert_eq!(server.get(TENANT), None);
    assert!(server.get(NAMESPACE).is_some());
}

#[tokio::test]
async fn what_cannot_be_read_says_so_in_its_status_once() {
    let server = ApiServer::default();
    let mut tenant = fixtures::tenant_json("notary");
    tenant["spec"]["quota"] = json!({"chains": "many"});
    server.put(TENANT, tenant);
    pass(&server).await;
    assert_eq!(ready(&server).1, "InvalidSpec");
    assert_eq!(writes(&server).len(), 1);
    pass(&server).await;
    assert_eq!(writes(&server), Vec::<String>::new());
}

#[test]
fn a_chains_new_status_is_no_news_for_its_tenant() {
    let seen = Seen::default();
    let chain = |generation: u64, leaving: bool, finalizers: &[&str]| -> PartialObjectMeta<DynamicObject> {
        let leaving = leaving.then_some("2026-03-02T08:00:00Z");
        let metadata =
            json!({"uid": "1", "generation": generation, "deletionTimestamp": leaving, "finalizers": finalizers});
        serde_json::from_value(json!({"metadata": metadata})).unwrap()
    };
    let kept = ["citychain.dev/chain"];
    let story =
        [(1, false, &kept[..], true), (1, false, &kept, false), (2, false, &kept, true), (2, true, &kept, true)];
    for (generation, leaving, finalizers, news) in story {
        assert_eq!(seen.is_news(&chain(generation, leaving, finalizers)), news, "{generation} {leaving}");
    }
    assert!(seen.is_news(&chain(2, true, &[])) && seen.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn backups_that_lie_beside_their_chains_do_not_go_with_the_tenant_unasked() {
    const BACKUP: &str = "/apis/citychain.dev/v1alpha1/namespaces/tenant-notary/chainbackups/daily";
    let made = json!({"runs": [{
        "name": "daily-1", "validator": "validator-2", "startedAt": "2026-03-01T09:00:00Z", "finishedAt": "2026-03-01T09:00:00Z",
        "holds": {
            "fingerprint": "07", "height": 42, "blockId": "01", "stateRoot": "02", "logSize": 3, "logRoot": "03", "files": 5,
            "bytes": 1_000,
        },
    }]});
    let volume = json!({"volume": {"claim": "backups"}});
    let bucket = json!({"s3": {"bucket": "b", "credentials": "c"}});
    for (destination, status, annotations, stays) in [
        (&volume, &made, json!({}), true),
        (&volume, &made, json!({"citychain.dev/retention": "delete"}), false),
        (&volume, &json!({"runs": []}), json!({}), false),
        (&bucket, &made, json!({}), false),
    ] {
        let server = server();
        pass(&server).await;
        server.put(
            BACKUP,
            json!({
                "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainBackup", "metadata": {},
                "spec": {"tenant": "notary", "chain": "main", "destination": destination}, "status": status,
            }),
        );
        delete(&server, annotations);
        pass(&server).await;
        assert_eq!(server.get(NAMESPACE).is_some(), stays);
        if stays {
            let (_, reason, message) = ready(&server);
            assert_eq!(reason, "BackupsRetained");
            assert!(message.contains("ChainBackup daily") && message.contains("retention=delete"), "{message}");
        }
    }
}
