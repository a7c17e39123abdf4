//! The status of a chain: what is written back into the object, from plan, observation and the status before. Equal input gives
//! an equal status, so a steady chain costs no write.

use operator_api::{
    ChainPhase, ChainState, ChainStatus, Condition, Text, Time, ValidatorRow, conditions, reason, set_condition,
};

use crate::{
    health::{ChainHealth, absence, health},
    next::{Action, next},
    observed::Observed,
    plan::{Plan, PlannedNode},
    rotation,
    set_change::set_change_steps,
    situation::{self, Situation},
    steps::provisioning_steps,
};

/// The status to report; `generation` is the object's, `previous` what was reported last.
pub fn chain_status(plan: &Plan, observed: &Observed, previous: &ChainStatus, generation: u64) -> ChainStatus {
    let health = health(plan, observed);
    let situation = Situation::of(plan, observed);
    let mut conditions = previous.conditions.clone();
    for (kind, holds, reason) in judgements(plan, observed, &health) {
        let condition = Condition {
            kind: kind.to_owned(),
            status: holds.into(),
            reason: reason.to_owned(),
            message: message(&health),
            last_transition_time: Time::from_ms(observed.now_ms),
            observed_generation: generation,
        };
        set_condition(&mut conditions, condition);
    }
    ChainStatus {
        observed_generation: generation,
        phase: health.phase,
        conditions,
        chain_id: Some(plan.chain.clone()),
        fingerprint: plan.fingerprint(),
        // A chain whose nodes are all down has not lost its blocks.
        height: observed.height().max(previous.height),
        last_block_ms: observed.last_block_ms.or(previous.last_block_ms),
        validators_ready: health.ready,
        validators_total: health.validators,
        quorum: health.quorum,
        tolerates: health.tolerates,
        validators: plan.nodes.iter().map(|node| row(node, observed, &situation)).collect(),
        steps: provisioning_steps(plan, observed, &previous.steps),
        set_change: set_change_steps(plan, observed, &previous.set_change),
        sentences: with_waits(plan, observed, health.sentences),
    }
}

/// The sentences of the health, and those of wishes that wait or are refused, unless it is said already.
fn with_waits(plan: &Plan, observed: &Observed, mut sentences: Vec<Text>) -> Vec<Text> {
    for action in next(plan, observed) {
        if let Action::Wait { reason, until_ms: None, .. } = action
            && !sentences.iter().any(|said| said.en.contains(&reason.en))
        {
            sentences.push(reason);
        }
    }
    sentences
}

/// Each condition, whether it holds, and the one word why.
fn judgements(plan: &Plan, observed: &Observed, health: &ChainHealth) -> [(&'static str, bool, &'static str); 4] {
    let made = match health.phase {
        ChainPhase::Healthy | ChainPhase::Idle => reason::ALL_VALIDATORS_LIVE,
        ChainPhase::Degraded => reason::VALIDATORS_MISSING,
        ChainPhase::Stalled if health.ready < health.quorum => reason::QUORUM_LOST,
        ChainPhase::Stalled => reason::STALLED,
        ChainPhase::Starting => reason::STARTING,
        ChainPhase::Provisioning => reason::PROVISIONING,
        ChainPhase::Stopped => reason::HIBERNATED,
        ChainPhase::Failed => reason::NEEDS_A_PERSON,
    };
    let rolling = plan.nodes.iter().any(|node| {
        let seen = observed.node(node.name);
        seen.process.is_up() && situation::is_outdated(node, &seen)
    });
    let rotating = rotation::is_going_on(plan, observed);
    let making = matches!(health.phase, ChainPhase::Provisioning | ChainPhase::Starting);
    let works = matches!(health.phase, ChainPhase::Healthy | ChainPhase::Idle | ChainPhase::Degraded);
    let hibernates = plan.state == ChainState::Hibernated;
    let safe = works && health.tolerates > 0;
    let progressing = match (making, rolling, rotating) {
        (true, ..) => made,
        (false, true, _) => reason::ROLLING_OUT,
        (false, false, true) => reason::ROTATING_KEYS,
        (false, false, false) => reason::UP_TO_DATE,
    };
    [
        (conditions::READY, works && !hibernates, made),
        (conditions::PROGRESSING, making || rolling || rotating, progressing),
        (
            conditions::DEGRADED,
            matches!(health.phase, ChainPhase::Degraded | ChainPhase::Stalled | ChainPhase::Failed),
            made,
        ),
        (conditions::QUORUM_SAFE, safe, if safe { reason::TOLERATES_SOME } else { reason::TOLERATES_NONE }),
    ]
}

/// Without running times: a message that changes every second would be a write every second.
fn message(health: &ChainHealth) -> String {
    let ChainHealth { ready, validators, quorum, tolerates, .. } = health;
    format!("{ready} of {validators} validators are live, quorum {quorum}, tolerates {tolerates}")
}

fn row(node: &PlannedNode, observed: &Observed, situation: &Situation) -> ValidatorRow {
    let seen = observed.node(node.name);
    let cause = absence::cause(node, &seen, observed);
    let doing = absence::doing(node, &seen, observed.now_ms);
    let ready = situation.live.contains(&node.name);
    ValidatorRow {
        name: node.name,
        organisation: node.organisation.clone(),
        organisation_title: node.organisation_title.clone(),
        desired: node.desired,
        ready,
        voting: situation.voting.contains(&node.name),
        text: if doing == Text::default() {
            cause
        } else {
            Text::new(cause.zh + "；" + &doing.zh, cause.en + ". " + &doing.en)
        },
        height: seen.height,
        version: seen.version,
        pid: seen.process.pid(),
        api: Some(node.api.clone()),
        missing_since_ms: if ready { None } else { seen.missing_since_ms },
        restarts: seen.restarts,
        keys_rotated_ms: node.rotated_ms,
    }
}

#[cfg(test)]
mod tests;
