//! What bad input gets: a clear answer with a stable code, and nothing stored.

use chain_node::keys::new_key;
use chain_types::api::{Committed, Problem, Submitted, SubmittedStatus, TxInfo, TxStatus};
use chain_types::encoding::Writer;
use chain_types::{Fingerprint, Transaction, Value};
use reqwest::{Client as Http, StatusCode};

use super::cluster::{Cluster, digest};

async fn post(cluster: &Cluster, body: Vec<u8>, token: &str) -> (StatusCode, String, bool) {
    post_to(cluster, "/transactions?wait_ms=20000", body, token).await
}

async fn post_to(cluster: &Cluster, path: &str, body: Vec<u8>, token: &str) -> (StatusCode, String, bool) {
    let url = format!("{}{path}", cluster.api(0));
    let answer = Http::new().post(url).bearer_auth(token).body(body).send().await.unwrap();
    let retry = answer.headers().contains_key("retry-after");
    (answer.status(), answer.text().await.unwrap(), retry)
}

async fn refused(cluster: &Cluster, body: Vec<u8>) -> (u16, String) {
    let (status, text, _) = post(cluster, body, &cluster.token).await;
    let problem: Problem = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
    assert_eq!(problem.status, status.as_u16());
    assert!(!problem.detail.is_empty());
    (problem.status, problem.code)
}

async fn committed(cluster: &Cluster, tx: &Transaction) -> Committed {
    let (status, text, _) = post(cluster, tx.bytes().to_vec(), &cluster.token).await;
    let info: TxInfo = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{status}: {text}"));
    match info.status {
        TxStatus::Committed(committed) => committed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_transaction_gets_its_code_and_changes_nothing() {
    let cluster = Cluster::start(1).await;
    let good = cluster.anchor(&[digest(1)]);
    let code = |status: u16, code: &str| (status, code.to_owned());

    assert_eq!(refused(&cluster, b"not cbor".to_vec()).await, code(400, "malformed"));
    let mut indefinite = good.bytes().to_vec();
    indefinite[1] = 0x9f;
    assert_eq!(refused(&cluster, indefinite).await, code(400, "malformed"));
    let trailing = [good.bytes(), &[0]].concat();
    assert_eq!(refused(&cluster, trailing).await, code(400, "malformed"));

    let mut other = cluster.draft("anchor", "digests", Value::Null);
    other.fingerprint = Fingerprint([7; 32]);
    assert_eq!(refused(&cluster, cluster.sign(other).bytes().to_vec()).await, code(422, "other_chain"));
    let mut late = cluster.draft("anchor", "digests", Value::Null);
    late.valid_until_ms = 1_000;
    assert_eq!(refused(&cluster, cluster.sign(late).bytes().to_vec()).await, code(422, "late"));
    let mut far = cluster.draft("anchor", "digests", Value::Null);
    far.valid_until_ms += 3_600_000;
    assert_eq!(refused(&cluster, cluster.sign(far).bytes().to_vec()).await, code(422, "too_far"));

    let mut forged = good.bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(refused(&cluster, forged).await, code(422, "signature"));
    let stranger = Transaction::sign(cluster.draft("anchor", "digests", Value::Null), &new_key().unwrap()).unwrap();
    assert_eq!(refused(&cluster, stranger.bytes().to_vec()).await, code(403, "unknown_account"));

    let (status, _, _) = post(&cluster, vec![0; 600 * 1024], &cluster.token).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, _, _) = post(&cluster, good.bytes().to_vec(), "wrong token").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert_eq!(cluster.statuses().await[0].log_size, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_call_says_why_and_leaves_no_entry() {
    let cluster = Cluster::start(1).await;
    for (instance, method, code) in
        [("anchor", "no_such_method", "method_unknown"), ("nothing", "digests", "instance_unknown")]
    {
        let result = committed(&cluster, &cluster.call(instance, method, Value::Null)).await;
        assert!(!result.applied);
        assert_eq!(result.refusal.unwrap().code, code);
        assert_eq!((result.entry, result.entries), (None, 0));
    }
    assert_eq!(cluster.statuses().await[0].log_size, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_answer_the_same_result_once() {
    let cluster = Cluster::start(4).await;
    let tx = cluster.anchor(&[digest(1), digest(2)]);
    let first = committed(&cluster, &tx).await;
    let again = committed(&cluster, &tx).await;
    assert_eq!((first.height, first.position, first.entry), (again.height, again.position, again.entry));
    cluster.until("all have it", |all| all.iter().all(|s| s.log_size == 3)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mempool_turns_away_and_keeps_what_it_took() {
    // One of four alone makes no block, so what it takes stays. Clients may fill half.
    let mut cluster = Cluster::make(4);
    let path = cluster.validator_dir(0).join("node.toml");
    let config = std::fs::read_to_string(&path).unwrap().replace("mempool_txs = 20000", "mempool_txs = 6");
    std::fs::write(&path, config).unwrap();
    cluster.run(0);
    cluster.until("it answers", |all| all.len() == 1).await;
    for n in 0..3 {
        let url = format!("{}/transactions", cluster.api(0));
        let body = cluster.anchor(&[digest(n)]).bytes().to_vec();
        let answer = Http::new().post(url).bearer_auth(&cluster.token).body(body).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
    }
    let (status, text, retry) = post(&cluster, cluster.anchor(&[digest(9)]).bytes().to_vec(), &cluster.token).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS, "{text}");
    assert!(retry && text.contains("mempool_full"));
    assert_eq!(cluster.statuses().await[0].pending, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_request_of_many_each_is_judged_by_itself() {
    let cluster = Cluster::start(1).await;
    let good: Vec<Transaction> = (0..300).map(|n| cluster.anchor(&[digest(n)])).collect();
    let mut forged = cluster.anchor(&[digest(1_000)]).bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let mut late = cluster.draft("anchor", "digests", Value::Null);
    late.valid_until_ms = 1_000;
    let late = cluster.sign(late).bytes().to_vec();
    let wrong = [b"no envelope".to_vec(), forged, late];
    let envelopes: Vec<Vec<u8>> = wrong.iter().cloned().chain(good.iter().map(|tx| tx.bytes().to_vec())).collect();

    let answers = post_batch(&cluster, &envelopes).await.unwrap();
    let code = |answer: &Submitted| match &answer.status {
        SubmittedStatus::Refused { code, detail } if !detail.is_empty() => code.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(answers[..3].iter().map(code).collect::<Vec<_>>(), ["malformed", "signature", "late"]);
    assert_eq!(answers.len(), envelopes.len());
    for (tx, answer) in good.iter().zip(&answers[3..]) {
        assert_eq!((answer.id, &answer.status), (Some(tx.id()), &SubmittedStatus::Pending));
        assert!(committed(&cluster, tx).await.applied);
    }
    let again = post_batch(&cluster, &envelopes[3..]).await.unwrap();
    assert!(again.iter().all(|answer| answer.status == SubmittedStatus::Committed), "sent again, they have one effect");

    assert_eq!(post_batch(&cluster, &vec![b"x".to_vec(); 1_001]).await.unwrap_err(), 413);
    let (status, _, _) = post_to(&cluster, "/transactions/batch", b"no array".to_vec(), &cluster.token).await;
    assert_eq!(status.as_u16(), 400);
    let (status, _, _) = post_to(&cluster, "/transactions/batch", vec![0x80], "wrong").await;
    assert_eq!(status.as_u16(), 401);
}

async fn post_batch(cluster: &Cluster, envelopes: &[Vec<u8>]) -> Result<Vec<Submitted>, u16> {
    let mut body = Writer::default();
    body.array(envelopes.len());
    for envelope in envelopes {
        body.bytes(envelope);
    }
    let (status, text, _) = post_to(cluster, "/transactions/batch", body.into_bytes(), &cluster.token).await;
    match status.is_success() {
        true => Ok(serde_json::from_str(&text).unwrap()),
        false => Err(status.as_u16()),
    }
}
