//! What befell validators lately: processes that ended unasked, and when their validators took part again. A restart takes about a second,
//! so without this a person who looks a moment later would see nothing of it. Judges nothing.

use super::hands::Hands;
use crate::chains::incidents::{recent, sentence};
use crate::chains::{Incident, View};
use chain_plan::{Observed, Process, situation};
use operator_api::ValidatorState;

impl Hands {
    /// Those of before that still matter, and those that this look found.
    pub async fn incidents(&self, before: &View, observed: &Observed) -> Vec<Incident> {
        let mut incidents = recent(&before.incidents, observed.now_ms);
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
