//! The one action of a pass that stops a validator or changes the voting set; and, for every wish that has to wait, why.
//!
//! In this order: what somebody asked to be off, leaving the set or joining it (whose turn it is: [`super::turns`]), rolling out a version or configuration, ending
//! a process that hangs. The first that its arithmetic allows is taken. Nothing else may be planned beside it: what it costs
//! shows only when everything is observed again.

use std::cmp::Reverse;

use operator_api::{Text, ValidatorName, ValidatorState};

use super::{Action, is_unwanted, turns::Set};
use crate::{
    observed::{Observed, ObservedNode, Process},
    plan::{Plan, PlannedNode, Role},
    quorum::{Act, Arithmetic},
    situation::{self, HUNG_AFTER_MS, Situation},
    words,
};

/// The disruption that may happen now, if any; what waits goes to `waits`.
pub fn disrupt(plan: &Plan, observed: &Observed, situation: &Situation, waits: &mut Vec<Action>) -> Option<Action> {
    if observed.set_change_pending {
        let reason = Text::new(
            "验证者集合的变更即将生效，其他操作稍后进行。",
            "A change of the validator set is about to take effect; other changes follow after it.",
        );
        waits.push(Action::Wait { node: None, reason, until_ms: None, refused: false });
        return None;
    }
    let step = Step { plan, observed, situation };
    step.stop(waits)
        .or_else(|| step.vote_out(waits))
        .or_else(|| step.vote_in(waits))
        .or_else(|| step.roll(waits))
        .or_else(|| step.end_hung())
}

struct Step<'a> {
    plan: &'a Plan,
    observed: &'a Observed,
    situation: &'a Situation,
}

impl Step<'_> {
    fn seen(&self, node: &PlannedNode) -> ObservedNode {
        self.observed.node(node.name)
    }

    fn votes(&self, node: &PlannedNode) -> bool {
        self.situation.voting.contains(&node.name)
    }

    fn is_live(&self, node: &PlannedNode) -> bool {
        self.situation.live.contains(&node.name)
    }

    /// Ending the process of a node that does not vote takes nothing from the quorum.
    fn allows(&self, node: &PlannedNode, arithmetic: &Arithmetic) -> bool {
        arithmetic.holds() || !self.votes(node)
    }

    fn stop(&self, waits: &mut Vec<Action>) -> Option<Action> {
        let mut unwanted = self.plan.nodes.iter().filter(|node| is_unwanted(node, self.observed, self.situation));
        unwanted.find_map(|node| {
            let names = vec![node.name];
            let act = if node.desired == ValidatorState::Fenced { Act::Fence(names) } else { Act::Stop(names) };
            let arithmetic = self.situation.without(&[node.name], act);
            if self.allows(node, &arithmetic) {
                return Some(Action::Stop { node: node.name, arithmetic });
            }
            waits.push(refused(node.name, arithmetic.sentence()));
            None
        })
    }

    fn vote_out(&self, waits: &mut Vec<Action>) -> Option<Action> {
        let mut leaving: Vec<_> =
            self.plan.nodes.iter().filter(|node| node.role == Role::Observer && self.votes(node)).collect();
        // One that is down anyway costs nothing to lose, so it goes first; then the one that came last.
        leaving.sort_by_key(|node| (self.is_live(node), Reverse(node.name)));
        let set = Set::of(self.plan, self.situation);
        if let (Some(first), false) = (leaving.first(), set.may_leave()) {
            let name = first.name;
            let reason = Text::new(
                format!("{name} 在接替者加入投票之后退出。"),
                format!("{name} leaves once whoever takes its place votes."),
            );
            waits.push(Action::Wait { node: Some(name), reason, until_ms: None, refused: false });
            return None;
        }
        self.change_set(&leaving, waits, |node| {
            let arithmetic = self.situation.voted_out(node.name);
            (arithmetic.holds(), arithmetic.sentence(), Action::VoteOut { node: node.name, arithmetic })
        })
    }

    fn vote_in(&self, waits: &mut Vec<Action>) -> Option<Action> {
        let joining = self.plan.nodes.iter().filter(|node| {
            let starts = matches!(self.seen(node).process, Process::Running { .. });
            node.role == Role::Validator && situation::should_run(node) && !self.votes(node) && starts
        });
        let (ready, syncing): (Vec<_>, Vec<_>) = joining.partition(|node| {
            let seen = self.seen(node);
            situation::has_arrived(&seen, self.observed)
        });
        for node in syncing {
            let behind = self.observed.height().saturating_sub(self.seen(node).height);
            let name = node.name;
            let reason = Text::new(
                format!("{name} 作为观察者同步中，落后 {behind} 个区块；追上后加入投票。"),
                format!(
                    "{name} follows as an observer, {} behind; it votes once it has caught up.",
                    words::counted(behind, "block")
                ),
            );
            waits.push(Action::Wait { node: Some(name), reason, until_ms: None, refused: false });
        }
        self.change_set(&ready, waits, |node| {
            let arithmetic = self.situation.voted_in(node.name);
            (arithmetic.holds(), arithmetic.sentence(), Action::VoteIn { node: node.name, arithmetic })
        })
    }

    fn change_set(
        &self,
        nodes: &[&PlannedNode],
        waits: &mut Vec<Action>,
        judge: impl Fn(&PlannedNode) -> (bool, Text, Action),
    ) -> Option<Action> {
        nodes.iter().find_map(|node| {
            let (holds, sentence, action) = judge(node);
            if !self.observed.can_change_set {
                waits.push(refused(node.name, set_is_fixed(self.plan.is_set_delegated())));
            } else if holds {
                return Some(action);
            } else {
                waits.push(refused(node.name, sentence));
            }
            None
        })
    }

    /// One at a time, those that do not work first, then the others while all work, the leader last.
    fn roll(&self, waits: &mut Vec<Action>) -> Option<Action> {
        let wanted = |node: &&PlannedNode| {
            let seen = self.seen(node);
            (seen.process.is_up() || seen.process.is_supervised())
                && !is_unwanted(node, self.observed, self.situation)
                && situation::is_outdated(node, &seen)
        };
        let mut outdated: Vec<&PlannedNode> = self.plan.nodes.iter().filter(wanted).collect();
        if outdated.is_empty() {
            return None;
        }
        if let Some(node) = outdated.iter().find(|node| !self.observed.versions.contains(&node.version)) {
            waits.push(Action::Wait {
                node: Some(node.name),
                reason: super::no_program(node),
                until_ms: None,
                refused: false,
            });
            return None;
        }
        let last =
            |node: &&PlannedNode| (self.seen(node).is_back(), self.observed.leader == Some(node.name), node.name);
        outdated.sort_by_key(last);
        let node = outdated.iter().find(|node| self.is_live(node) || self.may_be_restarted_broken(node))?;
        let arithmetic = self.situation.without(&[node.name], Act::Restart(node.name));
        if !self.is_live(node) {
            return Some(self.restart(node, arithmetic));
        }
        if let Some(missing) = self.missing_but_wanted(node.name) {
            let reason = Text::new(
                format!("更新暂停：等待 {missing} 恢复，还有 {} 个验证者待更新。", outdated.len()),
                format!(
                    "The rollout waits until {missing} is back; {} still to be updated.",
                    words::counted(outdated.len() as u64, "validator")
                ),
            );
            waits.push(Action::Wait { node: Some(node.name), reason, until_ms: None, refused: false });
            return None;
        }
        if arithmetic.holds() {
            return Some(self.restart(node, arithmetic));
        }
        waits.push(refused(node.name, arithmetic.sentence()));
        None
    }

    /// Another voter that should be back and is not. One that says it is live may still be finding its peers, and until its
    /// supervisor sees it ready, an eviction would count it as down beside the next.
    fn missing_but_wanted(&self, next: ValidatorName) -> Option<ValidatorName> {
        let mut wanted = self.plan.nodes.iter().filter(|node| self.votes(node) && situation::should_run(node));
        wanted.find(|node| node.name != next && !self.seen(node).is_back()).map(|node| node.name)
    }

    /// A node that does not take part may be restarted, unless it only looks so: one that does not answer may still vote, and
    /// then it may be what the quorum stands on.
    fn may_be_restarted_broken(&self, node: &PlannedNode) -> bool {
        let seen = self.seen(node);
        match seen.process {
            Process::Running { .. } if seen.reachable => true,
            Process::Running { since_ms, .. } | Process::Starting { since_ms, .. } => {
                let settled = self.observed.now_ms.saturating_sub(since_ms) >= HUNG_AFTER_MS;
                settled && self.quorum_does_not_need_it()
            }
            // Nothing of it runs, so there is nothing to lose: what it cannot start with is replaced.
            Process::BackingOff { .. } | Process::Preparing { .. } => true,
            Process::Absent | Process::Exited { .. } | Process::Ending { .. } => false,
        }
    }

    /// The others are enough, or the chain stands still with it anyway.
    fn quorum_does_not_need_it(&self) -> bool {
        self.situation.has_quorum() || situation::is_stalled(self.plan, self.observed)
    }

    fn end_hung(&self) -> Option<Action> {
        let now_ms = self.observed.now_ms;
        let old = |since_ms: u64| now_ms.saturating_sub(since_ms) >= HUNG_AFTER_MS;
        let hung = |node: &&PlannedNode| {
            let seen = self.seen(node);
            let (Process::Running { since_ms, .. } | Process::Starting { since_ms, .. }) = seen.process else {
                return false;
            };
            !seen.reachable && old(since_ms) && seen.missing_since_ms.is_none_or(old)
        };
        let node =
            self.plan.nodes.iter().filter(hung).find(|node| !self.votes(node) || self.quorum_does_not_need_it())?;
        let arithmetic = self.situation.without(&[node.name], Act::Restart(node.name));
        let name = node.name;
        let why = Text::new(
            format!("{name} 的进程超过一分钟没有回应。"),
            format!("The process of {name} has not answered for more than a minute."),
        );
        Some(Action::Restart { node: name, arithmetic, why })
    }

    fn restart(&self, node: &PlannedNode, arithmetic: Arithmetic) -> Action {
        let (name, version, seen) = (node.name, node.version, self.seen(node));
        let why = match seen.version {
            Some(old) if old != version => Text::new(
                format!("将 {name} 从 {old} 更新到 {version}。"),
                format!("Update {name} from {old} to {version}."),
            ),
            Some(_) | None if seen.memory_mib.is_some_and(|memory_mib| memory_mib != node.resources.memory_mib) => {
                let memory_mib = node.resources.memory_mib;
                Text::new(
                    format!("将 {name} 的内存改为 {memory_mib} MiB，需要重启生效。"),
                    format!("The memory of {name} becomes {memory_mib} MiB, which needs a restart."),
                )
            }
            Some(_) | None => Text::new(
                format!("{name} 的配置已变，需要重启生效。"),
                format!("The configuration of {name} has changed and needs a restart."),
            ),
        };
        Action::Restart { node: name, arithmetic, why }
    }
}

fn refused(node: ValidatorName, reason: Text) -> Action {
    Action::Wait { node: Some(node), reason, until_ms: None, refused: true }
}

/// Why this platform cannot change the set.
pub(crate) fn set_is_fixed(delegated: bool) -> Text {
    if !delegated {
        return Text::new(
            "本链的验证者由各成员表决（自治），平台不能代为变更；请由成员提案并批准。",
            "The members of this chain decide about its validators; the platform cannot change them: propose and approve it on the \
             chain.",
        );
    }
    Text::new(
        "链管家的密钥不在这里，或投票集合中有这里不认识的验证者，不能变更验证者集合；请从备份恢复缺少的密钥。",
        "The steward's key is not here, or the voting set holds a validator that is not known here, so the set cannot be \
         changed; restore the missing keys from a backup.",
    )
}
