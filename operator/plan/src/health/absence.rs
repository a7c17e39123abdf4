//! Why one validator does not take part, and what is being done about it, in words. The decision itself is
//! [`crate::situation::outlook`]; this only says it.

use operator_api::{Text, ValidatorState};

use crate::{
    observed::{Observed, ObservedNode, Process},
    plan::{KeyState, PlannedNode, Role},
    situation::{self, Outlook},
    words,
};

/// "validator-3 (Intermediate court) has been missing for 18 seconds: its process ended with code 1. It is being started
/// again, attempt 2."
pub fn sentence(node: &PlannedNode, observed: &Observed) -> Text {
    let seen = observed.node(node.name);
    let called = situation::called(node);
    let cause = cause(node, &seen, observed);
    let missing = match seen.missing_since_ms {
        Some(since_ms) => {
            let time = words::duration(observed.now_ms.saturating_sub(since_ms));
            Text::new(
                format!("{}缺席 {}：{}。", called.zh, time.zh, cause.zh),
                format!("{} has been missing for {}: {}.", called.en, time.en, cause.en),
            )
        }
        None => {
            Text::new(format!("{}缺席：{}。", called.zh, cause.zh), format!("{} is missing: {}.", called.en, cause.en))
        }
    };
    missing.then(&doing(node, &seen, observed.now_ms))
}

/// What it is doing instead of voting, as a part of a sentence.
pub fn cause(node: &PlannedNode, seen: &ObservedNode, observed: &Observed) -> Text {
    if !situation::should_run(node) && !seen.process.is_up() {
        return match node.desired {
            ValidatorState::Fenced => Text::new("已按要求隔离", "it is fenced on request"),
            ValidatorState::Stopped | ValidatorState::Running => Text::new("已按要求停止", "it is stopped on request"),
        };
    }
    match &seen.process {
        Process::Absent if node.keys == KeyState::Lost => Text::new("密钥丢失", "its keys are lost"),
        Process::Absent => Text::new("没有进程", "it has no process"),
        Process::Starting { pid, .. } => {
            Text::new(format!("正在启动（进程 {pid}）"), format!("it is starting (process {pid})"))
        }
        Process::Exited { exit, .. } => with_error(exit.text(), seen),
        Process::Preparing { .. } => {
            with_error(Text::new("集群正在准备启动它", "the cluster prepares its start"), seen)
        }
        Process::Ending { .. } => with_error(Text::new("正在结束", "it is ending"), seen),
        Process::BackingOff { .. } => with_error(Text::new("启动后又退出", "it ended after its start"), seen),
        Process::Running { pid, .. } if !seen.reachable => with_error(
            Text::new(format!("进程 {pid} 在运行但没有回应"), format!("its process {pid} runs and does not answer")),
            seen,
        ),
        Process::Running { .. } if !seen.caught_up => {
            let behind = observed.height().saturating_sub(seen.height);
            Text::new(
                format!("正在追赶，落后 {behind} 个区块"),
                format!("it is catching up, {} behind", words::counted(behind, "block")),
            )
        }
        Process::Running { .. } if !seen.able_to_vote && node.role == Role::Observer => {
            Text::new("已移出投票，正在停止", "it is voted out and is being stopped")
        }
        Process::Running { .. } if !seen.able_to_vote => {
            with_error(Text::new("已同步，尚不能投票", "it is in sync and cannot vote yet"), seen)
        }
        Process::Running { .. } if node.role == Role::Observer => Text::new("正在退出", "it leaves the voting set"),
        Process::Running { .. } => Text::new("投票中", "it votes"),
    }
}

fn with_error(cause: Text, seen: &ObservedNode) -> Text {
    match &seen.error {
        Some(error) => Text::new(format!("{}（{}）", cause.zh, error.zh), format!("{} ({})", cause.en, error.en)),
        None => cause,
    }
}

/// What is being done, as a sentence; empty if nothing needs to be.
pub fn doing(node: &PlannedNode, seen: &ObservedNode, now_ms: u64) -> Text {
    if !situation::should_run(node) {
        return Text::default();
    }
    if node.keys == KeyState::Lost {
        return Text::new("需要人工恢复其密钥。", "A person has to restore its keys.");
    }
    match situation::outlook(node, seen, now_ms) {
        Outlook::Up | Outlook::UnderWay | Outlook::Start { attempt: 0 } => match &seen.process {
            Process::Absent => Text::new("正在启动。", "It is being started."),
            _ => Text::default(),
        },
        Outlook::Start { attempt } => Text::new(
            format!("正在重新启动，第 {attempt} 次尝试。"),
            format!("It is being started again, attempt {attempt}."),
        ),
        Outlook::StartAt { at_ms, attempt } => {
            let time = words::wait(at_ms.saturating_sub(now_ms));
            Text::new(
                format!("{}后重新启动，第 {attempt} 次尝试。", time.zh),
                format!("It is started again in {}, attempt {attempt}.", time.en),
            )
        }
        Outlook::Supervised { until_ms } => {
            let time = words::wait(until_ms.saturating_sub(now_ms));
            Text::new(
                format!("将在 {}内由集群重新启动。", time.zh),
                format!("The cluster starts it again within {}.", time.en),
            )
        }
        Outlook::NeedsSpace => Text::new(
            "磁盘空间不足，已自行停止；腾出空间后自动启动。",
            "Its disk is full and it stopped itself; it starts again by itself once there is space.",
        ),
        Outlook::Person(why) => {
            let why = why.text();
            Text::new(format!("{}。", why.zh), format!("{}.", capitalised(&why.en)))
        }
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
