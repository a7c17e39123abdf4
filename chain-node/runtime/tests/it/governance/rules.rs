//! Other rules from an agreed height, and what the second rules add: dead proposers are passed over.

use chain_runtime::{BlockContext, Turn, queries};
use chain_types::genesis::Governance;
use chain_types::manifest::Code;
use serde_json::json;

use crate::chain::*;

fn upgrade(version: u32, from_height: u64) -> serde_json::Value {
    json!({"action": {"upgrade_rules": {"version": version, "from_height": from_height}}})
}

#[test]
fn rules_change_at_the_agreed_height_and_not_before() {
    let mut chain = Chain::bare(Governance::Platform);
    let height = chain.context.height;
    chain.ok(CITY, "chain", "governance", "propose", upgrade(2, height + 5));
    let rules = |chain: &Chain, height| queries::rules(&chain.state, 1, height).unwrap();
    assert_eq!([1, 4, 5, 6].map(|n| rules(&chain, height + n)), [1, 1, 2, 2]);
}

#[test]
fn under_self_members_agree_on_rules() {
    let mut chain = Chain::bare(Governance::Members);
    let events = chain.ok(CITY, "chain", "governance", "propose", upgrade(2, 50));
    assert_eq!(queries::rules(&chain.state, 1, 60).unwrap(), 1);
    let proposal = field(&events, "proposed", "proposal").parse::<u64>().unwrap();
    chain.ok(MAKER, "chain", "governance", "approve", json!({ "proposal": proposal }));
    assert_eq!(queries::rules(&chain.state, 1, 60).unwrap(), 2);
}

/// A chain of these rules, and a block whose first proposer is `first`, built in `round`.
fn block(chain: &mut Chain, version: u32, first: u8, round: u32) -> bool {
    let turn = Turn { first: key(first).public(), round };
    chain.context = BlockContext { version, turn, ..chain.context.clone() };
    !chain.block(&[]).changes.is_empty()
}

fn skipped(chain: &Chain) -> Vec<chain_types::PublicKey> {
    queries::skipped(&chain.state, chain.context.height).unwrap()
}

#[test]
fn two_turns_missed_in_a_row_cost_a_hundred_blocks_of_turns() {
    let mut chain = Chain::bare(Governance::Platform);
    assert!(!block(&mut chain, 2, 100, 0), "nothing is written while nobody misses a turn");
    assert!(block(&mut chain, 2, 100, 1));
    assert_eq!(skipped(&chain), []);
    assert!(block(&mut chain, 2, 100, 3));
    assert_eq!(skipped(&chain), [key(100).public()]);
    for _ in 0..99 {
        block(&mut chain, 2, 101, 0);
    }
    assert_eq!(skipped(&chain), [key(100).public()]);
    block(&mut chain, 2, 101, 0);
    assert_eq!(skipped(&chain), [], "it is tried again");
    block(&mut chain, 2, 100, 1);
    assert_eq!(skipped(&chain), [key(100).public()], "one more miss is enough");
}

#[test]
fn a_turn_that_is_kept_forgives_the_one_before() {
    let mut chain = Chain::bare(Governance::Platform);
    block(&mut chain, 2, 100, 1);
    block(&mut chain, 2, 100, 0);
    block(&mut chain, 2, 100, 1);
    assert_eq!(skipped(&chain), []);
    block(&mut chain, 2, 100, 1);
    block(&mut chain, 2, 101, 1);
    assert_eq!(skipped(&chain), [key(100).public()]);
}

#[test]
fn who_missed_most_is_passed_over_first() {
    let mut chain = Chain::bare(Governance::Platform);
    for (first, misses) in [(100, 2), (101, 3)] {
        for _ in 0..misses {
            block(&mut chain, 2, first, 1);
        }
    }
    assert_eq!(skipped(&chain), [key(101).public(), key(100).public()]);
}

#[test]
fn the_first_rules_count_no_turns() {
    let mut chain = Chain::bare(Governance::Platform);
    assert!(!block(&mut chain, 1, 100, 1) && !block(&mut chain, 1, 100, 2));
    assert_eq!(skipped(&chain), []);
}

/// Every refusal about rules.
pub fn refusals() {
    let mut chain = Chain::bare(Governance::Platform);
    chain.refused(CITY, "chain", "governance", "propose", upgrade(3, 100), Code::RulesNotNext);
    chain.refused(CITY, "chain", "governance", "propose", upgrade(1, 100), Code::RulesNotNext);
    let soon = chain.context.height + 2;
    chain.refused(CITY, "chain", "governance", "propose", upgrade(2, soon), Code::RulesTooSoon);
    chain.refused(STEWARD, "chain", "governance", "propose", upgrade(2, 100), Code::NotAdministrator);
    chain.ok(CITY, "chain", "governance", "propose", upgrade(2, 100));
    chain.refused(CITY, "chain", "governance", "propose", upgrade(2, 100), Code::RulesPending);
}
