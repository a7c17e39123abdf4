//! The one clock of a node, whose reading decisions get as a value, and how long a round waits.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_malachitebft_core_types::LinearTimeouts;

use crate::config::Timeouts;

/// Milliseconds since 1970, as this node sees them.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// This machine's clock, milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// The waits of a height's rounds, longer with each round.
pub fn timeouts(config: &Timeouts) -> LinearTimeouts {
    let (propose, vote) = (ms(config.propose_ms), ms(config.vote_ms));
    LinearTimeouts {
        propose,
        propose_delta: propose / 2,
        prevote: vote,
        prevote_delta: vote / 2,
        precommit: vote,
        precommit_delta: vote / 2,
        rebroadcast: propose + ms(1_000),
        // A low cap would cost liveness on a slow network; none would cost hours after a long outage.
        max_timeout: Duration::from_secs(10),
    }
}
