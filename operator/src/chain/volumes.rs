//! Volumes that should be larger. A claim is asked for more, its storage class permitting, and followed until the volume has it; what a
//! class cannot do is told with the way around it. No process is stopped here: a file system that its driver grows only with the next
//! mount is told to the plan as a reason to restart, and takes its turn there.

use std::collections::BTreeMap;

use chain_plan::{Plan, PlannedNode, Role};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, Patch, PatchParams};
use operator_api::{Text, ValidatorName};
use serde_json::json;

use super::{
    facts::{Facts, ValidatorFacts, VolumeFacts},
    fetch,
    resources::Place,
};
use crate::{context::Context, objects::names};

/// A running pod's file system is grown within seconds by a driver that can; one that has not done it by then does it at the next mount.
const MOUNTED_ANEW_AFTER_MS: u64 = 120_000;

/// What a person should know of volumes that are smaller than asked for; the worst of all.
#[derive(Clone, Debug, PartialEq)]
pub enum Growth {
    /// Their class cannot grow volumes.
    Unsupported(Text),
    /// Somebody refuses or fails; it is tried again.
    Refused(Text),
    UnderWay(Text),
}

impl Growth {
    pub fn sentence(&self) -> &Text {
        match self {
            Self::Unsupported(text) | Self::Refused(text) | Self::UnderWay(text) => text,
        }
    }
}

/// How far one volume is from what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    Enough,
    /// Its claim asks for less.
    Ask,
    /// It is asked for and not there yet.
    Coming,
    /// The volume has grown; its file system follows.
    FileSystem,
    /// It waits for its first pod, and can be asked for no other size before.
    Unbound,
    /// In the words of whoever tried.
    Failed(String),
}

pub fn stage(volume: &VolumeFacts, wanted_gib: u32) -> Stage {
    let Some(capacity_gib) = volume.capacity_gib else { return Stage::Unbound };
    if volume.asked_gib < wanted_gib {
        return Stage::Ask;
    }
    if capacity_gib >= wanted_gib {
        return Stage::Enough;
    }
    match (&volume.grow_error, volume.file_system_pending_ms) {
        (Some(error), _) => Stage::Failed(error.clone()),
        (None, Some(_)) => Stage::FileSystem,
        (None, None) => Stage::Coming,
    }
}

/// Whether only the next mount makes its file system larger: it has waited beside this very pod.
pub fn needs_mount(validator: &ValidatorFacts, wanted_gib: u32, now_ms: u64) -> bool {
    let (Some(volume), Some(pod)) = (&validator.volume, &validator.pod) else { return false };
    let Some(since_ms) = volume.file_system_pending_ms else { return false };
    stage(volume, wanted_gib) == Stage::FileSystem
        && pod.made_ms < since_ms
        && now_ms.saturating_sub(since_ms) >= MOUNTED_ANEW_AFTER_MS
}

/// Validators that are restarted, in their turn, so that their file systems grow.
pub fn to_mount_anew(plan: &Plan, facts: &Facts, now_ms: u64) -> Vec<ValidatorName> {
    let waits = |node: &&PlannedNode| {
        let validator = facts.validators.get(&node.name);
        validator.is_some_and(|validator| needs_mount(validator, node.resources.storage_gib, now_ms))
    };
    plan.nodes.iter().filter(waits).map(|node| node.name).collect()
}

/// Asks where something is to be asked, and says how it stands. Whether anything was written comes first.
pub async fn grow(
    context: &Context,
    place: &Place,
    plan: &Plan,
    facts: &Facts,
) -> kube::Result<(bool, Option<Growth>)> {
    let mut classes: BTreeMap<String, bool> = BTreeMap::new();
    let (mut asked, mut found) = (false, Found::default());
    for node in plan.nodes.iter().filter(|node| node.role == Role::Validator) {
        let Some(volume) = facts.validators.get(&node.name).and_then(|facts| facts.volume.as_ref()) else { continue };
        let wanted_gib = node.resources.storage_gib;
        found.wanted_gib = wanted_gib;
        let mut stage = stage(volume, wanted_gib);
        if stage == Stage::Ask {
            let class = volume.class.clone().unwrap_or_default();
            let may_grow = match classes.get(&class) {
                Some(known) => *known,
                None => fetch::may_grow(&context.client, &class).await?,
            };
            classes.insert(class.clone(), may_grow);
            if !may_grow {
                found.stuck.push((node.name, volume.asked_gib, class));
                continue;
            }
            stage = match ask(context, place, volume, wanted_gib).await {
                Ok(()) => Stage::Coming,
                // Not worth ending the pass for: a full quota must not keep a validator from being started.
                Err(kube::Error::Api(refusal)) => Stage::Failed(refusal.message),
                Err(error) => return Err(error),
            };
            asked |= stage == Stage::Coming;
        }
        found.stages.push((node.name, stage));
    }
    Ok((asked, found.growth()))
}

async fn ask(context: &Context, place: &Place, volume: &VolumeFacts, gib: u32) -> kube::Result<()> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &place.namespace);
    let patch = Patch::Merge(json!({"spec": {"resources": {"requests": {"storage": format!("{gib}Gi")}}}}));
    let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
    api.patch(&volume.name, &how, &patch).await.map(drop)
}

/// What a pass over all volumes found.
#[derive(Debug, Default)]
struct Found {
    wanted_gib: u32,
    stages: Vec<(ValidatorName, Stage)>,
    /// With the size they have and their class, which cannot grow.
    stuck: Vec<(ValidatorName, u32, String)>,
}

impl Found {
    fn growth(&self) -> Option<Growth> {
        let gib = self.wanted_gib;
        if !self.stuck.is_empty() {
            return Some(Growth::Unsupported(self.unsupported()));
        }
        let failed = self.stages.iter().find_map(|(name, stage)| match stage {
            Stage::Failed(error) => Some((name, error)),
            _ => None,
        });
        if let Some((name, error)) = failed {
            return Some(Growth::Refused(Text::new(
                format!("{name} 的卷未能扩到 {gib} GiB：{error}；稍后自动重试。"),
                format!("The volume of {name} couldn't grow to {gib} GiB: {error}; it is tried again by itself."),
            )));
        }
        let coming: Vec<&ValidatorName> = self
            .stages
            .iter()
            .filter(|(_, stage)| matches!(stage, Stage::Coming | Stage::FileSystem))
            .map(|(name, _)| name)
            .collect();
        let names: Vec<String> = coming.iter().map(ToString::to_string).collect();
        let done = self.stages.len() - coming.len();
        (!coming.is_empty()).then(|| {
            let names = names.join(", ");
            Growth::UnderWay(Text::new(
                format!("卷正在扩到 {gib} GiB：{} 个中已完成 {done} 个，还差 {names}。", self.stages.len()),
                format!("Volumes grow to {gib} GiB: {done} of {} have, {names} not yet.", self.stages.len()),
            ))
        })
    }

    /// The other way to a larger volume: a new one, filled by the other validators, which a ChainRestore does one by one.
    fn unsupported(&self) -> Text {
        let gib = self.wanted_gib;
        let names: Vec<String> = self.stuck.iter().map(|(name, ..)| name.to_string()).collect();
        let names = names.join(", ");
        let (_, from, class) = &self.stuck[0];
        let called = if class.is_empty() { "-" } else { class };
        Text::new(
            format!(
                "存储类 {called} 不支持扩容：{names} 的卷仍为 {from} GiB，未能增至 {gib} GiB；可用 ChainRestore 每次指定少于法定数的验证者，\
                 各自换上 {gib} GiB 的新卷并从其他验证者取回数据，或改用支持扩容的存储类。"
            ),
            format!(
                "The storage class `{called}` cannot grow volumes: {names} stay at {from} GiB instead of {gib} GiB. Give them new volumes: a \
                 ChainRestore that names fewer than a quorum of them replaces each with one of {gib} GiB, filled from the others; or use a \
                 class that allows expansion."
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::facts::PodFacts;

    fn volume(asked_gib: u32, capacity_gib: Option<u32>) -> VolumeFacts {
        VolumeFacts { asked_gib, capacity_gib, ..VolumeFacts::default() }
    }

    #[test]
    fn a_volume_is_followed_from_the_wish_to_its_file_system() {
        let pending = VolumeFacts { file_system_pending_ms: Some(1), ..volume(20, Some(10)) };
        let failed = VolumeFacts { grow_error: Some("no space in the pool".into()), ..pending.clone() };
        let table = [
            ("as it should be", volume(10, Some(10)), 10, Stage::Enough),
            ("larger than asked, as some classes make them", volume(10, Some(16)), 10, Stage::Enough),
            ("more is wanted", volume(10, Some(10)), 20, Stage::Ask),
            ("although the class gave more, it is the claim that says so", volume(10, Some(32)), 20, Stage::Ask),
            ("asked for", volume(20, Some(10)), 20, Stage::Coming),
            ("the file system follows", pending, 20, Stage::FileSystem),
            ("somebody could not", failed, 20, Stage::Failed("no space in the pool".into())),
            ("no pod has claimed it yet", volume(10, None), 20, Stage::Unbound),
        ];
        for (case, volume, wanted_gib, expected) in table {
            assert_eq!(stage(&volume, wanted_gib), expected, "{case}");
        }
    }

    #[test]
    fn a_pod_is_replaced_only_for_a_file_system_that_waited_beside_it() {
        let since_ms = 1_000_000;
        let pending = VolumeFacts { file_system_pending_ms: Some(since_ms), ..volume(20, Some(10)) };
        let of = |volume: &VolumeFacts, made_ms: u64, now_ms: u64| {
            let pod = PodFacts { made_ms, ..PodFacts::default() };
            let validator =
                ValidatorFacts { volume: Some(volume.clone()), pod: Some(pod), ..ValidatorFacts::default() };
            needs_mount(&validator, 20, now_ms)
        };
        let late = since_ms + MOUNTED_ANEW_AFTER_MS;
        assert!(of(&pending, since_ms - 1, late));
        assert!(!of(&pending, since_ms - 1, late - 1), "drivers that can do it by themselves do it first");
        assert!(!of(&pending, since_ms + 5, late), "this pod is the new mount");
        assert!(!of(&volume(20, Some(20)), since_ms - 1, late), "it has grown");
    }

    #[test]
    fn the_worst_is_told_with_the_way_out() {
        let name = |number| ValidatorName::numbered(number).unwrap();
        let mut found = Found {
            wanted_gib: 20,
            stages: vec![(name(1), Stage::Enough), (name(2), Stage::Coming), (name(3), Stage::FileSystem)],
            stuck: vec![],
        };
        let Some(Growth::UnderWay(text)) = found.growth() else { panic!("{:?}", found.growth()) };
        assert_eq!(text.en, "Volumes grow to 20 GiB: 1 of 3 have, validator-2, validator-3 not yet.");
        found.stages.push((name(4), Stage::Failed("exceeded quota".into())));
        let Some(Growth::Refused(text)) = found.growth() else { panic!("{:?}", found.growth()) };
        assert!(text.en.contains("validator-4") && text.en.contains("exceeded quota"), "{}", text.en);
        found.stuck.push((name(5), 10, "local".into()));
        let Some(Growth::Unsupported(text)) = found.growth() else { panic!("{:?}", found.growth()) };
        assert!(text.en.contains("`local`") && text.en.contains("ChainRestore"), "{}", text.en);
        assert!(text.zh.contains("local") && text.zh.contains("ChainRestore"), "{}", text.zh);
        let done = Found { wanted_gib: 20, stages: vec![(name(1), Stage::Enough)], stuck: vec![] };
        assert_eq!(done.growth(), None);
    }
}
