//! What the index promises: it holds what the chain says, goes on where it stopped, and can be thrown away.

pub mod node;

use super::lists::{self, RecordFilter, TxFilter};
use crate::app::App;
use crate::custody::{self, ADMINISTRATOR};
use crate::db::Db;
use crate::http::tests::Site;
use crate::names::Name;
use crate::outbox::{self, Outcome, Signer};
use crate::reach::Way;
use crate::sealing::SealingKey;
use chain_types::{Hash, Value};
use node::Node;
use std::sync::Arc;
use std::time::Duration;

pub const CHAIN: &str = "notary";
/// Longer than anything takes here.
pub const LONG: Duration = Duration::from_secs(20);

pub fn notary() -> Name {
    Name::parse("notary").unwrap()
}

pub fn administrator() -> Signer {
    Signer { tenant: notary(), organisation: "notary".to_owned(), account: ADMINISTRATOR.to_owned() }
}

/// A console with the demo's people and the notary's chain.
pub async fn site_with_chain() -> (Site, Arc<Node>) {
    with_chain(Site::new().await).await
}

/// The same on a database that is given.
pub async fn with_chain(site: Site) -> (Site, Arc<Node>) {
    let key = custody::ensure(&site.app, &notary(), "notary", ADMINISTRATOR).await.unwrap();
    let node = Node::start(key).await;
    reach(&site.app, &node);
    (site, node)
}

pub fn reach(app: &App, node: &Node) {
    app.reach.set(Way { chain: Name::parse(CHAIN).unwrap(), tenant: notary(), client: node.client() });
}

/// Another console process on the same home.
pub async fn restarted(app: &App) -> App {
    let db = Db::open(&app.config.database).await.unwrap();
    let sealing = SealingKey::read(&app.config.home.join("master.key")).unwrap();
    App::new(app.config.clone(), db, sealing, app.objects.clone()).unwrap()
}

pub fn digests(count: u64) -> Value {
    let digests = (0..count).map(|n| Value::from(Hash::of(&n.to_be_bytes()).0.as_slice())).collect();
    Value::Map(vec![("digests".into(), Value::Array(digests))])
}

/// Waits until the index has caught up with the node.
pub async fn caught_up(app: &App, node: &Node) {
    let wait = async {
        loop {
            let indexed = lists::indexed(app, CHAIN).await.unwrap();
            if indexed.is_some_and(|indexed| indexed.height as u64 == node.height()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, wait).await.expect("the index catches up");
}

async fn call(app: &App, method: &str, names: (&str, &str), args: Value) -> outbox::Standing {
    outbox::send_alone(app, CHAIN, &administrator(), (names.0, names.1, method), args, "test", LONG).await.unwrap()
}

#[tokio::test]
async fn what_the_chain_says_is_listed_and_can_be_rebuilt() {
    let (site, node) = site_with_chain().await;
    let app = &site.app;
    super::start(app);
    let applied = call(app, "digests", ("chain", "anchor"), digests(50)).await;
    assert!(matches!(&applied.outcome, Outcome::Committed(c) if c.applied && c.entries == 51));
    let refused = call(app, "nonsense", ("chain", "anchor"), Value::Map(vec![])).await;
    assert!(matches!(&refused.outcome, Outcome::Committed(c) if !c.applied && c.refusal.is_some()));
    call(app, "anchor", ("deeds", "evidence"), Value::Map(vec![])).await;
    caught_up(app, &node).await;

    let before = everything(app).await;
    let txs = lists::txs(app, CHAIN, &TxFilter::default(), 0, 10).await.unwrap();
    assert_eq!(txs.iter().map(|tx| tx.method.as_str()).collect::<Vec<_>>(), ["anchor", "nonsense", "digests"]);
    assert_eq!(txs[2].organisation.as_deref(), Some("notary"), "genesis' accounts are known");
    assert_eq!(txs[2].args["digests"]["count"], 50);
    let only = TxFilter { result: "refused", ..TxFilter::default() };
    assert_eq!(lists::txs(app, CHAIN, &only, 0, 10).await.unwrap().len(), 1);
    let filter = RecordFilter { app: "deeds", text: "deed", ..RecordFilter::default() };
    let (records, total) = lists::records(app, CHAIN, &filter, 0, 10).await.unwrap();
    assert_eq!((records[0].id.as_str(), records[0].status.as_str(), total), ("N-1", "anchored", 1));
    assert_eq!(lists::blocks(app, CHAIN, None, 100).await.unwrap().len() as u64, node.height());

    app.stopping.cancel();
    let again = restarted(app).await;
    super::forget(&again, CHAIN).await.unwrap();
    assert!(super::forget(&again, "no-such-chain").await.is_err());
    reach(&again, &node);
    super::start(&again);
    caught_up(&again, &node).await;
    assert_eq!(everything(&again).await, before);
}

/// The index, but for the moments at which records were fetched.
async fn everything(app: &App) -> String {
    let txs = lists::txs(app, CHAIN, &TxFilter::default(), 0, 1000).await.unwrap();
    let blocks = lists::blocks(app, CHAIN, None, 1000).await.unwrap();
    let events = lists::events(app, CHAIN, "", "", 1000).await.unwrap();
    let (mut records, _) = lists::records(app, CHAIN, &RecordFilter::default(), 0, 1000).await.unwrap();
    records.iter_mut().for_each(|record| (record.height, record.changed_ms) = (0, 0));
    records.sort_by(|a, b| a.state_key.cmp(&b.state_key));
    serde_json::to_string(&(txs, blocks, events, records)).unwrap()
}

#[tokio::test]
async fn the_index_goes_on_where_it_stopped() {
    let (site, node) = site_with_chain().await;
    super::start(&site.app);
    caught_up(&site.app, &node).await;
    site.app.stopping.cancel();
    for _ in 0..5 {
        node.append(vec![]);
    }
    let again = restarted(&site.app).await;
    reach(&again, &node);
    super::start(&again);
    caught_up(&again, &node).await;
    assert_eq!(lists::blocks(&again, CHAIN, None, 100).await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_chain_made_anew_under_its_old_name_is_projected_anew() {
    let (site, node) = site_with_chain().await;
    super::start(&site.app);
    caught_up(&site.app, &node).await;
    // The old chain in the index has another fingerprint and more blocks than the new one.
    sqlx::query("update index_chain set fingerprint = $1, height = 900")
        .bind("00".repeat(32))
        .execute(site.app.db.pool())
        .await
        .unwrap();
    site.app.stopping.cancel();
    let again = restarted(&site.app).await;
    reach(&again, &node);
    super::start(&again);
    caught_up(&again, &node).await;
    let indexed = lists::indexed(&again, CHAIN).await.unwrap().unwrap();
    assert_eq!(indexed.fingerprint, node.genesis.fingerprint().to_string());
}
