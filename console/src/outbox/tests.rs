//! What the outbox promises: nothing acknowledged is lost or done twice, and every write ends with an outcome.

use super::*;
use crate::indexer;
use crate::indexer::tests::node::Node;
use crate::indexer::tests::{
    CHAIN, LONG, administrator, caught_up, digests, notary, reach, restarted, site_with_chain,
};
use std::collections::HashMap;
use std::sync::atomic::Ordering;

const ANCHOR: (&str, &str, &str) = ("chain", "anchor", "digests");

async fn row(app: &App, transaction: &Transaction, signer: Option<&Signer>) -> TxId {
    let mut tx = app.db.write().await.unwrap();
    let chain = Name::parse(CHAIN).unwrap();
    let id = send(&mut tx, &chain, transaction, Origin { what: "test", signer }).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn outcome(app: &App, id: TxId) -> Outcome {
    wait(app, id, LONG).await.unwrap().outcome
}

#[tokio::test]
async fn a_console_that_ends_between_row_and_sending_loses_nothing() {
    let (site, node) = site_with_chain().await;
    let transaction = sign(&site.app, CHAIN, &administrator(), ANCHOR, digests(3)).await.unwrap();
    let id = row(&site.app, &transaction, Some(&administrator())).await;
    // The console dies here: nothing was sent.
    site.app.stopping.cancel();
    assert_eq!(node.submissions.load(Ordering::SeqCst), 0);
    let again = restarted(&site.app).await;
    reach(&again, &node);
    indexer::start(&again);
    let Outcome::Committed(committed) = outcome(&again, id).await else { panic!("not committed") };
    assert!(committed.applied && committed.entries == 4);
    // The same row again, and a console that dies after sending: still one effect.
    assert_eq!(row(&again, &transaction, Some(&administrator())).await, id);
    sqlx::query("update outbox set state = 'waiting', next_ms = 0").execute(again.db.pool()).await.unwrap();
    again.outbox.wake();
    caught_up(&again, &node).await;
    assert_eq!(indexer::lists::count_txs(&again, CHAIN).await.unwrap(), 1);
}

#[tokio::test]
async fn a_write_waits_out_an_unreachable_chain() {
    let (site, node) = site_with_chain().await;
    node.down.store(true, Ordering::SeqCst);
    indexer::start(&site.app);
    let transaction = sign(&site.app, CHAIN, &administrator(), ANCHOR, digests(1)).await.unwrap();
    let id = row(&site.app, &transaction, None).await;
    let waiting = async {
        loop {
            match find(&site.app, &id.to_string()).await.unwrap().unwrap().outcome {
                Outcome::Waiting { last_error: Some(_) } => return,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    tokio::time::timeout(LONG, waiting).await.expect("the difficulty is noted");
    node.down.store(false, Ordering::SeqCst);
    assert!(matches!(outcome(&site.app, id).await, Outcome::Committed(_)));
}

/// A call that ran out of time a moment ago and is in no block.
async fn overdue(app: &App, node: &Node) -> Transaction {
    let key = custody::signing_key(app, &notary(), "notary", custody::ADMINISTRATOR).await.unwrap();
    let call = Call {
        fingerprint: node.genesis.fingerprint(),
        valid_until_ms: now_ms().unsigned_abs() - 10_000,
        salt: [1; 8],
        app: "chain".into(),
        instance: "anchor".into(),
        method: "digests".into(),
        args: digests(2),
    };
    Transaction::sign(call, &key).unwrap()
}

#[tokio::test]
async fn what_the_platform_signed_is_signed_anew_when_its_time_is_over() {
    let (site, node) = site_with_chain().await;
    let old = overdue(&site.app, &node).await;
    let id = row(&site.app, &old, Some(&administrator())).await;
    indexer::start(&site.app);
    let standing = wait(&site.app, id, LONG).await.unwrap();
    assert!(matches!(&standing.outcome, Outcome::Committed(committed) if committed.applied));
    assert_ne!(standing.tx, standing.root, "another transaction under the same root");
    let (state, by): (String, Option<String>) =
        sqlx::query_as("select state, replaced_by from outbox where tx_id = $1")
            .bind(id.to_string())
            .fetch_one(site.app.db.pool())
            .await
            .unwrap();
    assert_eq!((state.as_str(), by), ("replaced", Some(standing.tx)));
    assert_eq!(indexer::lists::count_txs(&site.app, CHAIN).await.unwrap(), 1, "one effect");
}

#[tokio::test]
async fn what_was_signed_elsewhere_expires_once_a_later_block_lacks_it() {
    let (site, node) = site_with_chain().await;
    let id = row(&site.app, &overdue(&site.app, &node).await, None).await;
    indexer::start(&site.app);
    assert_eq!(outcome(&site.app, id).await, Outcome::Expired);
}

#[tokio::test]
async fn nothing_expires_before_a_later_block_says_so() {
    let (site, node) = site_with_chain().await;
    let transaction = sign(&site.app, CHAIN, &administrator(), ANCHOR, digests(1)).await.unwrap();
    let id = row(&site.app, &transaction, None).await;
    node.forgetful.store(true, Ordering::SeqCst);
    indexer::start(&site.app);
    node.append(vec![]);
    caught_up(&site.app, &node).await;
    assert!(!find(&site.app, &id.to_string()).await.unwrap().unwrap().outcome.is_final());
    node.ahead_ms.store(VALID_MS + 1_000, Ordering::SeqCst);
    node.append(vec![]);
    assert_eq!(outcome(&site.app, id).await, Outcome::Expired);
}

#[tokio::test]
async fn what_no_node_will_take_is_rejected_with_the_reason() {
    let (site, node) = site_with_chain().await;
    let mut bytes = sign(&site.app, CHAIN, &administrator(), ANCHOR, digests(1)).await.unwrap().bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let id = row(&site.app, &Transaction::decode(&bytes).unwrap(), None).await;
    send::round(&site.app, &mut HashMap::new()).await.unwrap();
    let Outcome::Rejected { reason } = outcome(&site.app, id).await else { panic!("taken") };
    assert!(reason.contains("signature"), "{reason}");
    assert_eq!(node.height(), 1);
}
