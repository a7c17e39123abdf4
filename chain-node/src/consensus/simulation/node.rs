//! One validator: the engine's core and our own code as they are, with what connects them done by hand (the engine's
//! actors cannot be driven). Everything it wants from the world it leaves in `acts`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_malachitebft_app_channel::app::metrics::Metrics;
use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_core_consensus::{
    Input, Params, SignedConsensusMsg, State, ThresholdParams, ValuePayload, process,
};
use arc_malachitebft_core_types::{HeightParams, LinearTimeouts, ThresholdParam, Timeout};
use arc_malachitebft_engine::host::Next;
use arc_malachitebft_sync::RawDecidedValue;
use bytes::Bytes;
use chain_types::crypto::SigningKey;
use chain_types::{CommitCertificate, Fingerprint, PublicKey, TxId};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::super::app::{App, CommitDone, Progress, Running};
use super::super::context::{Address, ChainContext, Height, ValueId};
use super::super::signing::ChainSigner;
use super::Bug;
use super::byzantine::Mind;
use super::message::Message;
use super::verifier::Memo;
use super::wal::Wal;
use crate::config::Timeouts;
use crate::identity::{Found, Guard};
use crate::ledger::{Candidate, Ledger};
use crate::mempool::{Capacity, Mempool};
use crate::store::Store;

/// What a node wants from the world.
pub enum Act {
    /// To one, or to all others.
    Send(Option<usize>, Message),
    /// An answer on its way to the own engine.
    Feed(Box<Input<ChainContext>>),
    Start(Height, HeightParams<ChainContext>),
    Timer(Timeout, u64, u64),
    /// A worker executes and writes this.
    Commit(Box<(Candidate, CommitCertificate)>),
    /// For the verdict: this left the node under its key.
    Signed(SignedConsensusMsg<ChainContext>),
    /// For the verdict: the engine saw misbehaviour.
    Misbehaviour,
}

/// What a crash loses.
pub struct Live {
    pub app: Running,
    pub engine: Option<State<ChainContext>>,
    pub timers: Vec<(Timeout, u64)>,
    pub timeouts: LinearTimeouts,
    pub recovering: bool,
    pub started: u64,
    generation: u64,
    go: Option<oneshot::Receiver<Next<ChainContext>>>,
    pub heard: watch::Sender<u64>,
    told: (u64, u64),
    pub values: BTreeMap<u64, (PeerId, RawDecidedValue<ChainContext>)>,
    pub ask_again_ms: u64,
    /// Steps until the process dies.
    fuse: Option<u64>,
}

pub struct Node {
    pub index: usize,
    pub bug: Bug,
    pub signer: ChainSigner,
    pub verifier: Memo,
    pub store: Store,
    pub store_uses: u32,
    /// Holds the identity file, which a crash leaves.
    home: tempfile::TempDir,
    pub wal: Wal,
    pub live: Option<Live>,
    /// Rises with every start, so that what was on its way to a dead process does not reach the next one.
    pub incarnation: u64,
    /// Milliseconds of the world's clock, and how far this node's is off.
    pub world_ms: Arc<AtomicU64>,
    pub skew_ms: i64,
    pub mind: Option<Mind>,
    pub acts: Vec<Act>,
    /// Why it had to stop.
    pub stopped: Option<String>,
    metrics: Metrics,
}

/// A peer as value sync and streams know it.
pub fn peer_id(index: usize) -> PeerId {
    PeerId::from_bytes(&[0, 1, index as u8]).unwrap()
}

/// A folder whose writes cost no disk, where the machine has one.
pub fn home() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The guard of a process that starts, as a node opens it.
pub fn guard(home: &Path, own: PublicKey, store: &Store, has_log: bool) -> Arc<Guard> {
    let (tip, had_identity) = (store.tip().unwrap(), store.had_identity().unwrap());
    let found = Found { tip, had_identity, signed: store.last_signed(&own).unwrap(), has_log };
    let guard = Guard::open(home, own, &found, None).unwrap();
    store.mark_identity().unwrap();
    Arc::new(guard)
}

impl Node {
    pub fn new(index: usize, bug: Bug, key: (Fingerprint, SigningKey), verifier: Memo, store: Store) -> Self {
        let home = home();
        let guard = guard(home.path(), key.1.public(), &store, false);
        Self {
            index,
            bug,
            signer: ChainSigner { fingerprint: key.0, key: key.1, guard },
            home,
            verifier,
            store,
            store_uses: 0,
            wal: Wal::default(),
            live: None,
            incarnation: 0,
            world_ms: Arc::default(),
            skew_ms: 0,
            mind: None,
            acts: Vec::new(),
            stopped: None,
            metrics: Metrics::new(),
        }
    }

    pub fn now_ms(&self) -> u64 {
        self.world_ms.load(Ordering::Relaxed).saturating_add_signed(self.skew_ms)
    }

    pub fn address(&self) -> Address {
        Address::of(self.signer.key.public())
    }

    /// Last committed height, whether it runs or not.
    pub fn tip(&self) -> u64 {
        match &self.live {
            Some(live) => live.app.app.ledger.tip().height,
            None => self.store.tip().unwrap(),
        }
    }

    pub fn ledger(&self) -> Option<Arc<Ledger>> {
        self.live.as_ref().map(|live| live.app.app.ledger.clone())
    }

    /// Starts the process upon what is on disk.
    pub fn boot(&mut self) {
        self.incarnation += 1;
        let ledger = match Ledger::open(self.store.clone()) {
            Ok(ledger) => Arc::new(ledger),
            Err(e) => return self.stop(&e),
        };
        let guard = guard(self.home.path(), self.signer.key.public(), &self.store, self.incarnation > 1);
        self.signer.guard = guard.clone();
        let mempool = Arc::new(Mempool::new(Capacity { txs: 1_000, bytes: 1 << 20 }));
        let (progress, _) = watch::channel(Progress::default());
        let (heard, peer_height) = watch::channel(0);
        let (world_ms, skew_ms) = (self.world_ms.clone(), self.skew_ms);
        let clock = Arc::new(move || world_ms.load(Ordering::Relaxed).saturating_add_signed(skew_ms));
        let (signer, timeouts, heartbeat) = (self.signer.clone(), Timeouts::default(), Arc::new(Notify::new()));
        let app = App { ledger, mempool, signer, timeouts, progress, peer_height, heartbeat, clock, guard };
        let (done, _) = mpsc::unbounded_channel();
        let mut app = match Running::recover(app, done) {
            Ok(app) => app,
            Err(e) => return self.stop(&e),
        };
        if self.bug == Bug::ForgetsBlocks {
            app.proposals.drop_through(u64::MAX - 1);
        }
        let (height, params) = app.first_height();
        self.live = Some(Live {
            app,
            engine: None,
            timers: Vec::new(),
            timeouts: params.timeouts,
            recovering: false,
            started: 0,
            generation: 0,
            go: None,
            heard,
            told: (0, 0),
            values: BTreeMap::new(),
            ask_again_ms: 0,
            fuse: None,
        });
        self.start_height(height, params);
    }

    pub fn light_fuse(&mut self, steps: u64) {
        if let Some(live) = &mut self.live {
            live.fuse = Some(steps);
        }
    }

    /// One more thing was done; whether the process is still there to do the next.
    pub fn step(&mut self) -> bool {
        match self.live.as_mut().map(|live| &mut live.fuse) {
            None | Some(Some(0)) => false,
            Some(None) => true,
            Some(Some(left)) => {
                *left -= 1;
                *left > 0
            }
        }
    }

    /// Whether its fuse burned down.
    pub fn is_dead(&self) -> bool {
        self.live.as_ref().is_none_or(|live| live.fuse == Some(0))
    }

    pub fn stop(&mut self, reason: &dyn std::fmt::Display) {
        self.stopped.get_or_insert(reason.to_string());
        if let Some(live) = &mut self.live {
            live.fuse = Some(0);
        }
    }

    /// The engine begins a height, and first does again what its log holds of it.
    pub fn start_height(&mut self, height: Height, params: HeightParams<ChainContext>) {
        if self.is_dead() {
            return;
        }
        let weak = ThresholdParam { numerator: 1, denominator: 3 };
        let threshold_params = match self.bug {
            Bug::WeakQuorum => ThresholdParams { quorum: weak, ..Default::default() },
            _ => ThresholdParams::default(),
        };
        let entries = self.wal.start(height.0);
        let address = self.address();
        let Some(live) = &mut self.live else { return };
        (live.timeouts, live.started) = (params.timeouts, height.0);
        let set = params.validator_set;
        live.engine.get_or_insert_with(|| {
            let value_payload = ValuePayload::ProposalAndParts;
            let params = Params { address, threshold_params, value_payload, enabled: true };
            State::new(ChainContext, height, set.clone(), params, 10, 1_000)
        });
        self.feed(Input::StartHeight(height, set, false, params.target_time, params.vote_extension_policy));
        self.replay(entries);
        self.use_value();
    }

    fn replay(&mut self, entries: Vec<Input<ChainContext>>) {
        let Some(live) = self.live.as_mut().filter(|_| !entries.is_empty()) else { return };
        live.recovering = true;
        if let Some(engine) = &mut live.engine {
            engine.record_recovered_own_precommit_extensions(&entries);
            engine.index_wal_entries(&entries);
        }
        for entry in entries {
            self.feed(entry);
        }
        let Some(live) = &mut self.live else { return };
        live.recovering = false;
        if let Some(engine) = &mut live.engine {
            engine.reset_entries_index();
        }
    }

    pub fn feed(&mut self, input: Input<ChainContext>) {
        if self.is_dead() {
            return;
        }
        let Some(mut engine) = self.live.as_mut().and_then(|live| live.engine.take()) else { return };
        let metrics = self.metrics.clone();
        let ended: Result<(), arc_malachitebft_core_consensus::Error<ChainContext>> = process!(
            input: input,
            state: &mut engine,
            metrics: &metrics,
            with: effect => Ok::<_, std::convert::Infallible>(self.handle(effect))
        );
        if let Some(live) = &mut self.live {
            live.engine = Some(engine);
        }
        if let Err(e) = ended {
            self.stop(&format!("the engine failed: {e}"));
        }
    }

    pub fn elapsed(&mut self, timeout: Timeout, generation: u64) {
        let Some(live) = &mut self.live else { return };
        let before = live.timers.len();
        live.timers.retain(|timer| *timer != (timeout, generation));
        if live.timers.len() < before {
            self.feed(Input::TimeoutElapsed(timeout));
        }
    }

    pub fn schedule(&mut self, timeout: Timeout) {
        let Some(live) = &mut self.live else { return };
        live.generation += 1;
        live.timers.retain(|(other, _)| *other != timeout);
        live.timers.push((timeout, live.generation));
        let after_us = live.timeouts.duration_for(timeout).as_micros() as u64;
        self.acts.push(Act::Timer(timeout, live.generation, after_us));
    }

    /// The worker's part of a decision.
    pub fn commit(&mut self, candidate: &Candidate, certificate: &CommitCertificate) -> bool {
        if !self.step() {
            return false;
        }
        let Some(ledger) = self.ledger() else { return false };
        match ledger.commit(candidate, certificate) {
            Ok(()) => true,
            Err(e) => {
                self.stop(&e);
                false
            }
        }
    }

    /// The commit is known to our loop; only now do others hear of it.
    pub fn committed(&mut self, height: u64, ids: Vec<TxId>) {
        if !self.step() {
            return;
        }
        let (reply, _) = oneshot::channel();
        let Some(live) = &mut self.live else { return };
        match live.app.on_committed(CommitDone { height, ids, result: Ok(()), reply }) {
            Ok(()) => self.acts.push(Act::Send(None, Message::Tip(height))),
            Err(e) => self.stop(&e),
        }
        self.look_around();
    }

    /// What the real loops do again and again: tell peers our tip, our heights and our clients' transactions.
    pub fn tick(&mut self) {
        if !self.step() {
            return;
        }
        let tip = self.tip();
        self.acts.push(Act::Send(None, Message::Tip(tip)));
        let Some(live) = &mut self.live else { return };
        let (txs, _) = live.app.app.mempool.local_since(0, 1 << 20);
        if !txs.is_empty() {
            let txs = txs.iter().map(|tx| Bytes::copy_from_slice(tx.bytes())).collect();
            self.acts.push(Act::Send(None, Message::Txs(txs)));
        }
        live.told = (0, 0);
        self.look_around();
    }

    /// Goes on to the next height if something calls for it; tells our heights if they changed.
    pub fn look_around(&mut self) {
        if self.is_dead() {
            return;
        }
        let tip = self.tip();
        let Some(live) = &mut self.live else { return };
        live.app.release_if_called_for();
        if let Some(Next::Start(height, params) | Next::Restart(height, params)) =
            live.go.as_mut().and_then(|go| go.try_recv().ok())
        {
            live.go = None;
            self.acts.push(Act::Start(height, params));
        }
        let told = (tip, live.app.app.progress.borrow().height);
        if live.told != told {
            live.told = told;
            self.acts.push(Act::Send(None, Message::Heights { committed: told.0, entered: told.1 }));
        }
    }

    /// The engine is done with a height and asks for the next.
    pub fn hold(&mut self) {
        let Some(live) = &mut self.live else { return };
        let (reply, go) = oneshot::channel();
        (live.app.held, live.go) = (Some(reply), Some(go));
    }

    pub fn value_of(id: chain_types::BlockId) -> ValueId {
        ValueId::of(id)
    }
}
