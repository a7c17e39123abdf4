//! Incoming connections: only from configured peers, one task each, and what each may cost is bounded: handshakes at a
//! time, connections of one peer, messages a second. A peer that sends too fast is read more slowly; nothing is answered
//! for it that would make it send more.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chain_types::PublicKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::Gossip;
use super::tls;
use super::wire::{self, Message};
use crate::consensus::now_ms;

const SILENCE: Duration = Duration::from_secs(15);
/// Strangers get no further than the handshake, and so many at a time no further than the queue of the system.
const MAX_HANDSHAKES: usize = 64;
/// A reconnecting peer's old connection may not have ended yet. Each holds one frame at most.
const MAX_CONNECTIONS_PER_PEER: usize = 3;
/// Heights change with every block and every round, batches come every few milliseconds: an honest peer stays far below.
const MESSAGES_PER_S: u32 = 1_000;

pub async fn accept(gossip: Arc<Gossip>, listener: TcpListener, acceptor: TlsAcceptor) {
    let handshakes = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    loop {
        // Closed only with this value.
        let Ok(place) = handshakes.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((tcp, _)) => drop(tokio::spawn(serve(gossip.clone(), tcp, acceptor.clone(), place))),
            Err(e) => {
                // Out of descriptors, most likely: wait for some to come back instead of spinning.
                tracing::warn!(error = %e, "failed to accept a gossip connection");
                sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(gossip: Arc<Gossip>, tcp: TcpStream, acceptor: TlsAcceptor, place: OwnedSemaphorePermit) {
    let _ = tcp.set_nodelay(true);
    let Ok(Ok(mut stream)) = timeout(Duration::from_secs(3), acceptor.accept(tcp)).await else { return };
    drop(place);
    let Some(peer) = tls::peer_key(stream.get_ref().1) else { return };
    let Some(_open) = Open::of(&gossip, peer) else {
        tracing::debug!(peer = peer.short(), "a peer opened more gossip connections than it needs");
        return;
    };
    let ended = match greeted(&gossip, peer, &mut stream).await {
        Ok(process) => {
            // Counted: a second process with the same key must not end what is known of the first.
            gossip.update(peer, |state| state.incoming += 1);
            let ended = tokio::select! {
                ended = converse(&gossip, peer, process, stream) => ended,
                () = gossip.peers.removed(peer) => Ok(()),
            };
            gossip.update(peer, |state| state.incoming = state.incoming.saturating_sub(1));
            gossip.lost(peer);
            ended
        }
        Err(e) => Err(e),
    };
    if let Err(e) = ended {
        tracing::debug!(peer = peer.short(), error = %e, "a gossip connection ended");
    }
}

type Stream = tokio_rustls::server::TlsStream<TcpStream>;

/// One of the connections that a peer may have.
struct Open<'a> {
    gossip: &'a Gossip,
    peer: PublicKey,
}

impl<'a> Open<'a> {
    fn of(gossip: &'a Gossip, peer: PublicKey) -> Option<Self> {
        let mut incoming = gossip.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let open = incoming.entry(peer).or_default();
        if *open >= MAX_CONNECTIONS_PER_PEER {
            return None;
        }
        *open += 1;
        Some(Self { gossip, peer })
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let mut incoming = self.gossip.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = incoming.get_mut(&self.peer) {
            *open = open.saturating_sub(1);
        }
    }
}

/// How fast messages of one connection are read: a second's worth at once, then at the rate.
pub(super) struct Pace {
    left: f64,
    at: Instant,
}

impl Pace {
    pub fn new(now: Instant) -> Self {
        Self { left: f64::from(MESSAGES_PER_S), at: now }
    }

    /// How long to wait before one more is read.
    pub fn wait(&mut self, now: Instant) -> Duration {
        let rate = f64::from(MESSAGES_PER_S);
        self.left = (self.left + now.duration_since(self.at).as_secs_f64() * rate).min(rate) - 1.0;
        self.at = now;
        Duration::from_secs_f64((-self.left / rate).max(0.0))
    }
}

/// The greeting; gives the process that it names.
async fn greeted(gossip: &Gossip, peer: PublicKey, stream: &mut Stream) -> io::Result<Option<u64>> {
    let hello = timeout(SILENCE, wire::read(stream)).await??;
    let Message::Hello { fingerprint, version, process } = hello else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "expected a greeting first"));
    };
    if fingerprint != gossip.fingerprint {
        tracing::warn!(peer = peer.short(), %fingerprint, "a peer is configured for another chain");
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the peer belongs to another chain"));
    }
    gossip.update(peer, |state| state.version.clone_from(&version));
    Ok(process)
}

async fn converse(gossip: &Gossip, peer: PublicKey, process: Option<u64>, mut stream: Stream) -> io::Result<()> {
    let (mut endorsements, mut pace) = (Allowance::default(), Pace::new(Instant::now()));
    loop {
        let wait = pace.wait(Instant::now());
        if !wait.is_zero() {
            sleep(wait).await;
        }
        match timeout(SILENCE, wire::read(&mut stream)).await?? {
            Message::Height { committed, entered, now_ms: theirs, votes } => {
                if process.is_some_and(|process| gossip.heard_process(peer, process, votes)) {
                    tracing::warn!(peer = peer.short(), "two processes prove this peer's key");
                    wire::write(&mut stream, &Message::Duplicate).await?;
                }
                let offset = i64::try_from(theirs).unwrap_or(0).saturating_sub(i64::try_from(now_ms()).unwrap_or(0));
                gossip.update(peer, |state| {
                    state.height = committed;
                    state.clock_offset_ms = offset;
                });
                gossip.heard_height(peer, committed.max(entered));
            }
            Message::Txs { number, txs } => {
                let complete = gossip.admission.receive(txs).await.unwrap_or(false);
                wire::write(&mut stream, &Message::Ack { number, complete }).await?;
            }
            // Three signature checks each: what comes faster than an honest node sends is not looked at.
            Message::Endorsement(endorsement) if endorsements.take(Instant::now()) => {
                gossip.checkpoints.receive(*endorsement);
            }
            Message::Endorsement(_) => {}
            Message::Hello { .. } | Message::Ack { .. } | Message::Duplicate => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a message came out of turn"));
            }
        }
    }
}

/// Endorsements that one connection may still send: a few a second, and some at once after a pause.
#[derive(Debug, Default)]
pub(super) struct Allowance {
    since: Option<Instant>,
    used: u32,
}

impl Allowance {
    const PER_WINDOW: u32 = 32;
    const WINDOW: Duration = Duration::from_secs(4);

    pub(super) fn take(&mut self, now: Instant) -> bool {
        let fresh = self.since.is_none_or(|since| now.saturating_duration_since(since) >= Self::WINDOW);
        if fresh {
            (self.since, self.used) = (Some(now), 0);
        }
        self.used = self.used.saturating_add(1);
        self.used <= Self::PER_WINDOW
    }
}
