//! What the gateway promises to programs.

mod pages;
mod program;

use super::keys;
use super::openapi;
use crate::gateway;
use crate::http::tests::Site;
use crate::indexer;
use crate::indexer::tests::node::Node;
use crate::indexer::tests::{CHAIN, LONG, administrator, digests, site_with_chain, with_chain};
use crate::outbox;
use axum::body::Body;
use axum::http::StatusCode;
use chain_types::evidence::{Inputs, verify};
use chain_types::{Hash, Transaction};
use futures::future::join_all;
use program::{Program, person};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

async fn running() -> (Site, Arc<Node>) {
    started(site_with_chain().await)
}

fn started((site, node): (Site, Arc<Node>)) -> (Site, Arc<Node>) {
    indexer::start(&site.app);
    gateway::start(&site.app);
    (site, node)
}

fn digest(n: u32) -> String {
    Hash::of(&n.to_be_bytes()).to_string()
}

#[tokio::test]
async fn from_key_to_evidence_that_verifies_offline() {
    let (site, node) = running().await;
    from_key_to_evidence(&site, &node).await;
}

#[tokio::test]
async fn the_same_way_leads_there_on_postgresql() {
    let Some(db) = crate::db::tests::on_postgres().await else { return };
    let (site, node) = started(with_chain(Site::on(Some(db)).await).await);
    from_key_to_evidence(&site, &node).await;
    let admin = person(&site.app, "notary").await;
    assert_eq!(keys::list(&site.app, &admin).await.unwrap().len(), 1);
    gateway::requests::page(&site.app, &admin, &Default::default(), 1).await.unwrap();
    let everything = indexer::lists::RecordFilter { text: "gateway", ..Default::default() };
    let (records, _) = indexer::lists::records(&site.app, CHAIN, &everything, 0, 10).await.unwrap();
    assert_eq!(records.len(), 1);
    gateway::forget_old(&site.app).await.unwrap();
    indexer::forget(&site.app, CHAIN).await.unwrap();
}

async fn from_key_to_evidence(site: &Site, node: &Node) {
    let program = Program::new(site, |_| ()).await;
    let queued = program.anchor(&json!({ "digest": digest(1) })).await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.json());
    let id = queued.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(queued.headers["location"], format!("/api/v1/chains/{CHAIN}/anchors/{id}"));
    let anchor = program.decided(&id).await;
    assert_eq!((anchor["state"].as_str(), anchor["digests"][0].as_str()), (Some("provable"), Some(digest(1).as_str())));
    let evidence = program.get(&format!("/chains/{CHAIN}/anchors/{id}/evidence")).await;
    assert_eq!(evidence.headers["content-disposition"], "attachment; filename=\"evidence.cbor\"");
    let inputs = Inputs { trust: Some(node.genesis.fingerprint()), file: digest(1).parse().ok() };
    assert!(verify(&evidence.body, &inputs).is_valid());
    let known = program.get(&format!("/chains/{CHAIN}/verify/digests/{}", digest(1))).await.json();
    assert_eq!(
        (known["anchored"].as_bool(), known["report"]["index"].as_u64()),
        (Some(true), anchor["entry"].as_u64())
    );
    let unknown = program.get(&format!("/chains/{CHAIN}/verify/digests/{}", digest(2))).await.json();
    assert_eq!(unknown["anchored"].as_bool(), Some(false));
    let tx = program.get(&format!("/chains/{CHAIN}/transactions/{}", anchor["tx"].as_str().unwrap())).await.json();
    assert_eq!((tx["organisation"].as_str(), tx["account"].as_str()), (Some("notary"), Some("gateway")));
}

#[tokio::test]
async fn many_small_requests_share_transactions_and_each_gets_its_own_evidence() {
    const REQUESTS: u32 = 500;
    let (site, node) = running().await;
    let program = Program::new(&site, |_| ()).await;
    program.decided(program.anchor(&json!({ "digest": digest(0) })).await.json()["id"].as_str().unwrap()).await;
    let before = node.height();
    let answers = join_all((1..=REQUESTS).map(|n| {
        let program = program.clone();
        async move { (n, program.anchor(&json!({ "digest": digest(n) })).await) }
    }))
    .await;
    assert!(answers.iter().all(|(_, answer)| answer.status == StatusCode::ACCEPTED));
    for (n, answer) in answers.iter().step_by(83) {
        let id = answer.json()["id"].as_str().unwrap().to_owned();
        program.decided(&id).await;
        let evidence = program.get(&format!("/chains/{CHAIN}/anchors/{id}/evidence")).await;
        let report = verify(&evidence.body, &Inputs { trust: Some(node.genesis.fingerprint()), file: None });
        assert_eq!(report.digest, digest(*n).parse().ok(), "request {n}");
    }
    let transactions = (node.height() - before) / 2;
    assert!(transactions < 50, "{REQUESTS} requests made {transactions} transactions");
}

#[tokio::test]
async fn a_large_batch_is_one_anchor_and_any_of_its_digests_can_be_proven() {
    let (site, node) = running().await;
    let program = Program::new(&site, |_| ()).await;
    let digests: Vec<String> = (0..10_000).map(digest).collect();
    let queued = program.anchor(&json!({ "digests": digests })).await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.json());
    let id = queued.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(program.decided(&id).await["count"].as_u64(), Some(10_000));
    let evidence = program.get(&format!("/chains/{CHAIN}/anchors/{id}/evidence?digest={}", digest(9_999))).await;
    let report = verify(&evidence.body, &Inputs { trust: Some(node.genesis.fingerprint()), file: None });
    assert_eq!(report.digest, digest(9_999).parse().ok());
    let more = program.anchor(&json!({ "digests": (0..10_001).map(digest).collect::<Vec<_>>() })).await;
    assert_eq!((more.status, more.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "digest-count"));
}

#[tokio::test]
async fn the_same_idempotency_key_anchors_once() {
    let (site, _node) = running().await;
    let program = Program::new(&site, |_| ()).await;
    let path = format!("/chains/{CHAIN}/anchors");
    let (one, other) = (json!({ "digest": digest(1) }).to_string(), json!({ "digest": digest(2) }).to_string());
    let send =
        async |body: &str, key: &str| program.send("POST", &path, &[("idempotency-key", key)], body.to_owned()).await;
    let first = send(&one, "a").await;
    let again = send(&one, "a").await;
    assert_eq!((again.status, again.json()), (StatusCode::ACCEPTED, first.json()));
    let mismatch = send(&other, "a").await;
    assert_eq!((mismatch.status, mismatch.code().as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-mismatch"));
    assert_ne!(send(&one, "b").await.json()["id"], first.json()["id"], "another key, another anchor");
    assert_eq!(send(&one, "").await.status, StatusCode::BAD_REQUEST);
    let stranger = Program::new(&site, |_| ()).await;
    let theirs = stranger.send("POST", &path, &[("idempotency-key", "a")], other).await;
    assert_eq!(theirs.status, StatusCode::ACCEPTED, "keys of others do not meet");
    let (anchors,): (i64,) = sqlx::query_as("select count(*) from anchor").fetch_one(site.app.db.pool()).await.unwrap();
    assert_eq!(anchors, 3);
}

#[tokio::test]
async fn a_key_opens_what_it_may_and_nothing_else() {
    let (site, _node) = running().await;
    let chain = format!("/chains/{CHAIN}");
    let nobody = Program { secret: String::new(), ..Program::new(&site, |_| ()).await };
    assert_eq!(nobody.get(&format!("{chain}/anchors/x")).await.code(), "key-missing");
    let guess = Program { secret: "bk_test_00".into(), ..nobody.clone() };
    let answer = guess.get(&format!("{chain}/anchors/x")).await;
    assert_eq!((answer.status, answer.code().as_str()), (StatusCode::UNAUTHORIZED, "key-invalid"));
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    let reader = Program::new(&site, |form| form.anchor_write = String::new()).await;
    let refused = reader.anchor(&json!({ "digest": digest(1) })).await;
    assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "scope-missing"));
    assert_eq!(reader.get(&format!("{chain}/anchors/x")).await.status, StatusCode::NOT_FOUND);

    let writer = Program::new(&site, |_| ()).await;
    let id = writer.anchor(&json!({ "digest": digest(1) })).await.json()["id"].as_str().unwrap().to_owned();
    writer.decided(&id).await;
    // Another tenant's key: neither the chain nor the anchor is there.
    let other = Program::of(&site, "medical", |_| ()).await;
    for path in ["", "/evidence"] {
        assert_eq!(other.get(&format!("{chain}/anchors/{id}{path}")).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(other.anchor(&json!({ "digest": digest(1) })).await.status, StatusCode::NOT_FOUND);
    assert_eq!(other.get("/chains").await.json()["chains"], json!([]));

    keys::revoke(&site.app, &person(&site.app, "notary").await, &writer.key_id).await.unwrap();
    assert_eq!(writer.get(&format!("{chain}/anchors/{id}")).await.status, StatusCode::UNAUTHORIZED);
    sqlx::query("update api_key set expires_ms = 1 where id = $1")
        .bind(&other.key_id)
        .execute(site.app.db.pool())
        .await
        .unwrap();
    let known_no_longer = async {
        while other.get("/chains").await.status != StatusCode::UNAUTHORIZED {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LONG, known_no_longer).await.expect("an expired key is refused");
    let stored: Vec<(String,)> =
        sqlx::query_as("select hash from api_key").fetch_all(site.app.db.pool()).await.unwrap();
    assert!(stored.iter().all(|(hash,)| hash.len() == 64 && !hash.contains(&writer.secret)));
}

#[tokio::test]
async fn a_key_beyond_its_rate_is_told_when_to_come_again_and_requests_are_logged() {
    let (site, _node) = running().await;
    let program = Program::new(&site, |form| form.rate_per_s = "10".into()).await;
    let mut limited = None;
    for _ in 0..40 {
        let answer = program.get("/chains").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            limited = Some(answer);
            break;
        }
    }
    let limited = limited.expect("40 requests at once are beyond 10 a second");
    assert_eq!(limited.headers["retry-after"], "1");
    let admin = person(&site.app, "notary").await;
    let filter = gateway::requests::Filter { status: "429".into(), ..Default::default() };
    let logged = async {
        loop {
            let (rows, ..) = gateway::requests::page(&site.app, &admin, &filter, 1).await.unwrap();
            match rows.into_iter().next() {
                Some(row) => return row,
                None => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    let row = tokio::time::timeout(LONG, logged).await.expect("it is logged");
    assert_eq!(
        (row.path.as_str(), row.code.as_str(), row.key_id),
        ("/api/v1/chains", "too-many-requests", program.key_id.clone())
    );
    assert_eq!(limited.headers["x-request-id"], row.id.as_str());
    let medical = person(&site.app, "medical").await;
    let (rows, ..) = gateway::requests::page(&site.app, &medical, &Default::default(), 1).await.unwrap();
    assert!(rows.is_empty(), "another tenant's requests");
    let used = keys::list(&site.app, &admin).await.unwrap();
    assert!(used.iter().any(|key| key.id == program.key_id && key.last_used_ms.is_some()));
}

#[tokio::test]
async fn a_transaction_signed_elsewhere_goes_through_and_a_bad_one_does_not() {
    let (site, node) = running().await;
    let program = Program::new(&site, |form| form.tx_write = "1".into()).await;
    let path = format!("/chains/{CHAIN}/transactions");
    let signer = administrator();
    let call = ("chain", "anchor", "digests");
    let transaction = outbox::sign(&site.app, CHAIN, &signer, call, digests(1)).await.unwrap();
    let sent = program.send("POST", &format!("{path}?wait_ms=20000"), &[], transaction.bytes().to_vec()).await;
    assert_eq!((sent.status, sent.json()["applied"].as_bool()), (StatusCode::OK, Some(true)), "{}", sent.json());
    let again = program.send("POST", &format!("{path}?wait_ms=20000"), &[], transaction.bytes().to_vec()).await;
    assert_eq!(again.json()["height"], sent.json()["height"], "the same bytes, the same result");
    let mut changed = transaction.bytes().to_vec();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(program.send("POST", &path, &[], changed).await.code(), "bad-signature");
    assert_eq!(program.send("POST", &path, &[], "nonsense").await.code(), "bad-transaction");
    let key = chain_types::crypto::SigningKey::from_seed(&[1; 32]);
    let other = Transaction::sign(
        chain_types::Call { fingerprint: chain_types::Fingerprint([7; 32]), ..transaction.call().clone() },
        &key,
    );
    assert_eq!(program.send("POST", &path, &[], other.unwrap().bytes().to_vec()).await.code(), "other-chain");
    assert_eq!(program.send("POST", &path, &[], vec![0; 600 * 1024]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(program.send("POST", &path, &[], vec![0; 3 << 20]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(node.submissions.load(Ordering::SeqCst) > 0);
}

/// The node of these tests proves no receipts: the statement is carried and committed, and the caller told to come back.
#[tokio::test]
async fn a_statement_is_carried_to_the_chain_and_what_is_none_is_refused_in_cbor() {
    let (site, node) = running().await;
    let program = Program::new(&site, |_| ()).await;
    let path = format!("/chains/{CHAIN}/entries");
    let key = chain_types::crypto::SigningKey::from_seed(&[1; 32]);
    let statement = chain_types::tlog::SignedStatement::sign("notary.example", "deed/1", b"a digest", &key);
    let sent = program.send("POST", &path, &[("content-type", "application/cose")], statement.clone()).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER);
    assert_eq!(sent.headers["location"], format!("/api/v1{path}/{}", Hash::of(&statement)).as_str());
    assert!(node.carried(&statement), "the transaction holds the statement as it was sent");
    let mut changed = statement.clone();
    *changed.last_mut().unwrap() ^= 1;
    for wrong in [changed, b"nonsense".to_vec(), Vec::new()] {
        let refused = program.send("POST", &path, &[], wrong).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        assert_eq!(refused.headers["content-type"], "application/concise-problem-details+cbor");
    }
    let blind = Program::new(&site, |form| form.anchor_write = String::new()).await;
    assert_eq!(blind.send("POST", &path, &[], statement).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused_with_what_to_do() {
    let (site, node) = running().await;
    let program = Program::new(&site, |_| ()).await;
    let height = node.height();
    for (body, code) in [
        ("", "bad-json"),
        ("[]", "bad-json"),
        ("{\"digest\": 1}", "bad-json"),
        ("{\"digset\": \"x\"}", "bad-json"),
        ("{}", "anchor-what"),
        ("{\"digest\": \"00\", \"digests\": []}", "anchor-what"),
        ("{\"digest\": \"00\"}", "bad-digest"),
        ("{\"digests\": []}", "digest-count"),
    ] {
        let answer = program.send("POST", &format!("/chains/{CHAIN}/anchors"), &[], body.to_owned()).await;
        assert_eq!(answer.code(), code, "{body}");
        assert!(answer.json()["detail"].as_str().is_some_and(|detail| detail.len() > 8));
    }
    let none = program.anchor(&json!({ "application": "no-such", "fields": {} })).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert_eq!(node.height(), height, "nothing reached the chain");
}

#[tokio::test]
async fn every_operation_of_the_description_exists() {
    let (site, _node) = running().await;
    let program = Program { secret: String::new(), ..Program::new(&site, |_| ()).await };
    let document = program.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for operation in openapi::OPERATIONS {
        let path = format!("/chains/{CHAIN}{}", operation.path.replace(['{', '}'], ""));
        // Without a key each says that one is missing; what does not exist says so instead.
        let answer = program.send(&operation.method.to_uppercase(), &path, &[], Body::empty()).await;
        assert_eq!(answer.code(), "key-missing", "{} {}", operation.method, operation.path);
        let described = &document["paths"][format!("/api/v1/chains/{{chain}}{}", operation.path)][operation.method];
        assert_eq!(described["security"][0]["key"][0], operation.scope.as_str());
    }
    assert_eq!(program.get("/chains/notary/no-such").await.code(), "not-found");
}
