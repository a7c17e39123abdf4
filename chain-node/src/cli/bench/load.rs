//! The loads. Everything is signed before the clock starts; every acknowledged transaction is counted only when a block
//! holds it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use chain_types::account::Custody;
use chain_types::api::{BlockInfo, Submitted, SubmittedStatus, TxInfo, TxStatus};
use chain_types::crypto::SigningKey;
use chain_types::encoding::{Writer, to_value};
use chain_types::state::CHAIN_APP;
use chain_types::{Call, Hash, PublicKey, Transaction, TxId, Value};
use futures::{StreamExt, TryStreamExt};
use serde::Serialize;

use super::chain::Chain;
use super::report::Row;
use super::stages::Reading;
use super::usage::cpu_seconds;
use crate::consensus::now_ms;

/// Accounts that send: enough that no batch of signatures is one key's.
const SENDERS: usize = 64;
/// Requests under way at a time.
const IN_FLIGHT: usize = 192;

pub struct Latency {
    pub p50: f64,
    pub p99: f64,
}

impl Latency {
    pub fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        Self { p50: percentile(&times, 0.5), p99: percentile(&times, 0.99) }
    }
}

pub struct Throughput {
    pub rate: f64,
    pub cpu_cores: f64,
    /// Of one validator for one transaction (or digest).
    pub cpu_us: f64,
    /// Where the time went.
    pub stages: Vec<Row>,
}

/// The value below which this share of sorted values lies.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

#[derive(Serialize)]
struct BindAccount {
    key: PublicKey,
    label: String,
    custody: Custody,
    administrator: bool,
}

#[derive(Serialize)]
struct Digests {
    digests: Vec<Hash>,
}

fn call(chain: &Chain, salt: u64, instance: &str, method: &str, args: Value) -> Call {
    Call {
        fingerprint: chain.fingerprint,
        valid_until_ms: now_ms() + 9 * 60 * 1000,
        salt: salt.to_be_bytes(),
        app: CHAIN_APP.into(),
        instance: instance.into(),
        method: method.into(),
        args,
    }
}

/// Binds a fresh account: one state record, one log entry.
pub fn bind(chain: &Chain, signer: &SigningKey) -> anyhow::Result<Transaction> {
    let n = chain.unique();
    bind_key(chain, signer, n, key_of(n).public())
}

fn bind_key(chain: &Chain, signer: &SigningKey, n: u64, key: PublicKey) -> anyhow::Result<Transaction> {
    let args = BindAccount { key, label: "bench".into(), custody: Custody::Own, administrator: true };
    Ok(Transaction::sign(call(chain, n, "identity", "bind_account", to_value(&args)?), signer)?)
}

fn key_of(n: u64) -> SigningKey {
    SigningKey::from_seed(&Hash::of_parts(&[b"bench", &n.to_be_bytes()]).0)
}

/// The accounts that send, bound when they are first asked for.
pub async fn senders(chain: &Chain) -> anyhow::Result<&[SigningKey]> {
    let bind_all = || async {
        let mut keys = Vec::with_capacity(SENDERS);
        for _ in 0..SENDERS {
            let n = chain.unique();
            let tx = bind_key(chain, &chain.administrator, n, key_of(n).public())?;
            submit(chain, 0, &tx, 10_000).await?;
            keys.push(key_of(n));
        }
        anyhow::Ok(keys)
    };
    Ok(chain.senders.get_or_try_init(bind_all).await?)
}

/// So many transactions that nobody has seen, signed by the senders in turn.
pub fn signed(chain: &Chain, keys: &[SigningKey], count: usize) -> anyhow::Result<Vec<Transaction>> {
    (0..count).zip(keys.iter().cycle()).map(|(_, key)| bind(chain, key)).collect()
}

/// Envelopes as one request's body.
pub fn batch_body<'a>(txs: impl ExactSizeIterator<Item = &'a Transaction>) -> Vec<u8> {
    let mut body = Writer::default();
    body.array(txs.len());
    for tx in txs {
        body.bytes(tx.bytes());
    }
    body.into_bytes()
}

/// Sends one transaction and gives what the node says of it; waits out "try again later".
pub async fn submit(chain: &Chain, node: usize, tx: &Transaction, wait_ms: u64) -> anyhow::Result<TxInfo> {
    let url = format!("{}/transactions?wait_ms={wait_ms}", chain.api(node));
    for _ in 0..200 {
        let request = chain.http.post(&url).bearer_auth(&chain.token).header("content-type", "application/cose");
        let answer = request.body(tx.bytes().to_vec()).send().await?;
        match answer.status().as_u16() {
            200 | 202 => return Ok(answer.json().await?),
            429 => tokio::time::sleep(Duration::from_millis(50)).await,
            code => bail!("a node answered {code}: {}", answer.text().await?),
        }
    }
    bail!("the nodes had no room for ten seconds")
}

/// Sends transactions in one request, those that found no room again a little later.
async fn submit_all(chain: &Chain, node: usize, txs: &[Transaction]) -> anyhow::Result<()> {
    if let [tx] = txs {
        return submit(chain, node, tx, 0).await.map(drop);
    }
    let url = format!("{}/transactions/batch", chain.api(node));
    let mut left: Vec<&Transaction> = txs.iter().collect();
    for _ in 0..200 {
        let body = batch_body(left.iter().copied());
        let request = chain.http.post(&url).bearer_auth(&chain.token).header("content-type", "application/cbor");
        let answers: Vec<Submitted> = request.body(body).send().await?.error_for_status()?.json().await?;
        let mut again = Vec::new();
        for (tx, answer) in left.iter().zip(answers) {
            match answer.status {
                SubmittedStatus::Refused { code, .. } if code == "mempool_full" || code == "rate" => again.push(*tx),
                SubmittedStatus::Refused { code, detail } => bail!("a node refused with {code}: {detail}"),
                SubmittedStatus::Pending | SubmittedStatus::Committed => {}
            }
        }
        if again.is_empty() {
            return Ok(());
        }
        left = again;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the nodes had no room for ten seconds")
}

/// One at a time on a resting chain.
pub async fn idle_latency(chain: &Chain, samples: usize) -> anyhow::Result<Latency> {
    let mut times = Vec::with_capacity(samples);
    for n in 0..samples {
        let tx = bind(chain, &chain.administrator)?;
        let start = Instant::now();
        let info = submit(chain, n, &tx, 10_000).await?;
        ensure!(matches!(info.status, TxStatus::Committed(ref c) if c.applied), "a sample was not applied: {info:?}");
        times.push(start.elapsed().as_secs_f64() * 1e3);
        // Let the sealing block pass, so that each sample meets a resting chain.
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    Ok(Latency::of(times))
}

/// As many as the chain takes, spread over all validators, so many in a request.
pub async fn transactions(chain: &Chain, count: usize, in_request: usize) -> anyhow::Result<Throughput> {
    let txs = signed(chain, senders(chain).await?, count)?;
    run(chain, &txs, in_request, 1).await
}

/// Batches of 10,000 digests each.
pub async fn digests(chain: &Chain, count: usize) -> anyhow::Result<Throughput> {
    let batch = |_| anchor(chain, &chain.administrator, 10_000);
    let txs: Vec<Transaction> = (0..count.div_ceil(10_000)).map(batch).collect::<Result<_, _>>()?;
    run(chain, &txs, 1, 10_000).await
}

/// One digest and one request each: what an application that anchors as it goes does.
pub async fn anchors(chain: &Chain, count: usize) -> anyhow::Result<Throughput> {
    let senders = senders(chain).await?.iter().cycle();
    let txs: Vec<Transaction> = senders.take(count).map(|key| anchor(chain, key, 1)).collect::<Result<_, _>>()?;
    run(chain, &txs, 1, 1).await
}

/// So many digests that nobody has seen.
fn anchor(chain: &Chain, signer: &SigningKey, count: u64) -> anyhow::Result<Transaction> {
    let batch = chain.unique();
    let digest = |n: u64| Hash::of_parts(&[b"digest", &batch.to_be_bytes(), &n.to_be_bytes()]);
    let args = Digests { digests: (0..count).map(digest).collect() };
    Ok(Transaction::sign(call(chain, batch, "anchor", "digests", to_value(&args)?), signer)?)
}

/// From the first request until no validator has anything left to commit; then counts what the blocks hold. A transaction
/// counts as so many items.
async fn run(chain: &Chain, txs: &[Transaction], in_request: usize, items: usize) -> anyhow::Result<Throughput> {
    let (from, reading) = (chain.status(0).await?.height, Reading::take(chain).await?);
    let (start, cpu) = (Instant::now(), chain.cpu_seconds()? + cpu_seconds(std::process::id())?);
    let requests = futures::stream::iter(txs.chunks(in_request).enumerate()).map(|(n, txs)| submit_all(chain, n, txs));
    let under_way = (IN_FLIGHT / in_request).max(2 * chain.size());
    requests.buffer_unordered(under_way).try_for_each(|()| std::future::ready(Ok(()))).await?;
    chain.drained().await?;
    let seconds = start.elapsed().as_secs_f64();
    let used = chain.cpu_seconds()? + cpu_seconds(std::process::id())? - cpu;
    let after = Reading::take(chain).await?;
    let mut committed = committed_since(chain, from).await?;
    let sent: HashSet<TxId> = txs.iter().map(Transaction::id).collect();
    committed.retain(|id| sent.contains(id));
    ensure!(committed.len() == txs.len(), "the blocks hold {} of {} transactions", committed.len(), txs.len());
    for tx in txs.iter().rev().step_by(100) {
        let info = submit(chain, 0, tx, 0).await?;
        ensure!(matches!(info.status, TxStatus::Committed(ref c) if c.applied), "refused: {info:?}");
    }
    let items = txs.len() * items;
    let stages = after.rows_since(&reading, items, chain.size());
    let cpu_us = stages.iter().find(|row| row.key == "cpu-tx").map_or(f64::NAN, |row| row.value);
    Ok(Throughput { rate: items as f64 / seconds, cpu_cores: used / seconds, cpu_us, stages })
}

/// The transactions of every block above a height.
async fn committed_since(chain: &Chain, from: u64) -> anyhow::Result<HashSet<TxId>> {
    let mut ids = HashSet::new();
    for height in from + 1..=chain.status(0).await?.height {
        let url = format!("{}/blocks/{height}", chain.api(0));
        let answer = chain.http.get(url).bearer_auth(&chain.token).send().await?.error_for_status()?;
        ids.extend(answer.json::<BlockInfo>().await?.txs);
    }
    Ok(ids)
}

/// Latency at a steady rate: requests leave on time whether or not earlier ones are answered.
pub async fn latency_at(chain: &Chain, rate: f64, seconds: f64) -> anyhow::Result<Latency> {
    let count = (rate * seconds) as usize;
    let txs = signed(chain, senders(chain).await?, count)?;
    let start = Instant::now();
    let mut running = Vec::with_capacity(txs.len());
    let tasks = tokio::task::LocalSet::new();
    let times = Arc::new(std::sync::Mutex::new(Vec::with_capacity(txs.len())));
    tasks
        .run_until(async {
            for (n, tx) in txs.into_iter().enumerate() {
                let due = Duration::from_secs_f64(n as f64 / rate);
                // A sleep lasts a millisecond at least, even one of no time: never for a request that is already due.
                if let Some(early) = due.checked_sub(start.elapsed()) {
                    tokio::time::sleep(early).await;
                } else if n % 8 == 0 {
                    tokio::task::yield_now().await;
                }
                let (http, token, times) = (chain.http.clone(), chain.token.clone(), times.clone());
                let url = format!("{}/transactions?wait_ms=20000", chain.api(n));
                running.push(tokio::task::spawn_local(async move {
                    let sent = start + due;
                    let request = http.post(url).bearer_auth(token).header("content-type", "application/cose");
                    let answer = request.body(tx.bytes().to_vec()).send().await?;
                    if answer.status() == 200 {
                        let mut times = times.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        times.push(sent.elapsed().as_secs_f64() * 1e3);
                    }
                    anyhow::Ok(())
                }));
            }
            for task in running {
                task.await??;
            }
            anyhow::Ok(())
        })
        .await?;
    let times = Arc::into_inner(times).context("a task still runs")?.into_inner().unwrap_or_default();
    ensure!(times.len() * 100 >= count * 99, "only {} of {count} were committed in time", times.len());
    Ok(Latency::of(times))
}
