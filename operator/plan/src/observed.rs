//! What the hands saw when they last looked. Values only: whoever fills them in asks processes, nodes and files; nothing here
//! decides. Everything may be old by the time it is used, which is why at most one disruptive action follows from it.

use std::collections::{BTreeMap, BTreeSet};

use chain_types::{Hash, PublicKey, api::Status};
use operator_api::{ChainStatus, Step, StepState, Text, ValidatorName, ValidatorRow, Version, steps::provisioning};

use crate::exit::{Exit, WELL_AFTER_MS, restarts_after};

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The observer's clock, milliseconds since 1970.
    pub now_ms: u64,
    /// Fingerprint of the genesis on disk, 64 hexadecimal digits.
    pub genesis: Option<String>,
    /// A node that is not here has never been started.
    pub nodes: BTreeMap<ValidatorName, ObservedNode>,
    /// The voting set of the newest block seen, by name; `None` while no node could be asked.
    pub voting_set: Option<BTreeSet<ValidatorName>>,
    /// The consensus keys of that set; `None` while no node could be asked.
    pub voting_keys: Option<BTreeSet<PublicKey>>,
    /// A change of the set is decided and not yet in effect.
    pub set_change_pending: bool,
    /// Whether the steward's key is here and every key of the voting set is known, so that the set can be changed.
    pub can_change_set: bool,
    /// Who proposes the next block.
    pub leader: Option<ValidatorName>,
    pub last_block_ms: Option<u64>,
    /// Since when some transaction has been waiting for a block.
    pub pending_since_ms: Option<u64>,
    /// The last self-check; remembered by the provisioner over its restarts.
    pub self_check: Option<SelfCheck>,
    /// Node programs that can be started here.
    pub versions: BTreeSet<Version>,
}

impl Observed {
    /// The highest block that any node has.
    pub fn height(&self) -> u64 {
        self.nodes.values().map(|node| node.height).max().unwrap_or(0)
    }

    /// Takes in a node's answer to `GET /status`: what it says of itself, and what it says of the chain.
    pub fn heard(&mut self, name: ValidatorName, status: &Status) {
        self.last_block_ms = self.last_block_ms.max((status.height > 0).then_some(status.block_time_ms));
        // One that is behind may still hold what the others have long committed.
        if let Some(since_ms) = status.pending_since_ms.filter(|_| status.caught_up) {
            self.pending_since_ms = Some(self.pending_since_ms.map_or(since_ms, |other| other.min(since_ms)));
        }
        self.set_change_pending |= status.caught_up && status.set_change_pending;
        for peer in status.peers.iter().filter(|peer| peer.connected) {
            if let Some(told) = peer.name.parse().ok().and_then(|name: ValidatorName| self.nodes.get_mut(&name)) {
                told.clock_told_ms.push(peer.clock_offset_ms);
            }
        }
        let node = self.nodes.entry(name).or_default();
        if let Process::Starting { pid, since_ms } = node.process {
            node.process = Process::Running { pid, since_ms };
        }
        node.reachable = true;
        // What it says itself is newer than what was recorded of it.
        node.config.loaded = status.config.or(node.config.loaded);
        (node.consensus_key, node.next_key) = (Some(status.consensus_key), status.next_key);
        node.height = status.height;
        node.caught_up = status.caught_up;
        // One that makes sure first that its key votes nowhere else is in the set and does not vote.
        node.able_to_vote = status.validator && status.waits.is_none();
        node.error = status.waits.as_deref().map(Text::same);
        node.version = node.version.or_else(|| status.version.parse().ok());
        node.peers_connected =
            u32::try_from(status.peers.iter().filter(|peer| peer.connected).count()).unwrap_or(u32::MAX);
        node.disk_free_bytes = Some(status.disk_free_bytes);
    }

    /// What a provisioner that starts anew knows from the status that it reported last.
    pub fn remembered(status: &ChainStatus) -> Self {
        let node = |row: &ValidatorRow| {
            let seen = ObservedNode {
                missing_since_ms: row.missing_since_ms,
                restarts: row.restarts,
                version: row.version,
                ..ObservedNode::default()
            };
            (row.name, seen)
        };
        let voting: BTreeSet<ValidatorName> =
            status.validators.iter().filter(|row| row.voting).map(|row| row.name).collect();
        Self {
            nodes: status.validators.iter().map(node).collect(),
            voting_set: (!voting.is_empty()).then_some(voting),
            last_block_ms: status.last_block_ms,
            self_check: SelfCheck::remembered(&status.steps),
            ..Self::default()
        }
    }

    /// Completes a fresh look with what only the look before can tell: since when somebody is missing, how often a process
    /// has ended, and what the chain said while it could still be asked.
    pub fn follow(&mut self, before: &Self) {
        self.voting_set = self.voting_set.take().or_else(|| before.voting_set.clone());
        self.voting_keys = self.voting_keys.take().or_else(|| before.voting_keys.clone());
        self.last_block_ms = self.last_block_ms.max(before.last_block_ms);
        self.self_check = self.self_check.take().or_else(|| before.self_check.clone());
        for (name, node) in &mut self.nodes {
            let old = before.node(*name);
            node.missing_since_ms = if node.is_live() { None } else { old.missing_since_ms.or(Some(self.now_ms)) };
            let followed = match (&old.process, &node.process) {
                (_, Process::Absent) => 0,
                (
                    Process::Starting { since_ms, .. } | Process::Running { since_ms, .. },
                    Process::Exited { at_ms, .. },
                ) => restarts_after(old.restarts, at_ms.saturating_sub(*since_ms)),
                (_, Process::Running { since_ms, .. }) if self.now_ms.saturating_sub(*since_ms) >= WELL_AFTER_MS => 0,
                _ => old.restarts,
            };
            node.restarts = node.counted_restarts.unwrap_or(followed);
        }
    }

    /// A node never heard of is absent.
    pub fn node(&self, name: ValidatorName) -> ObservedNode {
        self.nodes.get(&name).cloned().unwrap_or_default()
    }
}

/// One node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ObservedNode {
    pub process: Process,
    /// Its `/status` answered.
    pub reachable: bool,
    pub height: u64,
    /// It has every block that it knows to exist.
    pub caught_up: bool,
    /// It has its identity and may vote when it is in the set.
    pub able_to_vote: bool,
    /// The consensus key that it runs with.
    pub consensus_key: Option<PublicKey>,
    /// The one that it holds to take over, once the chain names it.
    pub next_key: Option<PublicKey>,
    /// What the process was started from.
    pub version: Option<Version>,
    pub config: AppliedConfig,
    /// The memory that it was started with, where somebody limits it.
    pub memory_mib: Option<u32>,
    pub peers_connected: u32,
    /// Its clock minus theirs in milliseconds, as each peer that was asked heard it last.
    pub clock_told_ms: Vec<i64>,
    /// The machine that carries it, where there are several. Embedded: never.
    pub machine: Option<String>,
    /// Its supervisor sends nobody to it yet, whatever it says itself: a pod that is not ready. Embedded: never.
    pub is_awaited: bool,
    pub disk_free_bytes: Option<u64>,
    /// Since when it has not been live (running, reachable, caught up, able to vote).
    pub missing_since_ms: Option<u64>,
    /// Ends of its process since it last ran for a minute; see [`crate::exit::restarts_after`].
    pub restarts: u32,
    /// The same as its supervisor counts it, where one starts it again unasked, so that not every end is seen.
    pub counted_restarts: Option<u32>,
    /// What it said last about why it cannot work.
    pub error: Option<Text>,
}

/// Which configuration is where; see [`crate::node_config::ConfigText`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AppliedConfig {
    /// Hash of the file as it is on disk.
    pub on_disk: Option<Hash>,
    /// Hash of what was last loaded, at the start or by a reload.
    pub loaded: Option<Hash>,
    /// `start_hash` of what the process was started with.
    pub started: Option<Hash>,
}

/// The node's process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Process {
    /// There is none and none is known to have ended.
    #[default]
    Absent,
    /// It runs and has not answered yet.
    Starting {
        pid: u32,
        since_ms: u64,
    },
    /// It runs and has answered at least once.
    Running {
        pid: u32,
        since_ms: u64,
    },
    Exited {
        exit: Exit,
        at_ms: u64,
    },
    /// It keeps ending and whoever supervises it starts it again by itself (a kubelet); the embedded provisioner never reports this.
    BackingOff {
        until_ms: u64,
    },
    /// It was asked for and cannot have begun yet: a pod that waits for a machine, a volume or an image. Embedded: never.
    Preparing {
        since_ms: u64,
    },
    /// It was asked to end and may not have ended yet. It counts for nothing, and nothing else may take its place. Embedded: never.
    Ending {
        since_ms: u64,
    },
}

impl Process {
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running { .. })
    }

    /// Somebody else starts it without being asked again.
    pub fn is_supervised(&self) -> bool {
        matches!(self, Self::BackingOff { .. } | Self::Preparing { .. })
    }

    pub fn pid(&self) -> Option<u32> {
        match self {
            Self::Starting { pid, .. } | Self::Running { pid, .. } => Some(*pid),
            Self::Absent
            | Self::Exited { .. }
            | Self::BackingOff { .. }
            | Self::Preparing { .. }
            | Self::Ending { .. } => None,
        }
    }
}

impl ObservedNode {
    /// It takes part, as far as can be seen: running, reachable, caught up and able to vote.
    pub fn is_live(&self) -> bool {
        matches!(self.process, Process::Running { .. }) && self.reachable && self.caught_up && self.able_to_vote
    }

    /// Its clock minus the others', in milliseconds; `None` while fewer than two say so. The middle of what they say: one clock
    /// that is off makes its owner tell the same of everybody else.
    pub fn clock_offset_ms(&self) -> Option<i64> {
        let mut told = self.clock_told_ms.clone();
        told.sort_unstable();
        let above = told.get(told.len() / 2)?;
        let below = told.get(told.len().checked_sub(1)? / 2)?;
        (told.len() > 1).then(|| if below.unsigned_abs() < above.unsigned_abs() { *below } else { *above })
    }

    /// The same, and its supervisor agrees: it has its connections to the others, and eviction counts with it.
    pub fn is_back(&self) -> bool {
        self.is_live() && !self.is_awaited
    }
}

/// The result of [`crate::Action::SelfCheck`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelfCheck {
    pub passed: bool,
    pub at_ms: u64,
    /// What was checked, or what did not agree.
    pub detail: Option<Text>,
}

impl SelfCheck {
    /// A check passed in an earlier life of the provisioner, from the steps that it reported then.
    pub fn remembered(steps: &[Step]) -> Option<Self> {
        let step = steps.iter().find(|step| step.id == provisioning::SELF_CHECK)?;
        let at_ms = step.ended_ms?;
        match step.state {
            StepState::Done => Some(Self { passed: true, at_ms, detail: step.detail.clone() }),
            StepState::Waiting | StepState::Running | StepState::Failed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{NOW_MS, founded, healthy, kill, seen, spec, v};

    #[test]
    fn missing_begins_when_it_is_first_seen_and_ends_when_it_is_back() {
        let plan = founded(&spec(4));
        let before = healthy(&plan);
        let mut now = Observed { now_ms: NOW_MS + 1_000, ..healthy(&plan) };
        seen(&mut now, 2).caught_up = false;
        now.follow(&before);
        let mut later = Observed { now_ms: NOW_MS + 9_000, ..now.clone() };
        later.follow(&now);
        assert_eq!(later.node(v(2)).missing_since_ms, Some(NOW_MS + 1_000));
        let mut back = Observed { now_ms: NOW_MS + 10_000, ..healthy(&plan) };
        back.follow(&later);
        assert_eq!(back.node(v(2)).missing_since_ms, None);
    }

    #[test]
    fn ends_are_counted_once_each_and_forgotten_after_a_good_minute() {
        let plan = founded(&spec(4));
        let mut observed = healthy(&plan);
        for (round, ran_ms, counted) in [(1u64, 3_600_000, 0), (2, 2_000, 1), (3, 2_000, 2)] {
            let mut dead = Observed { now_ms: NOW_MS + round * 10_000, ..observed.clone() };
            seen(&mut observed, 3).process = Process::Running { pid: 1, since_ms: dead.now_ms - ran_ms };
            kill(&mut dead, 3, 0, 99);
            dead.follow(&observed);
            let mut again = dead.clone();
            again.follow(&dead);
            assert_eq!((dead.node(v(3)).restarts, again.node(v(3)).restarts), (counted, counted), "round {round}");
            observed = Observed { nodes: healthy(&plan).nodes, ..dead.clone() };
            let since_ms = observed.now_ms;
            seen(&mut observed, 3).process = Process::Running { pid: 2, since_ms };
            observed.follow(&dead);
            assert_eq!(observed.node(v(3)).restarts, counted);
        }
        let mut well = observed.clone();
        well.now_ms += WELL_AFTER_MS;
        well.follow(&observed);
        assert_eq!(well.node(v(3)).restarts, 0);
    }

    #[test]
    fn what_the_chain_said_is_kept_while_it_cannot_be_asked() {
        let plan = founded(&spec(4));
        let before = Observed { voting_set: Some([v(1), v(2)].into()), ..healthy(&plan) };
        let mut now = Observed { now_ms: NOW_MS, ..Observed::default() };
        now.follow(&before);
        assert_eq!((now.voting_set, now.last_block_ms), (before.voting_set.clone(), before.last_block_ms));
        assert!(now.self_check.is_some_and(|check| check.passed));
    }
}
