//! What was seen of a chain, told: the registry for pages, events in SQL, and everybody who has a page open. Whoever looks after chains
//! calls it: the local provisioner's loops, or the follower of a cluster's objects.

use super::{Entry, View, add_event};
use crate::app::App;
use crate::live::{Payload, Topic};
use operator_api::{ChainPhase, ChainStatus, Step, StepState, Text};
use serde_json::json;

/// Whether nothing is worth a write but the height.
pub fn only_height(before: &View, now: &View) -> bool {
    settled(&before.status) == settled(&now.status)
        && before.problems == now.problems
        && before.incidents == now.incidents
        && before.deleting == now.deleting
}

/// Stores the view, keeps what happened as events, and publishes what changed.
pub async fn announce(app: &App, entry: &Entry, view: View) {
    let before = entry.view();
    let owner = view.owner().or_else(|| before.owner());
    let only_height = only_height(&before, &view);
    let (old, new) = (&before.status, &view.status);
    // A chain that works goes back and forth between these two with every transaction.
    let changed = is_over(&new.set_change) && !is_over(&old.set_change);
    let (standing, all_changes) = (new.sentences.last().cloned().unwrap_or_default(), new.set_change.len());
    let quiet = |phase| matches!(phase, ChainPhase::Healthy | ChainPhase::Idle);
    let phase_changed = old.phase != new.phase && !(quiet(old.phase) && quiet(new.phase));
    let height_changed = old.height != new.height;
    let (phase, sentence, height) = (new.phase, new.sentences.first().cloned(), new.height);
    entry.set(view);
    if phase_changed {
        event(app, entry, level(phase), &phase_sentence(phase, sentence.as_ref())).await;
    }
    if changed {
        let text = Text::new(
            format!("验证者变更完成（{all_changes} 项）。{}", standing.zh),
            format!("The change of the validators is complete ({all_changes}). {}", standing.en),
        );
        event(app, entry, "ok", &text).await;
    }
    let Some(owner) = owner else { return };
    let chain = Topic::tenant(&owner, format!("chain/{}", entry.name));
    for topic in [chain, Topic::tenant(&owner, "chains"), Topic::city("chains")] {
        if !only_height {
            app.publish_changed(topic);
        } else if height_changed {
            let data = json!({ "chain": entry.name, "height": height });
            if let Err(error) = app.publish_parts(topic, "chains/tick.html", &data) {
                tracing::warn!(%error, "a height couldn't be published");
            }
        }
    }
}

/// Keeps a sentence of what happened to the chain.
pub async fn event(app: &App, entry: &Entry, level: &'static str, text: &Text) {
    if let Err(error) = add_event(&app.db, &entry.name, level, text).await {
        tracing::warn!(%error, chain = %entry.name, "an event couldn't be kept");
    }
}

/// Says goodbye to everybody who has the chain's page open.
pub fn gone(app: &App, entry: &Entry) {
    if let Some(owner) = entry.view().owner() {
        app.live.publish(Topic::tenant(&owner, format!("chain/{}", entry.name)), Payload::Changed);
        app.publish_changed(Topic::tenant(&owner, "chains"));
    }
    app.publish_changed(Topic::city("chains"));
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
