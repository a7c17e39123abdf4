//! What stops nothing yet and would: a clock that is off, one machine that carries more validators than may fail. Pure.

use std::collections::BTreeMap;

use operator_api::{Text, ValidatorName};

use crate::{observed::Observed, plan::Plan, situation, situation::Situation, words};

/// Validators do not vote for a block whose time is further ahead of their own clock (DESIGN §4.3).
const AHEAD_MS: i64 = 1_000;
/// Nor for a fresh one that is behind by more than this and the time in which it could be proposed.
const BEHIND_MS: i64 = 2_000;
/// In these steps, so that a clock that drifts does not change the status at every look.
const STEPS_MS: [u64; 6] = [1_000, 2_000, 10_000, 60_000, 3_600_000, 86_400_000];

/// Those of the voting set, in words.
pub fn sentences(plan: &Plan, observed: &Observed, situation: &Situation) -> Vec<Text> {
    let mut sentences = clocks(plan, observed, situation);
    sentences.extend(machines(observed, situation));
    sentences
}

fn clocks(plan: &Plan, observed: &Observed, situation: &Situation) -> Vec<Text> {
    let voting = plan.nodes.iter().filter(|node| situation.voting.contains(&node.name));
    voting
        .filter_map(|node| {
            let offset = observed.node(node.name).clock_offset_ms()?;
            if (-BEHIND_MS..=AHEAD_MS).contains(&offset) {
                return None;
            }
            let step = STEPS_MS.into_iter().rfind(|step| *step <= offset.unsigned_abs())?;
            let (called, time) = (situation::called(node), words::duration(step));
            let (zh, en) = if offset > 0 { ("快", "ahead of") } else { ("慢", "behind") };
            Some(Text::new(
                format!(
                    "{}的时钟比其他验证者{zh} {}以上：其他验证者不接受它提议的区块；请为它的机器校时（NTP）。",
                    called.zh, time.zh
                ),
                format!(
                    "The clock of {} is more than {} {en} the others': they do not accept the blocks that it proposes; set its \
                     machine's clock (NTP).",
                    called.en, time.en
                ),
            ))
        })
        .collect()
}

/// Losing a machine loses all that it carries.
fn machines(observed: &Observed, situation: &Situation) -> Vec<Text> {
    let mut carried: BTreeMap<&str, Vec<ValidatorName>> = BTreeMap::new();
    for (name, seen) in &observed.nodes {
        if let Some(machine) = seen.machine.as_deref().filter(|_| situation.voting.contains(name)) {
            carried.entry(machine).or_default().push(*name);
        }
    }
    let faults = situation.quorum().faults();
    let too_many = carried.into_iter().filter(|(_, names)| u32::try_from(names.len()).unwrap_or(u32::MAX) > faults);
    too_many
        .map(|(machine, names)| {
            let listed = words::list(&names);
            Text::new(
                format!("机器 {machine} 上有 {}，而本链只容忍 {faults} 个故障：失去这台机器链就会停止；请增加机器，再逐个重建这些 Pod。", listed.zh),
                format!(
                    "Machine {machine} carries {}, and this chain tolerates {faults}: losing that machine stops the chain; add \
                     machines, then delete one of these pods at a time.",
                    listed.en
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use crate::{
        fixtures::{founded, healthy, seen, spec},
        health::health,
    };

    #[test]
    fn a_clock_that_others_disagree_with_is_named_and_one_that_lies_about_others_is_not_believed() {
        let plan = founded(&spec(4));
        for (offset_ms, said) in [
            (900, None),
            (-1_900, None),
            (4_300, Some("is more than 2 seconds ahead of the others'")),
            (-90_000, Some("is more than 1 minute behind the others'")),
        ] {
            let mut observed = healthy(&plan);
            for number in 1..=4 {
                // What the third hears of the others is as far off, the other way.
                let told = if number == 3 { vec![offset_ms; 3] } else { vec![20, -offset_ms, -15] };
                seen(&mut observed, number).clock_told_ms = told;
            }
            let sentences = health(&plan, &observed).sentences;
            let clocks: Vec<&str> =
                sentences.iter().map(|text| text.en.as_str()).filter(|en| en.contains("clock")).collect();
            match said {
                None => assert!(clocks.is_empty(), "{clocks:?}"),
                Some(said) => {
                    assert!(clocks.len() == 1 && clocks[0].contains(said), "{clocks:?}");
                    assert!(clocks[0].starts_with("The clock of validator-3 (Intermediate court)"), "{clocks:?}");
                }
            }
        }
    }

    #[test]
    fn one_voice_alone_says_nothing_about_a_clock() {
        let plan = founded(&spec(4));
        let mut observed = healthy(&plan);
        seen(&mut observed, 2).clock_told_ms = vec![9_000];
        assert_eq!(health(&plan, &observed).sentences.len(), 1);
    }

    #[test]
    fn a_machine_that_carries_more_than_may_fail_is_named() {
        let plan = founded(&spec(4));
        let mut observed = healthy(&plan);
        for (number, machine) in [(1, "m1"), (2, "m2"), (3, "m2"), (4, "m3")] {
            seen(&mut observed, number).machine = Some(machine.to_owned());
        }
        let sentences = health(&plan, &observed).sentences;
        assert!(sentences[0].en.starts_with("Machine m2 carries validator-2 and validator-3"), "{sentences:?}");
        assert_eq!(sentences.len(), 2);
        seen(&mut observed, 3).machine = Some("m4".to_owned());
        assert_eq!(health(&plan, &observed).sentences.len(), 1);
    }
}
