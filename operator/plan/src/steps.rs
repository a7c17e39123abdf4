//! The steps of making a chain, keys → genesis → validators → first block → self-check, from what is seen now and what was
//! reported before. A step that is done stays done: what happens to a chain later is its health, not its making.

use operator_api::{Step, StepState, Text, steps::provisioning};

use crate::{
    health::absence,
    next,
    observed::Observed,
    plan::{GenesisPlan, KeyState, Plan, PlannedNode, Role},
    situation::{self, Outlook},
};

/// One step as it looks now, without its times.
struct Now {
    done: bool,
    failed: bool,
    detail: Option<Text>,
}

/// The five steps; times are kept from `previous` and taken from the observer's clock.
pub fn provisioning_steps(plan: &Plan, observed: &Observed, previous: &[Step]) -> Vec<Step> {
    let mut before_done = true;
    let now = [
        (provisioning::KEYS, keys(plan)),
        (provisioning::GENESIS, genesis(plan, observed)),
        (provisioning::VALIDATORS, validators(plan, observed)),
        (provisioning::FIRST_BLOCK, first_block(observed)),
        (provisioning::SELF_CHECK, self_check(observed)),
    ];
    let step = |(id, now): (&str, Now)| {
        let old = previous.iter().find(|step| step.id == id).cloned().unwrap_or_else(|| Step::waiting(id));
        if old.state == StepState::Done {
            return old;
        }
        let state = match (before_done, now.done, now.failed) {
            (false, ..) => StepState::Waiting,
            (true, true, _) => StepState::Done,
            (true, false, true) => StepState::Failed,
            (true, false, false) => StepState::Running,
        };
        before_done = state == StepState::Done;
        let detail = if state == StepState::Waiting { None } else { now.detail };
        Step { detail, ..old.moved_to(state, observed.now_ms) }
    };
    now.into_iter().map(step).collect()
}

fn keys(plan: &Plan) -> Now {
    match &plan.genesis {
        GenesisPlan::Waiting { organisations, .. } => Now {
            done: false,
            failed: false,
            detail: (!organisations.is_empty()).then(|| next::waits_for(organisations)),
        },
        GenesisPlan::Draft(_) | GenesisPlan::Founded(_) => Now { done: true, failed: false, detail: None },
    }
}

fn genesis(plan: &Plan, observed: &Observed) -> Now {
    match (plan.fingerprint(), &observed.genesis) {
        (Some(ours), Some(found)) if ours == *found => {
            Now { done: true, failed: false, detail: Some(Text::same(ours.chars().take(12).collect::<String>())) }
        }
        (Some(_), Some(found)) => Now { done: false, failed: true, detail: Some(next::foreign_genesis(found)) },
        _ => Now { done: false, failed: false, detail: None },
    }
}

fn validators(plan: &Plan, observed: &Observed) -> Now {
    let wanted: Vec<&PlannedNode> =
        plan.nodes.iter().filter(|node| node.role == Role::Validator && situation::should_run(node)).collect();
    let answers = wanted.iter().filter(|node| observed.node(node.name).reachable).count();
    // Waiting does not help with these; the sentence says what does.
    let stuck = wanted.iter().find(|node| {
        let outlook = situation::outlook(node, &observed.node(node.name), observed.now_ms);
        node.keys == KeyState::Lost || matches!(outlook, Outlook::Person(_))
    });
    Now {
        done: answers == wanted.len(),
        failed: stuck.is_some(),
        detail: Some(match stuck {
            Some(node) => absence::sentence(node, observed),
            None => Text::same(format!("{answers}/{}", wanted.len())),
        }),
    }
}

fn first_block(observed: &Observed) -> Now {
    Now { done: observed.height() >= 1, failed: false, detail: None }
}

fn self_check(observed: &Observed) -> Now {
    match &observed.self_check {
        None => Now { done: false, failed: false, detail: None },
        Some(check) => Now { done: check.passed, failed: !check.passed, detail: check.detail.clone() },
    }
}
