//! Answers the engine's messages. Each arm is one call; nothing here waits for execution or for the network.

use std::sync::Arc;
use std::time::Duration;

use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::{AppMsg, Channels};
use arc_malachitebft_core_consensus::{LocallyProposedValue, ProposedValue};
use arc_malachitebft_core_types::{CommitCertificate as EngineCertificate, HeightParams, Round};
use arc_malachitebft_engine::host::{Next, SyncedValueOutcome};
use arc_malachitebft_engine::util::streaming::{StreamContent, StreamMessage};
use arc_malachitebft_sync::RawDecidedValue;
use bytes::Bytes;
use chain_types::encoding::{Decode, Encode};
use chain_types::{Block, CommitCertificate, Transaction, TxId};
use tokio::sync::{mpsc, oneshot, watch};

use super::clock::{Clock, ms, timeouts};
use super::context::{Address, ChainContext, Height, Validators, ValueId};
use super::engine::publish;
use super::idle::{Situation, rests};
use super::parts::{self, Assembly, Part};
use super::proposals::{Freshness, Proposals};
use super::signing::{ChainSigner, round_number};
use super::stream::{self, Outgoing};
use crate::config::Timeouts;
use crate::identity::{Guard, Position};
use crate::ledger::{Candidate, Draft, Ledger, Tip, block_time, build};
use crate::mempool::Mempool;
use crate::stages;
use crate::store::{Proposal, StoreError};

/// Where consensus is at this node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub height: u64,
    pub round: u32,
}

/// What the application needs of the rest of the node.
pub struct App {
    pub ledger: Arc<Ledger>,
    pub mempool: Arc<Mempool>,
    pub signer: ChainSigner,
    pub timeouts: Timeouts,
    pub progress: watch::Sender<Progress>,
    /// The highest height that any peer says it is in.
    pub peer_height: watch::Receiver<u64>,
    /// Asks for an empty block now.
    pub heartbeat: Arc<tokio::sync::Notify>,
    pub clock: Clock,
    pub guard: Arc<Guard>,
}

/// A commit that a worker finished.
pub(super) struct CommitDone {
    pub height: u64,
    pub ids: Vec<TxId>,
    pub result: Result<(), StoreError>,
    pub reply: oneshot::Sender<()>,
}

/// The answers to the engine, without the engine: everything here is a call that returns, so a simulation can make it.
pub(super) struct Running {
    pub app: App,
    pub me: Address,
    pub proposals: Proposals,
    assembly: Assembly<PeerId>,
    /// The engine waits for leave to start the next height.
    pub held: Option<oneshot::Sender<Next<ChainContext>>>,
    heartbeat_asked: bool,
    part_above: u64,
    streams: u64,
    done: mpsc::UnboundedSender<CommitDone>,
}

impl App {
    /// Runs until the engine ends, or a store error makes going on unsafe.
    pub async fn run(self, mut channels: Channels<ChainContext>) -> Result<(), StoreError> {
        let (done, mut committed) = mpsc::unbounded_channel();
        let mut running = Running::recover(self, done)?;
        let (mempool, heartbeat) = (running.app.mempool.clone(), running.app.heartbeat.clone());
        let mut peer_height = running.app.peer_height.clone();
        loop {
            let arrival = mempool.arrival();
            tokio::pin!(arrival);
            // Registered before the decision, so that nothing arrives unseen between the two.
            arrival.as_mut().enable();
            running.release_if_called_for();
            let heartbeat_in = running.heartbeat_in();
            tokio::select! {
                message = channels.consensus.recv() => match message {
                    Some(message) => running.answer(message, &channels).await?,
                    None => return Ok(()),
                },
                Some(commit) = committed.recv() => {
                    running.on_committed(commit)?;
                    running.prepare(Round::new(0));
                }
                () = &mut arrival, if running.held.is_some() => {}
                Ok(()) = peer_height.changed() => {}
                () = heartbeat.notified() => running.heartbeat_asked = true,
                () = tokio::time::sleep(heartbeat_in), if running.held.is_some() => {}
            }
        }
    }
}

impl Running {
    /// As a start or restart finds things on disk.
    pub fn recover(app: App, done: mpsc::UnboundedSender<CommitDone>) -> Result<Self, StoreError> {
        let proposals = Proposals::recover(app.ledger.clone(), app.mempool.clone(), (app.clock)())?;
        let (me, assembly) = (Address::of(app.signer.key.public()), Assembly::default());
        let (held, heartbeat_asked, part_above, streams) = (None, false, 0, 0);
        Ok(Self { app, me, proposals, assembly, held, heartbeat_asked, part_above, streams, done })
    }

    async fn answer(
        &mut self,
        message: AppMsg<ChainContext>,
        channels: &Channels<ChainContext>,
    ) -> Result<(), StoreError> {
        match message {
            AppMsg::ConsensusReady { reply } => {
                let _ = reply.send(self.first_height());
            }
            AppMsg::StartedRound { height, round, reply_value, .. } => {
                self.prepare(round);
                let values = self.on_round(height.0, round)?;
                let _ = reply_value.send(values);
            }
            AppMsg::GetValue { height, round, reply, .. } => {
                let candidate = self.on_get_value(height.0, round)?;
                let _ = reply.send(LocallyProposedValue::new(height, round, ValueId::of(candidate.proposal.id)));
                publish(channels, self.messages(&candidate.proposal, round, self.me)).await;
            }
            AppMsg::ExtendVote { reply, .. } => drop(reply.send(None)),
            AppMsg::VerifyVoteExtensions { extensions, reply, .. } => {
                let _ = reply.send(extensions.into_iter().map(|(address, ())| (address, Ok(()))).collect());
            }
            AppMsg::RestreamProposal { height, round, valid_round, address, value_id } => {
                publish(channels, self.on_restream(height.0, value_id, (round, valid_round), address)).await;
            }
            AppMsg::GetHistoryMinHeight { reply } => {
                let oldest = self.app.ledger.store().oldest_block()?;
                let _ = reply.send(Height(oldest));
            }
            AppMsg::ReceivedProposalPart { from, published_by, part, reply } => {
                let value = self.on_part(published_by.unwrap_or(from), part)?;
                let _ = reply.send(value);
            }
            AppMsg::Decided { certificate, reply, .. } => self.on_decided(&certificate, reply)?,
            AppMsg::Finalized { evidence, reply, .. } => {
                if !evidence.is_empty() {
                    tracing::error!("misbehaviour: a validator signed two different votes or proposals");
                }
                self.held = Some(reply);
            }
            AppMsg::GetDecidedValues { range, reply } => {
                let values = self.decided_values(range.start().0, range.end().0);
                let _ = reply.send(values);
            }
            AppMsg::ProcessSyncedValue { height, round, proposer, value_bytes, reply } => {
                let outcome = self.on_synced(height.0, round, proposer, &value_bytes)?;
                let _ = reply.send(outcome);
            }
        }
        Ok(())
    }

    pub fn first_height(&self) -> (Height, HeightParams<ChainContext>) {
        let tip = self.app.ledger.tip();
        (Height(tip.height + 1), self.params(&tip))
    }

    fn now_ms(&self) -> u64 {
        (self.app.clock)()
    }

    fn params(&self, tip: &Tip) -> HeightParams<ChainContext> {
        HeightParams::new(Validators::of(&tip.validators, &tip.skipped), timeouts(&self.app.timeouts), None)
    }

    pub fn on_round(&mut self, height: u64, round: Round) -> Result<Vec<ProposedValue<ChainContext>>, StoreError> {
        let round = round_number(round).unwrap_or(0);
        if round > 0 {
            tracing::info!(height, round, "no decision in the round before");
        } else {
            stages::ORDER.begin();
        }
        self.app.progress.send_replace(Progress { height, round });
        self.proposals.at(height, self.now_ms())
    }

    pub fn on_get_value(&mut self, height: u64, round: Round) -> Result<Candidate, StoreError> {
        let round = round_number(round).unwrap_or(0);
        if let Some(candidate) = self.proposals.own(height, round, self.me) {
            return Ok(candidate);
        }
        let (tip, now_ms) = (self.app.ledger.tip(), self.now_ms());
        if tip.height + 1 != height {
            return Err(StoreError::Damaged(format!("asked to propose height {height} after {}", tip.height)));
        }
        let mut txs = self.app.mempool.select(block_time(&tip, now_ms));
        let _timed = stages::PROPOSE.time(txs.len());
        // A transaction may have been committed between its arrival and now; the mempool learns of it a moment later.
        let mut fresh = Vec::with_capacity(txs.len());
        for tx in txs.drain(..) {
            if self.app.ledger.store().find_transaction(&tx.id())?.is_none() {
                fresh.push(tx);
            }
        }
        let fingerprint = self.app.ledger.fingerprint();
        let draft = Draft { fingerprint, round, proposer: self.me.key(), now_ms, txs: &fresh };
        let block = build(&tip, &draft);
        let id = block.header.id();
        let proposal = Proposal { round, valid_round: None, proposer: self.me.key(), id, block };
        let candidate = Candidate { proposal, txs: fresh };
        on_disk(|| self.proposals.add_own(candidate.clone()))?;
        Ok(candidate)
    }

    /// A block as the messages that carry it to all peers, as the proposal of `round`.
    pub fn messages(&mut self, proposal: &Proposal, round: Round, by: Address) -> Vec<StreamMessage<Part>> {
        self.streams += 1;
        let out = Outgoing { proposal, round, by, number: self.streams, now_ms: self.now_ms() };
        stream::messages(&self.app.signer, self.me, &out)
    }

    /// A block that the engine wants sent again; nothing if it is not here.
    pub fn on_restream(
        &mut self,
        height: u64,
        id: ValueId,
        (round, valid_round): (Round, Round),
        by: Address,
    ) -> Vec<StreamMessage<Part>> {
        let Some(mut proposal) = self.proposals.find(height, id.block()) else { return Vec::new() };
        proposal.valid_round = round_number(valid_round);
        self.messages(&proposal, round, by)
    }

    pub fn on_part(
        &mut self,
        peer: PeerId,
        message: StreamMessage<Part>,
    ) -> Result<Option<ProposedValue<ChainContext>>, StoreError> {
        let tip = self.app.ledger.tip();
        if let StreamContent::Data(Part::Init(init)) = &message.content {
            // No further than a real one could be, or one lie would keep the chain awake for good.
            self.part_above = self.part_above.max(init.height.0.min(tip.height + 2));
        }
        let fingerprint = self.app.ledger.fingerprint();
        let (proposals, current) = (&self.proposals, *self.app.progress.borrow());
        let progress = self.assembly.add(peer, message, |init| {
            let round = if current.height == init.height.0 { current.round } else { 0 };
            proposals.has_room(init, round) && stream::is_taken(init, &tip, fingerprint)
        });
        let (init, bytes) = match progress {
            parts::Progress::Incomplete => return Ok(None),
            parts::Progress::Refused(reason) => {
                tracing::debug!(%peer, reason, "dropped a proposal part");
                return Ok(None);
            }
            parts::Progress::Complete(init, bytes) => (init, bytes),
        };
        let block = Block::from_bytes(&bytes).ok().filter(|block| block.header.id() == init.id.block());
        let (Some(block), Some(round)) = (block, round_number(init.round)) else { return Ok(None) };
        if block.header.height != init.height.0 || init.height.0 <= tip.height {
            return Ok(None);
        }
        let valid_round = round_number(init.valid_round);
        let proposal = Proposal { round, valid_round, proposer: init.proposer.key(), id: init.id.block(), block };
        let freshness = Freshness::Fresh { now_ms: self.now_ms(), propose_timeout_ms: self.app.timeouts.propose_ms };
        let _timed = stages::JUDGE.time(1);
        on_disk(|| self.proposals.add(proposal, freshness))
    }

    /// What a decision commits.
    pub fn decided(
        &mut self,
        certificate: &EngineCertificate<ChainContext>,
    ) -> Result<(Candidate, CommitCertificate), StoreError> {
        let candidate = self.proposals.decided(certificate.height.0, certificate.value_id.block())?;
        Ok((candidate, super::engine::own_certificate(certificate, &self.app.ledger.tip().validators)))
    }

    /// Execution and the write run on a worker; the engine hears of it when they are done.
    fn on_decided(
        &mut self,
        certificate: &EngineCertificate<ChainContext>,
        reply: oneshot::Sender<()>,
    ) -> Result<(), StoreError> {
        let height = certificate.height.0;
        stages::ORDER.end(1);
        let (candidate, certificate) = self.decided(certificate)?;
        let (ledger, done) = (self.app.ledger.clone(), self.done.clone());
        tokio::task::spawn_blocking(move || {
            let result = ledger.commit(&candidate, &certificate);
            let ids = candidate.txs.iter().map(Transaction::id).collect();
            // The receiver lives as long as the loop; if that has ended, so has the node.
            let _ = done.send(CommitDone { height, ids, result, reply });
        });
        Ok(())
    }

    pub fn on_committed(&mut self, commit: CommitDone) -> Result<(), StoreError> {
        commit.result?;
        let tip = self.app.ledger.tip();
        self.app.mempool.prune(commit.ids.into_iter(), tip.time_ms);
        self.proposals.drop_through(commit.height);
        self.assembly.drop_below(commit.height + 1);
        self.heartbeat_asked = false;
        self.app.guard.on_committed(tip.height, tip.time_ms);
        let _ = commit.reply.send(());
        Ok(())
    }

    pub fn on_synced(
        &mut self,
        height: u64,
        round: Round,
        proposer: Address,
        bytes: &[u8],
    ) -> Result<SyncedValueOutcome<ChainContext>, StoreError> {
        let block = Block::from_bytes(bytes).ok().filter(|block| block.header.height == height);
        let (Some(block), Some(round)) = (block, round_number(round)) else { return Ok(SyncedValueOutcome::PeerFault) };
        let id = block.header.id();
        let proposal = Proposal { round, valid_round: None, proposer: proposer.key(), id, block };
        let value = ProposedValue {
            height: Height(height),
            round: Round::new(round),
            valid_round: Round::Nil,
            proposer,
            value: ValueId::of(id),
            validity: arc_malachitebft_core_types::Validity::Valid,
        };
        // A height whose parent is not here yet is certified by others; its roots are checked when it is committed.
        let judged = on_disk(|| self.proposals.add(proposal, Freshness::Certified))?;
        Ok(SyncedValueOutcome::Verdict(judged.unwrap_or(value)))
    }

    /// Blocks that a peer lacks: no more at a time than an honest one asks for.
    pub fn decided_values(&self, from: u64, to: u64) -> Vec<RawDecidedValue<ChainContext>> {
        let store = self.app.ledger.store();
        let one = |height: u64| {
            let record = store.block(height).ok().flatten()?;
            let set = store.validators(height).ok()?;
            let extended = super::engine::engine_certificate(&record.certificate, &set)?;
            Some(RawDecidedValue::new(Bytes::from(record.block.to_bytes()), extended))
        };
        (from..=to).take(super::engine::SYNC_BLOCKS as usize).map_while(one).collect()
    }

    /// A vote waits for the guard's file: have it written while the block is still on its way.
    fn prepare(&self, round: Round) {
        let (guard, tip) = (self.app.guard.clone(), self.app.ledger.tip());
        if tip.validators.index_of(&guard.own_key()).is_some() {
            let position = Position { height: tip.height + 1, round: round_number(round).unwrap_or(0) };
            drop(tokio::task::spawn_blocking(move || guard.prepare(position)));
        }
    }

    fn situation(&self, tip: &Tip) -> Situation {
        Situation {
            has_includable: self.app.mempool.has_includable(block_time(tip, self.now_ms())),
            is_sealed: tip.is_empty,
            set_change_pending: tip.is_set_changing,
            // A node that watches for its own key needs blocks to watch.
            heartbeat_due: self.heartbeat_asked || self.app.guard.waits() || self.heartbeat_in().is_zero(),
            peer_is_ahead: (*self.app.peer_height.borrow()).max(self.part_above) > tip.height,
        }
    }

    pub fn release_if_called_for(&mut self) {
        let tip = self.app.ledger.tip();
        // Finalized can overtake the commit of its own height: the next height starts from the committed tip only.
        let is_committed = self.app.progress.borrow().height <= tip.height;
        if self.held.is_none() || !is_committed || rests(self.situation(&tip)) {
            return;
        }
        if let Some(reply) = self.held.take() {
            let _ = reply.send(Next::Start(Height(tip.height + 1), self.params(&tip)));
        }
    }

    fn heartbeat_in(&self) -> Duration {
        let tip = self.app.ledger.tip();
        let due_ms = tip.time_ms.saturating_add(self.app.ledger.store().genesis().heartbeat_ms);
        ms(due_ms.saturating_sub(self.now_ms()))
    }
}

/// Waits for the disk without keeping this thread's other tasks waiting.
fn on_disk<T>(write: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(write)
}
