//! Whether a chain that is deleted may end now, or waits for the last backup of it. Pure.
//!
//! Nothing is lost while volumes and keys stay, so such a chain waits only so long. One whose volumes go with it waits for the
//! backup or for a person's word, and says which word.

use operator_api::{BackupPhase, Chain, ChainBackup, ChainState, Condition, Text, Time, conditions, reason};

use crate::{backup::farewell::is_skipped, events::Severity, objects::names};

/// A chain whose volumes stay waits so long for a backup that does not begin.
const PATIENCE_MS: u64 = 15 * 60_000;

/// What the decision rests on.
pub struct Seen<'a> {
    /// Deleted, and not gone.
    pub chain: &'a Chain,
    /// It has a genesis, so there is something to lose.
    pub is_founded: bool,
    /// Its validators were being ended already.
    pub is_ending: bool,
    /// All of this chain that are not deleted themselves.
    pub backups: &'a [ChainBackup],
    pub now_ms: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Its validators end now. What is told when that begins.
    End(Option<Told>),
    /// They go on; why, and what a person may do.
    Wait(Text),
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub severity: Severity,
    pub reason: &'static str,
    pub note: String,
}

pub fn decide(seen: &Seen<'_>) -> Decision {
    let chain = seen.chain;
    if seen.is_ending || !seen.is_founded {
        return Decision::End(None);
    }
    let kept = if goes_with_its_volumes(chain) { "volumes and keys go with it" } else { "volumes and keys are kept" };
    let end =
        |severity, reason, why: String| Decision::End(Some(Told { severity, reason, note: format!("{why}; {kept}") }));
    if is_skipped(chain) {
        let why = format!("deleted without a final backup, as {} says", names::FINAL_BACKUP);
        return end(Severity::Normal, "FinalBackupSkipped", why);
    }
    if seen.backups.is_empty() {
        let why = "no ChainBackup of this chain exists, so no backup of it does".to_owned();
        return end(Severity::Warning, "NoFinalBackup", why);
    }
    let uid = chain.metadata.uid.as_deref().unwrap_or_default();
    let missing: Vec<&ChainBackup> = seen.backups.iter().filter(|backup| last_run(backup, uid).is_none()).collect();
    if missing.is_empty() {
        let runs: Vec<String> = seen.backups.iter().filter_map(|backup| last_run(backup, uid)).collect();
        return end(Severity::Normal, "FinalBackupMade", runs.join(" and "));
    }
    let why = why(chain, &missing);
    // A copy that is being sent may take as long as it needs; its Job has a limit of its own.
    let is_copied = missing.iter().any(|backup| phase(backup) == BackupPhase::BackingUp);
    if !goes_with_its_volumes(chain) && !is_copied && seen.now_ms >= patient_until_ms(chain) {
        return end(Severity::Warning, "NoFinalBackup", format!("no final backup could be made: {}", why.en));
    }
    Decision::Wait(sentence(chain, &why))
}

/// The condition that is on record before the first validator is ended: whoever goes on from here ends the others too.
pub fn is_ending(chain: &Chain) -> bool {
    let mut conditions = chain.status.iter().flat_map(|status| &status.conditions);
    conditions.any(|one| one.kind == conditions::PROGRESSING && one.reason == reason::DELETING)
}

pub fn goes_with_its_volumes(chain: &Chain) -> bool {
    chain.metadata.annotations.get(names::RETENTION).is_some_and(|kept| kept == "delete")
}

fn patient_until_ms(chain: &Chain) -> u64 {
    chain.metadata.deletion_timestamp.map_or(0, Time::ms).saturating_add(PATIENCE_MS)
}

fn phase(backup: &ChainBackup) -> BackupPhase {
    backup.status.as_ref().map(|status| status.phase).unwrap_or_default()
}

/// "daily-… of the ChainBackup `daily` holds height 42".
fn last_run(backup: &ChainBackup, chain: &str) -> Option<String> {
    let run = backup.status.as_ref()?.runs.iter().find(|run| run.is_last_of(chain))?;
    let height = run.holds.as_ref().map(|holds| holds.height).unwrap_or_default();
    Some(format!("{} of the ChainBackup `{}` holds height {height}", run.name, backup.name()))
}

/// Why there is no final backup yet: what stands in the way of all of them first.
fn why(chain: &Chain, missing: &[&ChainBackup]) -> Text {
    if missing.iter().any(|backup| phase(backup) == BackupPhase::BackingUp) {
        return each(missing);
    }
    if chain.spec.state == ChainState::Hibernated {
        return Text::new(
            "链已休眠，没有可供复制的验证者；请先唤醒它（spec.state: running）",
            "the chain is hibernated, so nobody can be copied; wake it (spec.state: running)",
        );
    }
    let mut rows = chain.status.iter().flat_map(|status| &status.validators);
    if !rows.any(|row| row.ready && row.voting) {
        return Text::new(
            "没有一个验证者同步到最新，无从复制；请先让链恢复",
            "no validator is caught up, so nobody can be copied; the chain has to recover first",
        );
    }
    each(missing)
}

fn each(missing: &[&ChainBackup]) -> Text {
    let join = |words: Vec<String>, mark: &str| words.join(mark);
    let said = |backup: &&ChainBackup| {
        let condition = |kind: &str, matches: &dyn Fn(&Condition) -> bool| {
            let conditions = backup.status.iter().flat_map(|status| &status.conditions);
            conditions.into_iter().find(|one| one.kind == kind && matches(one)).map(|one| one.message.clone())
        };
        let failed = condition(conditions::READY, &|one| one.reason == reason::BACKUP_FAILED);
        let now = condition(conditions::PROGRESSING, &|_| true);
        let words = if phase(backup) == BackupPhase::BackingUp { now.or(failed) } else { failed.or(now) };
        (backup.name().clone(), words.unwrap_or_else(|| "not begun yet".to_owned()))
    };
    let all: Vec<_> = missing.iter().map(said).collect();
    Text::new(
        join(all.iter().map(|(name, words)| format!("ChainBackup {name}：{words}")).collect(), "；"),
        join(all.iter().map(|(name, words)| format!("the ChainBackup `{name}`: {words}")).collect(), "; "),
    )
}

fn sentence(chain: &Chain, why: &Text) -> Text {
    let skip = format!("{}: skip", names::FINAL_BACKUP);
    let until = Time::from_ms(patient_until_ms(chain));
    let (zh, en) = if goes_with_its_volumes(chain) {
        (
            "数据卷与密钥将随链删除，因此没有备份就不会继续".to_owned(),
            "Its volumes and keys go with it, so it does not go on without one".to_owned(),
        )
    } else {
        (
            format!("{until} 之后不再等待，数据卷与密钥保留"),
            format!("If none has begun by {until}, it goes without: volumes and keys are kept"),
        )
    };
    Text::new(
        format!("删除正在等待最后一次备份：{}。{zh}；要不经备份立即删除，请给链加上注解 {skip}。", why.zh),
        format!(
            "Deletion waits for a final backup: {}. {en}; to delete at once without a backup, annotate the chain with {skip}.",
            why.en
        ),
    )
}
