//! What may be done now. Any number of harmless actions, in the order in which they must be carried out, and at most one that
//! stops a validator or changes the voting set, last.
//!
//! Harmless are: making what is missing (keys, genesis, configuration, processes), reloading, checking; but not to tell peers that
//! one whom the quorum needs shall be fenced ([`fence`]). A wish that would cost
//! the quorum is not planned: it becomes a [`Action::Wait`] that carries the arithmetic.

mod action;
pub(crate) mod disrupt;
mod fence;
mod hibernate;
pub(crate) mod turns;

use operator_api::{ChainState, Text, ValidatorState};

pub use action::Action;

use crate::{
    observed::{Observed, ObservedNode, Process},
    plan::{GenesisPlan, KeyState, Plan, PlannedNode, Role},
    rotation,
    situation::{self, Outlook, Situation},
    words,
};

/// After a self-check that failed, the next one.
const SELF_CHECK_AGAIN_MS: u64 = 5_000;

/// What may be done now, in order; nothing but waits, or nothing at all, when everything is as it should be.
pub fn next(plan: &Plan, observed: &Observed) -> Vec<Action> {
    if plan.state == ChainState::Hibernated {
        return hibernate::hibernate(plan, observed);
    }
    let mut actions = Vec::new();
    if !found(plan, observed, &mut actions) {
        return actions;
    }
    let situation = Situation::of(plan, observed);
    let keeps_addresses = fence::keeps_addresses(plan, &situation);
    for node in &plan.nodes {
        prepare(node, keeps_addresses, observed, &situation, &mut actions);
    }
    self_check(plan, observed, &situation, &mut actions);
    rotation::prepare(plan, observed, &situation, &mut actions);
    if let Some(disruption) = disrupt::disrupt(plan, observed, &situation, &mut actions) {
        actions.push(disruption);
    }
    actions
}

/// Keys and genesis. Whether the chain is founded, so that its nodes may start.
fn found(plan: &Plan, observed: &Observed, actions: &mut Vec<Action>) -> bool {
    let GenesisPlan::Waiting { steward, organisations } = &plan.genesis else {
        return genesis_on_disk(plan, observed, actions);
    };
    for node in plan.nodes.iter().filter(|node| node.keys == KeyState::Missing) {
        actions.push(Action::CreateNodeKeys { node: node.name, organisation: node.organisation.clone() });
    }
    if *steward {
        actions.push(Action::CreateStewardKey);
    }
    if !organisations.is_empty() {
        actions.push(Action::Wait { node: None, reason: waits_for(organisations), until_ms: None, refused: false });
    }
    false
}

/// "waiting for the administrator keys of court and notary-office …".
pub(crate) fn waits_for(organisations: &[operator_api::Name]) -> Text {
    let names = words::list(organisations);
    Text::new(
        format!("等待机构 {} 的管理员公钥；公布后自动继续。", names.zh),
        format!("Waiting for the administrator key of {}; it goes on by itself once published.", names.en),
    )
}

fn genesis_on_disk(plan: &Plan, observed: &Observed, actions: &mut Vec<Action>) -> bool {
    match (plan.genesis.genesis(), &observed.genesis) {
        (Some(genesis), None) => {
            actions.push(Action::WriteGenesis { genesis: Box::new(genesis.clone()) });
            true
        }
        (Some(genesis), Some(found)) if genesis.fingerprint().to_string() == *found => true,
        (Some(_), Some(found)) => {
            actions.push(Action::Wait { node: None, reason: foreign_genesis(found), until_ms: None, refused: true });
            false
        }
        (None, _) => false,
    }
}

/// Never overwritten: a chain is its genesis.
pub(crate) fn foreign_genesis(found: &str) -> Text {
    let short: String = found.chars().take(12).collect();
    Text::new(
        format!("磁盘上的创世文件（{short}…）不是这条链的；不会覆盖它，请移走或恢复原文件。"),
        format!(
            "The genesis on disk ({short}…) is not this chain's; it is not overwritten: move it away or restore the right one."
        ),
    )
}

/// Everything harmless about one node. `keeps_addresses`: see [`fence`].
fn prepare(
    node: &PlannedNode,
    keeps_addresses: bool,
    observed: &Observed,
    situation: &Situation,
    actions: &mut Vec<Action>,
) {
    let seen = &observed.node(node.name);
    match node.keys {
        KeyState::Missing => {
            actions.push(Action::CreateNodeKeys { node: node.name, organisation: node.organisation.clone() });
            return;
        }
        KeyState::Lost if situation::should_run(node) => {
            actions.push(Action::Wait {
                node: Some(node.name),
                reason: lost_keys(node),
                until_ms: None,
                refused: true,
            });
            return;
        }
        KeyState::Lost | KeyState::Present => {}
    }
    if !runs(node, observed, situation) {
        if matches!(seen.process, Process::Exited { .. }) {
            actions.push(Action::ForgetExit { node: node.name });
        }
        if may_be_set_aside(node, seen, observed) {
            actions.push(Action::SetAside { node: node.name });
        }
        return;
    }
    let Some(config) = &node.config else { return };
    let keeps = keeps_addresses && seen.config.on_disk.is_some();
    if seen.config.on_disk != Some(config.hash) && !keeps {
        actions.push(Action::WriteConfig { node: node.name, config: config.clone() });
    }
    match situation::outlook(node, seen, observed.now_ms) {
        Outlook::Up => {
            // Another version may not know the keys of this text; its restart brings the text as well.
            let same_version = seen.version.is_none_or(|version| version == node.version);
            let is_news = !keeps && seen.config.loaded.is_some_and(|loaded| loaded != config.hash);
            if seen.reachable && same_version && is_news {
                actions.push(Action::ReloadConfig { node: node.name });
            }
        }
        Outlook::Start { .. } if !observed.versions.contains(&node.version) => {
            let reason = no_program(node);
            actions.push(Action::Wait { node: Some(node.name), reason, until_ms: None, refused: false });
        }
        Outlook::Start { attempt } => {
            actions.push(Action::Start { node: node.name, version: node.version, attempt });
        }
        Outlook::StartAt { at_ms: until_ms, .. } | Outlook::Supervised { until_ms } => {
            let reason = crate::health::absence::doing(node, seen, observed.now_ms);
            actions.push(Action::Wait { node: Some(node.name), reason, until_ms: Some(until_ms), refused: false });
        }
        Outlook::UnderWay => {}
        Outlook::NeedsSpace | Outlook::Person(_) => {
            let reason = crate::health::absence::doing(node, seen, observed.now_ms);
            actions.push(Action::Wait { node: Some(node.name), reason, until_ms: None, refused: false });
        }
    }
}

/// A validator runs as the plan says; one that leaves keeps running until it is voted out. Who votes is known only once a node
/// has said so: a provisioner that has just started stops nobody on what genesis says.
fn runs(node: &PlannedNode, observed: &Observed, situation: &Situation) -> bool {
    match node.role {
        Role::Validator => situation::should_run(node),
        Role::Observer => observed.voting_set.is_none() || situation.voting.contains(&node.name),
    }
}

/// It has left for good, and its process is off. Only once the chain itself has said who votes: from genesis alone nobody
/// has left.
fn may_be_set_aside(node: &PlannedNode, seen: &ObservedNode, observed: &Observed) -> bool {
    node.role == Role::Observer
        && node.retired
        && seen.process == Process::Absent
        && observed.nodes.contains_key(&node.name)
        && observed.voting_set.is_some()
        && !observed.set_change_pending
}

fn lost_keys(node: &PlannedNode) -> Text {
    let called = situation::called(node);
    Text::new(
        format!(
            "{} 的密钥不见了或不是创世文件中的那一份；不会重新生成，请从备份恢复，或停用后更换该验证者。",
            called.zh
        ),
        format!(
            "The keys of {} are gone, or not those that genesis names; no new ones are made: restore them from a backup, or \
             stop and replace this validator.",
            called.en
        ),
    )
}

fn no_program(node: &PlannedNode) -> Text {
    let (name, version) = (node.name, node.version);
    Text::new(
        format!("{name} 等待节点程序 {version} 就绪。"),
        format!("{name} waits for the node program {version} to be there."),
    )
}

/// Once, when every validator that should run has the first block; again a while after it failed. Waiting for nobody who is
/// not coming: a chain with one validator stopped on purpose is checked on the others.
fn self_check(plan: &Plan, observed: &Observed, situation: &Situation, actions: &mut Vec<Action>) {
    let due = match &observed.self_check {
        None => true,
        Some(check) => !check.passed && observed.now_ms >= check.at_ms.saturating_add(SELF_CHECK_AGAIN_MS),
    };
    let mut voters =
        plan.nodes.iter().filter(|node| situation.voting.contains(&node.name) && situation::should_run(node));
    let ready = voters.all(|node| {
        let seen = observed.node(node.name);
        seen.reachable && seen.height >= 1
    });
    if due && ready && situation.has_quorum() {
        actions.push(Action::SelfCheck);
    }
}

/// A validator that should be off although its process is up.
pub(crate) fn is_unwanted(node: &PlannedNode, observed: &Observed, situation: &Situation) -> bool {
    let seen = observed.node(node.name);
    let off = node.desired != ValidatorState::Running && !runs(node, observed, situation);
    off && (seen.process.is_up() || seen.process.is_supervised())
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
