//! How a chain is, in one word, a few numbers and sentences that name who is missing, since when and what is being done. Pure;
//! status and pages show exactly this.

pub mod absence;
mod risks;

use operator_api::{ChainPhase, ChainState, Text, ValidatorName};

use crate::{
    next,
    observed::{Observed, Process},
    plan::{GenesisPlan, KeyState, Plan, PlannedNode},
    situation::{self, Outlook, Situation},
    words,
};

/// A chain without quorum whose processes are this young is coming up rather than broken.
const STARTING_FOR_MS: u64 = 30_000;
/// Without a block for so long, and without anything to put into one, a chain is idle.
const IDLE_AFTER_MS: u64 = 5_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainHealth {
    pub phase: ChainPhase,
    /// Live voters.
    pub ready: u32,
    /// The voting set.
    pub validators: u32,
    pub quorum: u32,
    /// How many more may fail before blocks stop.
    pub tolerates: u32,
    /// Voters that are not live.
    pub missing: Vec<ValidatorName>,
    /// Most important first.
    pub sentences: Vec<Text>,
}

/// How the chain is.
pub fn health(plan: &Plan, observed: &Observed) -> ChainHealth {
    let situation = Situation::of(plan, observed);
    let phase = phase(plan, observed, &situation);
    let quorum = situation.quorum();
    ChainHealth {
        phase,
        ready: situation.ready(),
        validators: situation.validators(),
        quorum: quorum.needed(),
        tolerates: quorum.tolerates(situation.ready()),
        missing: situation.voting.difference(&situation.live).copied().collect(),
        sentences: sentences(plan, observed, &situation, phase),
    }
}

fn phase(plan: &Plan, observed: &Observed, situation: &Situation) -> ChainPhase {
    let made = observed.self_check.as_ref().is_some_and(|check| check.passed);
    if plan.state == ChainState::Hibernated {
        let up = plan.nodes.iter().any(|node| observed.node(node.name).process.is_up());
        return match (up, situation.has_quorum()) {
            (false, _) => ChainPhase::Stopped,
            (true, true) => ChainPhase::Idle,
            (true, false) => ChainPhase::Stalled,
        };
    }
    if needs_a_person(plan, observed, situation) {
        return ChainPhase::Failed;
    }
    if !made {
        return ChainPhase::Provisioning;
    }
    if !situation.has_quorum() {
        let coming_up = is_coming_up(plan, observed, situation);
        return if coming_up { ChainPhase::Starting } else { ChainPhase::Stalled };
    }
    if situation::is_stalled(plan, observed) {
        return ChainPhase::Stalled;
    }
    if situation.ready() < situation.validators() {
        return ChainPhase::Degraded;
    }
    let quiet = observed.last_block_ms.is_some_and(|at| observed.now_ms.saturating_sub(at) >= IDLE_AFTER_MS);
    if quiet && observed.pending_since_ms.is_none() { ChainPhase::Idle } else { ChainPhase::Healthy }
}

/// So many validators cannot come back by themselves that no quorum can.
fn needs_a_person(plan: &Plan, observed: &Observed, situation: &Situation) -> bool {
    let foreign = match (plan.fingerprint(), &observed.genesis) {
        (Some(ours), Some(found)) => ours != *found,
        _ => false,
    };
    let lost =
        plan.nodes.iter().filter(|node| situation.voting.contains(&node.name) && is_lost(node, observed)).count();
    let left = situation.validators().saturating_sub(u32::try_from(lost).unwrap_or(u32::MAX));
    foreign || (lost > 0 && !situation.quorum().held_by(left))
}

fn is_lost(node: &PlannedNode, observed: &Observed) -> bool {
    let seen = observed.node(node.name);
    node.keys == KeyState::Lost
        || matches!(situation::outlook(node, &seen, observed.now_ms), Outlook::Person(_) | Outlook::NeedsSpace)
}

/// Everybody who is missing is young, or about to be started for the first time.
fn is_coming_up(plan: &Plan, observed: &Observed, situation: &Situation) -> bool {
    let mut missing = plan.nodes.iter().filter(|node| {
        situation.voting.contains(&node.name) && !situation.live.contains(&node.name) && situation::should_run(node)
    });
    missing.all(|node| match observed.node(node.name).process {
        Process::Absent => node.keys == KeyState::Present,
        Process::Starting { since_ms, .. }
        | Process::Running { since_ms, .. }
        | Process::Preparing { since_ms }
        | Process::Ending { since_ms } => observed.now_ms.saturating_sub(since_ms) < STARTING_FOR_MS,
        Process::Exited { .. } | Process::BackingOff { .. } => false,
    })
}

fn sentences(plan: &Plan, observed: &Observed, situation: &Situation, phase: ChainPhase) -> Vec<Text> {
    let mut sentences = Vec::new();
    match phase {
        ChainPhase::Stopped => {
            sentences.push(Text::new(
                "链已休眠，数据保留；唤醒后继续。",
                "The chain hibernates; its data stays, and it goes on once woken.",
            ));
            return sentences;
        }
        ChainPhase::Provisioning => {
            provisioning(plan, observed, situation, &mut sentences);
            return sentences;
        }
        _ => {}
    }
    if let (Some(ours), Some(found)) = (plan.fingerprint(), &observed.genesis)
        && ours != *found
    {
        sentences.push(next::foreign_genesis(found));
    }
    for node in
        plan.nodes.iter().filter(|node| situation.voting.contains(&node.name) && !situation.live.contains(&node.name))
    {
        sentences.push(absence::sentence(node, observed));
    }
    sentences.extend(risks::sentences(plan, observed, situation));
    sentences.push(standing(situation));
    if situation.has_quorum()
        && situation::is_stalled(plan, observed)
        && let Some(due_ms) = situation::due_since_ms(plan, observed)
    {
        sentences.insert(0, stalled(observed, due_ms));
    }
    sentences
}

/// The numbers as a sentence: what is there, what is needed, what one more loss does.
pub fn standing(situation: &Situation) -> Text {
    let (ready, all, quorum) = (situation.ready(), situation.validators(), situation.quorum());
    let needed = quorum.needed();
    let tolerates = quorum.tolerates(ready);
    if !quorum.held_by(ready) {
        let short = needed.saturating_sub(ready);
        return Text::new(
            format!(
                "{all} 个验证者中 {ready} 个在线，法定数 {needed}：再恢复 {short} 个之前不能出块；已提交的数据不受影响。"
            ),
            format!(
                "{ready} of {all} validators are live, quorum {needed}: no block can be made until {short} more return; what is \
                 committed stays."
            ),
        );
    }
    if tolerates == 0 {
        return Text::new(
            format!("{all} 个验证者中 {ready} 个在线，恰好达到法定数 {needed}，链继续出块；再失去一个将停止。"),
            format!(
                "{ready} of {all} validators are live, exactly the quorum of {needed}: the chain goes on, and one more loss stops it."
            ),
        );
    }
    let verb = if tolerates == 1 { "1 more may fail" } else { &format!("{tolerates} more may fail") };
    if ready == all {
        return Text::new(
            format!("{all} 个验证者全部在线，法定数 {needed}，可再容忍 {tolerates} 个故障。"),
            format!("All {all} validators are live, quorum {needed}: {verb}."),
        );
    }
    Text::new(
        format!("{all} 个验证者中 {ready} 个在线，法定数 {needed}，链继续出块，可再容忍 {tolerates} 个故障。"),
        format!("{ready} of {all} validators are live, quorum {needed}: the chain goes on, and {verb}."),
    )
}

fn stalled(observed: &Observed, due_ms: u64) -> Text {
    let time = words::duration(observed.now_ms.saturating_sub(due_ms));
    let (zh, en) = if observed.pending_since_ms == Some(due_ms) {
        ("有交易等待", "A transaction has been waiting for")
    } else {
        ("心跳区块已迟到", "The heartbeat block has been due for")
    };
    Text::new(
        format!("{zh} {}仍未出块，虽然在线验证者达到法定数；请检查节点间的网络与时钟。", time.zh),
        format!(
            "{en} {} without a block although a quorum is live; check the network between the nodes and their clocks.",
            time.en
        ),
    )
}

fn provisioning(plan: &Plan, observed: &Observed, situation: &Situation, sentences: &mut Vec<Text>) {
    if let GenesisPlan::Waiting { organisations, .. } = &plan.genesis {
        sentences.push(if organisations.is_empty() {
            Text::new("正在生成密钥。", "Keys are being made.")
        } else {
            next::waits_for(organisations)
        });
        return;
    }
    if let Some(check) = observed.self_check.as_ref().filter(|check| !check.passed) {
        let detail = check.detail.clone().unwrap_or_default();
        sentences.push(Text::new(
            format!("自检没有通过：{}；稍后重试。", detail.zh),
            format!("The self-check did not pass: {}; it is tried again.", detail.en),
        ));
    }
    let (ready, all) = (situation.ready(), situation.validators());
    sentences.push(Text::new(
        format!("正在开通：{all} 个验证者中 {ready} 个已就绪。"),
        format!("The chain is being made: {ready} of {all} validators are ready."),
    ));
    let trouble = plan.nodes.iter().filter(|node| {
        let seen = observed.node(node.name);
        let stuck = matches!(seen.process, Process::Preparing { .. }) && seen.error.is_some();
        stuck || matches!(seen.process, Process::Exited { .. } | Process::BackingOff { .. })
    });
    sentences.extend(trouble.map(|node| absence::sentence(node, observed)));
}

#[cfg(test)]
mod tests;
