//! A chain as pages see it, made from its object and from what the operator reported. Pure: the same arithmetic that judges a change for the
//! local provisioner previews it here, and admission, which asks the nodes, has the last word.

use crate::chains::spec::field_in_words;
use crate::chains::{Incident, View, incidents};
use chain_plan::plan::{GenesisPlan, KeyState, PlannedNode};
use chain_plan::{FieldError, Observed, ObservedNode, Plan, Process, Role, ValidChain};
use chain_types::Genesis;
use operator_api::{
    Chain, ChainState, ChainStatus, StepState, Text, ValidatorRow, ValidatorState, Version, conditions, reason,
};
use std::collections::BTreeSet;

pub struct Given<'a> {
    /// Without its status.
    pub object: &'a Chain,
    pub status: &'a ChainStatus,
    /// The spec against its tenant and the city.
    pub judged: Result<ValidChain, Vec<FieldError>>,
    pub genesis: Option<&'a Genesis>,
    pub versions: &'a BTreeSet<Version>,
    pub now_ms: u64,
}

/// The view; `before` is the one before, for what only a change tells.
pub fn view(given: &Given<'_>, before: &View) -> View {
    let mut problems = Vec::new();
    let valid = match &given.judged {
        Ok(valid) => Some(valid.clone()),
        Err(errors) => {
            problems.extend(errors.iter().map(field_in_words));
            before.valid.clone()
        }
    };
    problems.extend(refused(given.status));
    View {
        object: Some(given.object.clone()),
        plan: valid.as_ref().map(|valid| planned(given, valid)),
        valid,
        observed: observed(given),
        status: given.status.clone(),
        problems,
        incidents: befell(given, before),
        deleting: given.object.metadata.deletion_timestamp.is_some(),
    }
}

/// What the operator says of a spec that it cannot carry out.
fn refused(status: &ChainStatus) -> Option<Text> {
    let invalid = status.conditions.iter().find(|condition| condition.reason == reason::INVALID_SPEC)?;
    Some(Text::same(invalid.message.clone()))
}

/// Nodes as they are reported: which of them there are is the operator's knowledge, which ones stay is the spec's.
fn planned(given: &Given<'_>, valid: &ValidChain) -> Plan {
    let spec = &given.object.spec;
    let named = |row: &ValidatorRow| {
        let name = row.name.to_string();
        given.genesis.is_some_and(|genesis| genesis.validators.iter().any(|validator| validator.name == name))
    };
    let node = |row: &ValidatorRow| PlannedNode {
        name: row.name,
        organisation: row.organisation.clone(),
        organisation_title: row.organisation_title.clone(),
        role: if valid.members().iter().any(|member| member.name == row.name) {
            Role::Validator
        } else {
            Role::Observer
        },
        in_genesis: named(row),
        retired: spec.retired.contains(&row.name),
        consensus_key: None,
        keys: KeyState::Present,
        next_keys: None,
        rotated_ms: row.keys_rotated_ms,
        config: None,
        version: spec.version,
        resources: spec.resources,
        desired: row.desired,
        api: row.api.clone().unwrap_or_default(),
    };
    let waiting = || GenesisPlan::Waiting { steward: false, organisations: Vec::new() };
    Plan {
        chain: valid.id().clone(),
        genesis: given.genesis.map_or_else(waiting, |genesis| GenesisPlan::Founded(Box::new(genesis.clone()))),
        nodes: given.status.validators.iter().map(node).collect(),
        state: spec.state,
        heartbeat_ms: spec.heartbeat_ms,
        rotate: Default::default(),
    }
}

/// What the operator saw when it last reported.
fn observed(given: &Given<'_>) -> Observed {
    let status = given.status;
    let mut observed = Observed::remembered(status);
    observed.now_ms = given.now_ms;
    observed.genesis = status.fingerprint.clone();
    observed.versions = given.versions.clone();
    observed.set_change_pending = status.set_change.iter().any(|step| step.state == StepState::Running);
    // The operator holds the steward's key of every chain that it founded.
    observed.can_change_set = status.fingerprint.is_some();
    for row in &status.validators {
        let node = observed.nodes.entry(row.name).or_default();
        *node = ObservedNode { height: row.height, ..node.clone() };
        if let Some(pid) = row.pid {
            // Since when is not reported.
            node.process = Process::Running { pid, since_ms: 0 };
        }
        if row.ready {
            node.process = Process::Running { pid: row.pid.unwrap_or(1), since_ms: 0 };
            (node.reachable, node.caught_up, node.able_to_vote) = (true, true, true);
        }
    }
    observed
}

/// Validators that went missing though they should run and no rollout took them down, and those that came back.
fn befell(given: &Given<'_>, before: &View) -> Vec<Incident> {
    let mut all = incidents::recent(&before.incidents, given.now_ms);
    let asked = given.object.spec.state == ChainState::Hibernated
        || [given.status, &before.status].into_iter().any(is_rolling)
        || given.object.metadata.deletion_timestamp.is_some();
    let was_ready = |row: &ValidatorRow| before.status.validators.iter().any(|old| old.name == row.name && old.ready);
    for row in given.status.validators.iter().filter(|row| row.desired == ValidatorState::Running) {
        if !asked && !row.ready && was_ready(row) {
            all.retain(|incident| incident.node != row.name);
            let title = &row.organisation_title;
            all.push(Incident {
                node: row.name,
                called: Text::new(format!("{}（{}）", row.name, title.zh), format!("{} ({})", row.name, title.en)),
                cause: row.text.clone(),
                at_ms: row.missing_since_ms.unwrap_or(given.now_ms),
                back_ms: None,
            });
        }
        for incident in all.iter_mut().filter(|incident| incident.node == row.name && incident.back_ms.is_none()) {
            if row.ready {
                incident.back_ms = Some(given.now_ms);
            }
        }
    }
    all
}

fn is_rolling(status: &ChainStatus) -> bool {
    let rolling = |condition: &operator_api::Condition| {
        condition.kind == conditions::PROGRESSING && condition.reason == reason::ROLLING_OUT
    };
    status.conditions.iter().any(rolling)
}

#[cfg(test)]
mod tests {
    use super::*;
    use operator_api::{Condition, ConditionStatus, Time};
    use serde_json::json;

    fn chain() -> Chain {
        serde_json::from_value(json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "Chain", "metadata": { "name": "main", "namespace": "tenant-notary" },
            "spec": { "tenant": "notary", "title": { "zh": "链", "en": "Chain" }, "validators": { "count": 4 }, "version": "0.1.0" }
        }))
        .unwrap()
    }

    fn status(ready: &[u32]) -> ChainStatus {
        let row = |n: u32| {
            json!({ "name": format!("validator-{n}"), "organisation": "notary", "organisationTitle": { "zh": "公证处", "en": "Notary" },
                    "desired": "running", "ready": ready.contains(&n), "voting": true, "text": { "zh": "", "en": "" }, "height": 5 })
        };
        let fingerprint = "ab".repeat(32);
        serde_json::from_value(json!({ "fingerprint": fingerprint, "validators": [row(1), row(2), row(3), row(4)] }))
            .unwrap()
    }

    fn rolling(mut status: ChainStatus) -> ChainStatus {
        status.conditions.push(Condition {
            kind: conditions::PROGRESSING.to_owned(),
            status: ConditionStatus::True,
            reason: reason::ROLLING_OUT.to_owned(),
            message: String::new(),
            last_transition_time: Time::from_ms(0),
            observed_generation: 1,
        });
        status
    }

    fn seen(object: &Chain, status: &ChainStatus, before: &View, now_ms: u64) -> View {
        let given =
            Given { object, status, judged: Err(Vec::new()), genesis: None, versions: &BTreeSet::new(), now_ms };
        view(&given, before)
    }

    #[test]
    fn a_validator_that_goes_missing_unasked_is_an_incident_and_one_that_is_taken_down_is_not() {
        let asleep = {
            let mut object = chain();
            object.spec.state = ChainState::Hibernated;
            object
        };
        let off = {
            let mut status = status(&[1, 2, 4]);
            status.validators[2].desired = ValidatorState::Stopped;
            status
        };
        for (what, object, status, incidents) in [
            ("killed", chain(), status(&[1, 2, 4]), 1),
            ("rolled", chain(), rolling(status(&[1, 2, 4])), 0),
            ("hibernated", asleep, status(&[]), 0),
            ("stopped", chain(), off, 0),
            ("well", chain(), status(&[1, 2, 3, 4]), 0),
        ] {
            let before = seen(&chain(), &self::status(&[1, 2, 3, 4]), &View::default(), 1_000);
            assert_eq!(seen(&object, &status, &before, 2_000).incidents.len(), incidents, "{what}");
        }
    }

    #[test]
    fn what_the_operator_reports_counts_as_live_or_missing() {
        let view = seen(&chain(), &status(&[1, 2, 4]), &View::default(), 9_000);
        let live: Vec<bool> = view.status.validators.iter().map(|row| view.observed.node(row.name).is_live()).collect();
        assert_eq!(live, [true, true, false, true]);
        assert_eq!((view.observed.height(), view.observed.now_ms, view.observed.can_change_set), (5, 9_000, true));
        assert_eq!(view.observed.voting_set.as_ref().map(BTreeSet::len), Some(4));
    }
}
