//! Waiting for a condition with a deadline, so that a failure says what was missing and a success how long it took.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(200);

/// What a look found: the thing waited for, or why not yet.
pub type Look<T> = anyhow::Result<Result<T, String>>;

/// Looks until it is there. A look that fails counts as not yet: nodes and API server may be away meanwhile.
pub async fn until<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Look<T>) -> (T, Duration) {
    let start = Instant::now();
    loop {
        let missing = match look().await {
            Ok(Ok(found)) => return (found, start.elapsed()),
            Ok(Err(missing)) => missing,
            Err(error) => format!("{error:#}"),
        };
        assert!(start.elapsed() < within, "{what}: not within {} s: {missing}", within.as_secs());
        tokio::time::sleep(PAUSE).await;
    }
}
