//! Transactions among the nodes of a chain: every node sends what its clients gave it to every peer until the peer has
//! acknowledged it or it has expired, and again after a reconnect. Full mesh, so nothing is relayed.
//!
//! Each pair has two connections, one per direction: the dialler sends, the acceptor acknowledges. Both sides prove their
//! peer key ([`tls`]); whoever is not configured cannot speak. The same connections carry each node's height and clock,
//! which wakes resting nodes and shows who is missing, and each validator's newest endorsement of the log.

mod heights;
mod peers;
mod receive;
mod send;
mod sightings;
mod tls;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use chain_types::crypto::SigningKey;
use chain_types::{Fingerprint, PublicKey};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::admission::Admission;
use crate::checkpoint::Checkpoints;
use crate::config::Peer;
use crate::consensus::{Progress, now_ms};
use crate::identity::Guard;
use crate::keys::NodeKeys;
use crate::ledger::Ledger;
use crate::mempool::Mempool;

use heights::Heights;
use peers::Peers;
use sightings::Sightings;
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
    let hello = Message::Hello { fingerprint: Fingerprint([7; 32]), version: "0.1.0".into(), process: Some(9) };
    let txs = Message::Txs { number: 3, txs: vec![vec![1, 2, 3], vec![4; 30]] };
    let height = Message::Height { committed: 5, entered: 6, now_ms: 1_700_000_000_000, votes: true };
    [hello, txs, height, Message::Ack { number: 3, complete: true }].iter().map(Message::to_bytes).collect()
}

/// What is known of a peer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerState {
    /// Our connection to it is up.
    pub sending: bool,
    /// Its connections to us that are up; more than one while a new one takes over, or if its key has two holders.
    pub incoming: u32,
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
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) guard: Arc<Guard>,
    /// Tells this process from any other that has the same key.
    pub(crate) process: u64,
    pub(crate) progress: watch::Sender<Progress>,
    peers: Peers,
    sightings: Mutex<Sightings>,
    /// Who said that our key is heard from another process too.
    told: Mutex<HashSet<PublicKey>>,
    states: Mutex<HashMap<PublicKey, PeerState>>,
    /// Open incoming connections of each peer.
    incoming: Mutex<HashMap<PublicKey, usize>>,
    heights: Mutex<Heights>,
    /// Highest height that peers are believed to be in.
    peer_height: watch::Sender<u64>,
}

impl Gossip {
    pub fn new(
        peers: Vec<Peer>,
        ledger: Arc<Ledger>,
        mempool: Arc<Mempool>,
        admission: Arc<Admission>,
        checkpoints: Arc<Checkpoints>,
        guard: Arc<Guard>,
    ) -> (Arc<Self>, watch::Receiver<u64>) {
        let (peer_height, watch_height) = watch::channel(0);
        let start = PeerState { since_ms: now_ms(), ..PeerState::default() };
        let states = peers.iter().map(|p| (p.peer_key, start.clone())).collect();
        let peers = Peers::new(peers);
        let gossip = Self {
            fingerprint: ledger.fingerprint(),
            ledger,
            mempool,
            admission,
            checkpoints,
            guard,
            process: new_process(),
            sightings: Mutex::default(),
            told: Mutex::default(),
            progress: watch::channel(Progress::default()).0,
            peers,
            states: Mutex::new(states),
            incoming: Mutex::default(),
            heights: Mutex::default(),
            peer_height,
        };
        (Arc::new(gossip), watch_height)
    }

    /// Starts listening and dialling.
    pub fn start(self: &Arc<Self>, listener: TcpListener, keys: &NodeKeys) -> Result<(), TlsError> {
        let acceptor = tls::acceptor(&keys.peer, self.peers.allowed())?;
        tokio::spawn(receive::accept(self.clone(), listener, acceptor));
        for peer in self.peers.list() {
            self.peers.dial(self, peer, &keys.peer)?;
        }
        Ok(())
    }

    /// From now on consensus' progress is announced to all peers.
    pub fn announce(self: &Arc<Self>, mut progress: watch::Receiver<Progress>) {
        let gossip = self.clone();
        tokio::spawn(async move {
            while progress.changed().await.is_ok() {
                gossip.progress.send_replace(*progress.borrow_and_update());
            }
        });
    }

    /// What is known of each configured peer.
    pub fn peers(&self) -> Vec<(Peer, PeerState)> {
        let states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let state = |p: &Peer| states.get(&p.peer_key).cloned().unwrap_or_default();
        let with_state = |p: Peer| {
            let state = state(&p);
            (p, state)
        };
        self.peers.list().into_iter().map(with_state).collect()
    }

    /// Takes over a new list of peers: who is no longer in it loses both connections and gets none again, who is new is
    /// dialled at once. The rest is not touched.
    pub fn set_peers(self: &Arc<Self>, peers: Vec<Peer>, key: &SigningKey) -> Result<(), TlsError> {
        let (gone, new) = self.peers.replace(peers);
        let mut states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        gone.iter().for_each(|peer| drop(states.remove(&peer.peer_key)));
        for peer in &new {
            states.insert(peer.peer_key, PeerState { since_ms: now_ms(), ..PeerState::default() });
        }
        drop(states);
        new.into_iter().try_for_each(|peer| self.peers.dial(self, peer, key))
    }

    /// Highest height that peers are believed to be in or to have committed.
    pub fn peer_height(&self) -> u64 {
        *self.peer_height.borrow()
    }

    pub(crate) fn update(&self, key: PublicKey, change: impl FnOnce(&mut PeerState)) {
        let mut states = self.states.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A connection of a peer that has been removed may still report its end.
        let Some(state) = states.get_mut(&key) else { return };
        let before = (state.sending, state.incoming > 0);
        change(state);
        if before != (state.sending, state.incoming > 0) {
            state.since_ms = now_ms();
        }
    }

    /// Takes note that a process was heard; whether it must be told that its key is heard from another as well.
    pub(crate) fn heard_process(&self, key: PublicKey, process: u64, votes: bool) -> bool {
        let mut sightings = self.sightings.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        sightings.heard(key, process, votes, Instant::now())
    }

    /// A peer says that it hears another process with our key. One alone may lie: more than a third must say so.
    pub(crate) fn told_of_another(&self, peer: PublicKey) {
        let mut told = self.told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        told.insert(peer);
        if told.len() > self.peers.list().len() / 3 {
            self.guard.told_of_another();
        }
    }

    /// A peer says where it is. What it alone says wakes this node for one block at most.
    pub(crate) fn heard_height(&self, peer: PublicKey, highest: u64) {
        let mut heights = self.heights.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let believed = heights.heard(peer, highest, self.ledger.tip().height, Instant::now());
        self.peer_height.send_if_modified(|height| std::mem::replace(height, believed) != believed);
    }

    pub(crate) fn lost(&self, peer: PublicKey) {
        self.heights.lock().unwrap_or_else(std::sync::PoisonError::into_inner).gone(peer);
    }
}

/// Random where there is randomness; otherwise the process id and the time, which two holders of a key hardly share.
fn new_process() -> u64 {
    let mut bytes = [0; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_be_bytes(bytes),
        Err(_) => now_ms().rotate_left(20) ^ u64::from(std::process::id()),
    }
}
