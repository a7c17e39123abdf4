//! Tells what one chain's loop saw: `status.json` for the next console, and everybody else through `chains::report`.

use super::hands::Hands;
use super::home;
use crate::chains::View;
use crate::chains::report::{announce, event, only_height};
use chain_plan::Action;
use operator_api::Text;

impl Hands {
    /// Stores the view; writes and publishes what changed.
    pub async fn report(&mut self, view: View) {
        if !only_height(&self.entry.view(), &view)
            && let Err(error) = home::write_json(&self.home.status(&self.chain), &view.status)
        {
            tracing::warn!(%error, chain = %self.chain, "the chain's status couldn't be written");
        }
        announce(&self.app, &self.entry, view).await;
    }

    pub async fn event(&self, level: &'static str, text: &Text) {
        event(&self.app, &self.entry, level, text).await;
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
}
