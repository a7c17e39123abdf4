//! A quorum makes a checkpoint, a conflict is seen, and what was endorsed is remembered through every crash.

use std::convert::Infallible;

use chain_types::crypto::SigningKey;
use chain_types::encoding::{Decode, Encode};
use chain_types::genesis::Genesis;
use chain_types::tlog::{self, Policy, SignedCheckpoint};
use chain_types::{Hash, PublicKey, Validator, ValidatorSet};
use proptest::prelude::*;

use super::board::{Board, Heard};
use super::endorsement::{Endorsement, Signer};
use super::moment::opens_a_second;
use super::record::{Permission, Record, RecordError, permission};
use crate::sample;

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

fn genesis() -> Genesis {
    sample::genesis(&[], PublicKey([1; 32]), 1_800_000_000_000)
}

fn signer(n: u8) -> Signer {
    Signer { log: key(100 + n), cosigner: key(200 + n) }
}

fn validator(n: u8) -> Validator {
    let Signer { log, cosigner } = signer(n);
    Validator {
        consensus_key: key(n).public(),
        cosigner_key: cosigner.public(),
        log_key: log.public(),
        power: 1,
        organisation: "bureau".into(),
    }
}

fn set(n: u8) -> ValidatorSet {
    ValidatorSet::new((1..=n).map(validator).collect())
}

fn endorse(n: u8, size: u64, root: u8) -> Endorsement {
    signer(n).endorse(&tlog::origin(&genesis()), size, Hash([root; 32]), 1_800_000_000)
}

fn assemble(board: &Board, set: &ValidatorSet, ours: u8) -> Option<super::Cosigned> {
    let is_ours = |_, root: &Hash| Ok::<_, Infallible>(*root == Hash([ours; 32]));
    board.assemble(&genesis(), set, 9, is_ours).unwrap()
}

#[test]
fn an_endorsement_verifies_and_a_changed_one_does_not() {
    let good = endorse(1, 7, 7);
    assert!(good.verify(&genesis(), &validator(1)));
    assert!(!good.verify(&genesis(), &validator(2)));
    assert_eq!(Endorsement::from_bytes(&good.to_bytes()).unwrap(), good);
    let mut changed = [good.clone(), good.clone(), good.clone(), good.clone(), good.clone(), good.clone()];
    changed[0].size += 1;
    changed[1].root.0[0] ^= 1;
    changed[2].time_s += 1;
    changed[3].log.0[3] ^= 1;
    changed[4].cosignature.0[3] ^= 1;
    changed[5].receipt.0[3] ^= 1;
    assert!(changed.iter().all(|e| !e.verify(&genesis(), &validator(1))));
    let mut other_chain = genesis();
    other_chain.time_ms += 1;
    assert!(!good.verify(&other_chain, &validator(1)), "another chain's log has another origin");
}

#[test]
fn three_of_four_make_a_checkpoint_that_the_policy_accepts() {
    let (mut board, set) = (Board::default(), set(4));
    for n in 1..=2 {
        assert_eq!(board.add(endorse(n, 10, 1)), Heard::New);
    }
    assert_eq!(assemble(&board, &set, 1), None);
    assert_eq!(board.add(endorse(3, 10, 1)), Heard::New);
    assert_eq!(board.add(endorse(3, 10, 1)), Heard::Known);
    let cosigned = assemble(&board, &set, 1).unwrap();
    let policy = Policy::of_validators(&genesis(), &set).unwrap();
    let read = SignedCheckpoint::parse(&cosigned.signed.to_text()).unwrap();
    assert_eq!(policy.check(&read).unwrap().cosigners.len(), 3);
    assert_eq!(cosigned.receipts.len(), 3);
    assert_eq!(assemble(&board, &set, 2), None, "a quorum for another log than ours is not served");
}

#[test]
fn a_checkpoint_stands_while_the_validators_move_on_one_by_one() {
    let (mut board, set) = (Board::default(), set(4));
    for size in [10, 20, 30] {
        for n in 1..=4 {
            board.add(endorse(n, size, 1));
            let cosigned = assemble(&board, &set, 1);
            if size > 10 {
                let at_least = if n >= 3 { size } else { size - 10 };
                assert_eq!(cosigned.unwrap().size(), at_least);
            }
        }
    }
    assert_eq!(board.add(endorse(1, 10, 1)), Heard::Known, "older than what is kept");
}

#[test]
fn two_logs_of_one_size_are_a_conflict_and_do_not_replace_each_other() {
    let (mut board, set) = (Board::default(), set(4));
    (1..=3).for_each(|n| drop(board.add(endorse(n, 10, 1))));
    let first = Box::new(endorse(1, 10, 1));
    assert_eq!(board.add(endorse(1, 10, 2)), Heard::Conflict(first));
    assert_eq!(assemble(&board, &set, 1).unwrap().size(), 10);
}

#[test]
fn whoever_left_the_set_does_not_count() {
    let mut board = Board::default();
    (1..=4).for_each(|n| drop(board.add(endorse(n, 10, 1))));
    let replaced = ValidatorSet::new([3, 4, 5, 6].map(validator).into());
    assert_eq!(assemble(&board, &replaced, 1), None);
    board.retain([&replaced, &replaced]);
    assert!(!board.knows(&endorse(1, 10, 1)) && board.knows(&endorse(3, 10, 1)));
    board.add(endorse(5, 10, 1));
    assert_eq!(assemble(&board, &replaced, 1).unwrap().receipts.len(), 3);
}

#[test]
fn a_note_has_as_many_lines_as_every_verifier_reads() {
    let (mut board, set) = (Board::default(), set(32));
    (1..=32).for_each(|n| drop(board.add(endorse(n, 10, 1))));
    let cosigned = assemble(&board, &set, 1).unwrap();
    assert_eq!(cosigned.signed.signatures.len(), 33, "all cosignatures, and one of the log");
    let read = SignedCheckpoint::parse(&cosigned.signed.to_text()).unwrap();
    assert!(Policy::of_validators(&genesis(), &set).unwrap().check(&read).is_ok());
}

/// The log of which size `n` has root `[n; 32]`.
fn allowed(last: Option<&Endorsement>, size: u64, root: u8, now_s: u64) -> Permission {
    permission(last, size, Hash([root; 32]), now_s, |size| Ok::<_, Infallible>(Hash([size as u8; 32]))).unwrap()
}

#[test]
fn nothing_smaller_or_other_is_endorsed_after_an_endorsement() {
    let (last, now) = (endorse(1, 7, 7), 1_800_000_000);
    assert_eq!(allowed(None, 7, 7, now), Permission::Endorse);
    assert_eq!(allowed(None, 7, 8, now), Permission::Inconsistent, "the header's root is not this node's");
    assert_eq!(allowed(Some(&last), 8, 8, now), Permission::Endorse);
    assert_eq!(allowed(Some(&last), 6, 6, now), Permission::Smaller);
    assert_eq!(allowed(Some(&last), 7, 7, now + 59), Permission::Unneeded);
    assert_eq!(allowed(Some(&last), 7, 7, now + 60), Permission::Endorse);
    // Endorsed before on another history: neither at that size nor at any later one.
    let other = endorse(1, 7, 9);
    assert_eq!(allowed(Some(&other), 7, 7, now + 60), Permission::Inconsistent);
    assert_eq!(allowed(Some(&other), 8, 8, now + 60), Permission::Inconsistent);
}

#[test]
fn what_was_endorsed_is_remembered_after_every_crash() {
    let home = tempfile::tempdir().unwrap();
    let mut record = Record::open(home.path()).unwrap();
    assert_eq!(record.last(), None);
    record.write(&endorse(1, 7, 7)).unwrap();
    // A crash while the next is written leaves a new file that was never renamed, whole or torn.
    let next = endorse(1, 8, 8).to_bytes();
    for torn in [0, 1, next.len() / 2, next.len()] {
        std::fs::write(home.path().join("endorsed.cbor.new"), &next[..torn]).unwrap();
        assert_eq!(Record::open(home.path()).unwrap().last(), Some(&endorse(1, 7, 7)));
    }
    record.write(&endorse(1, 8, 8)).unwrap();
    assert_eq!(Record::open(home.path()).unwrap().last(), Some(&endorse(1, 8, 8)));
    // Damage is never taken for "nothing was endorsed".
    let path = home.path().join("endorsed.cbor");
    for damaged in [&[][..], &next[..next.len() - 1], b"garbage"] {
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(Record::open(home.path()), Err(RecordError::Damaged { .. })));
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(Record::open(home.path()), Err(RecordError::Read { .. })));
    assert!(matches!(record.write(&endorse(1, 9, 9)), Err(RecordError::Write { .. })));
    assert_eq!(record.last(), Some(&endorse(1, 8, 8)), "what could not be written was not endorsed");
}

#[test]
fn the_first_header_of_a_second_is_endorsed_unless_it_is_old() {
    assert!(opens_a_second(1_999, 2_000, 2_100));
    assert!(!opens_a_second(2_000, 2_999, 3_000));
    assert!(opens_a_second(2_000, 7_500, 7_500));
    assert!(!opens_a_second(1_999, 2_000, 12_000), "a node that catches up leaves it to the others");
}

proptest! {
    /// Whatever arrives in whatever order: a served checkpoint has a quorum for one log, and memory stays bounded.
    #[test]
    fn any_order_of_endorsements_serves_only_quorums(
        heard in proptest::collection::vec((1u8..=4, 1u64..6, 0u8..10), 0..60)
    ) {
        let (mut board, set) = (Board::default(), set(4));
        for (n, size, root) in heard {
            // Mostly the true log, sometimes a lie.
            let root = if root == 9 { 99 } else { size as u8 };
            board.add(endorse(n, size, root));
            let served = board.assemble(&genesis(), &set, 9, |_, _| Ok::<_, Infallible>(true)).unwrap();
            if let Some(served) = served {
                prop_assert!(served.receipts.len() >= 3);
                let policy = Policy::of_validators(&genesis(), &set).unwrap();
                prop_assert!(policy.check(&served.signed).is_ok());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_endorsement_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Endorsement::from_bytes(&bytes).is_err());
    }
}
