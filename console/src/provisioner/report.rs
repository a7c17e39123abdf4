//! Tells what was seen: the registry for pages, `status.json` for the next console, events, and everybody who has a page open.

use super::hands::Hands;
use super::home;
use crate::chains::{self, View, console_name};
use crate::live::{Payload, Topic};
use chain_plan::Action;
use operator_api::{ChainPhase, ChainStatus, Step, StepState, Text};
use serde_json::json;

impl Hands {
    /// Stores the view; writes and publishes what changed.
    pub async fn report(&mut self, view: View) {
        let before = self.entry.view();
        let owner = view.owner().or_else(|| before.owner());
        let (old, new) = (&before.status, &view.status);
        let only_height = settled(old) == settled(new)
            && before.problems == view.problems
            && before.incidents == view.incidents
            && before.deleting == view.deleting;
        if !only_height && let Err(error) = home::write_json(&self.home.status(&self.chain), new) {
            tracing::warn!(%error, chain = %self.chain, "the chain's status couldn't be written");
        }
        // A chain that works goes back and forth between these two with every transaction.
        let changed = is_over(&new.set_change) && !is_over(&old.set_change);
        let (standing, all_changes) = (new.sentences.last().cloned().unwrap_or_default(), new.set_change.len());
        let quiet = |phase| matches!(phase, ChainPhase::Healthy | ChainPhase::Idle);
        let phase_changed = old.phase != new.phase && !(quiet(old.phase) && quiet(new.phase));
        let height_changed = old.height != new.height;
        let (phase, sentence, height) = (new.phase, new.sentences.first().cloned(), new.height);
        self.entry.set(view);
        if phase_changed {
            self.event(level(phase), &phase_sentence(phase, sentence.as_ref())).await;
        }
        if changed {
            let text = Text::new(
                format!("验证者变更完成（{all_changes} 项）。{}", standing.zh),
                format!("The change of the validators is complete ({all_changes}). {}", standing.en),
            );
            self.event("ok", &text).await;
        }
        let Some(owner) = owner else { return };
        let chain = Topic::tenant(&owner, format!("chain/{}", self.chain));
        let topics = [chain, Topic::tenant(&owner, "chains"), Topic::city("chains")];
        for topic in topics {
            if !only_height {
                self.app.publish_changed(topic.clone());
            } else if height_changed {
                let data = json!({ "chain": self.chain, "height": height });
                if let Err(error) = self.app.publish_parts(topic, "chains/tick.html", &data) {
                    tracing::warn!(%error, "a height couldn't be published");
                }
            }
        }
    }

    pub async fn event(&self, level: &'static str, text: &Text) {
        if let Err(error) = chains::add_event(&self.app.db, &self.chain, level, text).await {
            tracing::warn!(%error, chain = %self.chain, "an event couldn't be kept");
        }
    }

    /// Everything that is done is an event, but for what is done at every look.
    pub async fn event_of(&self, action: &Action) {
        let level = match action {
            Action::Start { attempt, .. } if *attempt > 0 => "warn",
            Action::Stop { .. } | Action::Restart { .. } | Action::StopChain { .. } => "warn",
            Action::Wait { .. } => return,
            _ => "info",
        };
        self.event(level, &action.sentence()).await;
    }

    /// Says goodbye to everybody who has the chain's page open.
    pub fn gone(&self) {
        if let Some(owner) = self.entry.view().owner() {
            self.app.live.publish(Topic::tenant(&owner, format!("chain/{}", self.chain)), Payload::Changed);
            self.app.publish_changed(Topic::tenant(&owner, "chains"));
        }
        self.app.publish_changed(Topic::city("chains"));
    }
}

/// A change of the set that was asked for and has come to its end.
fn is_over(steps: &[Step]) -> bool {
    !steps.is_empty() && steps.iter().all(|step| step.state == StepState::Done)
}

/// What is worth a write: all but what moves with every block.
fn settled(status: &ChainStatus) -> ChainStatus {
    let mut settled = status.clone();
    settled.height = 0;
    settled.last_block_ms = None;
    for row in &mut settled.validators {
        row.height = 0;
    }
    settled
}

fn level(phase: ChainPhase) -> &'static str {
    match phase {
        ChainPhase::Healthy | ChainPhase::Idle => "ok",
        ChainPhase::Provisioning | ChainPhase::Starting | ChainPhase::Stopped => "info",
        ChainPhase::Degraded => "warn",
        ChainPhase::Stalled | ChainPhase::Failed => "bad",
    }
}

fn phase_sentence(phase: ChainPhase, first: Option<&Text>) -> Text {
    let (zh, en) = match phase {
        ChainPhase::Provisioning => ("正在开通。", "It is being provisioned."),
        ChainPhase::Starting => ("正在启动。", "It is starting."),
        ChainPhase::Healthy => ("健康，正在出块。", "It is healthy and makes blocks."),
        ChainPhase::Idle => ("健康，空闲。", "It is healthy and idle."),
        ChainPhase::Degraded => ("降级，仍在出块。", "It is degraded and goes on."),
        ChainPhase::Stalled => ("停滞，不能出块。", "It is stalled and makes no blocks."),
        ChainPhase::Stopped => ("已休眠。", "It is hibernated."),
        ChainPhase::Failed => ("需要人工处理。", "It needs a person."),
    };
    match first.filter(|_| matches!(phase, ChainPhase::Degraded | ChainPhase::Stalled | ChainPhase::Failed)) {
        Some(first) => Text::new(format!("{zh}{}", first.zh), format!("{en} {}", first.en)),
        None => Text::new(zh, en),
    }
}

/// The topic of a chain's pages.
pub fn topic(view: &View, chain: &operator_api::Name) -> Option<String> {
    view.object.as_ref().map(|object| format!("tenant/{}/chain/{chain}", console_name(&object.spec.tenant)))
}
