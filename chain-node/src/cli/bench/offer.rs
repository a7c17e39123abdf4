//! Load that does not wait for the chain: so many transactions a second leave whether or not earlier ones are answered,
//! and what is turned away is counted, not repeated. The load generator runs on the same cores: what fits into memory is
//! signed before the clock starts, only a long run is signed as it goes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chain_types::Transaction;
use chain_types::api::{Submitted, SubmittedStatus, TxInfo, TxStatus};
use chain_types::crypto::SigningKey;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::chain::Chain;
use super::load::{batch_body, senders, signed};

/// A request leaves this often.
const TICK: Duration = Duration::from_millis(20);
/// Requests without an answer; a generator that has more sends no further ones and counts them as unsent.
const MAX_OPEN: usize = 2_000;
/// As many are signed before the clock starts; they must all be sent while they are valid.
const SIGNED_AHEAD: usize = 600_000;
/// As many as a node takes in one request.
const MAX_BATCH: usize = 1_000;

/// A rate and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    pub rate: f64,
    pub seconds: u64,
}

/// What became of the load of one second.
#[derive(Debug, Clone, Default)]
pub struct Second {
    pub offered: u64,
    /// Acknowledged: every one of them must be in a block in the end.
    pub accepted: u64,
    /// Turned away with 429, or with `mempool_full` or `rate` within a batch.
    pub refused: u64,
    /// Any other answer, or none, or never sent because too many requests were open.
    pub failed: u64,
    /// Applied by blocks that came in this second.
    pub committed: u64,
    pub memory_mb: f64,
    /// Submit to committed, of the sampled ones, in milliseconds.
    pub latencies: Vec<f64>,
}

pub struct Outcome {
    pub seconds: Vec<Second>,
    /// Applied calls, counted by the log's growth.
    pub committed: u64,
}

impl Outcome {
    pub fn sum(&self, of: impl Fn(&Second) -> u64) -> u64 {
        self.seconds.iter().map(of).sum()
    }
}

type Tally = Arc<Mutex<Vec<Second>>>;

fn note(tally: &Tally, second: usize, change: impl FnOnce(&mut Second)) {
    if let Some(second) = tally.lock().unwrap_or_else(PoisonError::into_inner).get_mut(second) {
        change(second);
    }
}

/// Offers the stretches one after the other, then waits until nothing waits for a block.
pub async fn offer(chain: &Arc<Chain>, plan: &[Stretch]) -> anyhow::Result<Outcome> {
    let keys: Arc<[_]> = senders(chain).await?.into();
    let mut ahead = sign_ahead(chain, &keys, plan)?.into_iter();
    chain.drained().await?;
    let from = chain.status(0).await?.log_size;
    let total: u64 = plan.iter().map(|stretch| stretch.seconds).sum();
    let tally: Tally = Arc::new(Mutex::new(vec![Second::default(); total as usize]));
    let watch = tokio::spawn(watch(chain.clone(), tally.clone(), from));
    let (start, mut open, mut owed, mut tick) = (Instant::now(), JoinSet::new(), 0.0, 0_usize);
    loop {
        let due = TICK * tick as u32;
        let Some(stretch) = stretch_at(plan, due) else { break };
        if let Some(early) = due.checked_sub(start.elapsed()) {
            tokio::time::sleep(early).await;
        }
        while open.try_join_next().is_some() {}
        owed += stretch.rate * TICK.as_secs_f64();
        let count = owed as usize;
        owed -= count as f64;
        let second = due.as_secs() as usize;
        note(&tally, second, |second| second.offered += count as u64);
        if open.len() > MAX_OPEN {
            note(&tally, second, |second| second.failed += count as u64);
        } else if count > 0 {
            // One of each tick travels alone and waits for its block.
            let mut txs: Vec<_> = ahead.by_ref().take(count).collect();
            txs.extend(signed(chain, &keys, count - txs.len())?);
            if let Some((sample, rest)) = txs.split_first() {
                open.spawn(send_sample(chain.clone(), tally.clone(), second, tick, sample.clone()));
                for batch in rest.chunks(MAX_BATCH) {
                    open.spawn(send_batch(chain.clone(), tally.clone(), second, tick, batch.to_vec()));
                }
            }
        }
        tick += 1;
    }
    while open.join_next().await.is_some() {}
    chain.drained().await?;
    watch.abort();
    let _ = watch.await;
    let committed = chain.status(0).await?.log_size - from;
    let seconds = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    let outcome = Outcome { seconds, committed };
    let accepted = outcome.sum(|second| second.accepted);
    // A request whose answer was lost may have been admitted all the same, so there may be more, never less.
    anyhow::ensure!(committed >= accepted, "{accepted} were acknowledged and only {committed} are in blocks");
    Ok(outcome)
}

fn sign_ahead(chain: &Chain, keys: &[SigningKey], plan: &[Stretch]) -> anyhow::Result<Vec<Transaction>> {
    let count = plan.iter().map(|stretch| stretch.rate * stretch.seconds as f64).sum::<f64>() as usize;
    if count > SIGNED_AHEAD { Ok(Vec::new()) } else { signed(chain, keys, count) }
}

fn stretch_at(plan: &[Stretch], due: Duration) -> Option<Stretch> {
    let mut end = 0;
    plan.iter().copied().find(|stretch| {
        end += stretch.seconds;
        due.as_secs() < end
    })
}

/// Once a second: memory, and what was committed since.
async fn watch(chain: Arc<Chain>, tally: Tally, from: u64) {
    let (start, mut size) = (Instant::now(), from);
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.tick().await;
    loop {
        every.tick().await;
        let second = (start.elapsed().as_secs() as usize).saturating_sub(1);
        let memory_mb = chain.memory_mb().unwrap_or(0.0);
        note(&tally, second, |second| second.memory_mb = second.memory_mb.max(memory_mb));
        if let Ok(status) = chain.status(0).await {
            note(&tally, second, |second| second.committed += status.log_size.saturating_sub(size));
            size = size.max(status.log_size);
        }
    }
}

async fn send_sample(chain: Arc<Chain>, tally: Tally, second: usize, node: usize, tx: Transaction) {
    let url = format!("{}/transactions?wait_ms=30000", chain.api(node));
    let request = chain.http.post(url).bearer_auth(&chain.token).header("content-type", "application/cose");
    let start = Instant::now();
    let answer = request.body(tx.bytes().to_vec()).send().await;
    let waited = start.elapsed().as_secs_f64() * 1e3;
    let status = answer.as_ref().ok().map(reqwest::Response::status);
    let applied = match answer {
        Ok(answer) if status == Some(StatusCode::OK) => {
            answer.json().await.is_ok_and(|info: TxInfo| matches!(info.status, TxStatus::Committed(c) if c.applied))
        }
        _ => false,
    };
    note(&tally, second, |second| match status {
        Some(StatusCode::OK) if applied => {
            second.accepted += 1;
            second.latencies.push(waited);
        }
        // It waits still, after thirty seconds.
        Some(StatusCode::ACCEPTED) => second.accepted += 1,
        Some(StatusCode::TOO_MANY_REQUESTS) => second.refused += 1,
        _ => second.failed += 1,
    });
}

async fn send_batch(chain: Arc<Chain>, tally: Tally, second: usize, node: usize, txs: Vec<Transaction>) {
    let url = format!("{}/transactions/batch", chain.api(node));
    let request = chain.http.post(url).bearer_auth(&chain.token).header("content-type", "application/cbor");
    let answer = request.body(batch_body(txs.iter())).send().await;
    if answer.as_ref().is_ok_and(|answer| answer.status() == StatusCode::TOO_MANY_REQUESTS) {
        return note(&tally, second, |second| second.refused += txs.len() as u64);
    }
    let answers: Vec<Submitted> = match answer {
        Ok(answer) => answer.json().await.unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    let (mut accepted, mut refused) = (0, 0);
    for answer in &answers {
        match &answer.status {
            SubmittedStatus::Pending | SubmittedStatus::Committed => accepted += 1,
            SubmittedStatus::Refused { code, .. } if code == "mempool_full" || code == "rate" => refused += 1,
            SubmittedStatus::Refused { .. } => {}
        }
    }
    note(&tally, second, |second| {
        second.accepted += accepted;
        second.refused += refused;
        second.failed += txs.len() as u64 - accepted - refused;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_follow_each_other_and_end() {
        let plan = [Stretch { rate: 1.0, seconds: 2 }, Stretch { rate: 5.0, seconds: 1 }];
        let rate = |ms| stretch_at(&plan, Duration::from_millis(ms)).map(|stretch| stretch.rate);
        assert_eq!(
            [rate(0), rate(1_999), rate(2_000), rate(2_999), rate(3_000)],
            [Some(1.0), Some(1.0), Some(5.0), Some(5.0), None]
        );
    }
}
