//! Which headers are endorsed. All validators must choose the same ones without talking, or no checkpoint would have a
//! quorum: on a busy chain the first header of each second of the chain's own time, on one that comes to rest the last.

/// A chain is at rest when it has committed nothing for this long.
pub const REST_MS: u64 = 250;
/// While a node catches up it endorses nothing old: the others did.
const FRESH_MS: u64 = 10_000;
const EVERY_MS: u64 = 1_000;

/// Whether a header is the first of a second, and fresh.
pub fn opens_a_second(parent_time_ms: u64, time_ms: u64, now_ms: u64) -> bool {
    time_ms / EVERY_MS != parent_time_ms / EVERY_MS && now_ms.saturating_sub(time_ms) < FRESH_MS
}
