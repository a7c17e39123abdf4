//! Time, the network, crashes and clients. One event after the other, in an order that only the seed decides.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arc_malachitebft_core_consensus::Input;
use arc_malachitebft_core_types::{HeightParams, Timeout};
use chain_types::{CommitCertificate, Hash, Transaction, TxId};

use super::super::context::{ChainContext, Height};
use super::faults::{Faults, HEAL_US};
use super::message::Message;
use super::node::{Act, Node};
use super::random::Random;
use super::verdict::{Verdict, Violation};
use super::{Bug, Report, chain};
use crate::ledger::Candidate;

/// How long after the healing everything that waits must be committed everywhere.
const LIVELY_WITHIN_US: u64 = 90_000_000;
/// How long a chain is watched that should rest.
const QUIET_US: u64 = 8_000_000;
const TICK_US: u64 = 500_000;

enum Event {
    Deliver { from: usize, to: usize, message: Message },
    Feed(usize, u64, Box<Input<ChainContext>>),
    Start(usize, u64, Height, HeightParams<ChainContext>),
    Timer(usize, u64, Timeout, u64),
    Commit(usize, u64, Box<(Candidate, CommitCertificate)>),
    Committed(usize, u64, u64, Vec<TxId>),
    Tick(usize, u64),
    Crash(usize, u64, u64),
    Boot(usize),
    Client(usize),
}

pub struct World {
    seed: u64,
    bug: Bug,
    faults: Faults,
    random: Random,
    now_us: u64,
    order: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    nodes: Vec<Node>,
    clock: Arc<std::sync::atomic::AtomicU64>,
    clients: Vec<Transaction>,
    verdict: Verdict,
    digest: Hash,
    trace: Option<Vec<String>>,
    down_us: BTreeMap<usize, u64>,
    /// Since when nothing waits anywhere, and at which height.
    quiet: Option<(u64, u64)>,
    pub steps: u64,
}

impl World {
    pub fn new(seed: u64, bug: Bug, with_trace: bool) -> Self {
        let mut random = Random::new(seed);
        let faults = Faults::draw(&mut random);
        let chain = chain::make(&faults, bug, &mut random);
        let mut world = Self {
            seed,
            bug,
            faults,
            random,
            now_us: 0,
            order: 0,
            queue: BinaryHeap::new(),
            events: BTreeMap::new(),
            nodes: chain.nodes,
            clock: chain.clock,
            clients: chain.transactions,
            verdict: Verdict::default(),
            digest: Hash::of(&seed.to_be_bytes()),
            trace: with_trace.then(Vec::new),
            down_us: BTreeMap::new(),
            quiet: None,
            steps: 0,
        };
        world.verdict.sent.extend(world.clients.iter().map(|tx| tx.bytes().to_vec()));
        for node in 0..world.nodes.len() {
            world.at(0, Event::Boot(node));
        }
        for n in 0..world.clients.len() {
            let at_us = world.random.below(HEAL_US);
            world.at(at_us, Event::Client(n));
        }
        for crash in world.faults.crashes.clone() {
            world.at(crash.at_us, Event::Crash(crash.node, crash.steps, crash.down_us));
        }
        world
    }

    fn at(&mut self, at_us: u64, event: Event) {
        self.order += 1;
        self.queue.push(Reverse((at_us, self.order)));
        self.events.insert(self.order, event);
    }

    fn soon(&mut self, event: Event) {
        let after_us = self.random.between(10, 1_500);
        self.at(self.now_us + after_us, event);
    }

    pub fn run(mut self) -> Report {
        while let Some(Reverse((at_us, order))) = self.queue.pop() {
            let Some(event) = self.events.remove(&order) else { continue };
            (self.now_us, self.steps) = (at_us, self.steps + 1);
            self.clock.store(chain::START_MS + self.now_us / 1_000, Ordering::Relaxed);
            self.happen(event);
            // Looked at now and then only: it looks at everything.
            if (self.steps.is_multiple_of(8) && self.is_over())
                || !self.verdict.violations.is_empty() && self.bug == Bug::None
            {
                break;
            }
        }
        self.look_for_losses();
        let height = self.nodes.iter().map(Node::tip).max().unwrap_or(0);
        for node in self.nodes {
            chain::give_back(node.store, node.store_uses);
        }
        self.digest = Hash::of_parts(&[&self.digest.0, &self.verdict.chain()]);
        Report {
            seed: self.seed,
            digest: self.digest,
            violations: self.verdict.violations,
            height,
            transactions: self.verdict.acknowledged.len(),
            highest_round: self.verdict.highest_round,
            misbehaviour: self.verdict.misbehaviour,
            steps: self.steps,
            virtual_ms: self.now_us / 1_000,
            faults: self.faults,
            trace: self.trace.unwrap_or_default(),
        }
    }

    fn happen(&mut self, event: Event) {
        let index = match &event {
            Event::Deliver { to, .. } => *to,
            Event::Feed(n, ..) | Event::Start(n, ..) | Event::Timer(n, ..) | Event::Commit(n, ..) => *n,
            Event::Committed(n, ..) | Event::Tick(n, _) | Event::Crash(n, ..) | Event::Boot(n) => *n,
            Event::Client(n) => return self.on_client(*n),
        };
        self.note(index, &event);
        let is_current = |nodes: &[Node], n: usize, incarnation: u64| nodes[n].incarnation == incarnation;
        match event {
            Event::Deliver { from, to, message } => {
                if let Some(mind) = &mut self.nodes[to].mind {
                    mind.see(&message);
                    self.nodes[to].forge(&message);
                }
                self.nodes[to].deliver(from, message);
            }
            Event::Feed(n, i, input) if is_current(&self.nodes, n, i) => {
                self.nodes[n].feed(*input);
                self.nodes[n].look_around();
            }
            Event::Start(n, i, height, params) if is_current(&self.nodes, n, i) => {
                self.nodes[n].start_height(height, params);
                self.nodes[n].look_around();
            }
            Event::Timer(n, i, timeout, generation) if is_current(&self.nodes, n, i) => {
                self.nodes[n].elapsed(timeout, generation);
            }
            Event::Commit(n, i, decided) if is_current(&self.nodes, n, i) => self.on_commit(n, &decided),
            Event::Committed(n, i, height, ids) if is_current(&self.nodes, n, i) => {
                self.nodes[n].committed(height, ids);
            }
            Event::Tick(n, i) if is_current(&self.nodes, n, i) => {
                self.nodes[n].tick();
                self.nodes[n].junk(self.faults.validators);
                self.at(self.now_us + TICK_US, Event::Tick(n, i));
            }
            Event::Crash(n, steps, down_us) if self.nodes[n].live.is_some() => {
                self.down_us.insert(n, down_us);
                self.nodes[n].light_fuse(steps);
            }
            Event::Boot(n) if self.nodes[n].live.is_none() => {
                self.nodes[n].boot();
                let incarnation = self.nodes[n].incarnation;
                let first_us = self.random.below(TICK_US);
                self.at(self.now_us + first_us, Event::Tick(n, incarnation));
                self.nodes[n].look_around();
            }
            _ => {}
        }
        self.settle(index);
    }

    /// Carries out what a node wants, and buries it if it died.
    fn settle(&mut self, n: usize) {
        let acts = std::mem::take(&mut self.nodes[n].acts);
        let (incarnation, is_honest) = (self.nodes[n].incarnation, !self.faults.is_byzantine(n));
        for act in acts {
            match act {
                Act::Send(Some(to), message) => self.send(n, to, message),
                Act::Send(None, message) => {
                    for to in (0..self.nodes.len()).filter(|to| *to != n) {
                        let message = self.nodes[n].distort(to, message.clone());
                        self.send(n, to, message);
                    }
                }
                Act::Feed(input) => self.soon(Event::Feed(n, incarnation, input)),
                Act::Start(height, params) => self.soon(Event::Start(n, incarnation, height, params)),
                Act::Timer(timeout, generation, after_us) => {
                    self.at(self.now_us + after_us, Event::Timer(n, incarnation, timeout, generation));
                }
                Act::Commit(decided) => {
                    let work_us = if self.random.chance(5) { 200_000 } else { self.random.between(500, 15_000) };
                    self.at(self.now_us + work_us, Event::Commit(n, incarnation, decided));
                }
                Act::Signed(message) if is_honest => self.verdict.signed(n, &message),
                Act::Signed(_) => {}
                Act::Misbehaviour => self.verdict.misbehaviour += 1,
            }
        }
        if let Some(reason) = self.nodes[n].stopped.take()
            && is_honest
        {
            self.verdict.violations.push(Violation::Stopped { node: n, reason });
        }
        if self.nodes[n].live.is_some() && self.nodes[n].is_dead() {
            self.nodes[n].crash(&mut self.random);
            let down_us = self.down_us.remove(&n).unwrap_or(1_000_000);
            self.at(self.now_us + down_us, Event::Boot(n));
        }
    }

    fn send(&mut self, from: usize, to: usize, message: Message) {
        if from == to || to >= self.nodes.len() || self.faults.is_cut(from, to, self.now_us) {
            return;
        }
        let is_bad = self.now_us < HEAL_US;
        if is_bad && self.random.chance(self.faults.loss_percent) {
            return;
        }
        let copies = 1 + u64::from(is_bad && self.random.chance(self.faults.twice_percent));
        for _ in 0..copies {
            let mut after_us = self.faults.delay_us.0 + self.random.below(self.faults.delay_us.1);
            if is_bad && self.random.chance(self.faults.late_percent) {
                after_us += self.random.below(1_000_000);
            }
            if self.bug == Bug::Unseeded {
                after_us += std::process::id() as u64 % 7 + chain::unseeded() % 50;
            }
            self.at(self.now_us + after_us, Event::Deliver { from, to, message: message.clone() });
        }
    }

    fn on_commit(&mut self, n: usize, decided: &(Candidate, CommitCertificate)) {
        let (candidate, certificate) = decided;
        let Ok(set) = self.nodes[n].store.validators(candidate.proposal.height()) else { return };
        if !self.nodes[n].commit(candidate, certificate) {
            return;
        }
        let Some(ledger) = self.nodes[n].ledger() else { return };
        if !self.faults.is_byzantine(n) {
            let honest = self.nodes.iter().filter(|node| !self.faults.is_byzantine(node.index));
            let fastest_ms = honest.map(Node::now_ms).max().unwrap_or(0);
            self.verdict.committed(candidate, certificate, &set, &ledger.tip(), fastest_ms);
        }
        let ids = candidate.txs.iter().map(Transaction::id).collect();
        self.soon(Event::Committed(n, self.nodes[n].incarnation, candidate.proposal.height(), ids));
    }

    /// A client sends its transaction to somebody until somebody says that it is committed.
    fn on_client(&mut self, n: usize) {
        let tx = self.clients[n].clone();
        if self.verdict.acknowledged.contains_key(&tx.id()) {
            return;
        }
        let node = self.random.index(self.nodes.len());
        self.nodes[node].admit(tx.bytes(), true);
        self.nodes[node].look_around();
        self.settle(node);
        self.at(self.now_us + 1_500_000, Event::Client(n));
    }

    fn honest(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !self.faults.is_byzantine(node.index))
    }

    /// Whether there is nothing more to see, or it took too long.
    fn is_over(&mut self) -> bool {
        if self.now_us < HEAL_US {
            return false;
        }
        let all = self.clients.iter().all(|tx| self.verdict.acknowledged.contains_key(&tx.id()));
        let top = self.verdict.height();
        let level = all && self.honest().all(|node| node.live.is_some() && node.tip() >= top.saturating_sub(1));
        match self.quiet {
            // A byzantine one may keep the others busy; then it is enough that all came along.
            _ if level && !self.faults.byzantine.is_empty() => true,
            Some((since_us, height)) if self.now_us > since_us + QUIET_US => {
                if top > height + 2 {
                    self.verdict.violations.push(Violation::Restless { blocks: top - height });
                }
                true
            }
            Some(_) => false,
            None if level => {
                self.quiet = Some((self.now_us, top));
                false
            }
            None if self.now_us > HEAL_US + LIVELY_WITHIN_US => {
                let waiting = self.clients.iter().filter(|tx| !self.verdict.acknowledged.contains_key(&tx.id()));
                let (waiting, heights) = (waiting.count(), self.nodes.iter().map(Node::tip).collect());
                self.verdict.violations.push(Violation::Stalled { heights, waiting });
                true
            }
            None => false,
        }
    }

    /// Everything that was ever acknowledged is in every honest store that came so far.
    fn look_for_losses(&mut self) {
        let mut lost = Vec::new();
        for node in self.honest() {
            let tip = node.tip();
            for (id, height) in self.verdict.acknowledged.iter().filter(|(_, height)| **height <= tip) {
                let place = node.store.find_transaction(id).ok().flatten();
                if place.is_none_or(|place| place.height != *height) {
                    lost.push(Violation::Lost { node: node.index, what: format!("{id} of block {height}") });
                }
            }
        }
        self.verdict.violations.extend(lost);
    }

    /// Into the digest, and into the trace if one is wanted.
    fn note(&mut self, n: usize, event: &Event) {
        let (what, bytes) = match event {
            Event::Deliver { from, message, .. } => (format!("{} from {from}", message.name()), message.fingerprint()),
            Event::Feed(_, _, input) => (format!("answer {}", name_of(input)), Vec::new()),
            Event::Start(_, _, height, _) => (format!("start of height {height}"), Vec::new()),
            Event::Timer(_, _, timeout, _) => (format!("{timeout}"), Vec::new()),
            Event::Commit(_, _, decided) => (format!("commit {}", decided.0.proposal.id), Vec::new()),
            Event::Committed(_, _, height, _) => (format!("committed {height}"), Vec::new()),
            Event::Tick(..) => ("tick".to_owned(), Vec::new()),
            Event::Crash(..) => ("crash".to_owned(), Vec::new()),
            Event::Boot(_) => ("boot".to_owned(), Vec::new()),
            Event::Client(_) => ("client".to_owned(), Vec::new()),
        };
        let place = [self.now_us.to_be_bytes(), (n as u64).to_be_bytes(), self.nodes[n].incarnation.to_be_bytes()];
        self.digest = Hash::of_parts(&[&self.digest.0, &place.concat(), what.as_bytes(), &bytes]);
        if let Some(trace) = &mut self.trace {
            let up = if self.nodes[n].live.is_some() { "" } else { " (down)" };
            let (ms, tip) = (self.now_us as f64 / 1_000.0, self.nodes[n].tip());
            trace.push(format!("{ms:>10.3} ms  validator {n} at {tip}{up}: {what}"));
        }
    }
}

fn name_of(input: &Input<ChainContext>) -> String {
    match input {
        Input::ProposedValue(value, origin) => {
            format!("{:?} is {:?} ({origin:?}, round {})", value.value, value.validity, value.round)
        }
        Input::Propose(value) => format!("propose {:?}", value.value),
        _ => "other".to_owned(),
    }
}
