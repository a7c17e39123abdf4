//! What was seen of a chain, as `chain_plan` reads it: pods become processes, answers of nodes become what they say. The judgement of a
//! pod is pure; asking the nodes is [`super::ask`]'s part.

use std::collections::BTreeMap;

use chain_plan::{
    AppliedConfig, Observed, ObservedNode, Process,
    exit::{Exit, Meaning, WELL_AFTER_MS, code},
};
use operator_api::{Text, ValidatorName};

use super::{
    facts::{Container, Ended, Facts, PodFacts, ValidatorFacts},
    pod_trouble,
};

/// A kubelet's pauses: 10 s, doubled with every end, up to five minutes.
const FIRST_PAUSE_MS: u64 = 10_000;
const LONGEST_PAUSE_MS: u64 = 300_000;

/// Which container of which pod has answered: its own pod's uid and the container's start.
pub type Answered = BTreeMap<ValidatorName, (String, u64)>;

/// Everything but what nodes say, from the children and the look before.
pub fn observed(facts: &Facts, answered: &Answered, before: &Observed, now_ms: u64) -> Observed {
    let mut observed = Observed { now_ms, ..Observed::default() };
    for (name, validator) in facts.validators.iter().filter(|(_, validator)| validator.is_placed()) {
        let seen = node(validator, answered.get(name), &before.node(*name), now_ms);
        observed.nodes.insert(*name, seen);
    }
    observed
}

fn node(
    validator: &ValidatorFacts,
    answered: Option<&(String, u64)>,
    before: &ObservedNode,
    now_ms: u64,
) -> ObservedNode {
    let process = process(validator, answered, before, now_ms);
    let pod = validator.pod.as_ref();
    let template = || validator.set.as_ref().map(|set| set.template.clone());
    let started = pod.map(|pod| pod.started.clone()).or_else(template).unwrap_or_default();
    ObservedNode {
        version: started.version,
        config: AppliedConfig { on_disk: validator.config, loaded: None, started: started.config },
        memory_mib: started.memory_mib,
        machine: pod.and_then(|pod| pod.machine.clone()),
        is_awaited: pod.is_some_and(|pod| !pod.is_ready),
        counted_restarts: pod.map(|pod| restarts(pod, now_ms)),
        error: pod.and_then(|pod| pod_trouble::of(pod, now_ms)),
        process,
        ..ObservedNode::default()
    }
}

/// What the kubelet counted, unless the process has been well since.
fn restarts(pod: &PodFacts, now_ms: u64) -> u32 {
    match pod.container {
        Container::Running { since_ms } if now_ms.saturating_sub(since_ms) >= WELL_AFTER_MS => 0,
        _ => pod.restarts,
    }
}

fn process(
    validator: &ValidatorFacts,
    answered: Option<&(String, u64)>,
    before: &ObservedNode,
    now_ms: u64,
) -> Process {
    let wanted = validator.set.as_ref().is_some_and(|set| set.replicas > 0);
    let Some(pod) = &validator.pod else {
        return if wanted { Process::Preparing { since_ms: prepared_since(before, now_ms) } } else { Process::Absent };
    };
    if pod.is_deleted {
        let since_ms = match before.process {
            Process::Ending { since_ms } => since_ms,
            _ => now_ms,
        };
        return Process::Ending { since_ms };
    }
    // The set's controller replaces it without being asked.
    if pod.failed.is_some() {
        return Process::Preparing { since_ms: prepared_since(before, now_ms) };
    }
    match (&pod.container, &pod.ended) {
        (Container::Running { since_ms }, _) => {
            let has_answered = answered.is_some_and(|(uid, since)| *uid == pod.uid && since == since_ms);
            // In a pod of its own every first process has this number.
            let pid = 1;
            match has_answered {
                true => Process::Running { pid, since_ms: *since_ms },
                false => Process::Starting { pid, since_ms: *since_ms },
            }
        }
        (Container::Ended, Some(ended)) => after(pod, ended),
        (Container::Waiting { reason, .. }, Some(ended)) if reason == "CrashLoopBackOff" => after(pod, ended),
        (Container::None | Container::Waiting { .. } | Container::Ended, _) => {
            Process::Preparing { since_ms: pod.made_ms }
        }
    }
}

fn prepared_since(before: &ObservedNode, now_ms: u64) -> u64 {
    match before.process {
        Process::Preparing { since_ms } => since_ms,
        _ => now_ms,
    }
}

/// The kubelet starts it again in any case; where that cannot help, a person is told as if nobody did.
fn after(pod: &PodFacts, ended: &Ended) -> Process {
    let exit = exit(ended);
    match exit.meaning() {
        Meaning::Person(_) => Process::Exited { exit, at_ms: ended.at_ms },
        Meaning::Crash | Meaning::DiskFull => {
            let doubled = FIRST_PAUSE_MS.checked_shl(pod.restarts.saturating_sub(1).min(10));
            let pause = doubled.unwrap_or(LONGEST_PAUSE_MS).min(LONGEST_PAUSE_MS);
            Process::BackingOff { until_ms: ended.at_ms.saturating_add(pause) }
        }
    }
}

/// A container reports the signal that ended it as 128 and its number.
pub fn exit(ended: &Ended) -> Exit {
    match ended.code {
        signal @ 129..=192 => Exit::Signal(signal - 128),
        code => Exit::Code(code),
    }
}

/// What its exit code says that a person may do something about while the kubelet tries on.
pub fn exit_advice(ended: &Ended) -> Option<Text> {
    if ended.out_of_memory {
        return Some(Text::new(
            "内存超出限额而被终止；请提高 resources.memoryMib",
            "it used more memory than it may and was ended; raise resources.memoryMib",
        ));
    }
    (ended.code == code::DISK_FULL).then(|| {
        Text::new(
            "磁盘已满，已自行停止；请增大 resources.storageGib 或腾出空间",
            "its disk is full and it stopped itself; raise resources.storageGib or free some space",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::facts::SetFacts;

    const NOW_MS: u64 = 1_772_352_000_000;

    fn pod(container: Container, ended: Option<(i32, bool)>) -> ValidatorFacts {
        let ended = ended.map(|(code, out_of_memory)| Ended { code, at_ms: NOW_MS - 1_000, out_of_memory });
        let pod = PodFacts {
            uid: "u".into(),
            made_ms: NOW_MS - 90_000,
            machine: Some("machine-1".into()),
            container,
            ended,
            restarts: 2,
            ..PodFacts::default()
        };
        ValidatorFacts { set: Some(set(1)), pod: Some(pod), ..ValidatorFacts::default() }
    }

    fn set(replicas: i32) -> SetFacts {
        SetFacts { replicas, ..SetFacts::default() }
    }

    fn waiting(reason: &str) -> Container {
        Container::Waiting { reason: reason.into(), message: String::new() }
    }

    fn process_of(validator: &ValidatorFacts, answered: bool) -> Process {
        let answered = answered.then(|| ("u".to_owned(), 7));
        node(validator, answered.as_ref(), &ObservedNode::default(), NOW_MS).process
    }

    #[test]
    fn every_shape_of_a_pod_is_a_process_that_can_be_planned_with() {
        let since_ms = NOW_MS - 90_000;
        let back_off = Process::BackingOff { until_ms: NOW_MS + 19_000 };
        let person = |code| Process::Exited { exit: Exit::Code(code), at_ms: NOW_MS - 1_000 };
        let table = [
            (pod(Container::None, None), Process::Preparing { since_ms }),
            (pod(waiting("ContainerCreating"), None), Process::Preparing { since_ms }),
            (pod(waiting("ImagePullBackOff"), None), Process::Preparing { since_ms }),
            (pod(Container::Running { since_ms: 7 }, None), Process::Starting { pid: 1, since_ms: 7 }),
            (pod(Container::Running { since_ms: 7 }, Some((1, false))), Process::Starting { pid: 1, since_ms: 7 }),
            (pod(waiting("CrashLoopBackOff"), Some((1, false))), back_off.clone()),
            (pod(waiting("CrashLoopBackOff"), Some((137, true))), back_off.clone()),
            (pod(Container::Ended, Some((code::DISK_FULL, false))), back_off),
            (pod(Container::Ended, Some((code::DUPLICATE_IDENTITY, false))), person(code::DUPLICATE_IDENTITY)),
            (pod(waiting("CrashLoopBackOff"), Some((code::STORE_DAMAGED, false))), person(code::STORE_DAMAGED)),
            (ValidatorFacts { set: Some(set(1)), ..Default::default() }, Process::Preparing { since_ms: NOW_MS }),
            (ValidatorFacts { set: Some(set(0)), ..Default::default() }, Process::Absent),
            (ValidatorFacts::default(), Process::Absent),
        ];
        for (validator, wanted) in table {
            assert_eq!(process_of(&validator, false), wanted, "{validator:?}");
        }
        let running = pod(Container::Running { since_ms: 7 }, None);
        assert_eq!(process_of(&running, true), Process::Running { pid: 1, since_ms: 7 });
        let again = pod(Container::Running { since_ms: 8 }, None);
        assert_eq!(process_of(&again, true), Process::Starting { pid: 1, since_ms: 8 }, "another container");
    }

    #[test]
    fn a_pod_on_its_way_out_counts_for_nothing_whatever_its_container_does() {
        let mut leaving = pod(Container::Running { since_ms: 7 }, None);
        leaving.pod.as_mut().unwrap().is_deleted = true;
        assert_eq!(process_of(&leaving, true), Process::Ending { since_ms: NOW_MS });
    }

    #[test]
    fn signals_are_told_from_codes() {
        let ended = |code| Ended { code, at_ms: 0, out_of_memory: false };
        assert_eq!(exit(&ended(137)), Exit::Signal(9));
        assert_eq!(exit(&ended(143)), Exit::Signal(15));
        assert_eq!(exit(&ended(20)), Exit::Code(20));
    }
}
