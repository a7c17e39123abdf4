//! What a crash left of the engine's write-ahead log, mended before the engine reads it: the engine refuses to start on a
//! header that is not whole, and stops for good at an entry that is not.
//!
//! The engine syncs its log before anything that it signed leaves the process. A header or a last entry that is not whole
//! was therefore never synced, nothing that followed from it was heard by anybody, and it is cut off. An entry that is
//! damaged and has others behind it was on disk once: the log is set aside and counts as lost, so that the identity guard
//! watches before it votes (DESIGN §7.5). A byte that rots in the very last entry looks like a torn one; a validator that
//! forgot one vote is within what consensus bears. This must not guess what was signed.

use std::fs::{self, File};
use std::io::{self, Cursor};
use std::path::Path;

use arc_malachitebft_app_channel::app::engine::wal::decode_entry;
use arc_malachitebft_app_channel::app::wal::Log;
use arc_malachitebft_app_channel::app::wal::constants::HEADER_SIZE;
use arc_malachitebft_core_consensus::Input;

use super::codec::WireCodec;
use super::context::ChainContext;

/// The file's name in the log's folder.
pub const FILE: &str = "consensus.wal";
/// Where a damaged one is kept for whoever wants to know.
const DAMAGED: &str = "consensus.wal.damaged";

/// What is there to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// No log, or none that anything was written into.
    Nothing,
    Log,
    /// It was damaged, and is set aside.
    Damaged,
}

/// Makes the log one that the engine reads. Nobody has it open; durable when it returns.
pub fn mend(folder: &Path) -> io::Result<Left> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Left::Nothing),
        Err(e) => return Err(e),
    };
    let header = usize::try_from(HEADER_SIZE).map_err(io::Error::other)?;
    if bytes.len() <= header && !bytes.starts_with(&[0, 0, 0, 1]) || bytes.len() < header {
        tracing::warn!(bytes = bytes.len(), "the consensus log was not whole when it was made: it is made anew");
        fs::remove_file(&path)?;
        sync(folder)?;
        return Ok(Left::Nothing);
    }
    match whole_entries(&path)? {
        Some(()) => Ok(Left::Log),
        None => {
            tracing::error!(
                "the consensus log is damaged: it is set aside as {DAMAGED}, and this node watches before it votes"
            );
            fs::rename(&path, folder.join(DAMAGED))?;
            sync(folder)?;
            Ok(Left::Damaged)
        }
    }
}

/// Cuts off what is not whole at the end; none if it is not only the end.
fn whole_entries(path: &Path) -> io::Result<Option<()>> {
    // Opening cuts off a last entry that is shorter than it says.
    let mut log = match Log::open(path) {
        Ok(log) => log,
        Err(e) if matches!(e.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => return Ok(None),
        Err(e) => return Err(e),
    };
    let (all, height) = (log.len(), log.sequence());
    let (mut whole, mut heights) = (0u64, Vec::new());
    for entry in log.iter()? {
        let Some(input) = entry.ok().and_then(|bytes| decode(&bytes)) else { break };
        whole += 1;
        heights.extend(height_of(&input));
    }
    if !heights.is_empty() && !heights.contains(&height) {
        // The height's number is written over the one before it, then the entries are dropped: a crash came between.
        tracing::warn!(
            height,
            entries = all,
            "the consensus log held the entries of the height before: they are dropped"
        );
        log.truncate(0)?;
        return Ok(Some(()));
    }
    if whole == all as u64 {
        return Ok(Some(()));
    }
    let is_last = whole + 1 == all as u64;
    if is_last || is_blank_after(path, whole)? {
        tracing::warn!(height, whole, all, "the end of the consensus log was torn: it is cut off");
        log.truncate(whole)?;
        return Ok(Some(()));
    }
    Ok(None)
}

/// Whether nothing but zeros follows the first entries, as where a size was written and the bytes were not.
fn is_blank_after(path: &Path, entries: u64) -> io::Result<bool> {
    let bytes = fs::read(path)?;
    let mut rest = bytes.get(usize::try_from(HEADER_SIZE).map_err(io::Error::other)?..).unwrap_or_default();
    for _ in 0..entries {
        let length = rest.get(1..9).and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes);
        let entry = usize::try_from(length).ok().and_then(|length| length.checked_add(13));
        rest = entry.and_then(|entry| rest.get(entry..)).unwrap_or_default();
    }
    Ok(rest.iter().all(|byte| *byte == 0))
}

fn decode(bytes: &[u8]) -> Option<Input<ChainContext>> {
    decode_entry(&WireCodec, Cursor::new(bytes)).ok()
}

/// The height that an entry is of; a timeout does not say.
fn height_of(input: &Input<ChainContext>) -> Option<u64> {
    match input {
        Input::Vote(vote) => Some(vote.height.0),
        Input::Proposal(proposal) => Some(proposal.height.0),
        Input::ProposedValue(value, _) => Some(value.height.0),
        Input::PolkaCertificate(certificate) => Some(certificate.height.0),
        _ => None,
    }
}

/// Makes the folder's names durable.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use arc_malachitebft_app_channel::app::engine::wal::encode_entry;
    use arc_malachitebft_core_types::{NilOrVal, Round, SignedMessage, Timeout, VoteType};

    use super::super::context::{Address, Height, Sig, ValueId, Vote};
    use super::*;

    fn vote(height: u64, n: u8) -> Input<ChainContext> {
        let (height, round, value) = (Height(height), Round::new(0), NilOrVal::Val(ValueId([n; 32])));
        let vote = Vote { kind: VoteType::Prevote, height, round, value, address: Address([n; 32]) };
        Input::Vote(SignedMessage::new(vote, Sig([n; 64])))
    }

    /// A log at height 7 of these entries, as the engine writes it.
    fn log(entries: Vec<Input<ChainContext>>) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut log = Log::open(folder.path().join(FILE)).unwrap();
        log.reset(7).unwrap();
        for entry in entries {
            let mut bytes = Vec::new();
            encode_entry(entry, &WireCodec, &mut bytes).unwrap();
            log.append(bytes).unwrap();
        }
        log.flush().unwrap();
        folder
    }

    fn three() -> tempfile::TempDir {
        log(vec![vote(7, 1), Input::TimeoutElapsed(Timeout::propose(Round::new(0))), vote(7, 3)])
    }

    fn damage(folder: &tempfile::TempDir, change: impl FnOnce(&mut Vec<u8>)) {
        let path = folder.path().join(FILE);
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }

    /// What is left and how many entries the engine reads, each of which it takes.
    fn mended(folder: &tempfile::TempDir) -> (Left, usize) {
        let left = mend(folder.path()).unwrap();
        let mut log = Log::open(folder.path().join(FILE)).unwrap();
        let entries: Vec<_> = log.iter().unwrap().collect();
        assert!(entries.iter().all(|entry| decode(entry.as_ref().unwrap()).is_some()));
        (left, entries.len())
    }

    #[test]
    fn a_whole_log_is_left_as_it_is() {
        let folder = three();
        let before = fs::read(folder.path().join(FILE)).unwrap();
        assert_eq!(mended(&folder), (Left::Log, 3));
        assert_eq!(fs::read(folder.path().join(FILE)).unwrap(), before);
        assert_eq!(mended(&log(vec![])), (Left::Log, 0));
        assert_eq!(mended(&tempfile::tempdir().unwrap()), (Left::Nothing, 0));
    }

    #[test]
    fn a_log_that_was_torn_when_it_was_made_is_made_anew() {
        for length in 0..12 {
            let folder = log(vec![]);
            damage(&folder, |bytes| bytes.truncate(length));
            assert_eq!(mended(&folder), (Left::Nothing, 0), "{length} bytes");
        }
        let folder = log(vec![]);
        damage(&folder, |bytes| bytes.fill(0));
        assert_eq!(mended(&folder), (Left::Nothing, 0));
    }

    #[test]
    fn an_end_torn_anywhere_is_cut_off_and_what_came_before_stays() {
        let whole = fs::read(three().path().join(FILE)).unwrap().len();
        let two =
            fs::read(log(vec![vote(7, 1), Input::TimeoutElapsed(Timeout::propose(Round::new(0)))]).path().join(FILE));
        for length in two.unwrap().len()..whole {
            let short = three();
            damage(&short, |bytes| bytes.truncate(length));
            assert_eq!(mended(&short), (Left::Log, 2), "ends at {length}");
            // The size is on disk, the bytes are not.
            let blank = three();
            damage(&blank, |bytes| bytes[length..].fill(0));
            assert_eq!(mended(&blank).0, Left::Log, "zeros from {length}");
        }
        let longer = three();
        damage(&longer, |bytes| bytes.extend([0; 26]));
        assert_eq!(mended(&longer), (Left::Log, 3));
    }

    #[test]
    fn damage_before_the_end_counts_as_a_lost_log_and_is_kept_to_be_looked_at() {
        let folder = three();
        damage(&folder, |bytes| bytes[40] ^= 1);
        assert_eq!(mended(&folder), (Left::Damaged, 0));
        assert!(folder.path().join(DAMAGED).exists());
        let folder = three();
        damage(&folder, |bytes| bytes[3] = 9);
        assert_eq!(mended(&folder), (Left::Damaged, 0));
    }

    #[test]
    fn entries_that_a_crash_left_of_the_height_before_are_dropped() {
        let folder = log(vec![vote(6, 1), Input::TimeoutElapsed(Timeout::propose(Round::new(0))), vote(6, 3)]);
        assert_eq!(mended(&folder), (Left::Log, 0));
    }
}
