//! Tells what was seen and done: the status, written only when it says something new; events in plain words; counters.

use std::time::{Duration, Instant};

use chain_plan::Action;
use operator_api::{ChainPhase, ChainSpec, ChainStatus, Metadata, Text};
use serde_json::{Value, json};

use super::{resources::Place, status::settled};
use crate::{
    context::Context,
    events::Severity,
    metrics::ChainFacts,
    objects::{self, patch_status, within},
};

/// The height alone is written at most this often.
const HEIGHT_EVERY: Duration = Duration::from_secs(30);

/// The status as it was written last, and when.
#[derive(Default)]
pub struct Written {
    status: Option<ChainStatus>,
    at: Option<Instant>,
}

impl Written {
    /// As it was found on the object when the work on it began.
    pub fn found(status: Option<ChainStatus>) -> Self {
        Self { status, at: None }
    }

    pub fn phase(&self) -> Option<ChainPhase> {
        self.status.as_ref().map(|status| status.phase)
    }

    fn is_due(&self, status: &ChainStatus) -> bool {
        let Some(before) = &self.status else { return true };
        let rested = self.at.is_none_or(|at| at.elapsed() >= HEIGHT_EVERY);
        settled(before) != settled(status) || (rested && before.height != status.height)
    }

    /// Writes the status if that is worth a write.
    pub async fn write(&mut self, context: &Context, place: &Place, status: &ChainStatus) -> anyhow::Result<()> {
        context.metrics.chain(
            &place.namespace,
            place.chain.as_str(),
            ChainFacts {
                phase: status.phase,
                validators_behind: status.validators_total.saturating_sub(status.validators_ready),
            },
        );
        if !self.is_due(status) {
            return Ok(());
        }
        let patch = complete(status, self.status.as_ref())?;
        let api = within::<ChainSpec>(&context.client, &place.namespace);
        patch_status(&api, place.chain.as_str(), &patch).await?;
        (self.status, self.at) = (Some(status.clone()), Some(Instant::now()));
        Ok(())
    }
}

/// All fields, and `null` for those that were there before and are not any more: a patch removes nothing by leaving it out.
fn complete(status: &ChainStatus, before: Option<&ChainStatus>) -> serde_json::Result<Value> {
    let mut patch = serde_json::to_value(status)?;
    let before = before.map(serde_json::to_value).transpose()?.unwrap_or_else(|| json!({}));
    if let (Value::Object(patch), Value::Object(before)) = (&mut patch, before) {
        for (field, _) in before {
            patch.entry(field).or_insert(Value::Null);
        }
    }
    Ok(patch)
}

/// An action that was carried out, as an event.
pub async fn done(context: &Context, chain: &Metadata, action: &Action) {
    let (severity, reason) = match action {
        Action::CreateNodeKeys { .. } | Action::CreateStewardKey | Action::CreateNextKeys { .. } => {
            (Severity::Normal, "KeysMade")
        }
        Action::Rotate { .. } => (Severity::Normal, "NewKeysVotedIn"),
        Action::EndRotation { .. } => (Severity::Normal, "KeysRotated"),
        Action::WriteGenesis { .. } => (Severity::Normal, "Founded"),
        Action::Start { attempt: 0, .. } => (Severity::Normal, "ValidatorStarted"),
        Action::Start { .. } => (Severity::Warning, "ValidatorStartedAgain"),
        Action::Stop { .. } => (Severity::Normal, "ValidatorStopped"),
        Action::Restart { .. } => (Severity::Normal, "ValidatorRestarted"),
        Action::StopChain { .. } => (Severity::Normal, "Hibernated"),
        Action::VoteIn { .. } => (Severity::Normal, "VotedIn"),
        Action::VoteOut { .. } => (Severity::Normal, "VotedOut"),
        Action::SetAside { .. } => (Severity::Normal, "SetAside"),
        Action::SelfCheck => (Severity::Normal, "SelfChecked"),
        // Details of the others.
        Action::WriteConfig { .. } | Action::ReloadConfig { .. } | Action::ForgetExit { .. } | Action::Wait { .. } => {
            return;
        }
    };
    tell(context, chain, severity, reason, &action.sentence().en).await;
}

/// A change of the phase, with the sentence that explains it.
pub async fn phase(context: &Context, chain: &Metadata, before: Option<ChainPhase>, status: &ChainStatus) {
    // A chain that works goes back and forth between these two with every transaction.
    let quiet = |phase| matches!(phase, ChainPhase::Healthy | ChainPhase::Idle);
    if before.is_none_or(|before| before == status.phase || (quiet(before) && quiet(status.phase))) {
        return;
    }
    let (severity, reason) = match status.phase {
        ChainPhase::Healthy | ChainPhase::Idle => (Severity::Normal, "Healthy"),
        ChainPhase::Provisioning => (Severity::Normal, "Provisioning"),
        ChainPhase::Starting => (Severity::Normal, "Starting"),
        ChainPhase::Stopped => (Severity::Normal, "Stopped"),
        ChainPhase::Degraded => (Severity::Warning, "Degraded"),
        ChainPhase::Stalled => (Severity::Warning, "Stalled"),
        ChainPhase::Failed => (Severity::Warning, "Failed"),
    };
    let sentence = status.sentences.first().map_or("", |text| &text.en);
    tell(context, chain, severity, reason, sentence).await;
}

/// A request that cannot be read, told once when it appears: the status goes on saying it.
pub async fn mistake(context: &Context, chain: &Metadata, before: &ChainStatus, mistake: Option<&Text>) {
    if let Some(mistake) = mistake.filter(|mistake| !before.sentences.contains(mistake)) {
        tell(context, chain, Severity::Warning, "UnknownValidator", &mistake.en).await;
    }
}

pub async fn tell(context: &Context, chain: &Metadata, severity: Severity, reason: &str, note: &str) {
    context.events.tell(&objects::reference::<ChainSpec>(chain), severity, reason, note).await;
}

/// The sentence about what could not be done.
pub fn couldnt(what: &Text, error: &anyhow::Error) -> Text {
    Text::new(
        format!("未能完成：{}原因：{error:#}。稍后自动重试。", what.zh),
        format!("Couldn't do this: {} Reason: {error:#}. It is tried again by itself.", what.en),
    )
}

#[cfg(test)]
mod tests {
    use operator_api::Step;

    use super::*;

    #[test]
    fn what_is_gone_is_removed_and_what_only_moves_is_not_written() {
        let before =
            ChainStatus { height: 7, set_change: vec![Step::waiting("join-validator-5")], ..ChainStatus::default() };
        let after = ChainStatus { height: 9, ..ChainStatus::default() };
        let patch = complete(&after, Some(&before)).unwrap();
        assert_eq!((&patch["setChange"], &patch["height"]), (&Value::Null, &json!(9)));
        let just = Written { status: Some(after.clone()), at: Some(Instant::now()) };
        assert!(!just.is_due(&after));
        assert!(!just.is_due(&ChainStatus { height: 10, ..after.clone() }), "a height is written twice a minute");
        assert!(just.is_due(&ChainStatus { sentences: vec![Text::same("x")], ..after.clone() }));
        assert!(Written::found(None).is_due(&after));
        assert!(!Written::found(Some(after.clone())).is_due(&after), "a new operator writes nothing");
    }
}
