//! A change of the voting set as it goes on, one step a validator: how far each that joins, leaves or gets new keys is, from what is seen now and what
//! was reported before. A step that is done stays on the list for a while, so that whoever asked for it sees how it ended.

use operator_api::{Step, StepState, Text, ValidatorName, steps::membership};

use crate::{
    health::absence,
    observed::{Observed, Process},
    plan::{KeyState, Plan, PlannedNode, Role},
    rotation,
    situation::{self, Outlook, Situation},
    words,
};

/// How long a change that is over stays on the list.
const SHOWN_MS: u64 = 600_000;

/// What one validator still has to do.
struct Now {
    state: StepState,
    detail: Text,
}

/// The steps; times are kept from `previous` and taken from the observer's clock.
pub fn set_change_steps(plan: &Plan, observed: &Observed, previous: &[Step]) -> Vec<Step> {
    if plan.genesis.genesis().is_none() || observed.voting_set.is_none() {
        return previous.to_vec();
    }
    let situation = Situation::of(plan, observed);
    let current = plan.nodes.iter().filter_map(|node| {
        let now = match node.role {
            Role::Validator => join(node, observed, &situation)?,
            Role::Observer => leave(node, observed, &situation)?,
        };
        Some((id(node.role, node.name), now))
    });
    let rotating = rotation::progress(plan, observed, &situation).into_iter();
    let rotating =
        rotating.map(|(name, state, detail)| (format!("{}{name}", membership::ROTATE), Now { state, detail }));
    let current: Vec<(String, Now)> = current.chain(rotating).collect();
    let over = previous.iter().all(|step| step.state == StepState::Done);
    let last_ms = previous.iter().filter_map(|step| step.ended_ms).max().unwrap_or(0);
    let fades = over && (!current.is_empty() || observed.now_ms.saturating_sub(last_ms) > SHOWN_MS);
    let old: &[Step] = if fades { &[] } else { previous };
    let mut steps: Vec<Step> = Vec::new();
    for step in old.iter().filter(|step| !current.iter().any(|(id, _)| *id == step.id)) {
        // What is on the list and has nothing left to do is done, unless it is not wanted any more.
        if step.state == StepState::Done || is_as_asked(step, plan, &situation) {
            let detail = if step.state == StepState::Done { step.detail.clone() } else { None };
            steps.push(Step { detail, ..step.moved_to(StepState::Done, observed.now_ms) });
        }
    }
    for (id, now) in current {
        let step = old.iter().find(|step| step.id == id).cloned().unwrap_or_else(|| Step::waiting(&id));
        steps.push(Step { detail: Some(now.detail), ..step.moved_to(now.state, observed.now_ms) });
    }
    steps
}

fn id(role: Role, name: ValidatorName) -> String {
    let prefix = if role == Role::Validator { membership::JOIN } else { membership::LEAVE };
    format!("{prefix}{name}")
}

fn is_as_asked(step: &Step, plan: &Plan, situation: &Situation) -> bool {
    let named = |prefix: &str| step.id.strip_prefix(prefix).and_then(|name| name.parse::<ValidatorName>().ok());
    let is_wanted = |name: ValidatorName| plan.node(name).is_some_and(|node| node.role == Role::Validator);
    match (named(membership::JOIN), named(membership::LEAVE)) {
        (Some(name), _) => is_wanted(name) && situation.voting.contains(&name),
        (None, Some(name)) => !is_wanted(name) && !situation.voting.contains(&name),
        // What is begun is finished; what was only asked for may be taken back.
        (None, None) => {
            let node = named(membership::ROTATE).and_then(|name| plan.node(name));
            step.state == StepState::Running && node.is_some_and(|node| node.next_keys.is_none())
        }
    }
}

/// `None` once it votes, or if it should be off.
fn join(node: &PlannedNode, observed: &Observed, situation: &Situation) -> Option<Now> {
    let seen = observed.node(node.name);
    if !situation::should_run(node) || situation.voting.contains(&node.name) {
        return None;
    }
    let outlook = situation::outlook(node, &seen, observed.now_ms);
    let (state, detail) = match &seen.process {
        _ if node.keys != KeyState::Present => {
            (StepState::Running, Text::new("正在生成密钥", "its keys are being made"))
        }
        Process::Running { .. } if situation::has_arrived(&seen, observed) => {
            (StepState::Running, Text::new("已追上，等待加入投票", "it has caught up and waits to be voted in"))
        }
        Process::Running { .. } if seen.reachable => {
            let behind = observed.height().saturating_sub(seen.height);
            let text = Text::new(
                format!("作为观察者同步中，落后 {behind} 个区块"),
                format!("it follows as an observer, {} behind", words::counted(behind, "block")),
            );
            (StepState::Running, text)
        }
        _ if matches!(outlook, Outlook::Person(_) | Outlook::NeedsSpace) => {
            (StepState::Failed, absence::cause(node, &seen, observed))
        }
        Process::Exited { .. } => (StepState::Running, absence::cause(node, &seen, observed)),
        Process::Absent
        | Process::Starting { .. }
        | Process::Running { .. }
        | Process::BackingOff { .. }
        | Process::Preparing { .. }
        | Process::Ending { .. } => {
            (StepState::Running, Text::new("正在作为观察者启动", "it is being started as an observer"))
        }
    };
    Some(Now { state, detail })
}

/// `None` once it is off, and set aside if it left for good.
fn leave(node: &PlannedNode, observed: &Observed, situation: &Situation) -> Option<Now> {
    let process = observed.node(node.name).process;
    let up = process.is_up() || process.is_supervised() || matches!(process, Process::Ending { .. });
    let kept = node.retired && observed.nodes.contains_key(&node.name);
    let detail = match (situation.voting.contains(&node.name), up, kept) {
        (true, ..) => Text::new("仍在投票，等待移出", "it still votes and waits to be voted out"),
        (false, true, _) => Text::new("已移出投票，正在停止", "it is voted out and is being stopped"),
        (false, false, true) => Text::new("已停止，正在移开数据", "it is off; its data is being set aside"),
        (false, false, false) => return None,
    };
    Some(Now { state: StepState::Running, detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{changed, healthy, kill, live, spec, v};

    fn shown(steps: &[Step]) -> Vec<(&str, StepState)> {
        steps.iter().map(|step| (step.id.as_str(), step.state)).collect()
    }

    #[test]
    fn joining_and_leaving_are_told_until_they_are_done_and_a_while_after() {
        use StepState::{Done, Running};
        let plan = changed(&spec(4), &spec(6));
        let mut observed = healthy(&plan);
        observed.voting_set = Some((1..=4).map(v).collect());
        let begun = set_change_steps(&plan, &observed, &[]);
        assert_eq!(shown(&begun), [("join-validator-5", Running), ("join-validator-6", Running)]);
        observed.voting_set = Some((1..=5).map(v).collect());
        observed.now_ms += 3_000;
        let half = set_change_steps(&plan, &observed, &begun);
        assert_eq!(shown(&half), [("join-validator-5", Done), ("join-validator-6", Running)]);
        assert_eq!(half[0].took_ms(0), Some(3_000));
        observed.voting_set = Some((1..=6).map(v).collect());
        let done = set_change_steps(&plan, &observed, &half);
        assert!(done.iter().all(|step| step.state == Done && step.detail.is_none()));
        assert_eq!(set_change_steps(&plan, &observed, &done), done);
        observed.now_ms += SHOWN_MS + 1;
        assert_eq!(set_change_steps(&plan, &observed, &done), []);
        // The next change begins with a new list.
        let plan = changed(&spec(6), &spec(5));
        let leaving = set_change_steps(&plan, &observed, &done);
        assert_eq!(shown(&leaving), [("leave-validator-6", Running)]);
        observed.voting_set = Some((1..=5).map(v).collect());
        kill(&mut observed, 6, 0, 0);
        assert_eq!(shown(&set_change_steps(&plan, &observed, &leaving)), [("leave-validator-6", Done)]);
    }

    #[test]
    fn a_wish_that_is_taken_back_leaves_the_list_and_a_resting_chain_has_none() {
        let plan = changed(&spec(4), &spec(5));
        let mut observed = healthy(&plan);
        observed.voting_set = Some((1..=4).map(v).collect());
        *observed.nodes.get_mut(&v(5)).unwrap() =
            crate::ObservedNode { caught_up: false, height: 60, ..live(&plan.nodes[4]) };
        let begun = set_change_steps(&plan, &observed, &[]);
        assert_eq!(begun[0].detail.as_ref().unwrap().en, "it follows as an observer, 40 blocks behind");
        let mut back = changed(&spec(4), &spec(4));
        assert_eq!(set_change_steps(&back, &observed, &begun), []);
        back.genesis = crate::GenesisPlan::Waiting { steward: true, organisations: Vec::new() };
        assert_eq!(set_change_steps(&back, &observed, &[]), []);
    }
}
