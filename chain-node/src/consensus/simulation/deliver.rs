//! What arrives at a node: each message goes where the engine or our own loops would take it.

use arc_malachitebft_core_consensus::{Input, LivenessMsg, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_core_types::{Validity, ValueOrigin, ValueResponse};
use arc_malachitebft_sync::Response;
use bytes::Bytes;
use chain_types::Transaction;

use super::super::context::{ChainContext, Height};
use super::Bug;
use super::message::{Message, decode, encode};
use super::node::{Act, Node, peer_id};

/// Blocks in one answer of value sync.
const SYNC_BATCH: u64 = 8;
const ASK_AGAIN_MS: u64 = 2_000;

impl Node {
    pub fn deliver(&mut self, from: usize, message: Message) {
        if !self.step() {
            return;
        }
        match message {
            Message::Consensus(bytes) => match decode(&bytes) {
                Some(SignedConsensusMsg::Vote(vote)) => self.feed(Input::Vote(vote)),
                Some(SignedConsensusMsg::Proposal(proposal)) => self.feed(Input::Proposal(proposal)),
                None => {}
            },
            Message::Liveness(bytes) => match decode(&bytes) {
                Some(LivenessMsg::Vote(vote)) => self.feed(Input::Vote(vote)),
                Some(LivenessMsg::PolkaCertificate(certificate)) => self.feed(Input::PolkaCertificate(certificate)),
                Some(LivenessMsg::SkipRoundCertificate(c)) => self.feed(Input::RoundCertificate(c)),
                None => {}
            },
            Message::Part(bytes) => self.on_part(from, &bytes),
            Message::Tip(height) => self.on_tip(from, height),
            Message::Ask { from: first, to } => self.on_ask(from, first, to),
            Message::Values(bytes) => self.on_values(from, &bytes),
            Message::Heights { committed, entered } => {
                let Some(live) = &self.live else { return };
                live.heard.send_if_modified(|height| {
                    let higher = committed.max(entered) > *height;
                    *height = committed.max(entered).max(*height);
                    higher
                });
            }
            Message::Txs(txs) => {
                for bytes in txs {
                    self.admit(&bytes, false);
                }
            }
        }
        self.look_around();
    }

    fn on_part(&mut self, from: usize, bytes: &Bytes) {
        let (Some(message), Some(live)) = (decode(bytes), &mut self.live) else { return };
        match live.app.on_part(peer_id(from), message) {
            Ok(Some(value)) => self.judged(value, ValueOrigin::Consensus),
            Ok(None) => {}
            Err(e) => self.stop(&e),
        }
    }

    /// Hands our opinion of a block to the engine.
    pub fn judged(&mut self, mut value: ProposedValue<ChainContext>, origin: ValueOrigin) {
        if self.bug == Bug::AnyBlock {
            value.validity = Validity::Valid;
        }
        if self.step() {
            self.acts.push(Act::Feed(Box::new(Input::ProposedValue(value, origin))));
        }
    }

    fn on_tip(&mut self, from: usize, height: u64) {
        let (next, now_ms) = (self.tip() + 1, self.now_ms());
        let Some(live) = self.live.as_mut().filter(|_| self.bug != Bug::NoSync) else { return };
        if height >= next && live.ask_again_ms <= now_ms {
            live.ask_again_ms = now_ms + ASK_AGAIN_MS;
            let to = height.min(next + SYNC_BATCH - 1);
            self.acts.push(Act::Send(Some(from), Message::Ask { from: next, to }));
        }
    }

    fn on_ask(&mut self, from: usize, first: u64, to: u64) {
        let Some(live) = &self.live else { return };
        let values = live.app.decided_values(first, to.min(first.saturating_add(SYNC_BATCH - 1)));
        if !values.is_empty() {
            let start_height = Height(first);
            let response = Response::ValueResponse(arc_malachitebft_sync::ValueResponse { start_height, values });
            self.acts.push(Act::Send(Some(from), Message::Values(encode(&response))));
        }
    }

    fn on_values(&mut self, from: usize, bytes: &Bytes) {
        let Some(Response::ValueResponse(response)) = decode::<Response<ChainContext>>(bytes) else { return };
        let tip = self.tip();
        let Some(live) = &mut self.live else { return };
        live.ask_again_ms = 0;
        for value in response.values.into_iter().take(SYNC_BATCH as usize) {
            let height = value.certificate.height.0;
            if height > tip && height <= tip + SYNC_BATCH {
                live.values.insert(height, (peer_id(from), value));
            }
        }
        self.use_value();
    }

    /// A decided block of the height that the engine is in.
    pub fn use_value(&mut self) {
        let Some(live) = &mut self.live else { return };
        live.values = live.values.split_off(&live.started);
        if let Some((peer, value)) = live.values.remove(&live.started) {
            let response = ValueResponse::new(peer, value.value_bytes, value.certificate);
            self.feed(Input::SyncValueResponse(response));
        }
    }

    /// Admission's checks that are values; whether it is in a block already.
    pub fn admit(&mut self, bytes: &[u8], is_local: bool) -> bool {
        let Some(live) = &self.live else { return false };
        let Ok(tx) = Transaction::decode(bytes) else { return false };
        let mempool = &live.app.app.mempool;
        if mempool.contains(&tx.id()) {
            return false;
        }
        match self.store.find_transaction(&tx.id()) {
            Ok(None) if tx.verify() => {
                let _ = mempool.add(tx, is_local);
                false
            }
            Ok(place) => place.is_some(),
            Err(_) => false,
        }
    }
}
