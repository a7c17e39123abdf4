//! A chain's status over its life: steps with times, conditions, rows; and no change where nothing changed.

use operator_api::{ConditionStatus, StepState, ValidatorState};

use super::*;
use crate::{
    SelfCheck,
    fixtures::{NOW_MS, addresses, chain, founded, healthy, keys, kill, seen, spec, v, with_off},
    observed::Process,
    plan::plan,
};

fn states(status: &ChainStatus) -> Vec<StepState> {
    status.steps.iter().map(|step| step.state).collect()
}

fn condition(status: &ChainStatus, kind: &str) -> (ConditionStatus, String) {
    let found = status.conditions.iter().find(|condition| condition.kind == kind).unwrap();
    (found.status, found.reason.clone())
}

#[test]
fn the_steps_go_by_one_after_the_other_and_keep_their_times() {
    use StepState::{Done, Running, Waiting};
    let founding = chain(&spec(4));
    let mut some = keys(&founding);
    some.nodes.clear();
    let waiting = plan(&founding, &some, &addresses(), None);
    let mut observed = Observed { now_ms: NOW_MS, ..Observed::default() };
    let status = chain_status(&waiting, &observed, &ChainStatus::default(), 1);
    assert_eq!(states(&status), [Running, Waiting, Waiting, Waiting, Waiting]);

    let plan = founded(&spec(4));
    observed.now_ms += 100;
    let status = chain_status(&plan, &observed, &status, 1);
    assert_eq!(states(&status), [Done, Running, Waiting, Waiting, Waiting]);
    assert_eq!(status.steps[0].took_ms(observed.now_ms), Some(100));

    let mut all = healthy(&plan);
    (all.now_ms, all.self_check) = (NOW_MS + 200, None);
    for number in 1..=4 {
        seen(&mut all, number).height = 0;
    }
    seen(&mut all, 4).reachable = false;
    let status = chain_status(&plan, &all, &status, 1);
    assert_eq!(states(&status), [Done, Done, Running, Waiting, Waiting]);
    assert_eq!(status.steps[2].detail, Some(Text::same("3/4")));

    seen(&mut all, 4).reachable = true;
    seen(&mut all, 1).height = 1;
    let status = chain_status(&plan, &all, &status, 1);
    assert_eq!(states(&status), [Done, Done, Done, Done, Running]);
    assert_eq!(status.phase, ChainPhase::Provisioning);

    all.self_check = Some(SelfCheck { passed: true, at_ms: all.now_ms, detail: None });
    let status = chain_status(&plan, &all, &status, 1);
    assert_eq!(states(&status), [Done; 5]);
    assert_eq!(status.phase, ChainPhase::Healthy);

    // A later trouble is the chain's health; it was made all the same, and its provisioner remembers so.
    kill(&mut all, 2, 0, 1);
    let later = chain_status(&plan, &all, &status, 1);
    assert_eq!(later.steps, status.steps);
    assert!(SelfCheck::remembered(&later.steps).unwrap().passed);
}

#[test]
fn a_node_that_a_person_must_look_at_fails_the_step_with_the_reason() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.self_check = None;
    kill(&mut observed, 2, 0, 1);
    let exit = crate::exit::Exit::Code(crate::exit::code::CONFIGURATION);
    seen(&mut observed, 2).process = Process::Exited { exit, at_ms: 0 };
    let status = chain_status(&plan, &observed, &ChainStatus::default(), 1);
    assert_eq!(status.steps[2].state, StepState::Failed);
    assert!(status.steps[2].detail.as_ref().unwrap().en.ends_with("read the last line of its log."));
}

#[test]
fn conditions_say_what_kubectl_waits_for() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    let status = chain_status(&plan, &observed, &ChainStatus::default(), 7);
    assert_eq!(status.observed_generation, 7);
    assert_eq!(condition(&status, conditions::READY), (ConditionStatus::True, reason::ALL_VALIDATORS_LIVE.into()));
    assert_eq!(condition(&status, conditions::QUORUM_SAFE), (ConditionStatus::True, reason::TOLERATES_SOME.into()));
    assert_eq!(condition(&status, conditions::PROGRESSING), (ConditionStatus::False, reason::UP_TO_DATE.into()));

    kill(&mut observed, 3, 0, 1);
    observed.now_ms += 1_000;
    let degraded = chain_status(&plan, &observed, &status, 7);
    assert_eq!(condition(&degraded, conditions::READY), (ConditionStatus::True, reason::VALIDATORS_MISSING.into()));
    assert_eq!(condition(&degraded, conditions::DEGRADED).0, ConditionStatus::True);
    assert_eq!(condition(&degraded, conditions::QUORUM_SAFE), (ConditionStatus::False, reason::TOLERATES_NONE.into()));
    assert_eq!(degraded.conditions[0].last_transition_time, status.conditions[0].last_transition_time);
    assert_eq!(degraded.conditions[0].message, "3 of 4 validators are live, quorum 3, tolerates 0");

    kill(&mut observed, 2, 0, 3);
    let lost = chain_status(&plan, &observed, &degraded, 7);
    assert_eq!(condition(&lost, conditions::READY), (ConditionStatus::False, reason::QUORUM_LOST.into()));
}

#[test]
fn a_steady_chain_has_a_steady_status() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    observed.last_block_ms = Some(NOW_MS - 60_000);
    let first = chain_status(&plan, &observed, &ChainStatus::default(), 1);
    observed.now_ms += 30_000;
    assert_eq!(chain_status(&plan, &observed, &first, 1), first);
}

#[test]
fn rows_say_what_each_validator_does() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 0, 1);
    let status = chain_status(&plan, &observed, &ChainStatus::default(), 1);
    let row = &status.validators[2];
    assert_eq!((row.name, row.ready, row.voting, row.restarts, row.pid), (v(3), false, true, 1, None));
    assert_eq!(row.text.en, "its process was ended by signal 9. It is being started again, attempt 1.");
    assert_eq!(row.text.zh, "进程被信号 9 终止；正在重新启动，第 1 次尝试。");
    assert_eq!((status.validators[0].text.zh.as_str(), status.validators[0].pid), ("投票中", Some(4_001)));
    assert_eq!(status.validators[0].api.as_deref(), Some("127.77.1.1:8080"));
}

#[test]
fn a_wish_that_is_refused_is_said_once() {
    let plan = founded(&with_off(4, &[(2, ValidatorState::Stopped)]));
    let mut observed = healthy(&plan);
    kill(&mut observed, 3, 0, 1);
    let status = chain_status(&plan, &observed, &ChainStatus::default(), 1);
    let said: Vec<&str> = status.sentences.iter().map(|text| text.en.as_str()).collect();
    assert_eq!(said[2], "4 validators, 1 down, quorum 3: stopping validator-2 leaves 2 — refused.");
    assert_eq!(said.len(), 3);
}

#[test]
fn a_chain_that_cannot_be_asked_has_not_lost_its_blocks() {
    let plan = founded(&spec(4));
    let mut observed = healthy(&plan);
    let before = chain_status(&plan, &observed, &ChainStatus::default(), 1);
    observed.nodes.clear();
    observed.last_block_ms = None;
    let after = chain_status(&plan, &observed, &before, 1);
    assert_eq!((after.height, after.last_block_ms), (100, before.last_block_ms));
    assert_eq!(after.validators_total, 4);
}
