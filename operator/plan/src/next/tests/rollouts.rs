//! Versions and settings that reach every validator without the chain noticing.

use std::ops::RangeInclusive;

use super::*;

/// A healthy chain of so many validators that goes from 0.1.0 to 0.2.0; these have the old version still.
fn rolling(of: u32, old: RangeInclusive<u32>) -> (Plan, Observed) {
    let plan = changed(&spec(of), &ChainSpec { version: version("0.2.0"), ..spec(of) });
    let mut observed = healthy(&plan);
    old.for_each(|number| seen(&mut observed, number).version = Some(version("0.1.0")));
    (plan, observed)
}

#[test]
fn a_version_is_rolled_out_one_by_one_leader_last() {
    let (plan, mut observed) = rolling(4, 1..=4);
    observed.leader = Some(v(2));
    let mut order = Vec::new();
    for _ in 0..4 {
        let [Action::Restart { node, why, .. }] = &disruptions(&plan, &observed)[..] else { panic!("one restart") };
        assert_eq!(why.en, format!("Update {node} from 0.1.0 to 0.2.0."));
        order.push(node.number());

        // While it is away nothing else is touched.
        let back = observed.nodes[node].clone();
        observed.nodes.get_mut(node).unwrap().process = Process::Starting { pid: 1, since_ms: observed.now_ms };
        assert_eq!(disruptions(&plan, &observed), []);
        observed.nodes.insert(*node, ObservedNode { version: Some(version("0.2.0")), ..back });
    }
    assert_eq!(order, [1, 3, 4, 2]);
    assert_eq!(next(&plan, &observed), []);
}

#[test]
fn a_rollout_goes_on_when_the_last_one_is_ready_and_heals_one_that_is_not() {
    let (plan, mut observed) = rolling(4, 2..=4);
    seen(&mut observed, 1).is_awaited = true;
    assert_eq!(
        told(&plan, &observed),
        ["The rollout waits until validator-1 is back; 3 validators still to be updated."],
        "it answers, and its pod is not ready"
    );
    seen(&mut observed, 1).is_awaited = false;
    seen(&mut observed, 3).is_awaited = true;
    let next = next(&plan, &observed);
    assert!(
        matches!(next.as_slice(), [Action::Restart { node, .. }] if *node == v(3)),
        "the update may be its cure: {next:?}"
    );
}

#[test]
fn a_rollout_stops_where_one_does_not_come_back() {
    let (plan, mut observed) = rolling(7, 2..=7);
    kill(&mut observed, 1, 100, 3);
    assert_eq!(
        told(&plan, &observed),
        [
            "It is started again in 2 seconds, attempt 3.",
            "The rollout waits until validator-1 is back; 6 validators still to be updated.",
        ]
    );
}

#[test]
fn one_that_cannot_vote_gets_the_new_version_first() {
    let (plan, mut observed) = rolling(4, 1..=4);
    seen(&mut observed, 4).caught_up = false;
    let [Action::Restart { node, .. }] = &disruptions(&plan, &observed)[..] else { panic!("one restart") };
    assert_eq!(*node, v(4));
    // One that only does not answer may be voting: without it the quorum may be gone.
    seen(&mut observed, 3).reachable = false;
    seen(&mut observed, 4).reachable = false;
    assert_eq!(disruptions(&plan, &observed), []);
}

#[test]
fn a_changed_peer_is_reloaded_and_a_changed_setting_is_rolled() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    let config = &mut seen(&mut observed, 2).config;
    (config.on_disk, config.loaded) = (Some(Hash([1; 32])), Some(Hash([1; 32])));
    assert_eq!(
        told(&plan, &observed),
        ["Write the configuration of validator-2.", "Have validator-2 reload peers and tokens; it keeps running.",]
    );
    let mut observed = healthy(&plan);
    seen(&mut observed, 2).config.started = Some(Hash([1; 32]));
    assert_eq!(
        told(&plan, &observed),
        [
            "The configuration of validator-2 has changed and needs a restart. 4 validators, 0 down, quorum 3: restarting \
         validator-2 leaves 3 — allowed."
        ]
    );
}
