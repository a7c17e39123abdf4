//! Prometheus metrics, as text. Few, and each answers a question an operator asks.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use chain_types::api::Phase;

use super::Shared;
use crate::stages::{self, Stage};

/// Counted since the start.
#[derive(Debug, Default)]
pub struct Counters {
    admitted: AtomicU64,
    refused: AtomicU64,
}

impl Counters {
    pub fn submitted(&self, admitted: bool) {
        let counter = if admitted { &self.admitted } else { &self.refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// `GET /metrics`
pub async fn show(State(api): State<Shared>) -> impl IntoResponse {
    let status = api.status();
    let cosigned = api.gossip.checkpoints.latest().map_or(0, |cosigned| cosigned.size());
    let connected = status.peers.iter().filter(|p| p.connected).count() as u64;
    let rows: [(&str, &str, &str, u64); 15] = [
        ("citychain_height", "gauge", "Last committed block.", status.height),
        ("citychain_block_time_ms", "gauge", "Its time, milliseconds since 1970.", status.block_time_ms),
        ("citychain_round", "gauge", "Round of consensus; above 0 a proposer was missed.", status.round.into()),
        ("citychain_peer_height", "gauge", "Highest height heard of from peers.", status.peer_height),
        ("citychain_caught_up", "gauge", "1 if no peer is ahead.", status.caught_up.into()),
        (
            "citychain_stalled",
            "gauge",
            "1 if something waits for a block too long.",
            (status.phase == Phase::Stalled).into(),
        ),
        ("citychain_validator", "gauge", "1 if this node votes.", status.validator.into()),
        ("citychain_peers_connected", "gauge", "Peers connected in both directions.", connected),
        ("citychain_peers", "gauge", "Configured peers.", status.peers.len() as u64),
        ("citychain_mempool_transactions", "gauge", "Transactions that wait.", status.pending),
        ("citychain_log_entries", "gauge", "Entries in the log.", status.log_size),
        ("citychain_checkpoint_entries", "gauge", "Entries under the newest cosigned checkpoint.", cosigned),
        ("citychain_disk_free_bytes", "gauge", "Free space where the store is.", status.disk_free_bytes),
        (
            "citychain_submitted_total",
            "counter",
            "Transactions admitted.",
            api.metrics.admitted.load(Ordering::Relaxed),
        ),
        (
            "citychain_not_admitted_total",
            "counter",
            "Transactions turned away.",
            api.metrics.refused.load(Ordering::Relaxed),
        ),
    ];
    let text: String = rows
        .iter()
        .map(|(name, kind, help, value)| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"))
        .collect();
    let text = text + &store(&api) + &stages();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

fn store(api: &Shared) -> String {
    let mut text =
        "# HELP citychain_store_bytes Bytes of the store's tables.\n# TYPE citychain_store_bytes gauge\n".to_owned();
    text += &format!("citychain_store_bytes {}\n", api.ledger.store().size_bytes());
    text += "# HELP citychain_store_column_bytes The same by kind of row.\n# TYPE citychain_store_column_bytes gauge\n";
    for (column, bytes) in api.ledger.store().sizes_bytes() {
        text += &format!("citychain_store_column_bytes{{column=\"{column}\"}} {bytes}\n");
    }
    text
}

/// Where the time goes, see [`crate::stages`].
fn stages() -> String {
    type Kind = (&'static str, &'static str, fn(&Stage) -> String);
    let kinds: [Kind; 3] = [
        ("seconds", "Time spent in a stage.", |stage| stage.seconds().to_string()),
        ("calls", "Times it was gone through.", |stage| stage.calls().to_string()),
        ("items", "Transactions, blocks or bytes that it dealt with.", |stage| stage.items().to_string()),
    ];
    let one = |(kind, help, value): Kind| {
        let name = format!("citychain_stage_{kind}_total");
        let rows = stages::ALL.map(|stage| format!("{name}{{stage=\"{}\"}} {}\n", stage.name(), value(stage)));
        format!("# HELP {name} {help}\n# TYPE {name} counter\n{}", rows.concat())
    };
    kinds.map(one).concat()
}
