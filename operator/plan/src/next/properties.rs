//! From any situation: never below the quorum by our own hand, one disruption a pass, an end to all work, and one opinion with
//! `validate_change`.

use std::collections::BTreeSet;

use chain_types::Hash;
use operator_api::{ChainSpec, ChainState, ValidatorName, ValidatorState};
use proptest::prelude::*;

use super::*;
use crate::{
    AppliedConfig, SelfCheck,
    exit::Exit,
    fixtures::{NOW_MS, chain, changed, healthy, spec, v, version, with_off},
    quorum::Quorum,
    validate_change,
};

/// What a wish for one validator may be.
fn states() -> impl Strategy<Value = Vec<ValidatorState>> {
    let one = prop_oneof![
        6 => Just(ValidatorState::Running),
        1 => Just(ValidatorState::Stopped),
        1 => Just(ValidatorState::Fenced),
    ];
    proptest::collection::vec(one, 7)
}

/// A spec that a person could have written, valid by itself.
fn wishes(count: u32, states: &[ValidatorState], newer: bool) -> ChainSpec {
    let quorum = Quorum::of(count);
    let most_off = (count - quorum.needed()) as usize;
    let numbered = (1..=count).zip(states.iter().copied());
    let off: Vec<_> = numbered.filter(|(_, state)| *state != ValidatorState::Running).take(most_off).collect();
    ChainSpec { version: version(if newer { "0.2.0" } else { "0.1.0" }), ..with_off(count, &off) }
}

fn process() -> impl Strategy<Value = Process> {
    let ago = prop_oneof![Just(0u64), Just(5_000), Just(100_000)];
    let exit = prop_oneof![
        Just(Exit::Signal(9)),
        Just(Exit::Code(1)),
        Just(Exit::Unseen),
        Just(Exit::Code(20)),
        Just(Exit::Code(21)),
    ];
    prop_oneof![
        6 => ago.clone().prop_map(|ago| Process::Running { pid: 7, since_ms: NOW_MS - ago }),
        1 => ago.clone().prop_map(|ago| Process::Starting { pid: 7, since_ms: NOW_MS - ago }),
        1 => Just(Process::Absent),
        1 => (exit, ago.clone()).prop_map(|(exit, ago)| Process::Exited { exit, at_ms: NOW_MS - ago }),
        1 => ago.prop_map(|ago| Process::BackingOff { until_ms: NOW_MS + ago }),
    ]
}

/// Changes to a healthy node: process, answers, versions, configuration.
type Disturbance = (Process, [bool; 3], [bool; 3], u32);

fn disturbances() -> impl Strategy<Value = Vec<Disturbance>> {
    let mostly = || proptest::bool::weighted(0.85);
    let one = (process(), [mostly(), mostly(), mostly()], [mostly(), mostly(), mostly()], 0u32..5);
    proptest::collection::vec(one, 9)
}

fn disturb(observed: &mut Observed, disturbances: &[Disturbance]) {
    let now_ms = observed.now_ms;
    for (node, (process, answers, right, restarts)) in observed.nodes.values_mut().zip(disturbances) {
        let up = process.is_up();
        node.process = process.clone();
        (node.reachable, node.caught_up, node.able_to_vote) = (up && answers[0], answers[1], answers[2]);
        node.restarts = *restarts;
        node.missing_since_ms = (!node.is_live()).then_some(now_ms - 61_000);
        if !right[0] {
            node.version = Some(version("0.1.0"));
        }
        if !right[1] {
            node.config.started = Some(Hash([1; 32]));
        }
        if !right[2] {
            node.config = AppliedConfig::default();
        }
    }
}

/// A chain founded with `from` validators that should now have `to`, in any situation.
fn situations() -> impl Strategy<Value = (Plan, Observed)> {
    let sizes = (4u32..=7, 4u32..=7);
    let flags = (any::<[bool; 4]>(), proptest::bool::weighted(0.1), proptest::option::of(1u32..=7));
    let set = proptest::option::of(proptest::collection::btree_set((1u32..=7).prop_map(v), 4..=7));
    (sizes, states(), flags, set, disturbances()).prop_map(
        |((from, to), states, (flags, change, leader), set, disturbed)| {
            let plan = changed(&spec(from), &wishes(to, &states, flags[0]));
            let mut observed = healthy(&plan);
            disturb(&mut observed, &disturbed);
            observed.voting_set = set;
            observed.leader = leader.map(v);
            observed.set_change_pending = change;
            observed.can_change_set = flags[1];
            observed.pending_since_ms = flags[2].then_some(NOW_MS - 20_000);
            observed.self_check = flags[3].then_some(SelfCheck { passed: flags[2], at_ms: NOW_MS, detail: None });
            (plan, observed)
        },
    )
}

/// What the hands do, as far as the next look would show it. A wait lets a minute pass in which what can heal does.
fn carry_out(plan: &Plan, observed: &mut Observed, action: &Action) {
    let voting = Situation::of(plan, observed).voting;
    match action {
        Action::WriteConfig { node, config } => {
            observed.nodes.entry(*node).or_default().config.on_disk = Some(config.hash);
        }
        Action::ReloadConfig { node } => {
            let config = &mut observed.nodes.entry(*node).or_default().config;
            config.loaded = config.on_disk;
        }
        Action::Start { node, .. } | Action::Restart { node, .. } => start(plan, observed, *node, &voting),
        Action::ForgetExit { node } => observed.nodes.entry(*node).or_default().process = Process::Absent,
        Action::SetAside { node } => drop(observed.nodes.remove(node)),
        Action::Stop { node, .. } => stop(observed, *node),
        Action::StopChain { nodes } => nodes.iter().for_each(|node| stop(observed, *node)),
        Action::VoteIn { node, .. } => {
            observed.voting_set = Some(voting.into_iter().chain([*node]).collect());
            observed.nodes.entry(*node).or_default().able_to_vote = true;
        }
        Action::VoteOut { node, .. } => {
            observed.voting_set = Some(voting.into_iter().filter(|name| name != node).collect());
        }
        Action::WriteGenesis { .. } => observed.genesis = plan.fingerprint(),
        Action::SelfCheck => {
            observed.self_check = Some(SelfCheck { passed: true, at_ms: observed.now_ms, detail: None });
        }
        Action::CreateNodeKeys { .. } | Action::CreateStewardKey | Action::Wait { .. } => {}
        // Nobody asks for it here; see the properties of `rotation`.
        Action::CreateNextKeys { .. } | Action::Rotate { .. } | Action::EndRotation { .. } => {
            unreachable!("{action:?}")
        }
    }
}

fn start(plan: &Plan, observed: &mut Observed, name: ValidatorName, voting: &BTreeSet<ValidatorName>) {
    let planned = plan.node(name).unwrap();
    let config = planned.config.as_ref().unwrap();
    let (now_ms, height) = (observed.now_ms, observed.height());
    let node = observed.nodes.entry(name).or_default();
    node.process = Process::Running { pid: 9, since_ms: now_ms };
    (node.reachable, node.caught_up, node.able_to_vote) = (true, true, voting.contains(&name));
    node.version = Some(planned.version);
    node.height = height;
    node.missing_since_ms = None;
    // What is on disk at that moment, which the order of the actions has to get right.
    node.config.loaded = node.config.on_disk;
    node.config.started = (node.config.on_disk == Some(config.hash)).then_some(config.start_hash);
}

fn stop(observed: &mut Observed, name: ValidatorName) {
    let now_ms = observed.now_ms;
    let node = observed.nodes.entry(name).or_default();
    node.process = Process::Exited { exit: Exit::Code(0), at_ms: now_ms };
    (node.reachable, node.caught_up, node.able_to_vote) = (false, false, false);
}

/// Two minutes later, with everything that can heal by itself healed.
fn time_passes(plan: &Plan, observed: &mut Observed) {
    observed.now_ms += 120_000;
    observed.pending_since_ms = None;
    observed.set_change_pending = false;
    observed.last_block_ms = Some(observed.now_ms);
    let voting = Situation::of(plan, observed).voting;
    for (name, node) in &mut observed.nodes {
        if let Process::Starting { pid, since_ms } = node.process {
            node.process = Process::Running { pid, since_ms };
        }
        if let Process::BackingOff { .. } = node.process {
            node.process = Process::Absent;
        }
        if let Process::Running { .. } = node.process {
            (node.reachable, node.caught_up, node.able_to_vote) = (true, true, voting.contains(name));
            node.missing_since_ms = None;
        }
    }
}

/// Follows `next` until it wants nothing any more, letting time pass between; checks every step on the way.
fn follow(plan: &Plan, observed: &mut Observed, heal: bool) -> Result<(), TestCaseError> {
    let mut idle = 0;
    for _ in 0..80 {
        let actions = next(plan, observed);
        check_pass(plan, observed, &actions)?;
        actions.iter().for_each(|action| carry_out(plan, observed, action));
        idle = if actions.iter().all(Action::is_wait) { idle + 1 } else { 0 };
        if idle == 3 {
            return Ok(());
        }
        if heal {
            time_passes(plan, observed);
        }
    }
    Err(TestCaseError::fail(format!("no end of work: {:?}", next(plan, observed))))
}

/// At most one disruption, the last of the list; and none that takes the quorum.
fn check_pass(plan: &Plan, observed: &Observed, actions: &[Action]) -> Result<(), TestCaseError> {
    let disruptive = actions.iter().filter(|action| action.is_disruptive()).count();
    prop_assert!(disruptive <= 1, "{actions:?}");
    prop_assert!(disruptive == 0 || actions.last().is_some_and(Action::is_disruptive), "{actions:?}");
    let before = Situation::of(plan, observed);
    let Some(action) = actions.iter().find(|action| action.is_disruptive()) else { return Ok(()) };
    let mut voting = before.voting.clone();
    let stopped = match action {
        Action::Stop { node, .. } | Action::Restart { node, .. } => Some(*node),
        Action::VoteOut { node, .. } => {
            voting.remove(node);
            prop_assert!(voting.len() >= 4, "{action:?}");
            None
        }
        Action::VoteIn { node, .. } => {
            voting.insert(*node);
            prop_assert!(observed.node(*node).caught_up, "{action:?}");
            None
        }
        _ => None,
    };
    // Counted anew, from the observation alone.
    let live = |name: &&ValidatorName| {
        let node = observed.node(**name);
        let joins = matches!(action, Action::VoteIn { node, .. } if node == *name);
        let takes_part = node.is_live() || (joins && node.reachable && node.caught_up);
        takes_part && stopped != Some(**name)
    };
    let left = voting.iter().filter(live).count();
    let costs = stopped.is_none_or(|name| before.live.contains(&name));
    prop_assert!(!costs || left > voting.len() * 2 / 3, "{action:?} leaves {left} of {}", voting.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn never_below_the_quorum_by_our_own_hand((plan, observed) in situations()) {
        check_pass(&plan, &observed, &next(&plan, &observed))?;
    }

    #[test]
    fn work_ends_and_what_is_done_is_not_done_again((plan, observed) in situations(), heal: bool) {
        let mut observed = observed;
        follow(&plan, &mut observed, heal)?;
        let waits = next(&plan, &observed);
        prop_assert!(waits.iter().all(Action::is_wait), "{waits:?}");
        prop_assert_eq!(next(&plan, &observed), waits);
    }

    #[test]
    fn a_chain_that_can_heal_becomes_what_was_asked(
        count in 4u32..=7, states in states(), newer: bool, disturbed in disturbances(),
    ) {
        let plan = changed(&spec(count), &wishes(count, &states, newer));
        let mut observed = healthy(&plan);
        disturb(&mut observed, &disturbed);
        for node in observed.nodes.values_mut() {
            if let Process::Exited { at_ms, .. } = node.process {
                node.process = Process::Exited { exit: Exit::Signal(9), at_ms };
            }
        }
        follow(&plan, &mut observed, true)?;
        let tolerates = Quorum::of(count).tolerates(Situation::of(&plan, &observed).ready());
        for node in &plan.nodes {
            let seen = observed.node(node.name);
            prop_assert_eq!(seen.is_live(), node.desired == ValidatorState::Running, "{} {:?}", node.name, seen);
            // Without a validator to spare a rollout waits, and says so.
            prop_assert!(tolerates == 0 || !seen.is_live() || !situation::is_outdated(node, &seen));
        }
    }

    #[test]
    fn what_may_be_asked_is_done_and_what_is_refused_is_not(
        count in 4u32..=7, old in states(), new in states(), disturbed in disturbances(),
    ) {
        let (old, new) = (wishes(count, &old, false), wishes(count, &new, false));
        let plan = changed(&old, &new);
        let mut observed = healthy(&plan);
        disturb(&mut observed, &disturbed);
        let verdict = validate_change(&chain(&old), &chain(&new), &observed);
        let newly_off: Vec<ValidatorName> = new
            .validator_states
            .iter()
            .filter(|(name, state)| **state != ValidatorState::Running && !old.validator_states.contains_key(name))
            .map(|(name, _)| *name)
            .collect();
        let live_off: Vec<ValidatorName> =
            new.validator_states.keys().filter(|name| plan.node(**name).unwrap().desired != ValidatorState::Running)
                .filter(|name| observed.node(**name).is_live()).copied().collect();
        // Only the wish to stop is looked at here: nothing else changes meanwhile.
        let still = |observed: &Observed| observed.nodes.clone();
        let mut before = still(&observed);
        loop {
            let stops: Vec<Action> =
                next(&plan, &observed).into_iter().filter(|action| matches!(action, Action::Stop { .. })).collect();
            stops.iter().for_each(|action| carry_out(&plan, &mut observed, action));
            if still(&observed) == before {
                break;
            }
            before = still(&observed);
        }
        let up = |name: &ValidatorName| observed.node(*name).process.is_up();
        match verdict {
            Ok(()) => prop_assert!(!newly_off.iter().any(up), "allowed and not done: {newly_off:?}"),
            Err(refusal) => {
                prop_assert!(refusal.arithmetic.is_some_and(|arithmetic| !arithmetic.holds()));
                // Not all that should be off can be; the quorum keeps some of them.
                prop_assert!(live_off.is_empty() || live_off.iter().any(up), "refused and done: {newly_off:?}");
            }
        }
    }

    /// Whoever is replaced, grown or shrunk away: the set gets where it should, through sets that bear as many failures as the
    /// smaller of before and after, and whoever left for good is set aside.
    #[test]
    fn a_set_becomes_the_wanted_one_and_bears_failures_on_the_way(
        from in 4u32..=7, to in 4u32..=7, gone in proptest::collection::btree_set(1u32..=7, 0..=2),
    ) {
        let gone: Vec<u32> = gone.into_iter().filter(|number| *number <= from).collect();
        let wanted = ChainSpec { retired: gone.iter().map(|number| v(*number)).collect(), ..spec(to) };
        let plan = changed(&spec(from), &wanted);
        let mut observed = healthy(&plan);
        observed.voting_set = Some((1..=from).map(v).collect());
        for (name, node) in &mut observed.nodes {
            node.able_to_vote = u32::from(name.number()) <= from;
        }
        prop_assert_eq!(validate_change(&chain(&spec(from)), &chain(&wanted), &observed), Ok(()));
        let foretold = crate::set_changes(&chain(&wanted), &observed);
        let least = Quorum::of(from).faults().min(Quorum::of(to).faults());
        let mut made = Vec::new();
        for _ in 0..80 {
            let actions = next(&plan, &observed);
            check_pass(&plan, &observed, &actions)?;
            made.extend(actions.iter().filter_map(|action| match action {
                Action::VoteIn { arithmetic, .. } | Action::VoteOut { arithmetic, .. } => Some(arithmetic.clone()),
                _ => None,
            }));
            actions.iter().for_each(|action| carry_out(&plan, &mut observed, action));
            prop_assert!(Quorum::of(Situation::of(&plan, &observed).validators()).faults() >= least);
            time_passes(&plan, &mut observed);
        }
        prop_assert_eq!(made, foretold, "what is shown before is what is done");
        let members: BTreeSet<ValidatorName> = chain(&wanted).members().iter().map(|member| member.name).collect();
        prop_assert_eq!(members.len(), to as usize);
        prop_assert_eq!(observed.voting_set.clone(), Some(members));
        prop_assert!(!gone.iter().any(|number| observed.nodes.contains_key(&v(*number))));
    }

    #[test]
    fn a_sleeping_chain_ends_with_nothing_running((plan, observed) in situations()) {
        let plan = Plan { state: ChainState::Hibernated, ..plan };
        let mut observed = observed;
        for _ in 0..4 {
            let actions = next(&plan, &observed);
            prop_assert!(actions.iter().filter(|action| action.is_disruptive()).count() <= 1);
            let starts = actions.iter().any(|action| matches!(action, Action::Start { .. }));
            prop_assert!(!starts, "{actions:?}");
            actions.iter().for_each(|action| carry_out(&plan, &mut observed, action));
            time_passes(&plan, &mut observed);
        }
        prop_assert!(!observed.nodes.values().any(|node| node.process.is_up()));
    }
}
