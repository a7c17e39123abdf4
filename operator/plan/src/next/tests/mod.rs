//! What is done in which situation, as a person would tell it.

use chain_types::Hash;
use operator_api::{ChainSpec, ValidatorState};

use super::*;
use crate::{
    Addresses, Keys, SelfCheck,
    exit::{Exit, code},
    fixtures::{
        addresses, chain, changed, founded, genesis, healthy, keys, kill, live, name, node_keys, seen, spec, v,
        version, with_off,
    },
    plan::plan,
};

mod rollouts;

/// The English sentences of what is planned.
fn told(plan: &Plan, observed: &Observed) -> Vec<String> {
    next(plan, observed).iter().map(|action| action.sentence().en).collect()
}

fn disruptions(plan: &Plan, observed: &Observed) -> Vec<Action> {
    next(plan, observed).into_iter().filter(Action::is_disruptive).collect()
}

#[test]
fn a_healthy_chain_needs_nothing() {
    let plan = founded(&spec(4));
    assert_eq!(next(&plan, &healthy(&plan)), []);
}

#[test]
fn from_nothing_to_a_chain_in_three_passes() {
    let chain = chain(&spec(4));
    let nothing = Observed { versions: [version("0.1.0")].into(), ..Observed::default() };
    let mut have = Keys { organisations: keys(&chain).organisations, ..Keys::default() };
    let first = plan(&chain, &have, &addresses(), None);
    assert_eq!(
        told(&first, &nothing),
        [
            "Make the keys of validator-1 for notary-office.",
            "Make the keys of validator-2 for justice-bureau.",
            "Make the keys of validator-3 for court.",
            "Make the keys of validator-4 for data-bureau.",
            "Make the steward's key.",
        ]
    );

    have = keys(&chain);
    let second = plan(&chain, &have, &addresses(), None);
    let actions = next(&second, &nothing);
    assert!(matches!(&actions[0], Action::WriteGenesis { .. }));
    let rest: Vec<_> = actions[1..].iter().map(|action| action.sentence().en).collect();
    assert_eq!(rest[..2], ["Write the configuration of validator-1.", "Start validator-1 (0.1.0)."]);
    assert_eq!(rest.len(), 8);

    let third = plan(&chain, &have, &addresses(), Some(&genesis(&chain)));
    let mut running = healthy(&third);
    running.self_check = None;
    assert_eq!(next(&third, &running), [Action::SelfCheck]);
    running.self_check = Some(SelfCheck { passed: true, at_ms: running.now_ms, detail: None });
    assert_eq!(next(&third, &running), []);
}

#[test]
fn genesis_waits_for_the_organisations_keys_and_says_whose() {
    let chain = chain(&spec(4));
    let mut have = keys(&chain);
    have.organisations.remove(&name("court"));
    have.organisations.remove(&name("data-bureau"));
    let plan = plan(&chain, &have, &addresses(), None);
    let expected = "Waiting for the administrator key of court and data-bureau; it goes on by itself once published.";
    assert_eq!(told(&plan, &Observed::default()), [expected]);
}

#[test]
fn a_foreign_genesis_is_never_overwritten() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.genesis = Some("ab".repeat(32));
    let actions = told(&plan, &observed);
    assert_eq!(actions.len(), 1);
    assert!(
        actions[0].starts_with("The genesis on disk (abababababab…) is not this chain's; it is not overwritten"),
        "{actions:?}"
    );
}

#[test]
fn a_killed_validator_is_started_again_at_once_and_then_ever_later() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 200, 1);
    assert_eq!(told(&plan, &observed), ["Start validator-3 (0.1.0) again, attempt 1."]);
    kill(&mut observed, 3, 1_200, 3);
    let expected = "It is started again in 1 second, attempt 3.";
    assert_eq!(told(&plan, &observed), [expected]);
    kill(&mut observed, 3, 2_000, 3);
    assert_eq!(told(&plan, &observed), ["Start validator-3 (0.1.0) again, attempt 3."]);
}

#[test]
fn an_exit_that_must_not_be_repeated_is_not() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 100_000, 1);
    seen(&mut observed, 3).process = Process::Exited { exit: Exit::Code(code::DUPLICATE_IDENTITY), at_ms: 0 };
    let actions = told(&plan, &observed);
    assert_eq!(actions.len(), 1);
    assert!(actions[0].starts_with("The same identity votes elsewhere, so it is not started again"), "{actions:?}");
}

#[test]
fn a_full_disk_is_waited_out() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 100_000, 1);
    seen(&mut observed, 3).process = Process::Exited { exit: Exit::Code(code::DISK_FULL), at_ms: 0 };
    seen(&mut observed, 3).disk_free_bytes = Some(300 << 20);
    assert!(next(&plan, &observed).iter().all(Action::is_wait));
    seen(&mut observed, 3).disk_free_bytes = Some(600 << 20);
    assert_eq!(told(&plan, &observed), ["Start validator-3 (0.1.0) again, attempt 1."]);
}

#[test]
fn a_refused_configuration_is_tried_again_once_it_is_another() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 100_000, 1);
    seen(&mut observed, 3).process = Process::Exited { exit: Exit::Code(code::CONFIGURATION), at_ms: 0 };
    assert!(next(&plan, &observed).iter().all(Action::is_wait));
    seen(&mut observed, 3).config.started = Some(Hash([0; 32]));
    assert_eq!(told(&plan, &observed), ["Start validator-3 (0.1.0) again, attempt 1."]);
}

#[test]
fn stopping_one_is_done_and_a_second_is_refused_with_the_arithmetic() {
    let plan = founded(&with_off(4, &[(2, ValidatorState::Stopped)]));
    let mut observed = healthy(&plan);
    assert_eq!(told(&plan, &observed), ["4 validators, 0 down, quorum 3: stopping validator-2 leaves 3 — allowed."]);
    kill(&mut observed, 3, 200, 1);
    assert_eq!(
        told(&plan, &observed),
        [
            "Start validator-3 (0.1.0) again, attempt 1.",
            "4 validators, 1 down, quorum 3: stopping validator-2 leaves 2 — refused.",
        ]
    );
}

#[test]
fn what_is_off_on_purpose_is_not_started_and_its_end_is_forgotten() {
    let plan = founded(&with_off(4, &[(2, ValidatorState::Stopped)]));
    let mut observed = healthy(&plan);
    kill(&mut observed, 2, 0, 1);
    assert_eq!(next(&plan, &observed), [Action::ForgetExit { node: v(2) }]);
    seen(&mut observed, 2).process = Process::Absent;
    assert_eq!(next(&plan, &observed), []);
}

#[test]
fn a_new_validator_follows_then_votes() {
    let plan = changed(&spec(4), &spec(5));
    let mut observed = healthy(&plan);
    observed.nodes.remove(&v(5));
    observed.voting_set = Some([v(1), v(2), v(3), v(4)].into());
    let wanted = ["Write the configuration of validator-5.", "Start validator-5 (0.1.0)."];
    assert_eq!(told(&plan, &observed), wanted);

    let five = ObservedNode { caught_up: false, able_to_vote: false, height: 60, ..live(&plan.nodes[4]) };
    observed.nodes.insert(v(5), five.clone());
    assert_eq!(
        told(&plan, &observed),
        ["validator-5 follows as an observer, 40 blocks behind; it votes once it has caught up."]
    );

    observed.nodes.insert(v(5), ObservedNode { caught_up: true, height: 100, ..five });
    let vote = "4 validators, 0 down, quorum 3: voting validator-5 in makes 5, quorum 4, and leaves 5 live — allowed.";
    assert_eq!(told(&plan, &observed), [vote]);

    observed.set_change_pending = true;
    assert!(next(&plan, &observed).iter().all(Action::is_wait));
    (observed.set_change_pending, observed.can_change_set) = (false, false);
    assert_eq!(
        told(&plan, &observed),
        [
            "The steward's key is not here, or the voting set holds a validator that is not known here, so the set cannot be changed; restore the missing keys from a backup."
        ]
    );
}

#[test]
fn a_leaving_validator_is_voted_out_before_it_stops() {
    let plan = changed(&spec(5), &spec(4));
    let mut observed = healthy(&plan);
    let vote = "5 validators, 0 down, quorum 4: voting validator-5 out makes 4, quorum 3, and leaves 4 live — allowed.";
    assert_eq!(told(&plan, &observed), [vote]);
    observed.voting_set = Some([v(1), v(2), v(3), v(4)].into());
    assert!(matches!(&next(&plan, &observed)[..], [Action::Stop { node, .. }] if *node == v(5)));
}

#[test]
fn one_that_joined_later_and_leaves_is_not_stopped_before_the_chain_has_said_who_votes() {
    let plan = changed(&spec(4), &spec(4));
    let mut wanted = chain(&spec(4));
    wanted.retired = [v(5)].into();
    let mut all = keys(&wanted);
    all.nodes.insert(v(5), node_keys(5, &name("court")));
    let plan = crate::plan(&wanted, &all, &Addresses::Loopback { home: 77, chain: 1 }, plan.genesis.genesis());
    let mut observed = healthy(&plan);
    assert_eq!(next(&plan, &observed), []);
    observed.voting_set = Some((1..=5).map(v).collect());
    assert!(matches!(&next(&plan, &observed)[..], [Action::VoteOut { node, .. }] if *node == v(5)));
    observed.voting_set = Some((1..=4).map(v).collect());
    assert!(matches!(&next(&plan, &observed)[..], [Action::Stop { node, .. }] if *node == v(5)));
    seen(&mut observed, 5).process = Process::Absent;
    assert_eq!(next(&plan, &observed), [Action::SetAside { node: v(5) }]);
    observed.set_change_pending = true;
    assert!(next(&plan, &observed).iter().all(Action::is_wait));
}

#[test]
fn an_observer_that_has_heard_nobody_yet_is_not_voted_in() {
    let plan = changed(&spec(4), &spec(5));
    let mut observed = healthy(&plan);
    observed.voting_set = Some((1..=4).map(v).collect());
    let five = ObservedNode { able_to_vote: false, height: 0, ..live(&plan.nodes[4]) };
    observed.nodes.insert(v(5), five);
    assert_eq!(
        told(&plan, &observed),
        ["validator-5 follows as an observer, 100 blocks behind; it votes once it has caught up."]
    );
}

#[test]
fn a_process_that_hangs_is_ended_only_if_the_others_are_enough() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    let since = observed.now_ms - 61_000;
    for number in [3, 4] {
        seen(&mut observed, number).reachable = false;
        seen(&mut observed, number).missing_since_ms = Some(since);
    }
    assert_eq!(next(&plan, &observed), []);
    observed.pending_since_ms = Some(observed.now_ms - 11_000);
    assert!(matches!(&disruptions(&plan, &observed)[..], [Action::Restart { node, .. }] if *node == v(3)));
    observed.pending_since_ms = None;
    *seen(&mut observed, 4) = live(&plan.nodes[3]);
    assert_eq!(
        told(&plan, &observed),
        [
            "The process of validator-3 has not answered for more than a minute. 4 validators, 1 down, quorum 3: restarting \
         validator-3 leaves 3 — allowed."
        ]
    );
}

#[test]
fn a_chain_that_should_sleep_finishes_first_and_stops_as_a_whole() {
    let plan = changed(&spec(4), &ChainSpec { state: ChainState::Hibernated, ..spec(4) });
    let mut observed = healthy(&plan);
    observed.pending_since_ms = Some(observed.now_ms);
    assert!(next(&plan, &observed).iter().all(Action::is_wait));
    observed.pending_since_ms = None;
    assert_eq!(next(&plan, &observed), [Action::StopChain { nodes: vec![v(1), v(2), v(3), v(4)] }]);
    for node in observed.nodes.values_mut() {
        node.process = Process::Absent;
    }
    assert_eq!(next(&plan, &observed), []);
    assert_eq!(next(&founded(&spec(4)), &observed).iter().filter(|a| matches!(a, Action::Start { .. })).count(), 4);
}

#[test]
fn lost_keys_are_said_and_not_replaced() {
    let chain = chain(&spec(4));
    let mut have = keys(&chain);
    have.nodes.insert(v(2), node_keys(99, &name("justice-bureau")));
    let plan = plan(&chain, &have, &Addresses::Loopback { home: 77, chain: 1 }, Some(&genesis(&chain)));
    let mut observed = healthy(&plan);
    kill(&mut observed, 2, 0, 1);
    let actions = told(&plan, &observed);
    assert_eq!(actions.len(), 1);
    assert!(actions[0].starts_with("The keys of validator-2 (Justice bureau) are gone"), "{actions:?}");
}

#[test]
fn a_failed_self_check_is_tried_again_after_a_while() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.self_check = Some(SelfCheck { passed: false, at_ms: observed.now_ms - 1_000, detail: None });
    assert_eq!(next(&plan, &observed), []);
    observed.now_ms += 4_000;
    assert_eq!(next(&plan, &observed), [Action::SelfCheck]);
}

#[test]
fn what_cannot_start_as_it_is_gets_what_was_changed_and_nothing_else_waits_for_it() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    *seen(&mut observed, 2) = ObservedNode {
        process: Process::Preparing { since_ms: observed.now_ms },
        version: Some(plan.nodes[1].version),
        memory_mib: Some(plan.nodes[1].resources.memory_mib),
        ..ObservedNode::default()
    };
    let disrupts = |observed: &Observed| next(&plan, observed).into_iter().find(Action::is_disruptive);
    assert_eq!(disrupts(&observed), None, "a pod that is being prepared is left alone");
    seen(&mut observed, 2).memory_mib = Some(1 << 20);
    let action = disrupts(&observed).unwrap();
    assert!(matches!(&action, Action::Restart { node, .. } if *node == v(2)), "{action:?}");
    assert!(action.sentence().en.contains("becomes 256 MiB"), "{}", action.sentence().en);
    seen(&mut observed, 2).process = Process::Ending { since_ms: observed.now_ms };
    assert_eq!(disrupts(&observed), None, "one that ends already is not ended again");
    seen(&mut observed, 3).memory_mib = Some(1);
    assert_eq!(disrupts(&observed), None, "and no other goes down beside it");
}
