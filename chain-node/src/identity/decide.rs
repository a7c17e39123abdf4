//! Whether a node may vote at once when it starts. Pure.
//!
//! A healthy volume votes at once, or validators that lost power together would wait for each other for ever. Everything
//! else waits and watches: what it cannot know is whether its key has signed somewhere since.

use chain_types::PublicKey;

use super::file::{Position, Record, Volume};

/// What the store and the consensus log tell about this key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Found {
    /// Last committed height; 0 if there is none.
    pub tip: u64,
    /// The store was kept beside an identity file before.
    pub had_identity: bool,
    /// The last height that this key signed, as certificates in the store show.
    pub signed: Position,
    /// The consensus log is there.
    pub has_log: bool,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Here {
    pub key: PublicKey,
    pub volume: Volume,
    /// The chain replaced that key of this node by the present one.
    pub rotated_from: Option<PublicKey>,
}

/// Whether the node votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Votes,
    Waits(Why),
}

/// Why a node does not vote yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error("its identity file is missing")]
    Missing,
    #[error("its identity file is of another volume: this folder is a copy, or was moved")]
    OtherVolume,
    #[error("its identity file is of another key")]
    OtherKey,
    #[error("its identity file is older than its store")]
    OlderThanStore,
    #[error("its store is older than its identity file")]
    StoreOlder,
    #[error("its consensus log is missing")]
    NoLog,
    #[error("it stopped because its key seemed to sign elsewhere, or has not watched enough blocks yet")]
    Suspect,
}

pub fn decide(record: Option<&Record>, found: &Found, here: &Here) -> Standing {
    let Some(record) = record else {
        // A new volume of a new chain; or a store from before there were identity files, which is taken over once.
        return if found.had_identity { Standing::Waits(Why::Missing) } else { Standing::Votes };
    };
    let rotated = here.rotated_from == Some(record.key);
    let next = found.tip.saturating_add(1);
    let checks = [
        (record.waits, Why::Suspect),
        (record.volume != here.volume, Why::OtherVolume),
        (record.key != here.key && !rotated, Why::OtherKey),
        (record.last < found.signed && !rotated, Why::OlderThanStore),
        (record.last.height > next && record.last.round != u32::MAX && !rotated, Why::StoreOlder),
        (record.last.height == next && !found.has_log && !rotated, Why::NoLog),
    ];
    match checks.into_iter().find(|(holds, _)| *holds) {
        Some((_, why)) => Standing::Waits(why),
        None => Standing::Votes,
    }
}
