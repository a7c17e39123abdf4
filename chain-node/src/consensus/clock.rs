//! The one clock of a node. Decisions get its reading as a value.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
