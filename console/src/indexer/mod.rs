//! Follows every chain that can be reached, block by block through a verifying client, and projects what it learns into SQL, where pages
//! list from. Everything here can be thrown away and is rebuilt from the blocks; nothing here is evidence.
//!
//! A block is projected once its results are proven by the next header (at once if it has none), in one SQL transaction with the
//! outcomes of waiting writes. A console that ends in between projects the same block again at its next start.

mod follow;
pub mod lists;
mod project;
mod records;
#[cfg(test)]
pub(crate) mod tests;

use crate::app::App;
use crate::names::Name;
use crate::reach;
use anyhow::Context;
use chain_types::Fingerprint;
use std::collections::HashMap;
use std::time::Duration;
use tokio::task::JoinHandle;

/// Starts indexer and outbox; both end when the console stops.
pub fn start(app: &App) {
    tokio::spawn(run(app.clone()));
    tokio::spawn(crate::outbox::run(app.clone()));
}

/// What the follower of a chain was started with: another fingerprint or other addresses mean another follower.
type Started = (Fingerprint, Vec<String>);

async fn run(app: App) {
    let mut followers: HashMap<Name, (Started, JoinHandle<()>)> = HashMap::new();
    loop {
        reach::refresh(&app).await;
        let ways = app.reach.all();
        followers.retain(|chain, (started, task)| {
            let same = ways.iter().any(|way| way.chain == *chain && started_with(way) == *started);
            if !same {
                task.abort();
            }
            same && !task.is_finished()
        });
        for way in ways {
            followers.entry(way.chain.clone()).or_insert_with(|| {
                let started = started_with(&way);
                (started, tokio::spawn(follow::chain(app.clone(), way)))
            });
        }
        tokio::select! {
            () = app.stopping.cancelled() => break,
            () = tokio::time::sleep(Duration::from_millis(300)) => {}
        }
    }
    for (_, (_, task)) in followers {
        task.abort();
    }
}

fn started_with(way: &reach::Way) -> Started {
    (way.client.fingerprint(), way.client.endpoints().iter().map(ToString::to_string).collect())
}

/// `console reindex CHAIN`: forgets what was projected of a chain; the next start of the console projects it anew.
pub async fn forget(app: &App, chain: &str) -> anyhow::Result<()> {
    let mut tx = app.db.write().await?;
    let known = project::forget(&mut tx, chain).await?;
    tx.commit().await.context("couldn't forget the chain's index")?;
    anyhow::ensure!(known, "nothing of a chain named {chain:?} is indexed; its name is on the chain's page");
    Ok(())
}
