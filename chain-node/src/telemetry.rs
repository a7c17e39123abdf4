//! Logs to standard error, one line an event; `RUST_LOG` chooses what.

use tracing_subscriber::EnvFilter;

/// Called once, by `main`.
pub fn start() {
    let filter = EnvFilter::try_from_env("RUST_LOG")
        .unwrap_or_else(|_| EnvFilter::new("info,arc_malachitebft=warn,informalsystems_malachitebft=warn,libp2p=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
}
