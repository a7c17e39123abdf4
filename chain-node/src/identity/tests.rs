//! Which volumes vote at once, what survives a torn write, and what two holders of one key cannot do.

use chain_types::PublicKey;
use proptest::prelude::*;

use super::*;

const KEY: PublicKey = PublicKey([1; 32]);
const ID: BlockId = BlockId([7; 32]);

fn at(height: u64) -> Position {
    Position { height, round: 0 }
}

fn running(tip: u64) -> Found {
    Found { tip, had_identity: true, signed: at(tip), has_log: true }
}

fn open(home: &Path, found: &Found) -> Guard {
    Guard::open(home, KEY, found, None).unwrap()
}

#[test]
fn a_healthy_volume_votes_at_once_and_knows_what_it_signed() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    assert_eq!(guard.standing(), Standing::Votes);
    for height in 1..=5 {
        guard.reserve(at(height)).unwrap();
    }
    drop(guard);
    let guard = open(home.path(), &running(4));
    assert_eq!(guard.standing(), Standing::Votes);
    guard.reserve(at(5)).unwrap();
    guard.reserve(Position { height: 5, round: 1 }).unwrap();
    guard.reserve(at(5)).unwrap();
    assert_eq!(guard.lock().file.record().last.round, 1, "a replay of the round before takes nothing back");
    assert!(guard.reserve(at(4)).is_err(), "an earlier height is never signed again");
    assert!(guard.reserve(at(6)).is_err(), "nor anything after that was asked");
    drop(guard);
    assert_eq!(open(home.path(), &running(4)).standing(), Standing::Waits(Why::Suspect));
}

#[test]
fn what_is_copied_missing_old_or_of_another_key_waits() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    guard.reserve(at(9)).unwrap();
    drop(guard);
    let standing = |home: &Path, key, found: &Found| Guard::open(home, key, found, None).unwrap().standing();
    let copied = |change: &dyn Fn(&Path)| {
        let copy = tempfile::tempdir().unwrap();
        std::fs::hard_link(home.path().join("identity"), copy.path().join("identity")).unwrap();
        change(copy.path());
        copy
    };
    // Looking must not change the original: each case looks at bytes of its own, in place of the same file.
    let original = std::fs::read(home.path().join("identity")).unwrap();
    let restore = || std::fs::write(home.path().join("identity"), &original).unwrap();
    let copy = copied(&|dir| {
        std::fs::remove_file(dir.join("identity")).unwrap();
        std::fs::copy(home.path().join("identity"), dir.join("identity")).map(drop).unwrap();
    });
    assert_eq!(standing(copy.path(), KEY, &running(8)), Standing::Waits(Why::OtherVolume));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(standing(empty.path(), KEY, &running(8)), Standing::Waits(Why::Missing));
    for (key, found, why) in [
        (PublicKey([2; 32]), running(8), Why::OtherKey),
        (KEY, running(10), Why::OlderThanStore),
        (KEY, running(3), Why::StoreOlder),
        (KEY, Found { has_log: false, ..running(8) }, Why::NoLog),
    ] {
        restore();
        assert_eq!(standing(home.path(), key, &found), Standing::Waits(why));
    }
    restore();
    assert_eq!(standing(home.path(), KEY, &running(8)), Standing::Votes);
    let before = Found { had_identity: false, ..running(8) };
    let older = tempfile::tempdir().unwrap();
    assert_eq!(standing(older.path(), KEY, &before), Standing::Votes, "a store from before there was a guard");
}

#[test]
fn a_rotated_key_votes_from_the_volume_of_the_old_one() {
    let home = tempfile::tempdir().unwrap();
    open(home.path(), &Found::default()).reserve(at(9)).unwrap();
    let new = PublicKey([2; 32]);
    let guard = Guard::open(home.path(), new, &running(9), Some(KEY)).unwrap();
    assert_eq!(guard.standing(), Standing::Votes);
    drop(guard);
    assert_eq!(Guard::open(home.path(), new, &running(9), None).unwrap().standing(), Standing::Votes);
}

#[test]
fn a_waiting_node_signs_nothing_until_it_has_watched_blocks() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &running(8));
    assert!(guard.waits() && guard.reserve(at(9)).is_err());
    guard.on_committed(9, guard.started_ms - 60_000);
    for height in 10..12 {
        guard.on_committed(height, guard.started_ms + height);
        assert_eq!(*guard.verdict.borrow(), None);
    }
    guard.on_committed(12, guard.started_ms + 12);
    assert!(matches!(*guard.verdict.borrow(), Some(Verdict::Restart(_))));
    drop(guard);
    let guard = open(home.path(), &Found { signed: at(3), ..running(12) });
    assert_eq!(guard.standing(), Standing::Votes);
    assert!(guard.reserve(at(12)).is_err(), "heights that it watched are not signed");
}

#[test]
fn a_vote_of_the_own_key_from_elsewhere_stops_the_node_for_good() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    guard.reserve(at(1)).unwrap();
    guard.signed(at(1), VoteKind::Prevote, Some(ID));
    guard.saw(at(1), VoteKind::Prevote, Some(ID));
    guard.on_committed(1, guard.started_ms + 1);
    assert_eq!(*guard.verdict.borrow(), None, "its own votes are its own");
    guard.saw(at(2), VoteKind::Precommit, Some(ID));
    guard.on_committed(2, guard.started_ms + 2);
    assert_eq!(*guard.verdict.borrow(), Some(Verdict::Duplicate));
    assert!(guard.reserve(at(3)).is_err());
    drop(guard);
    assert_eq!(open(home.path(), &running(2)).standing(), Standing::Waits(Why::Suspect));
}

#[test]
fn a_prepared_round_is_not_yet_a_signed_one() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    guard.prepare(at(3));
    guard.prepare(at(2));
    guard.reserve(at(3)).unwrap();
    guard.prepare(at(4));
    guard.saw(at(4), VoteKind::Prevote, Some(ID));
    guard.on_committed(4, guard.started_ms + 4);
    assert_eq!(*guard.verdict.borrow(), Some(Verdict::Duplicate), "it had signed nothing at height 4");
    guard.prepare(at(5));
    assert_eq!(guard.lock().file.record().last, at(4));
}

#[test]
fn a_persons_word_lets_a_moved_volume_vote_but_not_again_where_it_voted() {
    let home = tempfile::tempdir().unwrap();
    open(home.path(), &Found::default()).reserve(at(9)).unwrap();
    let moved = tempfile::tempdir().unwrap();
    std::fs::copy(home.path().join("identity"), moved.path().join("identity")).unwrap();
    assert_eq!(open(moved.path(), &running(8)).standing(), Standing::Waits(Why::OtherVolume));
    assert_eq!(adopt(moved.path(), KEY, at(8)).unwrap(), at(9));
    let guard = open(moved.path(), &running(8));
    assert_eq!(guard.standing(), Standing::Votes);
    assert!(guard.reserve(at(8)).is_err());
}

#[test]
fn two_different_votes_in_one_round_stop_it_at_once() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    guard.reserve(at(1)).unwrap();
    guard.signed(at(1), VoteKind::Prevote, Some(ID));
    guard.saw(at(1), VoteKind::Prevote, None);
    assert_eq!(*guard.verdict.borrow(), Some(Verdict::Duplicate));
}

#[test]
fn old_votes_that_the_volume_does_not_know_make_it_wait() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    guard.reserve(at(1)).unwrap();
    guard.saw(at(40), VoteKind::Precommit, Some(ID));
    guard.on_committed(40, guard.started_ms - 60_000);
    assert!(matches!(*guard.verdict.borrow(), Some(Verdict::Restart(_))));
    assert!(guard.reserve(at(41)).is_err());
}

#[test]
fn a_new_volume_on_an_old_chain_waits() {
    let home = tempfile::tempdir().unwrap();
    let guard = open(home.path(), &Found::default());
    guard.on_committed(1, guard.started_ms - 1_000);
    assert_eq!(*guard.verdict.borrow(), None, "it takes part in the founding");
    guard.on_committed(2, guard.started_ms - 3_600_000);
    assert!(matches!(*guard.verdict.borrow(), Some(Verdict::Restart(_))));
    drop(guard);
    assert_eq!(open(home.path(), &running(1)).standing(), Standing::Waits(Why::Suspect));
}

proptest! {
    /// Whatever a crash leaves of the slot that was being written, the file still tells a position that was on disk.
    #[test]
    fn a_torn_write_leaves_the_position_before_it(height in 2u64..1_000_000, cut in 0usize..512, garbage: u8) {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("identity");
        let (mut file, _) = IdentityFile::open(&path).unwrap();
        let record = |height| Record { key: KEY, volume: file_volume(&path), last: at(height), waits: false };
        file.write(record(height - 1)).unwrap();
        let before = std::fs::read(&path).unwrap();
        file.write(record(height)).unwrap();
        let after = std::fs::read(&path).unwrap();
        // The first write went to slot 1, the second to slot 0.
        let mut torn = after.clone();
        torn[cut..512].fill(garbage);
        std::fs::write(&path, &torn).unwrap();
        let (_, found) = IdentityFile::open(&path).unwrap();
        let found = found.unwrap().last.height;
        prop_assert!(found == height || found == height - 1, "{found}");
        prop_assert!(before.len() <= after.len());
    }
}

fn file_volume(path: &Path) -> Volume {
    IdentityFile::open(path).unwrap().0.volume()
}
