//! What may be asked for, and the sentence for what may not.

use operator_api::{ChainSpec, Membership, Name, Resources, Share, Validators};

use super::*;
use crate::fixtures::{chain, founded, healthy, kill, name, spec, v, version, with_off};

use ValidatorState::{Fenced, Running, Stopped};

fn judge(old: &ChainSpec, new: &ChainSpec, change: impl FnOnce(&mut Observed)) -> Result<(), Refusal> {
    let mut observed = healthy(&founded(old));
    change(&mut observed);
    validate_change(&chain(old), &chain(new), &observed)
}

fn refusal(old: &ChainSpec, new: &ChainSpec, change: impl FnOnce(&mut Observed)) -> String {
    judge(old, new, change).unwrap_err().to_string()
}

#[test]
fn one_of_four_may_be_stopped_while_all_are_live() {
    assert_eq!(judge(&spec(4), &with_off(4, &[(2, Stopped)]), |_| ()), Ok(()));
}

#[test]
fn a_second_one_is_refused_with_the_arithmetic() {
    let refused = judge(&spec(4), &with_off(4, &[(2, Stopped)]), |o| kill(o, 3, 1_000, 1)).unwrap_err();
    assert_eq!(refused.field, "spec.validatorStates");
    assert_eq!(refused.reason.en, "4 validators, 1 down, quorum 3: stopping validator-2 leaves 2 — refused.");
    assert_eq!(refused.reason.zh, "4 个验证者，1 个缺席，法定数 3：停止 validator-2 后剩 2 个，已拒绝。");
    assert_eq!(refused.arithmetic.map(|arithmetic| arithmetic.leaves), Some(2));
}

#[test]
fn the_one_that_is_down_anyway_may_be_stopped() {
    assert_eq!(judge(&spec(4), &with_off(4, &[(3, Stopped)]), |o| kill(o, 3, 1_000, 1)), Ok(()));
}

#[test]
fn two_of_seven_together_are_counted_together() {
    let two = with_off(7, &[(2, Fenced), (5, Fenced)]);
    assert_eq!(judge(&spec(7), &two, |_| ()), Ok(()));
    assert_eq!(
        refusal(&spec(7), &two, |o| kill(o, 1, 0, 1)),
        "spec.validatorStates: 7 validators, 1 down, quorum 5: fencing validator-2 and validator-5 leaves 4 — refused."
    );
}

#[test]
fn an_earlier_wish_that_is_not_carried_out_yet_counts_and_is_named() {
    let (old, new) = (with_off(7, &[(7, Stopped)]), with_off(7, &[(2, Stopped), (7, Stopped)]));
    assert_eq!(
        refusal(&old, &new, |o| kill(o, 6, 0, 1)),
        "spec.validatorStates: 7 validators, 1 down, quorum 5: stopping validator-2 and validator-7 leaves 4 — refused."
    );
}

#[test]
fn what_is_off_already_is_not_asked_again_and_starting_is_always_allowed() {
    let off = with_off(4, &[(2, Stopped)]);
    let two_down = |o: &mut Observed| {
        kill(o, 2, 0, 0);
        kill(o, 3, 0, 1);
    };
    assert_eq!(judge(&off, &ChainSpec { title: Text::new("新", "New"), ..off.clone() }, two_down), Ok(()));
    assert_eq!(judge(&off, &with_off(4, &[(2, Fenced)]), two_down), Ok(()));
    assert_eq!(judge(&off, &with_off(4, &[(2, Running)]), two_down), Ok(()));
}

#[test]
fn moving_the_one_that_is_off_counts_the_new_one_only_once_the_old_is_back() {
    let (old, new) = (with_off(4, &[(2, Stopped)]), with_off(4, &[(3, Stopped)]));
    assert!(judge(&old, &new, |o| kill(o, 2, 0, 0)).is_err());
}

#[test]
fn a_chain_never_shrinks_below_four() {
    // Three are refused already by what a chain must be; the arithmetic stands behind it.
    let mut three = chain(&spec(4));
    three.members.pop();
    let refused = validate_change(&chain(&spec(4)), &three, &healthy(&founded(&spec(4)))).unwrap_err();
    assert!(refused.reason.en.ends_with("below the least of 4 — refused."), "{refused}");
}

#[test]
fn shrinking_is_counted_one_validator_at_a_time() {
    assert_eq!(judge(&spec(7), &spec(4), |_| ()), Ok(()));
    let two_down = |o: &mut Observed| {
        kill(o, 1, 0, 1);
        kill(o, 2, 0, 1);
    };
    assert_eq!(
        refusal(&spec(7), &spec(4), two_down),
        "spec.validators: 7 validators, 2 down, quorum 5: voting validator-7 out makes 6, quorum 5, and leaves 4 live — refused."
    );
}

#[test]
fn growing_is_allowed_if_the_nodes_know_how() {
    assert_eq!(judge(&spec(4), &spec(5), |_| ()), Ok(()));
    assert_eq!(
        refusal(&spec(4), &spec(5), |o| o.can_change_set = false),
        "spec.validators: The steward's key is not here, or the voting set holds a validator that is not known here, so the set \
         cannot be changed; restore the missing keys from a backup."
    );
}

fn shares(shares: &[(&str, u32)]) -> ChainSpec {
    let share =
        |(organisation, validators): &(&str, u32)| Share { organisation: name(organisation), validators: *validators };
    ChainSpec { validators: Validators { count: None, organisations: shares.iter().map(share).collect() }, ..spec(4) }
}

#[test]
fn a_validator_does_not_change_hands() {
    let old = shares(&[("court", 2), ("data-bureau", 2)]);
    assert_eq!(judge(&old, &shares(&[("court", 2), ("data-bureau", 2), ("court", 1)]), |_| ()), Ok(()));
    assert_eq!(
        refusal(&old, &shares(&[("court", 3), ("data-bureau", 2)]), |_| ()),
        "spec.validators.organisations: validator-3 belongs to data-bureau and cannot become court's; to add validators append \
         a line at the end."
    );
}

#[test]
fn one_is_replaced_for_good_by_another_with_a_number_of_its_own() {
    let four = [("notary-office", 1), ("justice-bureau", 1), ("court", 1), ("data-bureau", 1)];
    let new = ChainSpec { retired: [v(3)].into(), ..shares(&[&four[..], &[("court", 1)]].concat()) };
    let names: Vec<_> =
        chain(&new).members().iter().map(|member| (member.name, member.organisation.to_string())).collect();
    assert_eq!(names.last().unwrap(), &(v(5), "court".to_owned()));
    let two_down = |o: &mut Observed| {
        kill(o, 3, 0, 1);
        kill(o, 1, 0, 1);
    };
    assert_eq!(judge(&shares(&four), &new, |o| kill(o, 3, 0, 1)), Ok(()));
    assert_eq!(
        refusal(&shares(&four), &new, two_down),
        "spec.validators: 4 validators, 2 down, quorum 3: voting validator-5 in makes 5, quorum 4, and leaves 3 live — refused."
    );
    // Its number is gone with it.
    let back = shares(&[&four[..], &[("court", 1)]].concat());
    assert!(refusal(&new, &back, |_| ()).starts_with("spec.retired: validator-3 has left for good"));
}

#[test]
fn members_that_decide_for_themselves_are_not_decided_for() {
    let of = |validators| ChainSpec { membership: Membership::Members, ..spec(validators) };
    let said = refusal(&of(4), &of(5), |_| ());
    assert!(said.starts_with("spec.validators: The members of this chain decide"), "{said}");
}

#[test]
fn what_genesis_holds_stays() {
    let changes: [(&str, ChainSpec); 3] = [
        ("spec.membership", ChainSpec { membership: Membership::Members, ..spec(4) }),
        ("spec.heartbeatMs", ChainSpec { heartbeat_ms: 30_000, ..spec(4) }),
        ("spec.operator", ChainSpec { operator: Some(name("court")), ..spec(4) }),
    ];
    for (field, new) in changes {
        assert_eq!(judge(&spec(4), &new, |_| ()).unwrap_err().field, field);
    }
    let mut other = chain(&spec(4));
    other.id.chain = "other".parse::<Name>().unwrap();
    let refused = validate_change(&chain(&spec(4)), &other, &healthy(&founded(&spec(4)))).unwrap_err();
    assert_eq!(refused.field, "metadata.name");
}

#[test]
fn storage_does_not_shrink_and_versions_must_be_there() {
    let less = ChainSpec { resources: Resources { storage_gib: 5, ..Resources::default() }, ..spec(4) };
    assert_eq!(
        refusal(&spec(4), &less, |_| ()),
        "spec.resources.storageGib: Storage only grows: it is 10 GiB and cannot shrink to 5 GiB."
    );
    let newer = ChainSpec { version: version("0.2.0"), ..spec(4) };
    assert_eq!(judge(&spec(4), &newer, |_| ()), Ok(()));
    assert_eq!(
        refusal(&spec(4), &newer, |o| o.versions = [version("0.1.0")].into()),
        "spec.version: The node program 0.2.0 is not available here; install it first."
    );
}

#[test]
fn a_chain_goes_to_sleep_whole_and_finished() {
    let asleep = ChainSpec { state: ChainState::Hibernated, ..spec(4) };
    assert_eq!(judge(&spec(4), &asleep, |_| ()), Ok(()));
    let pending = refusal(&spec(4), &asleep, |o| o.pending_since_ms = Some(o.now_ms));
    assert_eq!(pending, "spec.state: Transactions are pending; hibernate once they are done.");
    let lost = refusal(&spec(4), &asleep, |o| {
        kill(o, 1, 0, 1);
        kill(o, 2, 0, 1);
    });
    assert!(lost.starts_with("spec.state: Only 2 of 4 validators are live and caught up, quorum 3"), "{lost}");
    assert_eq!(judge(&asleep, &spec(4), |o| o.nodes.clear()), Ok(()));
}
