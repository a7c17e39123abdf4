//! Who missed the turn to propose. A dead validator would cost every height of its own a timeout; after two it is passed
//! over for a while, then tried again. Counted from headers alone, so every node counts alike.

use chain_types::PublicKey;
use chain_types::state::{CHAIN_APP, key, prefix};
use serde::{Deserialize, Serialize};

use crate::execute::Turn;
use crate::overlay::Overlay;
use crate::queries::page;
use crate::state::{StateError, StateView};

/// Missed turns by consensus key.
const TURNS: &str = "turns";
/// This many in a row, and the validator is passed over.
const MISSES: u32 = 2;
/// For so many blocks.
const SKIPPED_FOR: u64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Turns {
    /// In a row.
    missed: u32,
    /// The last height at which it is passed over.
    skipped_until: u64,
}

/// Takes note of the turn of an executed block. Nothing is written while nobody misses one.
pub fn count(state: &mut Overlay<'_>, turn: &Turn, height: u64) -> Result<(), StateError> {
    let place = key(CHAIN_APP, "governance", TURNS, &turn.first.0);
    let before: Option<Turns> = state.get(&place)?;
    if turn.round > 0 {
        let missed = before.unwrap_or_default().missed.saturating_add(1);
        let skipped_until = if missed >= MISSES { height.saturating_add(SKIPPED_FOR) } else { 0 };
        return state.put(place, &Turns { missed, skipped_until });
    }
    match before {
        Some(before) if before.missed > 0 => state.put(place, &Turns::default()),
        _ => Ok(()),
    }
}

/// Who is passed over at round 0 of a height, given the state after the height before; who missed most comes first. Only as
/// many as may fail are passed over, so a living one that is flagged beside a dead one gets its turn and is forgiven.
pub fn skipped<S: StateView>(view: &S, height: u64) -> Result<Vec<PublicKey>, StateError> {
    let (mut found, mut after) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let prefix = prefix(CHAIN_APP, "governance", TURNS);
        let records: Vec<(Vec<u8>, Turns)> = page(view, &prefix, after.as_deref(), crate::queries::MAX_PAGE)?;
        let flagged = records.iter().filter(|(_, turns)| turns.skipped_until >= height);
        found.extend(flagged.filter_map(|(id, turns)| PublicKey::from_slice(id).map(|key| (turns.missed, key))));
        match records.last() {
            Some((id, _)) if records.len() == crate::queries::MAX_PAGE => after = Some(id.clone()),
            _ => break,
        }
    }
    found.sort_by_key(|(missed, key)| (std::cmp::Reverse(*missed), *key));
    Ok(found.into_iter().map(|(_, key)| key).collect())
}
