//! The status as it is reported: what `chain_plan` says of the chain, and what only a cluster knows. Pure.

use std::collections::BTreeMap;

use chain_plan::{Observed, Plan, Quorum, chain_status};
use operator_api::{
    ChainStatus, Condition, ConditionStatus, Text, Time, ValidatorName, conditions, reason, set_condition,
};

use super::{facts::Facts, volumes::Growth};

/// What a pass found beside the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Notes {
    /// Why the newest spec is not in force.
    pub problems: Vec<Text>,
    /// What could not be done.
    pub trouble: Option<Text>,
    pub paused: bool,
    /// It is deleted, and what that waits for.
    pub leaving: Option<Text>,
    /// How volumes stand that should be larger.
    pub growth: Option<Growth>,
    /// What is asked for and cannot be read.
    pub mistake: Option<Text>,
    /// Validators whose pods an earlier operator made.
    pub pending_restart: Vec<ValidatorName>,
    /// Machines that carry more validators than may fail.
    pub crowded: Option<Text>,
}

/// The status of a chain that could be planned.
pub fn status(plan: &Plan, observed: &Observed, previous: &ChainStatus, generation: u64, notes: &Notes) -> ChainStatus {
    let mut status = chain_status(plan, observed, previous, generation);
    let sentences = std::mem::take(&mut status.sentences);
    status.sentences = first(notes).chain(sentences).chain(last(notes)).collect();
    progressing(&mut status.conditions, observed.now_ms, generation, notes);
    status
}

/// The status of a chain that cannot be planned: what was known stays, with the reason on top.
pub fn unplanned(previous: &ChainStatus, now_ms: u64, generation: u64, notes: &Notes) -> ChainStatus {
    let known = |text: &Text| !notes.problems.contains(text);
    let mut status = ChainStatus { observed_generation: generation, ..previous.clone() };
    let before: Vec<Text> = status.sentences.iter().filter(|text| known(text)).cloned().collect();
    // Sentences of an earlier look at a chain that works are of no use beside a mistake that nobody got past yet.
    status.sentences =
        if status.fingerprint.is_some() { first(notes).chain(before).collect() } else { first(notes).collect() };
    if !status.conditions.iter().any(|condition| condition.kind == conditions::READY) {
        let sentence = in_english(first(notes));
        put(&mut status.conditions, conditions::READY, false, reason::INVALID_SPEC, sentence, now_ms, generation);
    }
    progressing(&mut status.conditions, now_ms, generation, notes);
    status
}

fn first(notes: &Notes) -> impl Iterator<Item = Text> {
    let paused = notes.paused.then(|| {
        Text::new(
            "已暂停：只观察和报告，不做任何更改；去掉注解 citychain.dev/pause 后继续。",
            "Paused: it is observed and reported and nothing is changed; remove the annotation citychain.dev/pause to go on.",
        )
    });
    let leaving = notes.leaving.clone().into_iter();
    let wrong = notes.problems.clone().into_iter().chain(notes.trouble.clone());
    leaving
        .chain(wrong)
        .chain(paused)
        .chain(notes.mistake.clone())
        .chain(notes.growth.as_ref().map(Growth::sentence).cloned())
}

fn last(notes: &Notes) -> impl Iterator<Item = Text> {
    notes.crowded.clone().into_iter().chain(pending(notes))
}

fn pending(notes: &Notes) -> Option<Text> {
    let count = notes.pending_restart.len();
    (count > 0).then(|| {
        let plural = if count == 1 { "validator runs" } else { "validators run" };
        Text::new(
            format!(
                "{count} 个验证者仍按旧版运行模板运行，不受影响；需要更新时，给链加上注解 citychain.dev/restart-pending: \"true\"，将逐个重启。"
            ),
            format!(
                "{count} {plural} as an earlier operator made them, which is well; to bring them up to date one by one, annotate the \
                 chain with citychain.dev/restart-pending: \"true\"."
            ),
        )
    })
}

/// The most important reason why the work towards the spec stands still, or is about something else, if it does.
fn progressing(conditions: &mut Vec<Condition>, now_ms: u64, generation: u64, notes: &Notes) {
    let english = |text: &Option<Text>| text.as_ref().map(|text| text.en.clone()).unwrap_or_default();
    let (why, message) = if notes.leaving.is_some() {
        (reason::WAITING_FOR_FINAL_BACKUP, english(&notes.leaving))
    } else if notes.paused {
        (reason::PAUSED, "the annotation citychain.dev/pause is set".to_owned())
    } else if !notes.problems.is_empty() {
        (reason::INVALID_SPEC, in_english(notes.problems.iter().cloned()))
    } else if notes.trouble.is_some() {
        (reason::ACTION_FAILED, english(&notes.trouble))
    } else if let Some(growth) = &notes.growth {
        let why = match growth {
            Growth::Unsupported(_) => reason::VOLUME_EXPANSION_UNSUPPORTED,
            Growth::Refused(_) => reason::ACTION_FAILED,
            Growth::UnderWay(_) => reason::GROWING_VOLUMES,
        };
        (why, growth.sentence().en.clone())
    } else if notes.pending_restart.is_empty() {
        return;
    } else {
        let works = |condition: &Condition| {
            condition.kind == conditions::PROGRESSING && condition.status == ConditionStatus::True
        };
        if conditions.iter().any(works) {
            return;
        }
        (reason::PENDING_RESTART, english(&pending(notes)))
    };
    let goes_on = [reason::WAITING_FOR_FINAL_BACKUP, reason::GROWING_VOLUMES].contains(&why);
    put(conditions, conditions::PROGRESSING, goes_on, why, message, now_ms, generation);
}

fn in_english(texts: impl Iterator<Item = Text>) -> String {
    texts.map(|text| text.en).collect::<Vec<_>>().join(" ")
}

fn put(
    conditions: &mut Vec<Condition>,
    kind: &str,
    holds: bool,
    reason: &str,
    message: String,
    now_ms: u64,
    generation: u64,
) {
    let condition = Condition {
        kind: kind.to_owned(),
        status: holds.into(),
        reason: reason.to_owned(),
        message,
        last_transition_time: Time::from_ms(now_ms),
        observed_generation: generation,
    };
    set_condition(conditions, condition);
}

/// A machine whose loss alone would stop the chain.
pub fn crowded(facts: &Facts, voting: &[ValidatorName]) -> Option<Text> {
    let faults = Quorum::of(u32::try_from(voting.len()).unwrap_or(u32::MAX)).faults();
    let mut machines: BTreeMap<&str, u32> = BTreeMap::new();
    for name in voting {
        let pod = facts.validators.get(name).and_then(|facts| facts.pod.as_ref());
        if let Some(machine) = pod.and_then(|pod| pod.machine.as_deref()) {
            *machines.entry(machine).or_default() += 1;
        }
    }
    let (machine, count) = machines.into_iter().max_by_key(|(_, count)| *count)?;
    (count > faults.max(1)).then(|| {
        Text::new(
            format!("机器 {machine} 承载了 {count} 个验证者，它一旦故障链就会停止（最多容忍 {faults} 个）；请增加机器或分散部署。"),
            format!(
                "The machine {machine} carries {count} validators: its loss alone stops the chain, which tolerates {faults}; add machines or \
                 spread them."
            ),
        )
    })
}

/// What is worth a write: all but what moves with every block.
pub fn settled(status: &ChainStatus) -> ChainStatus {
    let mut settled = ChainStatus { height: 0, last_block_ms: None, ..status.clone() };
    for row in &mut settled.validators {
        row.height = 0;
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::facts::{PodFacts, ValidatorFacts};

    fn condition<'a>(status: &'a ChainStatus, kind: &str) -> &'a Condition {
        status.conditions.iter().find(|condition| condition.kind == kind).unwrap()
    }

    #[test]
    fn what_stands_in_the_way_is_the_reason_most_important_first() {
        let text = |en: &str| Some(Text::new("", en));
        let mut notes = Notes {
            pending_restart: vec![ValidatorName::numbered(1).unwrap()],
            growth: text("cannot grow").map(Growth::Unsupported),
            trouble: text("trouble"),
            problems: vec![Text::new("", "spec.version: wrong")],
            paused: true,
            leaving: text("leaving"),
            crowded: None,
            mistake: None,
        };
        let reason_now = |notes: &Notes| {
            let status = unplanned(&ChainStatus::default(), 1_000, 3, notes);
            let found = condition(&status, conditions::PROGRESSING);
            (found.reason.clone(), found.observed_generation)
        };
        assert_eq!(reason_now(&notes), (reason::WAITING_FOR_FINAL_BACKUP.to_owned(), 3));
        notes.leaving = None;
        assert_eq!(reason_now(&notes), (reason::PAUSED.to_owned(), 3));
        notes.paused = false;
        assert_eq!(reason_now(&notes).0, reason::INVALID_SPEC);
        notes.problems.clear();
        assert_eq!(reason_now(&notes).0, reason::ACTION_FAILED);
        notes.trouble = None;
        assert_eq!(reason_now(&notes).0, reason::VOLUME_EXPANSION_UNSUPPORTED);
        notes.growth = text("grows").map(Growth::UnderWay);
        assert_eq!(reason_now(&notes).0, reason::GROWING_VOLUMES);
        notes.growth = None;
        assert_eq!(reason_now(&notes).0, reason::PENDING_RESTART);
    }

    #[test]
    fn a_spec_that_never_held_together_is_not_ready_and_says_why() {
        let notes = Notes { problems: vec![Text::new("", "spec.validators.count: must be 4")], ..Notes::default() };
        let status = unplanned(&ChainStatus::default(), 1_000, 1, &notes);
        assert_eq!(condition(&status, conditions::READY).message, "spec.validators.count: must be 4");
        assert_eq!(status.sentences.len(), 1);
        assert_eq!(unplanned(&status, 9_000, 1, &notes), status, "and said once, costs no second write");
    }

    #[test]
    fn a_machine_that_carries_more_than_may_fail_is_named() {
        let place = |machines: [&str; 4]| {
            let mut facts = Facts::default();
            for (number, machine) in (1..).zip(machines) {
                let pod = PodFacts { machine: Some(machine.into()), ..PodFacts::default() };
                let validator = ValidatorFacts { pod: Some(pod), ..ValidatorFacts::default() };
                facts.validators.insert(ValidatorName::numbered(number).unwrap(), validator);
            }
            facts
        };
        let all: Vec<_> = (1..=4).filter_map(ValidatorName::numbered).collect();
        assert_eq!(crowded(&place(["a", "b", "c", "d"]), &all), None);
        assert!(crowded(&place(["a", "b", "b", "d"]), &all).unwrap().en.contains("machine b carries 2"));
    }
}
