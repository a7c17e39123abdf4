//! Children that should exist are as wanted: what was deleted or changed by hand comes back. Writes only where something differs, and
//! never touches a pod: a template is left as it is while a pod runs from it (see [`set`]).

use chain_plan::{Observed, Plan, PlannedNode, Role, situation::Situation};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, Patch, PatchParams};
use operator_api::{Text, ValidatorName};
use serde_json::{Value, json};

use super::{
    facts::{Facts, VolumeFacts},
    fetch::{self, Children},
    lasting,
    resources::{
        Place, annotation,
        network_policy::{self, Platform},
        pdb, service, service_monitor,
        stateful_set::{self, Runs, Runtime},
    },
};
use crate::{
    context::Context,
    objects::{Change, Child, names},
};

/// What was found that a person should know.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Upkeep {
    pub changed: bool,
    /// Volumes that should grow and cannot.
    pub cannot_grow: Option<Text>,
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
        if let Some(volume) = volume.filter(|volume| volume.asked_gib < node.resources.storage_gib) {
            match grow(context, place, volume, node.resources.storage_gib).await? {
                None => done.changed = true,
                refused => done.cannot_grow = refused,
            }
        }
    }
    Ok(done)
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
    let claim = &live_set(place, node.name, children).map_or(&Value::Null, |live| {
        &live["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"]
    });
    let claimed = claim.as_str().and_then(|text| text.strip_suffix("Gi")?.parse().ok());
    let runs = Runs { node: node.name, version, config, resources: node.resources };
    let runtime = Runtime {
        image,
        pull_policy: context.config.image_pull_policy.as_str(),
        storage_class: context.config.storage_class.as_deref(),
    };
    let claimed = claimed.unwrap_or(node.resources.storage_gib);
    Ok(Child::of(&stateful_set::stateful_set(place, &runs, &runtime, running, claimed)?)?)
}

/// Asks for a larger volume; the sentence if its class cannot do that.
async fn grow(context: &Context, place: &Place, volume: &VolumeFacts, gib: u32) -> anyhow::Result<Option<Text>> {
    let class = volume.class.as_deref().unwrap_or_default();
    if !fetch::may_grow(&context.client, class).await? {
        let from = volume.asked_gib;
        return Ok(Some(Text::new(
            format!(
                "存储类 {class} 不支持扩容：卷仍为 {from} GiB，未能增至 {gib} GiB；请改用支持扩容的存储类，或逐个更换验证者。"
            ),
            format!(
                "The storage class `{class}` cannot grow volumes: they stay at {from} GiB instead of {gib} GiB; use a class that can, \
                 or replace the validators one by one."
            ),
        )));
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &place.namespace);
    let patch = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": format!("{gib}Gi")}}}}));
    let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
    api.patch(&volume.name, &how, &patch).await?;
    Ok(None)
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
