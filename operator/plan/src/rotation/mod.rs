//! New keys for a validator that goes on: consensus, cosigner and log key are replaced by a vote of the chain, one validator at a time,
//! and only while the others hold a quorum without it. Pure: it decides from what lies in the provisioner's store of keys, what the
//! chain's set names and what the node says of itself, so that whoever looks next goes on from wherever the one before ended.
//!
//! ```text
//! asked     nobody else's keys are being replaced, and the quorum can spare it: new keys are made beside the present ones
//! made      the node has not said yet that it holds them
//! held      it has: the steward has the chain name the new keys in the place of the old
//! voted     the set names them: the node begins anew with them, whatever it was started with
//! taken     it votes with them: the request is answered, then the old keys are deleted
//! ```
//!
//! The order is what makes it safe. Keys are voted in only after the node has said that it holds them, or the chain would lose this
//! validator. The old ones go last, when the chain knows no others of it than the new and it votes with them. Keys that were made are
//! never dropped, even if nobody asks any more: a vote for them may be on its way.

mod request;

use chain_types::membership::ValidatorKeys;
use operator_api::{StepState, Text, ValidatorName};

pub use request::Request;

use crate::{
    next::{Action, disrupt::set_is_fixed},
    observed::Observed,
    plan::{KeyState, Plan, PlannedNode, Role},
    quorum::{Act, Arithmetic, Quorum},
    situation::Situation,
};

/// How far the replacement of one validator's keys is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Asked,
    Made,
    Held,
    Voted,
    Taken,
}

/// `None` if nobody asks for it and no keys wait.
pub fn stage(plan: &Plan, node: &PlannedNode, observed: &Observed) -> Option<Stage> {
    // Whoever leaves is voted out by the keys that it has then.
    if node.role == Role::Observer {
        return None;
    }
    let Some(next) = &node.next_keys else { return plan.rotate.contains(&node.name).then_some(Stage::Asked) };
    let (seen, next) = (observed.node(node.name), Some(next.consensus_key));
    let voted = observed.voting_keys.as_ref().is_some_and(|keys| next.is_some_and(|key| keys.contains(&key)));
    // Its process begins anew within a moment, too short for a supervisor to see: whether it has found the others is counted here.
    let set = observed.voting_set.as_ref().map_or(0, |set| u32::try_from(set.len()).unwrap_or(u32::MAX));
    let connected = Quorum::of(set).held_by(seen.peers_connected.saturating_add(1));
    Some(match (voted, seen.reachable) {
        (true, true) if seen.consensus_key == next && seen.is_back() && connected => Stage::Taken,
        (true, _) => Stage::Voted,
        (false, true) if seen.next_key == next => Stage::Held,
        (false, _) => Stage::Made,
    })
}

/// Why new keys are not made, or not voted in, now.
struct Obstacle {
    reason: Text,
    /// It does not pass by itself.
    refused: bool,
}

impl Obstacle {
    fn waits(zh: String, en: String) -> Self {
        Self { reason: Text::new(zh, en), refused: false }
    }
}

fn arithmetic(node: &PlannedNode, situation: &Situation) -> Arithmetic {
    situation.without(&[node.name], Act::Rotate(node.name))
}

fn obstacle(plan: &Plan, node: &PlannedNode, observed: &Observed, situation: &Situation) -> Option<Obstacle> {
    let name = node.name;
    if observed.voting_keys.is_none() {
        let (zh, en) =
            (format!("更换 {name} 的密钥：等待链应答。"), format!("New keys for {name}: the chain must answer first."));
        return Some(Obstacle::waits(zh, en));
    }
    if !observed.can_change_set {
        return Some(Obstacle { reason: set_is_fixed(plan.is_set_delegated()), refused: true });
    }
    if !situation.voting.contains(&name) {
        return Some(Obstacle::waits(
            format!("{name} 加入投票之后才更换密钥。"),
            format!("{name} gets new keys once it votes."),
        ));
    }
    if node.keys != KeyState::Present || !situation.live.contains(&name) {
        return Some(Obstacle::waits(
            format!("{name} 恢复正常之后才更换密钥：它必须亲自接管新密钥。"),
            format!("{name} gets new keys once it is live again: it has to take them over itself."),
        ));
    }
    // Until its supervisor sees it ready, an eviction would count another one as down beside this one.
    let others = situation.live.iter().filter(|other| **other != name);
    if let Some(other) = others.copied().find(|other| !observed.node(*other).is_back()) {
        return Some(Obstacle::waits(
            format!("{other} 完全就绪之后，{name} 才更换密钥。"),
            format!("{name} gets new keys once {other} is ready again."),
        ));
    }
    let arithmetic = arithmetic(node, situation);
    (!arithmetic.holds()).then(|| Obstacle { reason: arithmetic.sentence(), refused: true })
}

/// Whose turn it is: the one whose keys were made already, then by number, passing over those that cannot have new ones now.
struct Turn<'a> {
    /// Each with how far it is.
    all: Vec<(&'a PlannedNode, Stage)>,
    now: Option<ValidatorName>,
}

impl<'a> Turn<'a> {
    fn of(plan: &'a Plan, observed: &Observed, situation: &Situation) -> Self {
        let all: Vec<(&PlannedNode, Stage)> =
            plan.nodes.iter().filter_map(|node| Some((node, stage(plan, node, observed)?))).collect();
        // Made for a validator that does not vote yet, or not any more: they keep nobody waiting.
        let begun = all.iter().find(|(node, stage)| *stage > Stage::Asked && situation.voting.contains(&node.name));
        let free = || all.iter().find(|(node, _)| obstacle(plan, node, observed, situation).is_none());
        let now = begun.or_else(free).map(|(node, _)| node.name);
        Self { all, now }
    }

    fn before(&self, node: &PlannedNode) -> Option<ValidatorName> {
        self.now.filter(|now| *now != node.name)
    }
}

/// Everything harmless, and for every validator whose keys wait, for what.
pub(crate) fn prepare(plan: &Plan, observed: &Observed, situation: &Situation, actions: &mut Vec<Action>) {
    let turn = Turn::of(plan, observed, situation);
    for (node, stage) in &turn.all {
        let name = node.name;
        match stage {
            Stage::Taken => actions.push(Action::EndRotation { node: name }),
            Stage::Asked if turn.now == Some(name) => actions.push(Action::CreateNextKeys { node: name }),
            // Decided beside whatever else would cost a validator; see `disrupt`.
            Stage::Held if turn.now == Some(name) => {}
            // Steps show it; there is nothing to say of it before its turn.
            Stage::Asked if turn.now.is_some() => {}
            Stage::Asked | Stage::Made | Stage::Held | Stage::Voted => {
                let (reason, refused) = waits_for(plan, &turn, node, *stage, observed, situation);
                actions.push(Action::Wait { node: Some(name), reason, until_ms: None, refused });
            }
        }
    }
}

/// The one whose new keys may be voted in now; why not goes to `waits`.
pub(crate) fn disrupt(
    plan: &Plan,
    observed: &Observed,
    situation: &Situation,
    waits: &mut Vec<Action>,
) -> Option<Action> {
    let turn = Turn::of(plan, observed, situation);
    let (node, _) = turn.all.iter().find(|(node, stage)| *stage == Stage::Held && turn.now == Some(node.name))?;
    if let Some(Obstacle { reason, refused }) = obstacle(plan, node, observed, situation) {
        waits.push(Action::Wait { node: Some(node.name), reason, until_ms: None, refused });
        return None;
    }
    let (validator, keys): (_, ValidatorKeys) = (node.consensus_key?, node.next_keys.clone()?);
    Some(Action::Rotate { node: node.name, validator, keys, arithmetic: arithmetic(node, situation) })
}

fn waits_for(
    plan: &Plan,
    turn: &Turn<'_>,
    node: &PlannedNode,
    stage: Stage,
    observed: &Observed,
    situation: &Situation,
) -> (Text, bool) {
    let name = node.name;
    match stage {
        Stage::Made => (
            Text::new(
                format!("{name} 的新密钥已生成，等待它报告已持有；集群会在一两分钟内送达。"),
                format!(
                    "The new keys of {name} are made; it has to say that it holds them, which takes a minute or two at most."
                ),
            ),
            false,
        ),
        Stage::Voted | Stage::Taken => (
            Text::new(
                format!("链已认可 {name} 的新密钥，等待它以新密钥投票。"),
                format!("The chain knows {name} by its new keys, and waits for it to vote with them."),
            ),
            false,
        ),
        Stage::Asked | Stage::Held => match (turn.before(node), obstacle(plan, node, observed, situation)) {
            (_, Some(Obstacle { reason, refused })) => (reason, refused),
            (Some(before), None) => (
                Text::new(
                    format!("{name} 在 {before} 之后更换密钥。"),
                    format!("{name} gets new keys after {before}."),
                ),
                false,
            ),
            (None, None) => {
                (Text::new(format!("{name} 即将更换密钥。"), format!("{name} is about to get new keys.")), false)
            }
        },
    }
}

/// What a list of steps shows of each: a validator whose turn has not come waits.
pub(crate) fn progress(
    plan: &Plan,
    observed: &Observed,
    situation: &Situation,
) -> Vec<(ValidatorName, StepState, Text)> {
    let turn = Turn::of(plan, observed, situation);
    let one = |(node, stage): &(&PlannedNode, Stage)| {
        let begun = *stage > Stage::Asked || turn.now == Some(node.name);
        let state = if begun { StepState::Running } else { StepState::Waiting };
        let (text, _) = waits_for(plan, &turn, node, *stage, observed, situation);
        (node.name, state, text)
    };
    turn.all.iter().map(one).collect()
}

/// Somebody's keys are being replaced now.
pub fn is_going_on(plan: &Plan, observed: &Observed) -> bool {
    plan.nodes.iter().any(|node| stage(plan, node, observed).is_some_and(|stage| stage > Stage::Asked))
}

#[cfg(test)]
mod tests;
