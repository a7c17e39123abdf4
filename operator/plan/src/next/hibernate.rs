//! A chain that should be off as a whole: the one case where the quorum is given up, because somebody asked for exactly that.
//!
//! All processes end in one action, since stopping them one by one would pass through a chain that is half there. It waits
//! while a chain that works has transactions to finish; a chain without quorum finishes nothing and is stopped as it is.

use operator_api::{Text, ValidatorName};

use super::Action;
use crate::{
    observed::{Observed, Process},
    plan::Plan,
    situation::Situation,
};

pub fn hibernate(plan: &Plan, observed: &Observed) -> Vec<Action> {
    let seen = |name: ValidatorName| observed.node(name).process;
    let up: Vec<ValidatorName> = plan
        .nodes
        .iter()
        .map(|node| node.name)
        .filter(|name| seen(*name).is_up() || seen(*name).is_supervised())
        .collect();
    let ended = plan.nodes.iter().filter(|node| matches!(seen(node.name), Process::Exited { .. }));
    let mut actions: Vec<Action> = ended.map(|node| Action::ForgetExit { node: node.name }).collect();
    if up.is_empty() {
        return actions;
    }
    if observed.pending_since_ms.is_some() && Situation::of(plan, observed).has_quorum() {
        let reason = Text::new(
            "休眠等待：还有待处理的交易，处理完后停止全部验证者。",
            "Hibernation waits: transactions are pending; all validators stop once these are done.",
        );
        actions.push(Action::Wait { node: None, reason, until_ms: None, refused: false });
    } else {
        actions.push(Action::StopChain { nodes: up });
    }
    actions
}
