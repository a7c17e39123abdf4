//! Every mistake is found, with its field and what to do; what is right comes out as it was meant.

use operator_api::{ChainState, Governance, PublicKey, Share, ValidatorState, Validators};
use proptest::prelude::*;

use super::*;
use crate::fixtures::{chain, name, parse_in, spec, tenant, v, version, with_off};

fn share(organisation: &str, validators: u32) -> Share {
    Share { organisation: name(organisation), validators }
}

fn shares(shares: &[(&str, u32)]) -> ChainSpec {
    let organisations = shares.iter().map(|(organisation, validators)| share(organisation, *validators)).collect();
    ChainSpec { validators: Validators { count: None, organisations }, ..spec(4) }
}

fn owners(spec: &ChainSpec) -> Vec<String> {
    chain(spec).members().iter().map(|member| format!("{} {}", member.name, member.organisation)).collect()
}

#[test]
fn a_count_is_shared_out_in_turn() {
    let expected = [
        "validator-1 notary-office",
        "validator-2 justice-bureau",
        "validator-3 court",
        "validator-4 data-bureau",
        "validator-5 notary-office",
    ];
    assert_eq!(owners(&spec(5)), expected);
}

#[test]
fn shares_are_numbered_in_the_order_of_the_list() {
    let expected = [
        "validator-1 court",
        "validator-2 court",
        "validator-3 data-bureau",
        "validator-4 notary-office",
        "validator-5 court",
    ];
    assert_eq!(owners(&shares(&[("court", 2), ("data-bureau", 1), ("notary-office", 1), ("court", 1)])), expected);
}

#[test]
fn the_chain_is_named_after_city_and_tenant() {
    let chain = chain(&spec(4));
    assert_eq!(chain.id().to_string(), "yunchuan.notary.main");
    assert_eq!(chain.operator, name("notary-office"));
    assert_eq!(chain.usage(), Usage { chains: 1, validators: 4, storage_gib: 40 });
}

/// What is changed, and the sentence that must come back.
type Mistake = (&'static str, fn(&mut ChainSpec, &mut TenantSpec), &'static str);

const MISTAKES: &[Mistake] = &[
    (
        "three validators",
        |s, _| s.validators = Validators::count(3),
        "spec.validators.count: must be 4 to 32 validators, are 3",
    ),
    (
        "no validators",
        |s, _| s.validators = Validators::count(0),
        "spec.validators.count: must be 4 to 32 validators, are 0",
    ),
    (
        "too many",
        |s, _| s.validators = Validators::count(u32::MAX),
        "spec.validators.count: must be 4 to 32 validators",
    ),
    ("neither form", |s, _| s.validators = Validators::default(), "spec.validators: give exactly one of"),
    ("both forms", |s, _| s.validators.organisations = vec![share("court", 4)], "spec.validators: give exactly one of"),
    (
        "an unknown organisation",
        |s, _| *s = shares(&[("court", 3), ("police", 1)]),
        "spec.validators.organisations[1].organisation: `police` is not an organisation of the tenant",
    ),
    (
        "an empty share",
        |s, _| *s = shares(&[("court", 4), ("data-bureau", 0)]),
        "spec.validators.organisations[1].validators: must be at least 1",
    ),
    (
        "huge shares",
        |s, _| *s = shares(&[("court", u32::MAX), ("data-bureau", u32::MAX)]),
        "spec.validators.organisations: must be 4 to 32 validators",
    ),
    ("no organisations", |_, t| t.organisations.clear(), "tenant.organisations: the tenant has no organisation yet"),
    (
        "an organisation twice",
        |_, t| t.organisations[1].id = name("court"),
        "tenant.organisations: organisation `court` is listed twice",
    ),
    (
        "an own key that is not there",
        |_, t| t.organisations[0].custody = Custody::Own,
        "tenant.organisations: organisation `notary-office` holds its own key (custody: self): give its `publicKey`",
    ),
    (
        "a key that the platform should make",
        |_, t| t.organisations[0].public_key = Some(PublicKey([1; 32])),
        "tenant.organisations: organisation `notary-office` has a `publicKey` although the platform holds its key",
    ),
    ("another tenant", |s, _| s.tenant = name("medical"), "spec.tenant: must be `notary`"),
    ("no title", |s, _| s.title.zh = "  ".into(), "spec.title.zh: must have 1 to 60 characters"),
    ("a novel for a title", |s, _| s.title.en = "x".repeat(61), "spec.title.en: must have 1 to 60 characters, has 61"),
    ("a hasty heartbeat", |s, _| s.heartbeat_ms = 10, "spec.heartbeatMs: must lie between 1000 (1 second)"),
    (
        "an unknown version",
        |s, _| s.version = version("9.0.0"),
        "spec.version: node version 9.0.0 is not available here; available: 0.1.0, 0.2.0",
    ),
    ("little memory", |s, _| s.resources.memory_mib = 1, "spec.resources.memoryMib: must lie between 64"),
    ("no storage", |s, _| s.resources.storage_gib = 0, "spec.resources.storageGib: must lie between 1"),
    (
        "too many chains",
        |_, t| t.quota.chains = 1,
        "metadata.name: the tenant's quota is 1 chains, 1 used, 0 left, and this chain needs 1",
    ),
    (
        "too many validators",
        |_, t| t.quota.validators = 7,
        "spec.validators: the tenant's quota is 7 validators, 4 used, 3 left, and this chain needs 4",
    ),
    (
        "too much storage",
        |s, _| s.resources.storage_gib = 100,
        "spec.resources.storageGib: the tenant's quota is 400 GiB of storage, 40 used, 360 left, and this chain needs 400",
    ),
    ("a foreign operator", |s, _| s.operator = Some(name("police")), "spec.operator: `police` is not an organisation"),
    (
        "self-governance by the platform",
        |s, _| s.governance = Governance::Own,
        "spec.governance: governance `self` needs more than half of the organisations to hold their own keys: 0 of 4 do",
    ),
    (
        "a validator that is not there",
        |s, _| *s = with_off(4, &[(5, ValidatorState::Stopped)]),
        "spec.validatorStates.validator-5: there is no validator-5: this chain has 4 validators",
    ),
    (
        "too many off",
        |s, _| *s = with_off(4, &[(1, ValidatorState::Stopped), (2, ValidatorState::Fenced)]),
        "spec.validatorStates: 4 validators, quorum 3: only 2 should run",
    ),
];

#[test]
fn every_mistake_comes_back_with_its_field_and_what_to_do() {
    for (what, change, sentence) in MISTAKES {
        let (mut spec, mut tenant) = (spec(4), tenant());
        change(&mut spec, &mut tenant);
        let errors = parse_in(&tenant, &spec).expect_err(what);
        assert!(errors.iter().any(|error| error.to_string().starts_with(sentence)), "{what}: {errors:?}");
        assert!(errors.iter().all(|error| !error.reason.zh.is_empty()), "{what}: {errors:?}");
    }
}

#[test]
fn all_mistakes_come_back_at_once() {
    let wrong = ChainSpec { heartbeat_ms: 1, version: version("9.0.0"), ..spec(3) };
    let fields: Vec<String> = parse_in(&tenant(), &wrong).unwrap_err().into_iter().map(|error| error.field).collect();
    assert_eq!(fields, ["spec.validators.count", "spec.heartbeatMs", "spec.version"]);
}

#[test]
fn a_name_is_unique_in_the_city() {
    let (city, tenant_name) = (name("yunchuan"), name("notary"));
    let others = [(name("main"), name("health"))].into();
    let context = Context {
        city: &city,
        tenant_name: &tenant_name,
        tenant: &tenant(),
        other_chains: &others,
        used: Usage::default(),
        versions: &crate::fixtures::versions(),
        created_ms: 1,
    };
    let errors = ValidChain::parse(&name("main"), &spec(4), &context).unwrap_err();
    assert_eq!(
        errors[0].to_string(),
        "metadata.name: tenant health already has a chain `main`; a chain's name is unique in the city, choose another"
    );
}

#[test]
fn members_may_govern_themselves_once_most_hold_their_keys() {
    let mut tenant = tenant();
    for (organisation, byte) in tenant.organisations.iter_mut().zip(1..=3) {
        organisation.custody = Custody::Own;
        organisation.public_key = Some(PublicKey([byte; 32]));
    }
    assert!(parse_in(&tenant, &ChainSpec { governance: Governance::Own, ..spec(4) }).is_ok());
}

#[test]
fn a_hibernated_chain_keeps_its_wishes_for_when_it_wakes() {
    let asleep = ChainSpec { state: ChainState::Hibernated, ..with_off(4, &[(2, ValidatorState::Stopped)]) };
    let chain = chain(&asleep);
    assert_eq!(
        chain.members()[1],
        Member { name: v(2), organisation: name("justice-bureau"), desired: ValidatorState::Stopped }
    );
}

proptest! {
    #[test]
    fn what_passes_has_four_validators_or_more_and_a_quorum_of_them_wanted(
        count in any::<Option<u32>>(),
        list in proptest::collection::vec((0usize..5, any::<u32>()), 0..4),
        off in proptest::collection::btree_map(1u32..=254, 0..3u8, 0..4),
    ) {
        let pick = |index: usize| ["notary-office", "justice-bureau", "court", "data-bureau", "police"][index];
        let organisations = list.iter().map(|(index, validators)| share(pick(*index), validators % 6)).collect();
        let state = |n: &u8| match n { 0 => ValidatorState::Running, 1 => ValidatorState::Stopped, _ => ValidatorState::Fenced };
        let wanted = ChainSpec {
            validators: Validators { count: count.map(|count| count % 40), organisations },
            validator_states: off.iter().map(|(number, n)| (v(*number), state(n))).collect(),
            ..spec(4)
        };
        if let Ok(chain) = parse_in(&tenant(), &wanted) {
            let running = chain.members().iter().filter(|member| member.desired == ValidatorState::Running).count();
            prop_assert!((4..=32).contains(&chain.count()));
            prop_assert!(Quorum::of(chain.count()).held_by(running.try_into().unwrap()));
            prop_assert!(chain.members().iter().zip(1..).all(|(member, number)| member.name == v(number)));
        }
    }
}
