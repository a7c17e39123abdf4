//! Who may connect, and the task that dials each of them. The list comes from the configuration and can be replaced while
//! the node runs; it is never taken from the chain's state, which a stranger could fill.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use chain_types::PublicKey;
use chain_types::crypto::SigningKey;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::{Gossip, TlsError, send, tls};
use crate::config::Peer;

/// The keys that a connection may prove; shared with the handshake.
#[derive(Debug, Clone, Default)]
pub struct Allowed(Arc<RwLock<Vec<PublicKey>>>);

impl Allowed {
    pub fn of(keys: Vec<PublicKey>) -> Self {
        Self(Arc::new(RwLock::new(keys)))
    }

    pub fn contains(&self, key: &PublicKey) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn set(&self, keys: Vec<PublicKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

pub struct Peers {
    list: RwLock<Vec<Peer>>,
    allowed: Allowed,
    dialling: Mutex<HashMap<PublicKey, AbortHandle>>,
    /// Changes with the list, so that open connections look whether they are still wanted.
    changed: watch::Sender<()>,
}

impl Peers {
    pub fn new(list: Vec<Peer>) -> Self {
        let allowed = Allowed::of(list.iter().map(|p| p.peer_key).collect());
        Self { list: RwLock::new(list), allowed, dialling: Mutex::default(), changed: watch::channel(()).0 }
    }

    pub fn list(&self) -> Vec<Peer> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn allowed(&self) -> Allowed {
        self.allowed.clone()
    }

    /// Completes when the key is no longer a peer's.
    pub async fn removed(&self, key: PublicKey) {
        let mut changed = self.changed.subscribe();
        while self.allowed.contains(&key) {
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Replaces the list; gives who is gone and who is new. A changed address makes both of a peer.
    pub fn replace(&self, peers: Vec<Peer>) -> (Vec<Peer>, Vec<Peer>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let gone: Vec<Peer> = list.iter().filter(|p| !peers.contains(p)).cloned().collect();
        let new: Vec<Peer> = peers.iter().filter(|p| !list.contains(p)).cloned().collect();
        self.allowed.set(peers.iter().map(|p| p.peer_key).collect());
        *list = peers;
        drop(list);
        let mut dialling = self.dialling.lock().unwrap_or_else(PoisonError::into_inner);
        for peer in &gone {
            if let Some(task) = dialling.remove(&peer.peer_key) {
                task.abort();
            }
        }
        self.changed.send_replace(());
        (gone, new)
    }

    /// Starts the task that keeps a connection to a peer.
    pub fn dial(&self, gossip: &Arc<Gossip>, peer: Peer, key: &SigningKey) -> Result<(), TlsError> {
        let connector = tls::connector(key, peer.peer_key)?;
        let peer_key = peer.peer_key;
        let task = tokio::spawn(send::dial(gossip.clone(), peer, connector)).abort_handle();
        let before = self.dialling.lock().unwrap_or_else(PoisonError::into_inner).insert(peer_key, task);
        before.iter().for_each(AbortHandle::abort);
        Ok(())
    }
}
