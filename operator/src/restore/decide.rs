//! What is to be done for a ChainRestore now, and how far it is. Pure.

use operator_api::{
    Chain, ChainRestore, ChainRestoreStatus, ChainState, RestorePhase, RestoreState, RestoredValidator, Time,
    ValidatorName, ValidatorState,
};

/// What the chain's own loop is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Throw away this volume of this validator.
    Clear { validator: ValidatorName, volume: String },
    /// Nothing; what was asked for by this object is taken back.
    Nothing,
}

/// What there is.
pub struct Seen<'a> {
    pub chain: Option<&'a Chain>,
    /// The uid of the volume of the validator whose turn it is.
    pub volume: Option<&'a str>,
    pub now_ms: u64,
}

/// The new status, what is asked for, and the sentence about it.
#[derive(Debug, PartialEq)]
pub struct Decision {
    pub status: ChainRestoreStatus,
    pub request: Request,
    pub sentence: String,
}

/// Whose turn it is: the first that is not done.
pub fn turn(restore: &ChainRestore) -> Option<ValidatorName> {
    rows(restore).into_iter().find(|row| row.state != RestoreState::Done).map(|row| row.name)
}

fn rows(restore: &ChainRestore) -> Vec<RestoredValidator> {
    let known = restore.status.iter().flat_map(|status| &status.validators);
    let row = |name: &ValidatorName| {
        let new = || RestoredValidator { name: *name, state: RestoreState::Waiting, volume: None, finished_at: None };
        known.clone().find(|row| row.name == *name).cloned().unwrap_or_else(new)
    };
    restore.spec.validators.iter().map(row).collect()
}

pub fn decide(restore: &ChainRestore, seen: &Seen<'_>) -> Decision {
    let mut status = ChainRestoreStatus {
        observed_generation: restore.metadata.generation,
        validators: rows(restore),
        ..restore.status.clone().unwrap_or_default()
    };
    let Some(at) = status.validators.iter().position(|row| row.state != RestoreState::Done) else {
        status.phase = RestorePhase::Done;
        status.finished_at = status.finished_at.or(Some(second(seen.now_ms)));
        let sentence = "every validator of the list has its data again and votes".to_owned();
        return Decision { status, request: Request::Nothing, sentence };
    };
    let Some(chain) = seen.chain else {
        status.phase = RestorePhase::Waiting;
        let sentence = format!("there is no chain `{}` in this namespace", restore.spec.chain);
        return Decision { status, request: Request::Nothing, sentence };
    };
    if let Some(sentence) = too_many(restore, chain) {
        status.phase = RestorePhase::Refused;
        return Decision { status, request: Request::Nothing, sentence };
    }
    let (request, sentence, waits) = match status.validators.get_mut(at) {
        Some(row) => one(row, chain, seen),
        None => (Request::Nothing, String::new(), true),
    };
    status.phase = if waits { RestorePhase::Waiting } else { RestorePhase::Restoring };
    Decision { status, request, sentence }
}

/// One validator's next step; whether it waits for others.
fn one(row: &mut RestoredValidator, chain: &Chain, seen: &Seen<'_>) -> (Request, String, bool) {
    let name = row.name;
    let chain_status = chain.status.clone().unwrap_or_default();
    let Some(now) = chain_status.validators.iter().find(|one| one.name == name) else {
        return (Request::Nothing, format!("the chain has no {name}"), true);
    };
    if now.desired != ValidatorState::Running || chain.spec.state == ChainState::Hibernated {
        let sentence = format!("{name} is to be off, as the chain's spec says: it is restored when it shall run again");
        return (Request::Nothing, sentence, true);
    }
    if row.state == RestoreState::Syncing {
        if now.ready && now.voting {
            row.state = RestoreState::Done;
            row.finished_at = Some(second(seen.now_ms));
        }
        let sentence = format!("{name} takes every block from the others: height {}", now.height);
        return (Request::Nothing, sentence, false);
    }
    match (&row.volume, seen.volume) {
        (Some(old), Some(live)) if old != live => {
            row.state = RestoreState::Syncing;
            (Request::Nothing, format!("{name} has a new volume"), false)
        }
        // Between the two.
        (Some(old), None) => {
            (Request::Clear { validator: name, volume: old.clone() }, format!("{name} gets a new volume"), false)
        }
        (None, None) => (Request::Nothing, format!("{name} has no volume yet"), true),
        (known, Some(live)) => {
            let others =
                chain_status.validators.iter().filter(|one| one.name != name && one.ready && one.voting).count();
            let quorum = usize::try_from(chain_status.quorum).unwrap_or(usize::MAX);
            let is_begun = known.is_some() && row.state == RestoreState::Clearing;
            if others < quorum && !is_begun {
                let sentence = format!(
                    "{} validators, quorum {quorum}: without {name} {others} are caught up; it waits for the others, or nobody \
                     could give it its data",
                    chain_status.validators_total
                );
                return (Request::Nothing, sentence, true);
            }
            let volume = live.to_owned();
            (row.state, row.volume) = (RestoreState::Clearing, Some(volume.clone()));
            (Request::Clear { validator: name, volume }, format!("{name} is restarted with an empty volume"), false)
        }
    }
}

/// A quorum of copies is the chain: whoever throws that many away has nobody to believe.
fn too_many(restore: &ChainRestore, chain: &Chain) -> Option<String> {
    let status = chain.status.as_ref()?;
    let (count, quorum) = (restore.spec.validators.len(), usize::try_from(status.quorum).ok()?);
    (quorum > 0 && count >= quorum).then(|| {
        format!(
            "{} validators, quorum {quorum}: {count} of them hold the chain together, and what fewer than a quorum hold cannot \
             vouch for it; name at most {}",
            status.validators_total,
            quorum.saturating_sub(1)
        )
    })
}

fn second(ms: u64) -> Time {
    Time::from_ms(ms / 1_000 * 1_000)
}
