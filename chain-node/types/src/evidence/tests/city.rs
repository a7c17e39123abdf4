//! The promise of `history`: what the city chain stored passes, and a past that retired keys made up does not, however
//! good its signatures are.

use super::super::{
    CheckName, City, CityProof, Evidence, Inputs, Link, Outcome, Record, Report, Subject, verify, verify_with_city,
};
use super::cases::{CALL, World};
use super::chain::{Chain, Tree, certify, digests, entries_of, genesis, header, seeded, validator};
use crate::encoding::{Decode, Encode, to_vec};
use crate::light::{StoredHeader, Update, header_key};
use crate::merkle::{consistency_proof, leaf_hash, root_of_leaves};
use crate::{Fingerprint, Genesis, Hash, Header, ValidatorSet};

/// The city chain: one header over a state that holds the record.
fn city_evidence(city: &Genesis, key: Vec<u8>, stored: &impl serde::Serialize) -> Vec<u8> {
    let other = (b"another record".to_vec(), b"value".to_vec());
    let tree = Tree::of(&[(key.clone(), to_vec(stored).unwrap()), other]);
    let set = city.validator_set();
    let mut sealing = header(city.fingerprint(), 77, Hash::of(b"76"));
    (sealing.validators_hash, sealing.next_validators_hash) = (set.hash(), set.hash());
    sealing.state_root = tree.root;
    let certificate = certify(&sealing, &set, &[0, 1, 3]);
    let subject = Subject::State(tree.prove(&key));
    let (set_changes, account) = (Vec::new(), None);
    Evidence { genesis: city.to_bytes(), set_changes, subject, account, sealing, certificate }.to_bytes()
}

fn city() -> Genesis {
    let mut city = genesis("cloud-river.city.city");
    for (n, one) in (6..10u8).zip(&mut city.validators) {
        one.validator = validator(seeded(n).public());
    }
    city
}

fn record(header: &Header) -> StoredHeader {
    StoredHeader::of(header, header.time_ms + 30_000)
}

/// What the city stored, with a link.
fn proof(stored: &Header, link: Link) -> CityProof {
    let evidence = city_evidence(&city(), header_key(&stored.fingerprint, stored.height), &record(stored));
    CityProof { evidence, link }
}

fn verdict(evidence: &Evidence, proof: &CityProof) -> Report {
    let inputs = Inputs { trust: Some(evidence.fingerprint()), file: None };
    let city = City { proof: &proof.to_bytes(), trust: Some(city().fingerprint()) };
    verify_with_city(&evidence.to_bytes(), &inputs, Some(&city))
}

fn history(report: &Report) -> Outcome {
    report.checks.iter().find(|check| check.name == CheckName::History).unwrap().outcome.clone()
}

fn passes(evidence: &Evidence, proof: &CityProof) -> bool {
    let report = verdict(evidence, proof);
    assert_eq!(report.passed(CheckName::History), report.is_valid(), "{:#?}", report.checks);
    report.is_valid()
}

/// So many children of a header, oldest first.
fn children(of: &Header, n: u64) -> Vec<Header> {
    let mut headers = vec![of.clone()];
    for at in 1..=n {
        let parent = headers.last().unwrap();
        let child = Header { height: of.height + at, time_ms: of.time_ms + at, parent: parent.id(), ..parent.clone() };
        headers.push(child);
    }
    headers.split_off(1)
}

/// Entries of a log that goes on after the world's, and its consistency with the world's.
fn longer(world: &World, more: u64) -> (u64, Hash, Vec<Hash>) {
    let own = world.chain.sealing.log_size;
    let extra = (0..more).map(|n| format!("later {n}").into_bytes());
    let log: Vec<Vec<u8>> = (0..own).map(|n| world.chain.entry(n)).chain(extra).collect();
    let leaves = || log.iter().map(|entry| leaf_hash(entry));
    let mut nodes = std::collections::HashMap::new();
    let mut frontier = crate::merkle::Frontier::default();
    for leaf in leaves() {
        frontier.append(leaf, |id, hash| {
            nodes.insert(id, hash);
        });
    }
    let path = consistency_proof(own, own + more, |id| nodes.get(&id).copied().ok_or(id)).unwrap();
    (own + more, root_of_leaves(leaves()), path)
}

#[test]
fn the_stored_header_itself_or_a_descendant_proves_history() {
    let world = World::new(true);
    for evidence in [world.transaction(), world.digest(), world.state()] {
        assert!(passes(&evidence, &proof(&world.chain.sealing, Link::Headers(Vec::new()))));
        let headers = children(&world.chain.sealing, 5);
        let good = proof(&headers[4], Link::Headers(headers.clone()));
        assert!(passes(&evidence, &good));
        assert_eq!(CityProof::from_bytes(&good.to_bytes()).unwrap(), good);
        let mut gap = headers.clone();
        gap.remove(2);
        assert!(!passes(&evidence, &proof(&headers[4], Link::Headers(gap))));
        assert!(!passes(&evidence, &proof(&headers[4], Link::Headers(headers[..4].to_vec()))));
        assert!(!passes(&evidence, &proof(&headers[3], Link::Headers(headers.clone()))));
    }
}

#[test]
fn the_log_alone_proves_an_entry_but_neither_an_account_nor_a_state() {
    let world = World::new(true);
    let (log_size, log_root, path) = longer(&world, 9);
    let stored = Header { height: 40, log_size, log_root, ..world.chain.sealing.clone() };
    let good = proof(&stored, Link::Log(path.clone()));
    let mut evidence = world.digest();
    assert!(!passes(&evidence, &good), "an account record is in the package");
    evidence.account = None;
    assert!(passes(&evidence, &good));
    assert!(!passes(&world.state(), &good));
    assert!(!passes(&evidence, &proof(&stored, Link::Log(path[1..].to_vec()))));
    // The city may have stored less of the log, as long as the entry is in it.
    let (less, mut newer) = (world.chain.sealing.clone(), evidence);
    newer.sealing = stored;
    let city_says = proof(&less, Link::Log(path));
    assert!(verdict(&newer, &city_says).passed(CheckName::History));
    let Subject::Act { index, .. } = &mut newer.subject else { panic!() };
    *index = less.log_size;
    assert!(!verdict(&newer, &city_says).passed(CheckName::History), "the entry came later than what was stored");
}

/// Everybody who ever held a key of the first set, all retired since height 5, makes up another past: a block at height 9
/// with other entries, sealed and certified as if the set had never changed.
#[test]
fn a_past_forged_with_retired_keys_passes_alone_and_fails_with_the_city_proof() {
    let genesis = genesis("cloud-river.notary.main");
    let retired = genesis.validator_set();
    let honest = {
        let last = ValidatorSet::new((5..=8).map(|n| validator(seeded(n).public())).collect());
        let call = super::chain::anchor(genesis.fingerprint(), b"");
        Chain::with_sets(genesis.clone(), vec![retired.clone(), last], true, entries_of(&call))
    };
    let call = super::chain::anchor(genesis.fingerprint(), b"forged");
    let forged_chain = Chain::with_sets(genesis, vec![retired.clone(), retired], false, entries_of(&call));
    let mut forged = forged_chain.act(Record::Transaction(call.bytes().to_vec()), CALL);
    let trust = Inputs { trust: Some(honest.genesis.fingerprint()), file: None };
    assert_eq!(forged.fingerprint(), honest.genesis.fingerprint());

    let alone = verify(&forged.to_bytes(), &trust);
    assert!(alone.is_valid() && !alone.passed(CheckName::History), "valid, history not proven");

    // The city stored the true header of that height, and a later one.
    let later = children(&honest.sealing, 3);
    let (_, _, path) = longer(&World::new(true), 4);
    for account in [forged.account.clone(), None] {
        forged.account = account;
        for (stored, link) in [
            (&honest.sealing, Link::Headers(Vec::new())),
            (&honest.sealing, Link::Log(Vec::new())),
            (&later[2], Link::Headers(later.clone())),
            (&later[2], Link::Headers(children(&forged.sealing, 3))),
            (&later[2], Link::Log(path.clone())),
        ] {
            let report = verdict(&forged, &proof(stored, link));
            let failed: Vec<CheckName> = report.failures().map(|check| check.name).collect();
            assert_eq!(failed, [CheckName::History], "{:#?}", report.checks);
        }
    }
    // The same proofs hold for what is true.
    let call = super::chain::anchor(honest.genesis.fingerprint(), b"");
    let record = Record::Transaction(call.bytes().to_vec());
    let mut evidence = honest.act(record, CALL);
    evidence.certificate = certify(&honest.sealing, &honest.sets[1], &[0, 1, 2]);
    assert!(passes(&evidence, &proof(&later[2], Link::Headers(later.clone()))));
}

#[test]
fn only_the_trusted_city_chain_and_its_record_of_this_chain_count() {
    let world = World::new(true);
    let (evidence, sealing) = (world.transaction(), &world.chain.sealing);
    let (key, stored) = (header_key(&sealing.fingerprint, sealing.height), record(sealing));
    let with = |city: &Genesis, key: Vec<u8>, stored: &StoredHeader| CityProof {
        evidence: city_evidence(city, key, stored),
        link: Link::Headers(Vec::new()),
    };
    assert!(passes(&evidence, &with(&city(), key.clone(), &stored)));
    let mut impostor = city();
    impostor.chain_id = "cloud-river.city.fake".into();
    let mut other = key.clone();
    other[20] ^= 1;
    let elsewhere = StoredHeader { height: 11, ..stored.clone() };
    for bad in [
        with(&impostor, key.clone(), &stored),
        with(&city(), header_key(&Fingerprint([9; 32]), sealing.height), &stored),
        with(&city(), other, &stored),
        with(&city(), key.clone(), &elsewhere),
        CityProof { evidence: evidence.to_bytes(), link: Link::Headers(Vec::new()) },
        CityProof { evidence: b"?".to_vec(), link: Link::Headers(Vec::new()) },
    ] {
        assert!(!passes(&evidence, &bad));
    }
    let bytes = with(&city(), key, &stored).to_bytes();
    let untrusted = City { proof: &bytes, trust: None };
    let report = verify_with_city(&evidence.to_bytes(), &world.trust(), Some(&untrusted));
    assert!(matches!(history(&report), Outcome::NotApplicable(_)) && report.is_valid());
}

#[test]
fn one_changed_byte_of_a_city_proof_is_noticed() {
    let world = World::new(true);
    let evidence = world.digest();
    let headers = children(&world.chain.sealing, 2);
    let good = proof(&headers[1], Link::Headers(headers.clone())).to_bytes();
    let trust = Some(city().fingerprint());
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= [0x01, 0x80, 0x1f][at % 3];
        let city = City { proof: &bytes, trust };
        let report = verify_with_city(&evidence.to_bytes(), &world.trust(), Some(&city));
        assert!(matches!(history(&report), Outcome::Fail(reason) if !reason.is_empty()), "byte {at}");
    }
}

#[test]
fn a_step_has_one_byte_form_and_says_what_is_wrong() {
    let world = World::new(true);
    let evidence = world.transaction();
    let update = Update {
        base: 0,
        set_changes: evidence.set_changes,
        header: evidence.sealing,
        certificate: evidence.certificate,
        consistency: vec![Hash::of(b"path")],
    };
    assert_eq!(Update::from_bytes(&update.to_bytes()).unwrap(), update);
    let (chain, first) = (world.chain.genesis.fingerprint(), world.chain.genesis.validator_set());
    assert_eq!(update.certified_by(chain, first.clone()).unwrap(), world.chain.sets[1]);
    let mut left_out = update.clone();
    left_out.set_changes.clear();
    assert_eq!(left_out.certified_by(chain, first.clone()).unwrap_err().code(), "sets");
    let mut unsigned = update.clone();
    unsigned.certificate.signatures.clear();
    assert_eq!(unsigned.certified_by(chain, first).unwrap_err().code(), "certificate");
    assert_eq!(update.continues_log(3, &digests()[0]).unwrap_err().code(), "log");
}
