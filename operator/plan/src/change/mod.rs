//! Whether a chain may be changed from what it is to what somebody asks for, now. The one judge for admission, form and command
//! line; it counts as [`crate::next()`] does, so what is allowed here is carried out there, and what would cost the quorum is
//! refused here with the same sentence.
//!
//! It compares two specs that are valid by themselves; quota, names and ranges are [`crate::validate`](mod@crate::validate)'s part.

use std::collections::BTreeSet;

use operator_api::{ChainState, Text, ValidatorName, ValidatorState};

use crate::{
    next::{disrupt::set_is_fixed, turns},
    observed::Observed,
    quorum::{Act, Arithmetic},
    situation::Situation,
    validate::{Member, ValidChain},
};

/// Why a change is not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {}", reason.en)]
pub struct Refusal {
    /// Path in the object.
    pub field: &'static str,
    pub reason: Text,
    /// The numbers, where it is the quorum that forbids it.
    pub arithmetic: Option<Arithmetic>,
}

impl Refusal {
    fn new(field: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { field, reason: Text::new(zh, en), arithmetic: None }
    }

    fn by(field: &'static str, arithmetic: Arithmetic) -> Self {
        Self { field, reason: arithmetic.sentence(), arithmetic: Some(arithmetic) }
    }
}

/// May `old` become `new` now?
pub fn validate_change(old: &ValidChain, new: &ValidChain, observed: &Observed) -> Result<(), Refusal> {
    identity(old, new)?;
    program(old, new, observed)?;
    assignments(old, new)?;
    let voting = || old.members.iter().map(|member| member.name).collect();
    let situation = Situation::among(observed.voting_set.clone().unwrap_or_else(voting), observed);
    hibernation(old, new, observed, &situation)?;
    membership(old, new, observed, &situation)?;
    stops(old, new, &situation)
}

/// What genesis holds, and what the chain is called, cannot change.
fn identity(old: &ValidChain, new: &ValidChain) -> Result<(), Refusal> {
    let in_genesis = [
        ("metadata.name", old.id.chain != new.id.chain),
        ("spec.tenant", old.id.tenant != new.id.tenant || old.id.city != new.id.city),
        ("spec.operator", old.operator != new.operator),
        ("spec.governance", old.governance != new.governance),
        ("spec.membership", old.membership != new.membership),
        ("spec.heartbeatMs", old.heartbeat_ms != new.heartbeat_ms),
        ("metadata.creationTimestamp", old.created_ms != new.created_ms),
    ];
    match in_genesis.into_iter().find(|(_, changed)| *changed) {
        None => Ok(()),
        Some((field, _)) => Err(Refusal::new(
            field,
            "这一项写在创世文件里，链开通后不能更改；需要不同的值请开通一条新链。",
            "This is part of genesis and never changes; for another value make a new chain.",
        )),
    }
}

fn program(old: &ValidChain, new: &ValidChain, observed: &Observed) -> Result<(), Refusal> {
    if old.version != new.version && !observed.versions.contains(&new.version) {
        let version = new.version;
        return Err(Refusal::new(
            "spec.version",
            format!("这里没有节点程序 {version}；请先安装它。"),
            format!("The node program {version} is not available here; install it first."),
        ));
    }
    let (from, to) = (old.resources.storage_gib, new.resources.storage_gib);
    if to < from {
        return Err(Refusal::new(
            "spec.resources.storageGib",
            format!("存储只能增加：现为 {from} GiB，不能减到 {to} GiB。"),
            format!("Storage only grows: it is {from} GiB and cannot shrink to {to} GiB."),
        ));
    }
    Ok(())
}

/// A validator keeps its organisation; a list of shares therefore grows at its end.
fn assignments(old: &ValidChain, new: &ValidChain) -> Result<(), Refusal> {
    let before = |after: &Member| old.members.iter().find(|before| before.name == after.name);
    let mut pairs = new.members.iter().filter_map(|after| Some((before(after)?, after)));
    let moved = pairs.find(|(before, after)| before.organisation != after.organisation);
    match moved {
        Some((before, after)) if new.named_shares => {
            let (name, from, to) = (before.name, &before.organisation, &after.organisation);
            Err(Refusal::new(
                "spec.validators.organisations",
                format!("{name} 属于 {from}，不能改归 {to}；增加验证者请在列表末尾追加一行。"),
                format!(
                    "{name} belongs to {from} and cannot become {to}'s; to add validators append a line at the end."
                ),
            ))
        }
        // With a count the keys of each validator say whose it is.
        Some(_) | None => Ok(()),
    }
}

/// A chain goes to sleep whole and finished, so that a quorum that agrees wakes up.
fn hibernation(old: &ValidChain, new: &ValidChain, observed: &Observed, situation: &Situation) -> Result<(), Refusal> {
    if new.state == old.state || new.state == ChainState::Running {
        return Ok(());
    }
    if !situation.has_quorum() {
        let (ready, all, needed) = (situation.ready(), situation.validators(), situation.quorum().needed());
        return Err(Refusal::new(
            "spec.state",
            format!(
                "{all} 个验证者中只有 {ready} 个在线且同步，法定数 {needed}；恢复后再休眠，否则唤醒时可能无法继续。"
            ),
            format!(
                "Only {ready} of {all} validators are live and caught up, quorum {needed}: bring them back before hibernating, \
                 or the chain may not go on when woken."
            ),
        ));
    }
    if observed.pending_since_ms.is_some() {
        return Err(Refusal::new(
            "spec.state",
            "还有待处理的交易；处理完后再休眠。",
            "Transactions are pending; hibernate once they are done.",
        ));
    }
    Ok(())
}

/// Checked as it is carried out: one validator at a time, each from the set that the one before left.
fn membership(old: &ValidChain, new: &ValidChain, observed: &Observed, situation: &Situation) -> Result<(), Refusal> {
    const FIELD: &str = "spec.validators";
    let names = |chain: &ValidChain| chain.members.iter().map(|member| member.name).collect::<BTreeSet<_>>();
    if let Some(name) = old.retired.difference(&new.retired).next() {
        return Err(Refusal::new(
            "spec.retired",
            format!("{name} 已永久退出，其编号不再使用；需要更多验证者时请增加数量。"),
            format!(
                "{name} has left for good and its number is not used again; for more validators raise their number."
            ),
        ));
    }
    if names(old) == names(new) {
        return Ok(());
    }
    if !observed.can_change_set || !old.is_set_delegated() {
        return Err(Refusal { field: FIELD, reason: set_is_fixed(old.is_set_delegated()), arithmetic: None });
    }
    if new.state == ChainState::Hibernated {
        return Err(Refusal::new(
            FIELD,
            "休眠的链不能增减验证者；请先唤醒。",
            "A hibernated chain cannot change its validators; wake it first.",
        ));
    }
    match turns::way(new, situation).into_iter().find(|arithmetic| !arithmetic.holds()) {
        Some(arithmetic) => Err(Refusal::by(FIELD, arithmetic)),
        None => Ok(()),
    }
}

/// What [`validate_change`] would have carried out, in order: every change of the set with its arithmetic.
pub fn set_changes(new: &ValidChain, observed: &Observed) -> Vec<Arithmetic> {
    let wanted = || new.members.iter().map(|member| member.name).collect();
    turns::way(new, &Situation::among(observed.voting_set.clone().unwrap_or_else(wanted), observed))
}

/// Whatever the change newly wants off, together, must leave a quorum of those that are live now and stay wanted.
fn stops(old: &ValidChain, new: &ValidChain, situation: &Situation) -> Result<(), Refusal> {
    const FIELD: &str = "spec.validatorStates";
    if new.state == ChainState::Hibernated {
        return Ok(());
    }
    let off = |chain: &ValidChain| -> Vec<Member> {
        chain.members.iter().filter(|member| member.desired != ValidatorState::Running).cloned().collect()
    };
    let before: Vec<ValidatorName> = match old.state {
        ChainState::Running => off(old).iter().map(|member| member.name).collect(),
        ChainState::Hibernated => Vec::new(),
    };
    let after = off(new);
    let asks_more = after.iter().any(|member| !before.contains(&member.name));
    if !asks_more || old.state == ChainState::Hibernated {
        return Ok(());
    }
    // An earlier wish that is not carried out yet counts, so it is named as well.
    let counted: Vec<&Member> =
        after.iter().filter(|member| !before.contains(&member.name) || situation.live.contains(&member.name)).collect();
    let names = counted.iter().map(|member| member.name).collect();
    let fence = counted.iter().all(|member| member.desired == ValidatorState::Fenced);
    let act = if fence { Act::Fence(names) } else { Act::Stop(names) };
    let all_off: Vec<ValidatorName> = after.iter().map(|member| member.name).collect();
    let arithmetic = situation.without(&all_off, act);
    if arithmetic.holds() { Ok(()) } else { Err(Refusal::by(FIELD, arithmetic)) }
}

#[cfg(test)]
mod tests;
