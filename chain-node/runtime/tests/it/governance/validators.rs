//! Who changes the validator set, how far at once, and from when.

use chain_runtime::modules::governance::state::{STEWARD_PROPOSER, SetChange};
use chain_runtime::queries;
use chain_types::ValidatorSet;
use chain_types::genesis::{Governance, Membership};
use chain_types::manifest::{CHAIN_MODULES, Code, arguments_from_json};
use chain_types::membership::{Change, NewValidator, ValidatorKeys};
use serde_json::json;

use crate::chain::*;

/// Keys that no validator of genesis has.
fn keys(n: u8) -> ValidatorKeys {
    let (consensus_key, cosigner_key) = (key(150 + n).public(), key(160 + n).public());
    ValidatorKeys { consensus_key, cosigner_key, log_key: key(170 + n).public() }
}

fn add(n: u8) -> Change {
    Change::Add(NewValidator { organisation: "maker".into(), keys: keys(n) })
}

fn args(change: &Change) -> serde_json::Value {
    json!({ "change": change })
}

/// The arguments as callers encode them: keys are byte strings.
fn change(
    chain: &mut Chain,
    who: u8,
    change: &Change,
) -> Result<Vec<chain_types::Event>, chain_types::outcome::Refusal> {
    let args = arguments_from_json(CHAIN_MODULES[1].call("change_validators").unwrap(), None, &args(change)).unwrap();
    chain.call(who, "chain", "governance", "change_validators", args)
}

fn refused(chain: &mut Chain, who: u8, change: &Change, code: Code) {
    let args = arguments_from_json(CHAIN_MODULES[1].call("change_validators").unwrap(), None, &args(change)).unwrap();
    chain.refused(who, "chain", "governance", "change_validators", args, code);
}

fn ok(chain: &mut Chain, change: &Change) {
    let args = arguments_from_json(CHAIN_MODULES[1].call("change_validators").unwrap(), None, &args(change)).unwrap();
    chain.ok(STEWARD, "chain", "governance", "change_validators", args);
}

/// Blocks until the change before is in force.
fn settle(chain: &mut Chain) {
    chain.block(&[]);
    chain.block(&[]);
}

fn propose(chain: &mut Chain, who: u8, change: &Change) -> u64 {
    let form = json!({"action": {"change_validators": change}});
    let args = arguments_from_json(CHAIN_MODULES[1].call("propose").unwrap(), None, &form).unwrap();
    let events = chain.ok(who, "chain", "governance", "propose", args);
    field(&events, "proposed", "proposal").parse().unwrap()
}

fn by_members(governance: Governance) -> Chain {
    let mut genesis = genesis(governance);
    genesis.membership = Membership::Members;
    Chain::of(&genesis)
}

#[test]
fn a_change_is_in_force_two_blocks_later_and_only_then_comes_the_next() {
    let mut chain = Chain::bare(Governance::Platform);
    let height = chain.context.height;
    let tx = {
        let call = add(1).call(chain.context.fingerprint, chain.context.time_ms + 1_000, *b"saltsalt").unwrap();
        chain_types::Transaction::sign(call, &key(STEWARD)).unwrap()
    };
    let effects = chain.block(&[tx]);
    let next = effects.next_validators.expect("the block changes who votes");
    assert_eq!(next.len(), 5);
    assert!(next.index_of(&keys(1).consensus_key).is_some());
    assert_eq!(ValidatorSet::new(queries::validators(&chain.state).unwrap()), next);
    let last = queries::last_set_change(&chain.state).unwrap();
    assert_eq!(last, Some(SetChange { height, from_height: height + 2 }));
    assert_eq!(change(&mut chain, STEWARD, &add(2)).unwrap_err().code, "set_change_pending");
    assert!(change(&mut chain, STEWARD, &add(2)).is_ok(), "the new set has decided this block");
}

#[test]
fn a_set_grows_and_shrinks_one_by_one_but_never_below_four() {
    let mut chain = Chain::bare(Governance::Platform);
    for n in 1..=3 {
        ok(&mut chain, &add(n));
        settle(&mut chain);
    }
    assert_eq!(queries::validators(&chain.state).unwrap().len(), 7);
    for n in 1..=3 {
        ok(&mut chain, &Change::Remove { validator: keys(n).consensus_key });
        settle(&mut chain);
    }
    let validators = queries::validators(&chain.state).unwrap();
    assert_eq!(validators, genesis(Governance::Platform).validator_set().validators());
    refused(&mut chain, STEWARD, &Change::Remove { validator: validators[0].consensus_key }, Code::TooFewValidators);
}

#[test]
fn two_changes_in_one_block_are_one_change_and_a_refusal() {
    let mut chain = Chain::bare(Governance::Platform);
    let sign = |salt: &[u8; 8], change: &Change, chain: &Chain| {
        let call = change.call(chain.context.fingerprint, chain.context.time_ms + 1_000, *salt).unwrap();
        chain_types::Transaction::sign(call, &key(STEWARD)).unwrap()
    };
    let txs = [sign(b"saltsalt", &add(1), &chain), sign(b"saltsal2", &add(2), &chain)];
    let effects = chain.block(&txs);
    assert!(effects.txs[0].outcome.verdict.is_ok());
    assert_eq!(effects.txs[1].outcome.verdict.as_ref().unwrap_err().code, "set_change_pending");
    assert_eq!(effects.next_validators.unwrap().len(), 5);
}

#[test]
fn the_steward_does_nothing_else() {
    let mut chain = Chain::new();
    chain.refused(STEWARD, "chain", "anchor", "digests", json!({"digests": []}), Code::AccountUnbound);
    chain.refused(STEWARD, APP, "papers", "anchor", json!({"fields": {}}), Code::AccountUnbound);
    chain.refused(STEWARD, "chain", "governance", "approve", json!({"proposal": 1}), Code::NotAdministrator);
    let bind = Bind { key: key(60).public(), label: "desk", custody: chain_types::Custody::Own, administrator: true };
    chain.refused(STEWARD, "chain", "identity", "bind_account", bind, Code::AccountUnbound);
    let court = super::admit("court", 40);
    chain.refused(STEWARD, "chain", "governance", "propose", court, Code::NotAdministrator);
}

#[test]
fn under_membership_members_the_steward_proposes_and_the_approvers_decide() {
    let mut chain = by_members(Governance::Platform);
    refused(&mut chain, STEWARD, &add(1), Code::MembershipByProposal);
    let proposal = propose(&mut chain, STEWARD, &add(1));
    let open = queries::proposal(&chain.state, proposal).unwrap().unwrap().proposal;
    assert_eq!((open.proposer.as_str(), open.approvals.len()), (STEWARD_PROPOSER, 0));
    assert_eq!(queries::validators(&chain.state).unwrap().len(), 4);
    let tx = chain.sign(CITY, "chain", "governance", "approve", json!({"proposal": proposal}));
    assert_eq!(chain.block(&[tx]).next_validators.unwrap().len(), 5);
}

#[test]
fn under_self_the_members_decide_even_if_membership_is_delegated() {
    let mut chain = Chain::bare(Governance::Members);
    refused(&mut chain, STEWARD, &add(1), Code::MembershipByProposal);
    let proposal = propose(&mut chain, CITY, &add(1));
    assert_eq!(queries::validators(&chain.state).unwrap().len(), 4);
    chain.ok(MAKER, "chain", "governance", "approve", json!({"proposal": proposal}));
    assert_eq!(queries::validators(&chain.state).unwrap().len(), 5);
}

#[test]
fn a_proposal_that_meets_a_pending_change_waits_for_its_turn() {
    let mut chain = by_members(Governance::Platform);
    let (first, second) = (propose(&mut chain, STEWARD, &add(1)), propose(&mut chain, STEWARD, &add(2)));
    chain.ok(CITY, "chain", "governance", "approve", json!({"proposal": first}));
    let again = json!({"proposal": second});
    chain.refused(CITY, "chain", "governance", "approve", &again, Code::SetChangePending);
    chain.ok(CITY, "chain", "governance", "approve", &again);
    assert_eq!(queries::validators(&chain.state).unwrap().len(), 6);
}

/// Every refusal about validators.
pub fn refusals() {
    let mut chain = Chain::bare(Governance::Platform);
    refused(&mut chain, CITY, &add(1), Code::NotSteward);
    let elsewhere = Change::Add(NewValidator { organisation: "nobody".into(), keys: keys(1) });
    refused(&mut chain, STEWARD, &elsewhere, Code::OrganisationUnknown);
    refused(&mut chain, STEWARD, &Change::Remove { validator: key(99).public() }, Code::ValidatorUnknown);
    let taken = ValidatorKeys { log_key: key(100).public(), ..keys(1) };
    let taken = Change::Rotate { validator: key(101).public(), keys: taken };
    refused(&mut chain, STEWARD, &taken, Code::ValidatorKeyTaken);
    let mut identity = [0; 32];
    identity[0] = 1;
    let weak = ValidatorKeys { consensus_key: chain_types::PublicKey(identity), ..keys(1) };
    let weak = Change::Add(NewValidator { organisation: "maker".into(), keys: weak });
    refused(&mut chain, STEWARD, &weak, Code::ValidatorKeyInvalid);
    for n in 0..28u8 {
        // Far from the keys of genesis, and from one another.
        let keys = ValidatorKeys {
            consensus_key: key(3 * n + 1).public(),
            cosigner_key: key(3 * n + 2).public(),
            log_key: key(3 * n + 3).public(),
        };
        ok(&mut chain, &Change::Add(NewValidator { organisation: "maker".into(), keys }));
        settle(&mut chain);
    }
    refused(&mut chain, STEWARD, &add(1), Code::TooManyValidators);
    a_set_grows_and_shrinks_one_by_one_but_never_below_four();
    under_membership_members_the_steward_proposes_and_the_approvers_decide();
    a_proposal_that_meets_a_pending_change_waits_for_its_turn();
}
