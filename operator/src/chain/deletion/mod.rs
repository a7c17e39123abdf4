//! A chain that is deleted: it is backed up once more if it ever was ([`decide`]), its validators end, what lasts is marked (or
//! removed, if its annotation says so), and only then the object goes; everything else goes with it.

mod decide;

use decide::{Decision, Seen, Told, decide, goes_with_its_volumes, is_ending};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams};
use operator_api::{
    Chain, ChainBackup, ChainBackupSpec, ChainSpec, ChainStatus, Condition, ConditionStatus, Text, Time, conditions,
    reason, set_condition,
};

use super::{
    fetch::{self, Children},
    lasting, report,
    resources::{Place, config_map},
};
use crate::{
    clock::now_ms,
    context::Context,
    objects::{self, is_conflict, is_not_found, names, patch_status, remove_finalizer, within},
};

/// How far a deletion has come.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    /// Nothing is left to do.
    Gone,
    /// Validators are on their way out.
    Ending,
    /// The chain goes on as it is until there is a backup.
    Waits(Text),
}

/// `has_begun`: this operator has ended validators of it already.
pub async fn delete(
    context: &Context,
    place: &Place,
    chain: &Chain,
    object: &DynamicObject,
    has_begun: bool,
) -> anyhow::Result<Progress> {
    let client = &context.client;
    let children = fetch::children(client, &place.namespace, &place.chain, false).await?;
    let is_ending = has_begun || is_ending(chain);
    let backups = if is_ending { Vec::new() } else { backups(context, place).await? };
    let seen = Seen { chain, is_founded: is_founded(chain, &children), is_ending, backups: &backups, now_ms: now_ms() };
    match decide(&seen) {
        Decision::Wait(sentence) => return Ok(Progress::Waits(sentence)),
        Decision::End(told) if !is_ending => begin(context, place, chain, told).await?,
        Decision::End(_) => {}
    }
    match end(context, place, chain, object, &children).await? {
        true => Ok(Progress::Gone),
        false => Ok(Progress::Ending),
    }
}

fn is_founded(chain: &Chain, children: &Children) -> bool {
    let fingerprint = chain.status.as_ref().is_some_and(|status| status.fingerprint.is_some());
    fingerprint || config_map::genesis_in(children).is_some()
}

/// Those of this chain. One that cannot be read makes no backups, and its own status says why.
async fn backups(context: &Context, place: &Place) -> kube::Result<Vec<ChainBackup>> {
    let all = within::<ChainBackupSpec>(&context.client, &place.namespace).list(&ListParams::default()).await?;
    let read = all.items.iter().filter_map(|backup| objects::parse::<ChainBackupSpec>(backup).ok());
    let of_chain = |backup: &ChainBackup| {
        let spec = &backup.spec;
        (&spec.tenant, &spec.chain) == (&place.tenant, &place.chain) && backup.metadata.deletion_timestamp.is_none()
    };
    Ok(read.filter(of_chain).collect())
}

/// On record before the first validator ends: an operator that comes after this one does not start them again because of a
/// ChainBackup that somebody has made meanwhile.
async fn begin(context: &Context, place: &Place, chain: &Chain, told: Option<Told>) -> kube::Result<()> {
    if let Some(told) = told {
        report::tell(context, &chain.metadata, told.severity, told.reason, &told.note).await;
    }
    let mut status = chain.status.clone().unwrap_or_default();
    let sentence = match goes_with_its_volumes(chain) {
        true => Text::new("正在删除，数据卷与密钥一并移除。", "It is being deleted, and its volumes and keys with it."),
        false => Text::new("正在删除，数据卷与密钥保留。", "It is being deleted; its volumes and keys are kept."),
    };
    let progressing = Condition {
        kind: conditions::PROGRESSING.to_owned(),
        status: ConditionStatus::True,
        reason: reason::DELETING.to_owned(),
        message: sentence.en.clone(),
        last_transition_time: Time::from_ms(now_ms() / 1_000 * 1_000),
        observed_generation: chain.metadata.generation,
    };
    set_condition(&mut status.conditions, progressing);
    let status = ChainStatus { sentences: vec![sentence], ..status };
    let api = within::<ChainSpec>(&context.client, &place.namespace);
    match patch_status(&api, place.chain.as_str(), &status).await {
        Err(error) if !is_not_found(&error) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Whether there is nothing left to do.
async fn end(
    context: &Context,
    place: &Place,
    chain: &Chain,
    object: &DynamicObject,
    children: &Children,
) -> anyhow::Result<bool> {
    let client = &context.client;
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), &place.namespace);
    for (name, _) in children.kind("StatefulSet") {
        // Background: the set goes at once and its pod with it, so no set makes another pod meanwhile.
        match sets.delete(name, &DeleteParams::background()).await {
            Err(error) if !is_not_found(&error) => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    // A volume is let go of only after the process that writes to it has ended.
    if children.kind("Pod").next().is_some() {
        return Ok(false);
    }
    match goes_with_its_volumes(chain) {
        true => lasting::remove_all(client, place, children).await?,
        false => lasting::retain_all(client, place, children).await?,
    }
    let api = within::<ChainSpec>(client, &place.namespace);
    match remove_finalizer(&api, object, names::CHAIN_FINALIZER).await {
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) if !is_not_found(&error) => Err(error.into()),
        Ok(()) | Err(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests;
