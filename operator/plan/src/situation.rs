//! The numbers now: who votes, who is live, whether blocks come, and what becomes of each process. Counted in one place, so
//! that decision, refusal and report never disagree. It decides nothing.

use std::collections::BTreeSet;

use operator_api::{Text, ValidatorName, ValidatorState};

use crate::{
    exit::{Meaning, Why, back_off_ms},
    node_config::DISK_RESERVE_BYTES,
    observed::{Observed, ObservedNode, Process},
    plan::{Plan, PlannedNode, Role},
    quorum::{Act, Arithmetic, Quorum},
};

/// A transaction or heartbeat that waits longer than this without a block means that the chain is stalled.
pub const STALLED_AFTER_MS: u64 = 10_000;
/// A process that has not answered for so long hangs.
pub const HUNG_AFTER_MS: u64 = 60_000;

/// All nodes are asked at once, and blocks go on meanwhile.
const NEAR_BLOCKS: u64 = 10;

/// Who votes and who of them is live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    pub voting: BTreeSet<ValidatorName>,
    pub live: BTreeSet<ValidatorName>,
}

impl Situation {
    /// The set as the chain has it; while no node can be asked, as genesis has it.
    pub fn of(plan: &Plan, observed: &Observed) -> Self {
        let genesis = || plan.nodes.iter().filter(|node| node.in_genesis).map(|node| node.name).collect();
        let planned = || plan.nodes.iter().filter(|node| node.role == Role::Validator).map(|node| node.name).collect();
        let fallback: BTreeSet<_> = if plan.genesis.genesis().is_some() { genesis() } else { planned() };
        Self::among(observed.voting_set.clone().unwrap_or(fallback), observed)
    }

    /// The given voters, and who of them is live.
    pub fn among(voting: BTreeSet<ValidatorName>, observed: &Observed) -> Self {
        let live = voting.iter().filter(|name| observed.node(**name).is_live()).copied().collect();
        Self { voting, live }
    }

    pub fn validators(&self) -> u32 {
        count(&self.voting)
    }

    pub fn ready(&self) -> u32 {
        count(&self.live)
    }

    pub fn quorum(&self) -> Quorum {
        Quorum::of(self.validators())
    }

    pub fn has_quorum(&self) -> bool {
        self.quorum().held_by(self.ready())
    }

    /// What is left when these processes end.
    pub fn without(&self, names: &[ValidatorName], act: Act) -> Arithmetic {
        let leaves = count(self.live.iter().filter(|name| !names.contains(name)));
        self.arithmetic(act, leaves, self.validators())
    }

    /// What is left when this validator leaves the set.
    pub fn voted_out(&self, name: ValidatorName) -> Arithmetic {
        let leaves = count(self.live.iter().filter(|live| **live != name));
        self.arithmetic(Act::VoteOut(name), leaves, self.validators().saturating_sub(1))
    }

    /// What there is when this caught-up observer votes.
    pub fn voted_in(&self, name: ValidatorName) -> Arithmetic {
        self.arithmetic(Act::VoteIn(name), self.ready().saturating_add(1), self.validators().saturating_add(1))
    }

    fn arithmetic(&self, act: Act, leaves: u32, validators_after: u32) -> Arithmetic {
        let validators = self.validators();
        Arithmetic { validators, down: validators.saturating_sub(self.ready()), act, leaves, validators_after }
    }
}

fn count<T>(things: impl IntoIterator<Item = T>) -> u32 {
    u32::try_from(things.into_iter().count()).unwrap_or(u32::MAX)
}

/// An observer is where the others are, so that it may vote. One that has heard nobody yet believes that it has everything.
pub fn has_arrived(seen: &ObservedNode, observed: &Observed) -> bool {
    let near = seen.height > 0 && observed.height().saturating_sub(seen.height) <= NEAR_BLOCKS;
    seen.reachable && seen.caught_up && near
}

/// Since when a block has been due: for a transaction that waits, or for the heartbeat.
pub fn due_since_ms(plan: &Plan, observed: &Observed) -> Option<u64> {
    let heartbeat = observed.last_block_ms.map(|at| at.saturating_add(plan.heartbeat_ms));
    let passed = heartbeat.filter(|due| *due <= observed.now_ms);
    [observed.pending_since_ms, passed].into_iter().flatten().min()
}

/// A block has been due for more than ten seconds and did not come.
pub fn is_stalled(plan: &Plan, observed: &Observed) -> bool {
    due_since_ms(plan, observed).is_some_and(|due| observed.now_ms.saturating_sub(due) > STALLED_AFTER_MS)
}

/// What becomes of a process that should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It is up.
    Up,
    /// It may be started now; `attempt` counts from 1 after a crash, 0 is a plain start.
    Start { attempt: u32 },
    /// It is started at this time.
    StartAt { at_ms: u64, attempt: u32 },
    /// Its supervisor starts it by itself.
    Supervised { until_ms: u64 },
    /// It comes up, or is on its way out, without more being done.
    UnderWay,
    /// It is started once there is space on its disk.
    NeedsSpace,
    /// Starting it again is for a person to decide.
    Person(Why),
}

/// The same answer for the decision to start it and for the sentence about it.
pub fn outlook(planned: &PlannedNode, node: &ObservedNode, now_ms: u64) -> Outlook {
    match &node.process {
        Process::Starting { .. } | Process::Running { .. } => Outlook::Up,
        Process::Absent => Outlook::Start { attempt: 0 },
        Process::BackingOff { until_ms } => Outlook::Supervised { until_ms: *until_ms },
        Process::Preparing { .. } | Process::Ending { .. } => Outlook::UnderWay,
        Process::Exited { exit, at_ms } => match exit.meaning() {
            // What it could not live with has been changed since.
            Meaning::Person(Why::StoreNewer | Why::Configuration) if is_outdated(planned, node) => {
                Outlook::Start { attempt: node.restarts.max(1) }
            }
            Meaning::Person(why) => Outlook::Person(why),
            // Twice the reserve, or it would stop again at once.
            Meaning::DiskFull if node.disk_free_bytes.is_none_or(|free| free < 2 * DISK_RESERVE_BYTES) => {
                Outlook::NeedsSpace
            }
            Meaning::DiskFull | Meaning::Crash => {
                // The first end is followed by a start at once; `restarts` counts that end already.
                let pause = back_off_ms(node.restarts.saturating_sub(1));
                let start_ms = at_ms.saturating_add(pause);
                let attempt = node.restarts.max(1);
                if now_ms >= start_ms {
                    Outlook::Start { attempt }
                } else {
                    Outlook::StartAt { at_ms: start_ms, attempt }
                }
            }
        },
    }
}

/// It was started from another version, with other memory, or with a configuration that only a restart replaces. What nobody
/// recorded counts as right: a restart needs a reason.
pub fn is_outdated(planned: &PlannedNode, node: &ObservedNode) -> bool {
    let version = node.version.is_some_and(|version| version != planned.version);
    let config = match (&planned.config, node.config.started) {
        (Some(config), Some(started)) => config.start_hash != started,
        (None, _) | (_, None) => false,
    };
    let memory = node.memory_mib.is_some_and(|memory_mib| memory_mib != planned.resources.memory_mib);
    version || config || memory
}

/// Whether the plan wants this node's process to be up.
pub fn should_run(node: &PlannedNode) -> bool {
    node.desired == ValidatorState::Running
}

/// "validator-3 (Intermediate court)".
pub fn called(node: &PlannedNode) -> Text {
    let title = &node.organisation_title;
    Text::new(format!("{}（{}）", node.name, title.zh), format!("{} ({})", node.name, title.en))
}
