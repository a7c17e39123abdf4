//! Transactions among the nodes of a chain: every node sends what its clients gave it to every peer until the peer has
//! acknowledged it or it has expired, and again after a reconnect. Full mesh, so nothing is relayed.
//!
//! Each pair has two connections, one per direction: the dialler sends, the acceptor acknowledges. Both sides prove their
//! peer key ([`tls`]); whoever is not configured cannot speak. The same connections carry each node's height and clock,
//! which wakes resting nodes and shows who is missing.

mod receive;
mod send;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use chain_types::{Fingerprint, PublicKey};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::admission::Admission;
use crate::config::Peer;
use crate::consensus::{Progress, now_ms};
use crate::keys::NodeKeys;
use crate::ledger::Ledger;
use crate::mempool::Mempool;

pub use tls::TlsError;

/// Whether bytes are a message between peers.
pub(crate) fn decodes(bytes: &[u8]) -> bool {
    crate::decoders::one_form::<wire::Message>(bytes)
}

/// One message of each kind, to begin a search for bad ones with.
#[cfg(test)]
pub(crate) fn samples() -> Vec<Vec<u8>> {
    use chain_types::encoding::Encode;
    use wire::Message;
    let hello = Message::Hello { fingerprint: Fingerprint([7; 32]), version: "0.1.0".into() };
    let txs = Message::Txs { number: 3, txs: vec![vec![1, 2, 3], vec![4; 30]] };
    let height = Message::Height { committed: 5, entered: 6, now_ms: 1_700_000_000_000 };
    [hello, txs, height, Message::Ack { number: 3, complete: true }].iter().map(Message::to_bytes).collect()
}

/// What is known of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerState {
    /// Our connection to it is up.
    pub sending: bool,
    /// Its connection to us is up.
    pub receiving: bool,
    /// Last committed height it told of.
    pub height: u64,
    /// Since when either of the connections is as it is, milliseconds since 1970.
    pub since_ms: u64,
    pub version: String,
    pub clock_offset_ms: i64,
}

/// Everything the connections share.
pub struct Gossip {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) mempool: Arc<Mempool>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) progress: watch::Sender<Progress>,
    peers: Vec<Peer>,
    states: Mutex<HashMap<PublicKey, PeerState>>,
    /// Open incoming connections of each peer.
    incoming: Mutex<HashMap<PublicKey, usize>>,
    /// Highest height that any peer is in.
    peer_height: watch::Sender<u64>,
}

impl Gossip {
    pub fn new(
        peers: Vec<Peer>,
        ledger: Arc<Ledger>,
        mempool: Arc<Mempool>,
        admission: Arc<Admission>,
    ) -> (Arc<Self>, watch::Receiver<u64>) {
        let (peer_height, watch_height) = watch::channel(0);
        let start = PeerState { since_ms: now_ms(), ..PeerState::default() };
        let states = peers.iter().map(|p| (p.peer_key, start.clone())).collect();
        let gossip = Self {
            fingerprint: ledger.fingerprint(),
            ledger,
            mempool,
            admission,
            progress: watch::channel(Progress::default()).0,
            peers,
            states: Mutex::new(states),
            incoming: Mutex::default(),
            peer_height,
        };
        (Arc::new(gossip), watch_height)
    }

    /// Starts listening and dialling; consensus' progress is announced to all peers.
    pub async fn start(
        self: &Arc<Self>,
        listener: TcpListener,
        keys: &NodeKeys,
        mut progress: watch::Receiver<Progress>,
    ) -> Result<(), TlsError> {
        let allowed: Vec<PublicKey> = self.peers.iter().map(|p| p.peer_key).collect();
        let acceptor = tls::acceptor(&keys.peer, allowed)?;
        tokio::spawn(receive::accept(self.clone(), listener, acceptor));
        for peer in self.peers.clone() {
            let connector = tls::connector(&keys.peer, peer.peer_key)?;
            tokio::spawn(send::dial(self.clone(), peer, connector));
        }
        let gossip = self.clone();
        tokio::spawn(async move {
            while progress.changed().await.is_ok() {
                gossip.progress.send_replace(*progress.borrow_and_update());
            }
        });
        Ok(())
    }

    /// What is known of each configured peer.
    pub fn peers(&self) -> Vec<(Peer, PeerState)> {
        let states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let state = |p: &Peer| states.get(&p.peer_key).cloned().unwrap_or_default();
        self.peers.iter().map(|p| (p.clone(), state(p))).collect()
    }

    /// Highest height that any peer is in or has committed.
    pub fn peer_height(&self) -> u64 {
        *self.peer_height.borrow()
    }

    pub(crate) fn update(&self, key: PublicKey, change: impl FnOnce(&mut PeerState)) {
        let mut states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let state = states.entry(key).or_default();
        let before = (state.sending, state.receiving);
        change(state);
        if before != (state.sending, state.receiving) {
            state.since_ms = now_ms();
        }
    }

    pub(crate) fn heard_height(&self, committed: u64, entered: u64) {
        let highest = committed.max(entered);
        self.peer_height.send_if_modified(|height| {
            let higher = highest > *height;
            *height = highest.max(*height);
            higher
        });
    }
}
