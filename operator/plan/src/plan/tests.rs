//! The plan is a function of its arguments: the text of a configuration, what genesis holds, and what a change does not touch.

use chain_types::membership::Change;
use operator_api::{ChainSpec, Share, Validators};

use super::*;
use crate::fixtures::{addresses, chain, changed, founded, genesis, keys, name, parse_in, spec, tenant, v, with_off};

#[test]
fn a_configuration_reads_as_the_node_expects_it() {
    let plan = founded(&spec(4));
    let config = plan.nodes[0].config.as_ref().unwrap();
    assert_eq!(config.text, include_str!("../../testdata/node.toml"));
}

#[test]
fn genesis_is_accepted_by_the_nodes_own_check() {
    let genesis = genesis(&chain(&spec(7)));
    genesis.check().unwrap();
    assert_eq!(genesis.chain_id, "yunchuan.notary.main");
    assert_eq!(
        (genesis.operator.as_str(), genesis.validators.len(), genesis.organisations.len()),
        ("notary-office", 7, 4)
    );
    assert_eq!(genesis.validators[6].name, "validator-7");
    assert_eq!(genesis.validators[6].validator.organisation, "court");
}

#[test]
fn genesis_waits_for_every_key_and_says_for_whose() {
    let chain = chain(&spec(4));
    let mut some = keys(&chain);
    some.steward = None;
    some.organisations.remove(&name("court"));
    some.nodes.remove(&v(2));
    let plan = plan(&chain, &some, &addresses(), None);
    assert_eq!(plan.genesis, GenesisPlan::Waiting { steward: true, organisations: vec![name("court")] });
    assert_eq!((plan.nodes[0].keys, plan.nodes[1].keys), (KeyState::Present, KeyState::Missing));
    assert!(plan.nodes[1].config.is_none());
    assert!(plan.fingerprint().is_none());
}

#[test]
fn an_organisation_that_holds_its_key_needs_nobody_to_publish_it() {
    let mut tenant = tenant();
    tenant.organisations[2].custody = Custody::Own;
    tenant.organisations[2].public_key = Some(operator_api::PublicKey([9; 32]));
    let chain = parse_in(&tenant, &spec(4)).unwrap();
    let mut keys = keys(&chain);
    keys.organisations.remove(&name("court"));
    let plan = plan(&chain, &keys, &addresses(), None);
    let court = &plan.genesis.genesis().unwrap().organisations[2];
    assert_eq!((court.administrator, court.custody), (PublicKey([9; 32]), chain_types::Custody::Own));
}

#[test]
fn once_founded_nothing_in_the_spec_touches_genesis() {
    let before = founded(&spec(4));
    let wanted = ChainSpec { heartbeat_ms: 5_000, title: Text::new("新", "New"), ..spec(5) };
    let after = changed(&spec(4), &wanted);
    assert_eq!(before.fingerprint(), after.fingerprint());
    let in_genesis: Vec<bool> = after.nodes.iter().map(|node| node.in_genesis).collect();
    assert_eq!(in_genesis, [true, true, true, true, false]);
}

#[test]
fn a_validator_keeps_the_organisation_that_its_keys_were_made_for() {
    let chain_before = chain(&spec(4));
    let mut tenant = tenant();
    tenant.organisations.rotate_left(1);
    let chain_after = parse_in(&tenant, &spec(4)).unwrap();
    assert_ne!(chain_before.members()[0].organisation, chain_after.members()[0].organisation);
    let plan = plan(&chain_after, &keys(&chain_before), &addresses(), Some(&genesis(&chain_before)));
    assert_eq!(plan.nodes[0].organisation, name("notary-office"));
    assert_eq!(plan.nodes[0].organisation_title.en, "City notary office");
}

#[test]
fn keys_that_genesis_names_are_never_made_anew() {
    let chain = chain(&spec(4));
    let mut keys = keys(&chain);
    keys.nodes.remove(&v(2));
    let stranger = keys.nodes.get_mut(&v(3)).unwrap();
    stranger.consensus = PublicKey([99; 32]);
    let plan = plan(&chain, &keys, &addresses(), Some(&genesis(&chain)));
    let states: Vec<KeyState> = plan.nodes.iter().map(|node| node.keys).collect();
    assert_eq!(states, [KeyState::Present, KeyState::Lost, KeyState::Lost, KeyState::Present]);
}

#[test]
fn a_validator_that_should_go_stays_in_the_plan_until_its_keys_are_gone() {
    let plan = changed(&spec(5), &spec(4));
    let last = plan.nodes.last().unwrap();
    assert_eq!((last.name, last.role, last.desired), (v(5), Role::Observer, ValidatorState::Stopped));
}

#[test]
fn peers_drop_a_fenced_validator_and_keep_a_stopped_one() {
    let peers = |state| {
        let plan = founded(&with_off(4, &[(2, state)]));
        plan.nodes[0].config.as_ref().unwrap().text.contains("name = \"validator-2\"")
    };
    assert_eq!((peers(ValidatorState::Stopped), peers(ValidatorState::Fenced)), (true, false));
}

#[test]
fn peers_and_tokens_change_the_text_but_need_no_restart() {
    let before = founded(&spec(4)).nodes[0].config.clone().unwrap();
    let grown = changed(&spec(4), &spec(5)).nodes[0].config.clone().unwrap();
    assert_ne!(before.hash, grown.hash);
    assert_eq!(before.start_hash, grown.start_hash);
    let public = founded(&ChainSpec { public_reads: true, ..spec(4) }).nodes[0].config.clone().unwrap();
    assert_ne!(before.start_hash, public.start_hash);
}

#[test]
fn a_voting_set_is_named_by_its_keys() {
    let chain = chain(&spec(4));
    let keys = keys(&chain);
    let set: Vec<PublicKey> = [4, 1].map(|number| keys.nodes[&v(number)].consensus).to_vec();
    assert_eq!(keys.names(&set), [v(1), v(4)].into());
}

#[test]
fn shares_by_name_are_in_genesis_as_asked() {
    let organisations = vec![
        Share { organisation: name("court"), validators: 3 },
        Share { organisation: name("data-bureau"), validators: 1 },
    ];
    let spec = ChainSpec { validators: Validators { count: None, organisations }, ..spec(4) };
    let genesis = genesis(&chain(&spec));
    let owners: Vec<&str> = genesis.validators.iter().map(|v| v.validator.organisation.as_str()).collect();
    assert_eq!(owners, ["court", "court", "court", "data-bureau"]);
}

#[test]
fn in_a_cluster_nodes_listen_everywhere_and_are_found_by_the_names_of_their_services() {
    let chain = chain(&spec(4));
    let cluster = Addresses::Cluster { namespace: "tenant-notary".to_owned(), chain: name("main") };
    let plan = plan(&chain, &keys(&chain), &cluster, None);
    let text = &plan.nodes[0].config.as_ref().unwrap().text;
    for line in [
        "home = \"/var/lib/chain-node\"",
        "genesis = \"/etc/chain-node/genesis.json\"",
        "consensus = \"0.0.0.0:26656\"",
        "admin = \"0.0.0.0:8081\"",
        "gossip = \"main-validator-2.tenant-notary.svc:26657\"",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("main-validator-1."), "its own name is nobody's peer");
    assert_eq!(plan.nodes[2].api, "main-validator-3.tenant-notary.svc:8080");
}

#[test]
fn whoever_has_signed_and_has_no_keys_has_lost_them() {
    let five = chain(&spec(5));
    let genesis = genesis(&chain(&spec(4)));
    let mut have = keys(&chain(&spec(4)));
    let state = |have: &Keys| plan(&five, have, &addresses(), Some(&genesis)).nodes[4].keys;
    assert_eq!(state(&have), KeyState::Missing);
    have.used.insert(v(5));
    assert_eq!(state(&have), KeyState::Lost);
}

#[test]
fn a_change_of_the_set_names_keys_that_are_here_or_in_genesis() {
    let chain = chain(&spec(4));
    let (mut have, genesis) = (keys(&chain), genesis(&chain));
    let founder = have.nodes[&v(2)].consensus;
    assert!(matches!(have.joining(v(2)), Some(Change::Add(new)) if new.keys.consensus_key == founder));
    have.nodes.remove(&v(2));
    assert_eq!(have.joining(v(2)), None);
    assert_eq!(have.leaving(v(2), Some(&genesis), &BTreeSet::new()), Some(Change::Remove { validator: founder }));
    assert_eq!(have.leaving(v(2), None, &BTreeSet::new()), None);
    let voting = have.voting(&[founder, PublicKey([9; 32])], Some(&genesis));
    assert_eq!((voting.names, voting.whole), ([v(2)].into(), false));
}
