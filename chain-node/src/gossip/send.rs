//! One outgoing connection: transactions of our clients, our height.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use chain_types::Transaction;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::Gossip;
use super::wire::{self, BATCH_BYTES, Message};
use crate::checkpoint::Endorsement;
use crate::config::Peer;
use crate::consensus::now_ms;

/// Batches on their way without an answer.
const WINDOW: usize = 8;
/// A peer that does not answer for so long is dialled again.
const SILENCE: Duration = Duration::from_secs(15);
const HEIGHT_EVERY: Duration = Duration::from_secs(2);
/// What a peer had no room for is sent again after this.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// Under load, batches leave at most this often; what comes after a pause leaves at once.
const GATHER: Duration = Duration::from_millis(4);

/// Keeps a connection to a peer, for as long as the node lives.
pub async fn dial(gossip: Arc<Gossip>, peer: Peer, connector: TlsConnector) {
    let mut wait = Duration::from_millis(100);
    loop {
        let started = Instant::now();
        if let Err(e) = connect(&gossip, &peer, &connector).await {
            tracing::debug!(peer = peer.name, error = %e, "no gossip connection");
        }
        gossip.update(peer.peer_key, |state| state.sending = false);
        wait = if started.elapsed() > SILENCE { Duration::from_millis(100) } else { (wait * 2).min(ms(2_000)) };
        sleep(wait).await;
    }
}

async fn connect(gossip: &Gossip, peer: &Peer, connector: &TlsConnector) -> io::Result<()> {
    let tcp = timeout(ms(3_000), TcpStream::connect(&peer.gossip)).await??;
    tcp.set_nodelay(true)?;
    // The name is not checked: the peer is who holds the pinned key.
    let name = rustls::pki_types::ServerName::try_from("citychain").map_err(io::Error::other)?;
    let stream = timeout(ms(3_000), connector.connect(name, tcp)).await??;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (fingerprint, version) = (gossip.fingerprint, env!("CARGO_PKG_VERSION").to_owned());
    let hello = Message::Hello { fingerprint, version, process: Some(gossip.process) };
    wire::write(&mut writer, &hello).await?;
    gossip.update(peer.peer_key, |state| state.sending = true);
    let (acks, mut answered) = tokio::sync::mpsc::channel(WINDOW * 2);
    let reading = async move {
        loop {
            match timeout(SILENCE * 4, wire::read(&mut reader)).await?? {
                Message::Ack { number, complete } => {
                    acks.send((number, complete)).await.map_err(io::Error::other)?;
                }
                Message::Duplicate => gossip.told_of_another(peer.peer_key),
                Message::Hello { .. } | Message::Txs { .. } | Message::Height { .. } | Message::Endorsement(_) => {}
            }
        }
    };
    let sending = async {
        let mut session = Session::default();
        loop {
            session.send(gossip, &mut writer).await?;
            session.wait(gossip, &mut answered).await?;
        }
    };
    tokio::select! {
        ended = reading => ended,
        ended = sending => ended,
    }
}

/// What was sent over this connection. A new connection starts from the oldest that still waits.
#[derive(Default)]
struct Session {
    next: u64,
    number: u64,
    /// Where each unanswered batch began.
    open: BTreeMap<u64, u64>,
    again: Option<Instant>,
    /// Where the oldest batch began that the peer had no room for.
    unplaced: Option<u64>,
    batch_sent: Option<Instant>,
    height_sent: Option<(u64, u64, Instant)>,
    endorsement_sent: Option<Arc<Endorsement>>,
}

impl Session {
    async fn send(&mut self, gossip: &Gossip, writer: &mut (impl tokio::io::AsyncWrite + Unpin)) -> io::Result<()> {
        if let Some(rest) = self.batch_sent.and_then(|at| GATHER.checked_sub(at.elapsed())) {
            sleep(rest).await;
        }
        while self.open.len() < WINDOW {
            let (batch, next) = gossip.mempool.local_since(self.next, BATCH_BYTES);
            if batch.is_empty() {
                self.next = next;
                break;
            }
            self.number += 1;
            self.batch_sent = Some(Instant::now());
            self.open.insert(self.number, self.next);
            self.next = next;
            let txs = batch.iter().map(Transaction::bytes).map(<[u8]>::to_vec).collect();
            wire::write(writer, &Message::Txs { number: self.number, txs }).await?;
        }
        // After the transactions, never before: a peer that wakes for our height should find them.
        let (committed, entered) = (gossip.ledger.tip().height, gossip.progress.borrow().height);
        let news =
            self.height_sent.is_none_or(|(c, e, at)| (c, e) != (committed, entered) || at.elapsed() > HEIGHT_EVERY);
        if news {
            let votes = !gossip.guard.waits();
            wire::write(writer, &Message::Height { committed, entered, now_ms: now_ms(), votes }).await?;
            self.height_sent = Some((committed, entered, Instant::now()));
        }
        let own = gossip.checkpoints.watch_own().borrow().clone();
        if let Some(own) = own.filter(|own| self.endorsement_sent.as_ref() != Some(own)) {
            wire::write(writer, &Message::Endorsement(Box::new((*own).clone()))).await?;
            self.endorsement_sent = Some(own);
        }
        Ok(())
    }

    /// Until there is something to send, or a batch is answered.
    async fn wait(
        &mut self,
        gossip: &Gossip,
        answered: &mut tokio::sync::mpsc::Receiver<(u64, bool)>,
    ) -> io::Result<()> {
        let arrival = gossip.mempool.arrival();
        tokio::pin!(arrival);
        arrival.as_mut().enable();
        if self.open.len() < WINDOW && !gossip.mempool.local_since(self.next, 0).0.is_empty() {
            return Ok(());
        }
        let mut progress = gossip.progress.subscribe();
        let mut tip = gossip.ledger.watch_tip();
        let mut endorsed = gossip.checkpoints.watch_own();
        if *endorsed.borrow_and_update() != self.endorsement_sent {
            return Ok(());
        }
        let again_in = self.again.map_or(HEIGHT_EVERY, |at| at.saturating_duration_since(Instant::now()));
        tokio::select! {
            answer = answered.recv() => match answer {
                Some((number, complete)) => self.on_answer(number, complete),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            },
            () = &mut arrival, if self.open.len() < WINDOW => {}
            _ = progress.changed() => {}
            _ = tip.changed() => {}
            _ = endorsed.changed() => {}
            () = sleep(again_in.min(HEIGHT_EVERY)) => {
                if self.again.take_if(|at| *at <= Instant::now()).is_some() {
                    self.next = self.unplaced.take().unwrap_or(0).min(self.next);
                }
            }
        }
        Ok(())
    }

    fn on_answer(&mut self, number: u64, complete: bool) {
        if let Some(from) = self.open.remove(&number).filter(|_| !complete) {
            // What was committed since is no longer among the local ones, so going back repeats only what waits.
            self.unplaced = Some(self.unplaced.map_or(from, |oldest| oldest.min(from)));
            self.again = Some(Instant::now() + AGAIN_AFTER);
        }
    }
}

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
