//! What becomes of looks at public pages: each is a row of SQL before its page is shown, goes to the chain with others once a minute, and is
//! counted once, wherever the console is killed. Nothing is kept in memory, so nothing can be lost with it.

use super::apps::GOODS;
use super::client::Person;
use super::site::{CHAIN, LONG, Site, until};
use std::time::Instant;

const CODES: [&str; 2] = ["00614141123452SCANS000000000000001", "00614141123452SCANS000000000000002"];

/// A new database on the server that the suite starts; the home's own where none is given.
async fn database() -> Option<String> {
    let server = std::env::var("CITYCHAIN_TEST_POSTGRES_URL").ok()?;
    sqlx::any::install_default_drivers();
    let name = format!("scans_{}", std::process::id());
    let admin = sqlx::AnyPool::connect(&server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("create database {name}"))).execute(&admin).await.unwrap();
    Some(format!("{}/{name}", server.rsplit_once('/').unwrap().0))
}

async fn look(site: &Site, code: &str, times: usize) {
    let mut citizen = Person::visitor(&site.url);
    for _ in 0..times {
        assert_eq!(citizen.get(&format!("/c/{code}")).await.status, 200);
    }
}

/// Waits until the chain answers its console; the look that was shown counts.
async fn asked_once(site: &Site) {
    until("the chain can be asked", async || {
        let page = Person::visitor(&site.url).get(&format!("/c/{}", CODES[0])).await;
        (page.status == 200).then_some(())
    })
    .await;
}

/// What a look says now; it is a look itself.
async fn shown(site: &Site, code: &str) -> u64 {
    let page = Person::visitor(&site.url).get(&format!("/c/{code}")).await;
    let digits =
        page.body.split("Scanned ").nth(1).map(|rest| rest.chars().filter(|c| c.is_ascii_digit() || *c == ' '));
    let said: String = digits.expect("the page says how often").take_while(|c| c.is_ascii_digit()).collect();
    said.parse().unwrap()
}

/// Looks that the chain knows of, as its events say.
async fn on_chain(site: &Site) -> u64 {
    let query = "select fields_json from record_event where app = $1 and name = 'scans_recorded'";
    let rows: Vec<(String,)> = sqlx::query_as(query).bind("goods").fetch_all(site.db.pool()).await.unwrap();
    let scans =
        |(json,): &(String,)| serde_json::from_str::<serde_json::Value>(json).unwrap()["scans"].as_u64().unwrap();
    rows.iter().map(scans).sum()
}

async fn waiting(site: &Site) -> i64 {
    site.count("select count(*) from scan_count where application = $1", "goods").await
}

#[tokio::test]
async fn every_look_reaches_sql_then_the_chain_and_is_counted_once_whenever_the_console_is_killed() {
    let mut site = Site::start(database().await).await;
    site.offer("goods", GOODS);
    let mut admin = site.person("notary-admin").await;
    assert_eq!(admin.get("/catalog/goods/deploy").await.status, 200);
    let form = [("chain", CHAIN), ("name", "goods"), ("sample_data", "1")];
    assert_eq!(admin.post("/catalog/goods/deploy", &form).await.status, 303);
    site.settled("goods", "ready").await;

    // A minute begins anew with a console, and everything up to the flush happens within it.
    site.kill();
    site.launch().await;
    asked_once(&site).await;

    // In SQL before the page is shown: a console killed at once has lost none of them.
    look(&site, CODES[0], 6).await;
    look(&site, CODES[1], 3).await;
    assert_eq!(Person::visitor(&site.url).get("/c/00614141123452NOBODY00000000000001").await.status, 404);
    site.kill();
    let of = "select cast(sum(count) as bigint) from scan_count where application = 'goods' and code = $1";
    assert_eq!((site.count(of, CODES[0]).await, site.count(of, CODES[1]).await), (7, 3));
    assert_eq!(waiting(&site).await, 2, "a code that does not exist is not counted");
    site.launch().await;
    asked_once(&site).await;
    assert_eq!(shown(&site, CODES[0]).await, 9, "the seven, the one that waited for the chain, and this one");

    // The flush writes its batch and the transaction in one commit. The console is killed as soon as that is seen, before the outcome is known.
    until("a batch is on its way", async || {
        let batches = "select count(*) from scan_count where application = $1 and batch <> ''";
        (site.count(batches, "goods").await > 0).then_some(())
    })
    .await;
    site.kill();
    look_lost_is_refused(&site).await;
    site.launch().await;
    until("the chain knows of all of them", async || (on_chain(&site).await == 12).then_some(())).await;
    let end = Instant::now() + LONG;
    while waiting(&site).await > 0 {
        assert!(Instant::now() < end, "the batch that arrived is not forgotten");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(site.applied("goods", "record_scans").await, 1, "one transaction carried both codes");
    assert_eq!(shown(&site, CODES[1]).await, 4, "three on the chain and this one");
    assert_eq!(on_chain(&site).await, 12, "and nothing twice");
}

/// While the console is down nobody is shown a page, so there is no look to lose.
async fn look_lost_is_refused(site: &Site) {
    assert!(reqwest::Client::builder().no_proxy().build().unwrap().get(&site.url).send().await.is_err());
}
