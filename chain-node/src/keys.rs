//! The node's keys: four files of one seed each, readable by their owner only; and, during a rotation, the three that wait to take
//! the place of consensus, log and cosigner key.
//!
//! Waiting keys lie in one of two places. Where the node keeps its keys itself, in `next/`: once the chain names them they are moved
//! over the old ones. Where the folder is a mounted Secret, which knows no folders and takes no writes, as `next.*.key` beside the
//! others: the node then runs with them from there, and whoever mounts them puts them into the old ones' place when the node says that
//! it does. Which keys a node runs with is decided by the chain's set at each start, so that it starts rightly with either content.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use chain_types::PublicKey;
use chain_types::crypto::SigningKey;
use chain_types::validator::Validator;

/// One seed for each purpose, so that no signature can be taken for another's kind.
#[derive(Debug, Clone)]
pub struct NodeKeys {
    /// Votes and proposals.
    pub consensus: SigningKey,
    /// Both connections to peers.
    pub peer: SigningKey,
    /// Checkpoints of the log.
    pub log: SigningKey,
    /// Cosignatures on checkpoints.
    pub cosigner: SigningKey,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error(
        "failed to read key {path}: {source}; a lost validator key is replaced by a vote, never made anew in place"
    )]
    Read { path: PathBuf, source: std::io::Error },
    #[error("key {0} is not 64 hexadecimal digits")]
    Format(PathBuf),
    #[error("key {0} can be read by others; run `chmod 600` on it")]
    Permissions(PathBuf),
    #[error("failed to write key {path}: {source}")]
    Write { path: PathBuf, source: std::io::Error },
}

impl NodeKeys {
    /// Four new keys. Fails only if the operating system has no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        Ok(Self { consensus: new_key()?, peer: new_key()?, log: new_key()?, cosigner: new_key()? })
    }

    pub fn load(dir: &Path) -> Result<Self, KeyError> {
        at_one_moment(dir, |dir| {
            Ok(Self {
                consensus: load_key(&dir.join("consensus.key"))?,
                peer: load_key(&dir.join("peer.key"))?,
                log: load_key(&dir.join("log.key"))?,
                cosigner: load_key(&dir.join("cosigner.key"))?,
            })
        })
    }

    /// The keys of an announced rotation, with the peer key as it is. None if there is no rotation or it is done.
    pub fn next(&self, dir: &Path) -> Result<Option<Self>, KeyError> {
        let found = Waiting::find(dir)?;
        Ok(found.map(|Waiting { consensus, log, cosigner }| Self { consensus, peer: self.peer.clone(), log, cosigner }))
    }

    /// Writes consensus, log and cosigner key for a rotation to come; refuses to replace keys that wait already.
    pub fn save_next(&self, dir: &Path) -> Result<(), KeyError> {
        let next = dir.join(NEXT);
        let dir = make_private(&next)?;
        save_key(&dir.join("log.key"), &self.log)?;
        save_key(&dir.join("cosigner.key"), &self.cosigner)?;
        save_key(&dir.join("consensus.key"), &self.consensus)
    }

    /// Puts the waiting keys in the place of the old ones, which are gone then: nobody may sign with them any more. A
    /// crash in between is finished by the next call. Keys of a mounted Secret stay where they are.
    pub fn promote(dir: &Path) -> Result<(), KeyError> {
        let next = dir.join(NEXT);
        if !next.exists() {
            return Ok(());
        }
        let failed = |source| KeyError::Write { path: next.clone(), source };
        for name in ["log.key", "cosigner.key", "consensus.key"] {
            match fs::rename(next.join(name), dir.join(name)) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                other => other.map_err(failed)?,
            }
        }
        fs::File::open(dir).and_then(|dir| dir.sync_all()).map_err(failed)?;
        fs::remove_dir(&next).map_err(failed)
    }

    /// Writes all four; refuses to replace one that exists.
    pub fn save(&self, dir: &Path) -> Result<(), KeyError> {
        let dir = make_private(dir)?;
        save_key(&dir.join("consensus.key"), &self.consensus)?;
        save_key(&dir.join("peer.key"), &self.peer)?;
        save_key(&dir.join("log.key"), &self.log)?;
        save_key(&dir.join("cosigner.key"), &self.cosigner)
    }

    /// The public side, as genesis names it.
    pub fn validator(&self, organisation: &str) -> Validator {
        Validator {
            consensus_key: self.consensus.public(),
            cosigner_key: self.cosigner.public(),
            log_key: self.log.public(),
            power: 1,
            organisation: organisation.to_owned(),
        }
    }
}

/// Where the keys of a rotation wait until the chain names them: the folder, or the start of the names of a Secret's entries.
const NEXT: &str = "next";
/// Through this link a kubelet swaps all entries of a mounted Secret at once.
const MOUNTED: &str = "..data";

/// The three keys that a rotation replaces.
struct Waiting {
    consensus: SigningKey,
    log: SigningKey,
    cosigner: SigningKey,
}

impl Waiting {
    fn find(dir: &Path) -> Result<Option<Self>, KeyError> {
        at_one_moment(dir, |dir| {
            let (own, entry) = (dir.join(NEXT), |name: &str| dir.join(format!("{NEXT}.{name}")));
            // The consensus key is moved last, so without it there is nothing left to do.
            if own.join("consensus.key").exists() {
                return Self::load(|name| match load_key(&own.join(name)) {
                    // Moved already, when a crash interrupted the move.
                    Err(KeyError::Read { .. }) => load_key(&dir.join(name)),
                    other => other,
                })
                .map(Some);
            }
            if entry("consensus.key").exists() {
                return Self::load(|name| load_key(&entry(name))).map(Some);
            }
            Ok(None)
        })
    }

    fn load(key: impl Fn(&str) -> Result<SigningKey, KeyError>) -> Result<Self, KeyError> {
        Ok(Self { consensus: key("consensus.key")?, log: key("log.key")?, cosigner: key("cosigner.key")? })
    }
}

/// The public half of the consensus key that waits to take over from `own`, if all that belongs to it is here and can be read.
pub fn waiting(dir: &Path, own: PublicKey) -> Option<PublicKey> {
    let found = Waiting::find(dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "the keys of the rotation cannot be used");
        None
    });
    found.map(|waiting| waiting.consensus.public()).filter(|key| *key != own)
}

/// Reads several files of a folder as they were at one moment, though a mounted Secret may be swapped meanwhile: a consensus key from
/// before and a log key from after would be no validator's.
fn at_one_moment<T>(dir: &Path, read: impl Fn(&Path) -> Result<T, KeyError>) -> Result<T, KeyError> {
    let now = || fs::canonicalize(dir.join(MOUNTED)).unwrap_or_else(|_| dir.to_path_buf());
    let before = now();
    match read(&before) {
        // What it pointed to is gone with the swap.
        Err(KeyError::Read { .. }) if now() != before => read(&now()),
        result => result,
    }
}

fn make_private(dir: &Path) -> Result<&Path, KeyError> {
    let failed = |source| KeyError::Write { path: dir.into(), source };
    fs::create_dir_all(dir).map_err(failed)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    Ok(dir)
}

/// A key of fresh randomness.
pub fn new_key() -> Result<SigningKey, getrandom::Error> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())?;
    Ok(SigningKey::from_seed(&seed))
}

/// Reads one seed; refuses files that others can read.
pub fn load_key(path: &Path) -> Result<SigningKey, KeyError> {
    let failed = |source| KeyError::Read { path: path.into(), source };
    let file = fs::metadata(path).map_err(failed)?;
    if !is_private(file.permissions().mode(), file.uid() == rustix::process::geteuid().as_raw()) {
        return Err(KeyError::Permissions(path.into()));
    }
    let text = zeroize::Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut_slice()).map_err(|_| KeyError::Format(path.into()))?;
    Ok(SigningKey::from_seed(&seed))
}

/// Whether nobody but this process's user reads or writes the file. One that belongs to somebody else, as a mounted Secret
/// does, can only be read through its group.
fn is_private(mode: u32, is_own: bool) -> bool {
    let others = if is_own { 0o077 } else { 0o037 };
    mode & others == 0
}

/// Writes one seed, durably, into a new file.
pub fn save_key(path: &Path, key: &SigningKey) -> Result<(), KeyError> {
    let failed = |source| KeyError::Write { path: path.into(), source };
    let open = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = open.map_err(failed)?;
    let text = zeroize::Zeroizing::new(hex::encode(key.seed()));
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_only_where_nobody_else_reads_or_writes_it() {
        for (mode, is_own, private) in [
            (0o100_600, true, true),
            (0o100_400, true, true),
            (0o100_640, true, false),
            (0o100_604, true, false),
            (0o100_440, false, true),
            (0o100_460, false, false),
            (0o100_444, false, false),
        ] {
            assert_eq!(is_private(mode, is_own), private, "{mode:o}, own: {is_own}");
        }
    }

    #[test]
    fn waiting_keys_take_over_and_a_crash_in_between_is_finished() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let (old, new) = (NodeKeys::generate().unwrap(), NodeKeys::generate().unwrap());
        old.save(dir).unwrap();
        assert!(old.next(dir).unwrap().is_none());
        new.save_next(dir).unwrap();
        assert!(new.save_next(dir).is_err(), "keys that wait are not replaced");
        // A crash after the first of the three moves.
        fs::rename(dir.join("next/log.key"), dir.join("log.key")).unwrap();
        let next = NodeKeys::load(dir).unwrap().next(dir).unwrap().unwrap();
        assert_eq!(next.validator("bureau"), new.validator("bureau"));
        NodeKeys::promote(dir).unwrap();
        let now = NodeKeys::load(dir).unwrap();
        assert_eq!((now.validator("bureau"), now.peer.public()), (new.validator("bureau"), old.peer.public()));
        assert!(now.next(dir).unwrap().is_none());
    }

    /// What a kubelet makes of a Secret: a folder of files of one moment, links to it, and one link that is swapped.
    fn mount(dir: &Path, moment: &str, entries: &[(&str, &SigningKey)]) {
        let data = dir.join(moment);
        fs::create_dir(&data).unwrap();
        for (name, key) in entries {
            save_key(&data.join(name), key).unwrap();
            let _ = std::os::unix::fs::symlink(format!("{MOUNTED}/{name}"), dir.join(name));
        }
        std::os::unix::fs::symlink(moment, dir.join("..data_tmp")).unwrap();
        fs::rename(dir.join("..data_tmp"), dir.join(MOUNTED)).unwrap();
    }

    fn present(keys: &NodeKeys) -> [(&'static str, &SigningKey); 4] {
        let NodeKeys { consensus, peer, log, cosigner } = keys;
        [("consensus.key", consensus), ("peer.key", peer), ("log.key", log), ("cosigner.key", cosigner)]
    }

    #[test]
    fn keys_of_a_mounted_secret_wait_beside_the_others_and_are_never_moved() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let (old, new) = (NodeKeys::generate().unwrap(), NodeKeys::generate().unwrap());
        let (own, next) = (old.consensus.public(), new.consensus.public());
        mount(dir, "..1", &present(&old));
        assert_eq!(waiting(dir, own), None);
        let waits =
            [("next.consensus.key", &new.consensus), ("next.log.key", &new.log), ("next.cosigner.key", &new.cosigner)];
        mount(dir, "..2", &[&present(&old)[..], &waits[..2]].concat());
        assert_eq!(waiting(dir, own), None, "not before all three are here");
        mount(dir, "..3", &[&present(&old)[..], &waits].concat());
        assert_eq!(waiting(dir, own), Some(next));
        assert_eq!(waiting(dir, next), None, "what it runs with waits no more");
        NodeKeys::promote(dir).unwrap();
        let found = NodeKeys::load(dir).unwrap();
        assert_eq!(found.consensus.public(), own);
        assert_eq!(found.next(dir).unwrap().unwrap().validator("bureau"), new.validator("bureau"));
        let after = NodeKeys { peer: old.peer.clone(), ..new.clone() };
        mount(dir, "..4", &present(&after));
        assert_eq!(NodeKeys::load(dir).unwrap().validator("bureau"), new.validator("bureau"));
        assert_eq!(waiting(dir, next), None);
    }

    #[test]
    fn keys_that_are_swapped_while_they_are_read_are_of_one_moment() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path();
        let (old, new) = (NodeKeys::generate().unwrap(), NodeKeys::generate().unwrap());
        mount(dir, "..1", &present(&old));
        let swapped = std::cell::Cell::new(false);
        let read = at_one_moment(dir, |dir| {
            let consensus = load_key(&dir.join("consensus.key"))?;
            if !swapped.replace(true) {
                mount(home.path(), "..2", &present(&new));
                fs::remove_dir_all(home.path().join("..1")).unwrap();
            }
            Ok((consensus.public(), load_key(&dir.join("log.key"))?.public()))
        });
        assert_eq!(read.unwrap(), (new.consensus.public(), new.log.public()));
    }
}
