//! The follower of one chain: reads verified blocks, gathers what came in the meantime, hands batches on to be projected, tells pages.

use super::project::{self, Progress};
use super::records::{self, Touched};
use crate::app::App;
use crate::live::{Payload, Topic};
use crate::reach::Way;
use chain_client::{ChainBlock, Followed, Start};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Blocks projected in one SQL transaction at most, and transactions in them beyond which no further block is added.
const MOST_BLOCKS: usize = 200;
const MOST_TXS: usize = 2_000;
/// Pages are told of new blocks this often at most.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Follows until aborted.
pub async fn chain(app: App, way: Arc<Way>) {
    loop {
        if let Err(error) = follow(&app, &way).await {
            tracing::warn!(chain = %way.chain, %error, "following the chain failed; starting again from what is projected");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn follow(app: &App, way: &Way) -> anyhow::Result<()> {
    let fingerprint = way.client.fingerprint();
    let mut progress = match project::progress(&app.db, way.chain.as_str()).await? {
        Some(progress) if progress.fingerprint == fingerprint => progress,
        other => {
            // The chain was made anew under its old name, or is new here: what genesis put into the state comes in no block.
            let first = records::all_accounts(way).await?;
            project::begin(app, way, other.is_some(), &first).await?
        }
    };
    let start = match progress.height {
        0 => Start::Genesis,
        height => Start::After { height, id: progress.id },
    };
    let (sender, mut receiver) = mpsc::channel(MOST_BLOCKS);
    let mut blocks = way.client.blocks(start);
    let reader = tokio::spawn(async move {
        loop {
            let next = blocks.next().await;
            let failed = next.is_err();
            if sender.send(next).await.is_err() {
                return;
            }
            if failed {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    });
    let outcome = project_all(app, way, &mut progress, &mut receiver).await;
    reader.abort();
    outcome
}

type Heard = Result<Followed, chain_client::Error>;

async fn project_all(
    app: &App,
    way: &Way,
    progress: &mut Progress,
    receiver: &mut mpsc::Receiver<Heard>,
) -> anyhow::Result<()> {
    let (mut told, mut quiet) = (Instant::now() - TELL_EVERY, false);
    loop {
        let mut batch: Vec<Arc<ChainBlock>> = Vec::new();
        let mut next = receiver.recv().await;
        loop {
            match next {
                Some(Ok(followed)) => {
                    quiet = false;
                    batch.extend(proven(followed).filter(|block| block.height() > progress.height));
                }
                Some(Err(error)) => {
                    // Said once an interruption: a chain that is stopped on purpose is no reason to fill the log.
                    if !quiet {
                        tracing::warn!(chain = %way.chain, %error, "no block comes from the chain");
                    }
                    quiet = true;
                }
                None => anyhow::bail!("the reader ended"),
            }
            let txs: usize = batch.iter().map(|block| block.txs.len()).sum();
            match receiver.try_recv() {
                Ok(more) if batch.len() < MOST_BLOCKS && txs < MOST_TXS => next = Some(more),
                Ok(more) => {
                    project_batch(app, way, progress, &batch).await?;
                    batch.clear();
                    next = Some(more);
                }
                Err(_) => break,
            }
        }
        if !batch.is_empty() {
            project_batch(app, way, progress, &batch).await?;
            if told.elapsed() >= TELL_EVERY || batch.iter().any(|block| !block.txs.is_empty()) {
                told = Instant::now();
                tell(app, way);
            }
        }
    }
}

/// The block if everything about it is proven now.
fn proven(followed: Followed) -> impl Iterator<Item = Arc<ChainBlock>> {
    let block = match followed {
        Followed::Committed(block) if block.txs.is_empty() => Some(block),
        Followed::Sealed(block) if !block.txs.is_empty() => Some(block),
        _ => None,
    };
    block.into_iter()
}

async fn project_batch(
    app: &App,
    way: &Way,
    progress: &mut Progress,
    blocks: &[Arc<ChainBlock>],
) -> anyhow::Result<()> {
    let Some(last) = blocks.last() else { return Ok(()) };
    let touched: BTreeSet<Touched> = blocks.iter().flat_map(|block| records::touched(block)).collect();
    let records = records::fetch(way, touched).await?;
    let settled = project::blocks(app, way, blocks, &records).await?;
    (progress.height, progress.id) = (last.height(), last.id);
    app.outbox.tell(settled);
    Ok(())
}

fn tell(app: &App, way: &Way) {
    if app.live.has_listeners() {
        app.live.publish(Topic::tenant(&way.tenant, format!("index/{}", way.chain)), Payload::Changed);
    }
}
