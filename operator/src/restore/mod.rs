//! ChainRestores: validators that get their data anew from the others, one after the other.
//!
//! This decides whose turn it is and waits; the chain's own loop throws the volume away, as one of the disruptions that it
//! takes in turn (`chain_plan::next`), so that nothing else of the chain is stopped meanwhile. It is asked by an annotation
//! of the Chain that names the validator and the volume's uid: a request that is answered names a volume that is gone, and
//! asks for nothing any more.
//!
//! The keys stay, and with an empty volume nobody knows what they signed last: the node follows the chain and votes again
//! once it has watched blocks without a vote of its key (DESIGN §7.5).

mod decide;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use decide::{Decision, Request, Seen, decide, turn};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::{
    ResourceExt as _,
    api::{Api, DynamicObject, Patch, PatchParams},
    runtime::{Controller, controller::Action, watcher},
};
use operator_api::{
    Chain, ChainRestore, ChainRestoreSpec, ChainRestoreStatus, ChainSpec, Condition, Kind, RestorePhase, Time,
    conditions, reason, set_condition,
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    chain::resources::{Place, stateful_set::claim_name},
    clock::now_ms,
    context::Shared,
    controllers,
    events::Severity,
    objects::{self, names},
};

const LOOK_SOON: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_secs(10);
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Runs until `shutdown`.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let all = objects::everywhere::<ChainRestoreSpec>(&context.client);
    let passes = Controller::new_with(all, watcher::Config::default(), objects::resource::<ChainRestoreSpec>())
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(timed, |_, _, _| Action::requeue(RETRY_AFTER), context);
    controllers::log_failures(passes).await;
    Ok(())
}

/// What ended a pass.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(#[from] anyhow::Error);

async fn timed(object: Arc<DynamicObject>, context: Shared) -> Result<Action, Error> {
    let began = Instant::now();
    let result = reconcile(&object, &context, now_ms()).await;
    context.metrics.reconciled(
        ChainRestoreSpec::KIND,
        began.elapsed(),
        result.as_ref().map(|_| ()).map_err(controllers::what_failed),
    );
    Ok(result?)
}

/// One pass.
async fn reconcile(object: &DynamicObject, context: &Shared, now_ms: u64) -> anyhow::Result<Action> {
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let restore = match objects::parse::<ChainRestoreSpec>(object) {
        Ok(restore) => restore,
        Err(sentence) => {
            let there = objects::within::<ChainRestoreSpec>(&context.client, &object.namespace().unwrap_or_default());
            objects::say_unreadable(&there, object, &sentence, now_ms).await?;
            return Ok(Action::await_change());
        }
    };
    if restore.status.as_ref().is_some_and(|status| status.phase == RestorePhase::Done) {
        return Ok(Action::await_change());
    }
    let namespace = names::namespace(&restore.spec.tenant);
    let foreign = restore.metadata.namespace.as_deref() != Some(namespace.as_str());
    let chain = if foreign { None } else { chain(context, &restore, &namespace).await? };
    let volume = match (&chain, turn(&restore)) {
        (Some(chain), Some(validator)) => {
            let place = Place::of(&restore.spec.tenant, &chain.metadata);
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &namespace);
            claims.get_metadata_opt(&claim_name(&place, validator)).await?.and_then(|claim| claim.metadata.uid)
        }
        _ => None,
    };
    let decision = decide(&restore, &Seen { chain: chain.as_ref(), volume: volume.as_deref(), now_ms });
    let status = with_conditions(&restore, &decision, now_ms);
    let again = match status.phase {
        RestorePhase::Restoring => LOOK_SOON,
        RestorePhase::Waiting => LOOK_AGAIN,
        RestorePhase::Done | RestorePhase::Refused => RETRY_AFTER * 30,
    };
    let before = restore.status.as_ref().map(|status| status.phase);
    if restore.status.as_ref() != Some(&status) {
        // First: which volume goes is on record before anybody is asked to throw it away.
        let home = restore.metadata.namespace.clone().unwrap_or_default();
        objects::patch_status(
            &objects::within::<ChainRestoreSpec>(&context.client, &home),
            restore.name().as_str(),
            &status,
        )
        .await?;
    }
    if before != Some(status.phase) {
        let severity = if status.phase == RestorePhase::Refused { Severity::Warning } else { Severity::Normal };
        let reference = objects::reference::<ChainRestoreSpec>(&restore.metadata);
        context.events.tell(&reference, severity, &format!("{:?}", status.phase), &decision.sentence).await;
    }
    if let Some(chain) = &chain {
        ask(context, chain, &namespace, &decision.request, &restore).await?;
    }
    Ok(Action::requeue(again))
}

async fn chain(context: &Shared, restore: &ChainRestore, namespace: &str) -> anyhow::Result<Option<Chain>> {
    let api = objects::within::<ChainSpec>(&context.client, namespace);
    Ok(api.get_opt(restore.spec.chain.as_str()).await?.and_then(|chain| objects::parse(&chain).ok()))
}

/// Sets or takes back the request. Another object's request is left alone: it is answered first.
async fn ask(
    context: &Shared,
    chain: &Chain,
    namespace: &str,
    request: &Request,
    restore: &ChainRestore,
) -> anyhow::Result<()> {
    let present = chain.metadata.annotations.get(names::RESYNC).map(String::as_str);
    let wanted = match request {
        Request::Clear { validator, volume } if present.is_none() => json!(format!("{validator}={volume}")),
        Request::Nothing if present.is_some_and(|present| is_of(present, restore)) => Value::Null,
        Request::Clear { .. } | Request::Nothing => return Ok(()),
    };
    let api = objects::within::<ChainSpec>(&context.client, namespace);
    let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
    let patch = json!({"metadata": {"annotations": {names::RESYNC: wanted}}});
    api.patch(chain.name().as_str(), &how, &Patch::Merge(patch)).await?;
    Ok(())
}

/// Whether a request is about a volume that this object has on record.
fn is_of(request: &str, restore: &ChainRestore) -> bool {
    let rows = restore.status.iter().flat_map(|status| &status.validators);
    rows.filter_map(|row| Some(format!("{}={}", row.name, row.volume.as_ref()?))).any(|own| own == request)
}

fn with_conditions(restore: &ChainRestore, decision: &Decision, now_ms: u64) -> ChainRestoreStatus {
    let mut status = decision.status.clone();
    let done = status.phase == RestorePhase::Done;
    let going = status.phase == RestorePhase::Restoring;
    let why = match status.phase {
        RestorePhase::Done => reason::UP_TO_DATE,
        RestorePhase::Restoring => reason::RESTORING,
        RestorePhase::Waiting => reason::WAITING_FOR_CHAIN,
        RestorePhase::Refused => reason::QUORUM_LOST,
    };
    for (kind, holds) in [(conditions::READY, done), (conditions::PROGRESSING, going)] {
        let condition = Condition {
            kind: kind.to_owned(),
            status: holds.into(),
            reason: why.to_owned(),
            message: decision.sentence.clone(),
            last_transition_time: Time::from_ms(now_ms / 1_000 * 1_000),
            observed_generation: restore.metadata.generation,
        };
        set_condition(&mut status.conditions, condition);
    }
    status
}

#[cfg(test)]
mod tests;
