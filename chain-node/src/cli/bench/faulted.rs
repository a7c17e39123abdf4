//! One validator is killed under load, comes back, and is away once more while the chain makes nearly empty blocks. No
//! client asks it meanwhile; the others have to notice by themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::chain::Chain;
use super::load::{bind, submit};
use super::offer::{Stretch, offer};
use super::report::Row;

/// Share of the full rate that is offered: what four take, three have to take.
const SHARE: f64 = 0.8;
const BEFORE: Duration = Duration::from_secs(10);
const AWAY: Duration = Duration::from_secs(20);
/// The rate is back when a stretch of this length has so much of what there was before.
const STRETCH: Duration = Duration::from_secs(1);
const BACK: f64 = 0.8;
const EMPTY_BLOCKS: u64 = 1_000;
const CATCH_UP_LIMIT: Duration = Duration::from_secs(300);

/// What blocks held at a moment.
#[derive(Clone, Copy)]
struct Seen {
    at: Duration,
    height: u64,
    entries: u64,
}

pub async fn measure(chain: &Arc<Chain>, full_rate: f64) -> anyhow::Result<Vec<Row>> {
    let victim = chain.spare_last();
    let rate = full_rate * SHARE;
    let plan = [Stretch { rate, seconds: (BEFORE + AWAY).as_secs() }];
    let watched = watch_a_kill(chain, victim);
    let (offered, seen) = tokio::join!(offer(chain, &plan), watched);
    offered?;
    let (killed, seen) = seen?;
    let (pause, back) = recovery(&seen, killed.at).context("nothing was committed around the kill")?;
    let now = chain.status(0).await?;
    let missed = now.height - killed.height;
    let made_in = seen.last().map_or(AWAY, |last| last.at).saturating_sub(killed.at).as_secs_f64();
    let took = catch_up(chain, victim, now.height).await?;
    let times = made_in / took.as_secs_f64();
    let mut rows = vec![
        Row::new("killed-pause", "one of four killed under load: longest pause of blocks", pause.as_secs_f64(), "s"),
        Row::new("killed-back", "  until 80 % of the rate is there again", back.as_secs_f64(), "s"),
        Row::new("catch-up-blocks", "  full blocks that it missed", missed as f64, ""),
        Row::new("catch-up-full", "  started again: has them all, start included", took.as_secs_f64(), "s"),
        Row::new("catch-up-times", "  times as fast as they were made", times, "x"),
    ];
    chain.kill(victim)?;
    let from = chain.status(0).await?.height;
    let mut head = from;
    while head < from + EMPTY_BLOCKS {
        submit(chain, 0, &bind(chain, &chain.administrator)?, 10_000).await?;
        head = chain.status(0).await?.height;
    }
    let took = catch_up(chain, victim, head).await?.as_secs_f64() * 1e3 / (head - from) as f64;
    rows.push(Row::new("catch-up-empty", "  1,000 nearly empty blocks, start included", took, "s"));
    Ok(rows)
}

/// Kills the validator in the middle of the load; the moment of it, and everything seen before and after.
async fn watch_a_kill(chain: &Chain, victim: usize) -> anyhow::Result<(Seen, Vec<Seen>)> {
    let (mut seen, mut killed, begun) = (Vec::new(), None, Instant::now());
    // The load's own clock starts once everything is signed.
    let mut load_since = None;
    loop {
        let status = chain.status(0).await?;
        let now = Seen { at: begun.elapsed(), height: status.height, entries: status.log_size };
        seen.push(now);
        let first = seen.first().map_or(0, |first: &Seen| first.entries);
        if load_since.is_none() && now.entries > first {
            load_since = Some(now.at);
        }
        match (load_since, killed) {
            (Some(since), None) if now.at >= since + BEFORE => {
                chain.kill(victim)?;
                killed = Some(now);
            }
            (_, Some(moment)) if now.at >= moment.at + AWAY - STRETCH => return Ok((moment, seen)),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The longest time without a block after the kill, and how long it took until a stretch had enough again.
fn recovery(seen: &[Seen], killed: Duration) -> Option<(Duration, Duration)> {
    let split = seen.partition_point(|seen| seen.at <= killed);
    let (before, after) = seen.split_at(split);
    let rate = |from: &Seen, to: &Seen| (to.entries - from.entries) as f64 / (to.at - from.at).as_secs_f64();
    let last = before.last()?;
    // The second half of it: the load had begun.
    let half = before.iter().find(|seen| seen.at + BEFORE / 2 >= killed)?;
    let wanted = rate(half, last) * BACK;
    let (mut pause, mut moved) = (Duration::ZERO, last);
    for now in after {
        if now.height > moved.height {
            pause = pause.max(now.at - moved.at);
            moved = now;
        }
    }
    let stretch = |from: &Seen| after.iter().find(|to| to.at >= from.at + STRETCH).map(|to| rate(from, to));
    let back = std::iter::once(last).chain(after).find(|from| stretch(from).is_some_and(|rate| rate >= wanted))?;
    Some((pause, back.at - killed))
}

/// Starts it again; how long until it has the block of this height.
async fn catch_up(chain: &Chain, n: usize, height: u64) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    chain.start_again(n)?;
    while chain.status(n).await.map_or(0, |status| status.height) < height {
        if begun.elapsed() > CATCH_UP_LIMIT {
            bail!("validator {} has not caught up to block {height} in five minutes", n + 1);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block every 100 ms with 100 entries, but none between these.
    fn with_a_gap(from_ms: u64, to_ms: u64) -> Vec<Seen> {
        let mut height = 0;
        (0..300)
            .map(|n| {
                height += u64::from(!(from_ms..to_ms).contains(&(n * 100)));
                Seen { at: Duration::from_millis(n * 100), height, entries: height * 100 }
            })
            .collect()
    }

    #[test]
    fn a_pause_is_found_and_so_is_the_moment_when_the_rate_is_back() {
        let killed = Duration::from_secs(10);
        let (pause, back) = recovery(&with_a_gap(10_500, 13_000), killed).unwrap();
        assert_eq!(pause, Duration::from_millis(2_600));
        // Four fifths of a second's stretch may be enough.
        assert_eq!(back, Duration::from_millis(2_700));
        assert_eq!(recovery(&with_a_gap(10_500, 90_000), killed), None, "it never came back");
    }
}
