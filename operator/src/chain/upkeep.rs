//! Children that should exist are as wanted: what was deleted or changed by hand comes back. Writes only where something differs, and
//! never touches a pod: a template is left as it is while a pod runs from it (see [`set`]).

use chain_plan::{Observed, Plan, PlannedNode, Role, situation::Situation};
use operator_api::ValidatorName;
use serde_json::Value;

use super::{
    facts::Facts,
    fetch::Children,
    lasting,
    resources::{
        Place, annotation,
        network_policy::{self, Platform},
        pdb, service, service_monitor,
        stateful_set::{self, Runs, Runtime},
    },
    volumes::{self, Growth},
};
use crate::{
    context::Context,
    objects::{Change, Child, names},
};

/// What was found that a person should know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upkeep {
    pub changed: bool,
    /// Volumes that should be larger.
    pub growth: Option<Growth>,
}

/// Makes it so.
pub async fn upkeep(
    context: &Context,
    place: &Place,
    plan: &Plan,
    observed: &Observed,
    (facts, children): (&Facts, &Children),
    monitors: bool,
) -> anyhow::Result<Upkeep> {
    let mut done = Upkeep::default();
    let mut wanted = objects(context, place, plan, observed, monitors)?;
    wanted.extend(sets(context, place, plan, facts, children)?);
    for child in wanted {
        done.changed |= child.ensure(&context.client, children.of(&child)).await? != Change::None;
    }
    for node in plan.nodes.iter().filter(|node| node.role == Role::Validator) {
        let volume = facts.validators.get(&node.name).and_then(|facts| facts.volume.as_ref());
        if volume.is_some_and(|volume| volume.is_retained) || facts.keys.retained.contains(&node.name) {
            lasting::take_back(&context.client, place, node.name).await?;
            done.changed = true;
        }
    }
    let (asked, growth) = volumes::grow(context, place, plan, facts).await?;
    Ok(Upkeep { changed: done.changed || asked, growth })
}

/// Everything but the StatefulSets. Services exist before the first pod: a name that was looked for too early stays unknown for a while.
pub fn objects(
    context: &Context,
    place: &Place,
    plan: &Plan,
    observed: &Observed,
    monitors: bool,
) -> serde_json::Result<Vec<Child>> {
    let platform =
        Platform { operator: &context.config.operator_namespace, console: &context.config.console_namespace };
    let quorum = Situation::of(plan, observed).quorum().needed();
    let mut all = vec![
        Child::of(&network_policy::policy(place, &platform))?,
        Child::of(&service::api(place))?,
        Child::of(&pdb::budget(place, quorum))?,
    ];
    if monitors {
        all.push(Child::any(service_monitor::resource(), service_monitor::monitor(place)?));
    }
    let here = |node: &&PlannedNode| node.role == Role::Validator || observed.nodes.contains_key(&node.name);
    for node in plan.nodes.iter().filter(here) {
        all.push(Child::of(&service::of_validator(place, node.name))?);
    }
    Ok(all)
}

/// The StatefulSets that exist, as they should be while nobody starts or stops anything.
fn sets(
    context: &Context,
    place: &Place,
    plan: &Plan,
    facts: &Facts,
    children: &Children,
) -> anyhow::Result<Vec<Child>> {
    let mut all = Vec::new();
    for node in &plan.nodes {
        let Some(facts) = facts.validators.get(&node.name) else { continue };
        let (Some(existing), Some(live)) = (&facts.set, live_set(place, node.name, children)) else { continue };
        let Ok(mut child) = set(context, place, node, existing.replicas > 0, children) else { continue };
        let rendered = child.wanted["spec"]["template"]["metadata"]["annotations"][annotation::TEMPLATE].as_str();
        if existing.template.template.as_deref() != rendered {
            // Made by an earlier operator or from an earlier spec: it changes with a start or a restart, never beside a running pod.
            child.wanted["spec"]["template"] = live["spec"]["template"].clone();
        }
        all.push(child);
    }
    Ok(all)
}

/// Size and class that a StatefulSet asks for a new volume.
fn claim_template(set: &Value) -> Option<(u32, Option<String>)> {
    let spec = &set["spec"]["volumeClaimTemplates"][0]["spec"];
    let gib = spec["resources"]["requests"]["storage"].as_str()?.strip_suffix("Gi")?.parse().ok()?;
    Some((gib, spec["storageClassName"].as_str().map(str::to_owned)))
}

/// Whether a new volume of this validator would not be as it is asked for now.
pub fn claims_otherwise(context: &Context, place: &Place, node: &PlannedNode, children: &Children) -> bool {
    let Some((gib, class)) = live_set(place, node.name, children).and_then(claim_template) else { return false };
    gib != node.resources.storage_gib || class != context.config.storage_class
}

fn live_set<'a>(place: &Place, node: ValidatorName, children: &'a Children) -> Option<&'a Value> {
    children.named("StatefulSet", &names::node(&place.chain, node))
}

/// A validator's StatefulSet with the template as it is rendered now.
pub fn set(
    context: &Context,
    place: &Place,
    node: &PlannedNode,
    running: bool,
    children: &Children,
) -> anyhow::Result<Child> {
    let version = node.version;
    let image = context.config.images.get(&version);
    let image = image
        .ok_or_else(|| anyhow::anyhow!("there is no image for version {version}; add it to the operator's images"))?;
    let config = node.config.as_ref().ok_or_else(|| anyhow::anyhow!("{} has no keys yet", node.name))?;
    // Of a set that exists the claim template can never change: the claim grows instead, or the set is made anew with its volume.
    let (claimed, class) = match live_set(place, node.name, children).and_then(claim_template) {
        Some((gib, class)) => (gib, class),
        None => (node.resources.storage_gib, context.config.storage_class.clone()),
    };
    let runs = Runs { node: node.name, version, config, resources: node.resources };
    let runtime =
        Runtime { image, pull_policy: context.config.image_pull_policy.as_str(), storage_class: class.as_deref() };
    Ok(Child::of(&stateful_set::stateful_set(place, &runs, &runtime, running, claimed)?)?)
}

/// Validators whose pods were made from another rendering although the spec asks for nothing new.
pub fn pending_restart(
    context: &Context,
    place: &Place,
    plan: &Plan,
    facts: &Facts,
    children: &Children,
) -> Vec<ValidatorName> {
    let differs = |node: &&PlannedNode| {
        let Some(pod) = facts.validators.get(&node.name).and_then(|facts| facts.pod.as_ref()) else { return false };
        let Ok(child) = set(context, place, node, true, children) else { return false };
        let rendered = child.wanted["spec"]["template"]["metadata"]["annotations"][annotation::TEMPLATE].as_str();
        let started = &pod.started;
        let as_asked = started.version == Some(node.version)
            && started.memory_mib == Some(node.resources.memory_mib)
            && started.config == node.config.as_ref().map(|config| config.start_hash);
        as_asked && started.template.as_deref() != rendered
    };
    plan.nodes.iter().filter(differs).map(|node| node.name).collect()
}
