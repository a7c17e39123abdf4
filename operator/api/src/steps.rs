//! The steps of provisioning a chain and of deploying an application, as a status shows them while they run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Text;

/// Provisioning a chain, in order.
pub mod provisioning {
    pub const KEYS: &str = "keys";
    pub const GENESIS: &str = "genesis";
    pub const VALIDATORS: &str = "validators";
    pub const FIRST_BLOCK: &str = "first-block";
    pub const SELF_CHECK: &str = "self-check";
    pub const ALL: [&str; 5] = [KEYS, GENESIS, VALIDATORS, FIRST_BLOCK, SELF_CHECK];
}

/// A change of the voting set: one step a validator, called after it.
pub mod membership {
    pub const JOIN: &str = "join-";
    pub const LEAVE: &str = "leave-";
    /// It goes on with new keys.
    pub const ROTATE: &str = "rotate-";
}

/// Deploying an application, in order.
pub mod deployment {
    pub const QUOTA: &str = "quota";
    pub const CHAIN: &str = "chain";
    pub const INSTALL: &str = "install";
    pub const ROLES: &str = "roles";
    pub const API_KEY: &str = "api-key";
    pub const SAMPLE_DATA: &str = "sample-data";
    pub const CHECKS: &str = "checks";
    pub const READY: &str = "ready";
    pub const ALL: [&str; 8] = [QUOTA, CHAIN, INSTALL, ROLES, API_KEY, SAMPLE_DATA, CHECKS, READY];
}

/// Upgrading an application to a higher version of its template, in order.
pub mod upgrade {
    pub const COMPATIBLE: &str = "compatible";
    pub const CHAIN: &str = super::deployment::CHAIN;
    pub const UPGRADE: &str = "upgrade";
    pub const NEW_ROLES: &str = "new-roles";
    pub const NEW_CHECKS: &str = "new-checks";
    pub const READY: &str = super::deployment::READY;
    pub const ALL: [&str; 6] = [COMPATIBLE, CHAIN, UPGRADE, NEW_ROLES, NEW_CHECKS, READY];
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    #[default]
    Waiting,
    Running,
    Done,
    Failed,
}

/// One step. Its title is the page's text for `id`; `detail` says what is special about this run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// One of [`provisioning::ALL`], [`deployment::ALL`] or [`upgrade::ALL`], or a validator's behind one of [`membership`].
    pub id: String,
    pub state: StepState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// "3 of 4", a transaction's short id, or why it failed and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Text>,
    /// A page of the console that shows the thing made, as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl Step {
    pub fn waiting(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: StepState::Waiting,
            started_ms: None,
            ended_ms: None,
            detail: None,
            link: None,
        }
    }

    /// A list of steps that have not begun.
    pub fn all_waiting(ids: &[&str]) -> Vec<Self> {
        ids.iter().copied().map(Self::waiting).collect()
    }

    /// The same step in a new state. The first start is kept; an end belongs to `done` and `failed` only, and is the
    /// moment that state was entered. A step that runs again after a failure keeps its first start.
    #[must_use]
    pub fn moved_to(&self, state: StepState, now_ms: u64) -> Self {
        let ended = matches!(state, StepState::Done | StepState::Failed);
        Self {
            state,
            started_ms: if state == StepState::Waiting { None } else { self.started_ms.or(Some(now_ms)) },
            ended_ms: if !ended {
                None
            } else if self.state == state {
                self.ended_ms.or(Some(now_ms))
            } else {
                Some(now_ms)
            },
            ..self.clone()
        }
    }

    /// How long it took, or has taken so far.
    pub fn took_ms(&self, now_ms: u64) -> Option<u64> {
        Some(self.ended_ms.unwrap_or(now_ms).saturating_sub(self.started_ms?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_keeps_its_start_and_gets_one_end() {
        let step = Step::waiting(provisioning::KEYS).moved_to(StepState::Running, 10);
        assert_eq!((step.started_ms, step.ended_ms), (Some(10), None));
        let step = step.moved_to(StepState::Done, 25).moved_to(StepState::Done, 99);
        assert_eq!((step.started_ms, step.ended_ms, step.took_ms(500)), (Some(10), Some(25), Some(15)));
    }

    #[test]
    fn a_failed_step_that_runs_again_has_no_end() {
        let step = Step::waiting("x").moved_to(StepState::Failed, 10).moved_to(StepState::Running, 20);
        assert_eq!((step.started_ms, step.ended_ms), (Some(10), None));
    }
}
