//! What befell validators lately: processes that ended unasked, and when their validators took part again. A restart takes about a second,
//! so without this a person who looks a moment later would see nothing of it. Judges nothing.

use super::hands::Hands;
use crate::chains::{Incident, View};
use chain_plan::{Observed, Process, situation};
use operator_api::{Text, ValidatorState};

/// How long an incident that is over stays on the page.
const SHOWN_MS: u64 = 120_000;

impl Hands {
    /// Those of before that still matter, and those that this look found.
    pub async fn incidents(&self, before: &View, observed: &Observed) -> Vec<Incident> {
        let mut incidents = before.incidents.clone();
        incidents.retain(|incident| incident.back_ms.is_none_or(|at| observed.now_ms.saturating_sub(at) < SHOWN_MS));
        let Some(plan) = &before.plan else { return incidents };
        for planned in plan.nodes.iter().filter(|node| node.desired == ValidatorState::Running) {
            let (old, new) = (before.observed.node(planned.name), observed.node(planned.name));
            if let (true, Process::Exited { exit, at_ms }) = (old.process.is_up(), &new.process) {
                incidents.retain(|incident| incident.node != planned.name);
                incidents.push(Incident {
                    node: planned.name,
                    called: situation::called(planned),
                    cause: exit.text(),
                    at_ms: *at_ms,
                    back_ms: None,
                });
            }
        }
        for incident in incidents.iter_mut().filter(|incident| incident.back_ms.is_none()) {
            if observed.node(incident.node).is_live() {
                incident.back_ms = Some(observed.now_ms);
                self.event("ok", &sentence(incident)).await;
            }
        }
        incidents
    }
}

/// "validator-3 (Intermediate court) ended unexpectedly: its process was ended by signal 9. It was started again and caught up
/// after 1.2 seconds." Of one that is not over nothing is said here: the health does.
pub fn sentence(incident: &Incident) -> Text {
    let Some(back_ms) = incident.back_ms else { return Text::default() };
    let tenths = back_ms.saturating_sub(incident.at_ms).div_ceil(100);
    let seconds = format!("{}.{}", tenths / 10, tenths % 10);
    let (called, cause) = (&incident.called, &incident.cause);
    Text::new(
        format!("{}意外退出：{}；已重新启动并追上，用时 {seconds} 秒。", called.zh, cause.zh),
        format!(
            "{} ended unexpectedly: {}. It was started again and caught up within {seconds} seconds.",
            called.en, cause.en
        ),
    )
}
