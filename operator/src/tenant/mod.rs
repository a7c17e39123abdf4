//! A Tenant is a namespace `tenant-<name>` with its quota, its limits and its policies: fetch → plan (pure) → apply → status
//! (pure). Nothing of two tenants is ever in one namespace, and a namespace that was made by somebody else is never adopted.
//!
//! Deletion waits for the tenant's chains, and then for what they left behind: volumes and keys go only when a person says so.

mod fetch;
mod plan;
mod status;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use fetch::Found;
use k8s_openapi::api::{
    core::v1::{LimitRange, Namespace, ResourceQuota, ServiceAccount},
    networking::v1::NetworkPolicy,
};
use kube::{
    ResourceExt as _,
    api::{Api, DeleteParams, DynamicObject, PartialObjectMeta, Preconditions},
    runtime::{Controller, controller::Action, reflector::ObjectRef, watcher},
};
use operator_api::{ChainSpec, Kind, Tenant, TenantSpec};
pub use plan::{Plan, Retained, plan};
use status::{Outcome, is_written, report};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now_ms,
    context::Shared,
    controllers,
    events::Severity,
    objects::{self, Change, Child, names},
};

/// A tenant that is well is looked at this often, whatever the watches say.
const LOOK_AGAIN: Duration = Duration::from_secs(600);
/// One that waits for something to go.
const LOOK_SOON: Duration = Duration::from_secs(5);
const RETRY_AFTER: Duration = Duration::from_secs(10);
const AT_ONCE: u16 = 8;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the API server refused or didn't answer: {0}")]
    Api(#[from] kube::Error),
    #[error("an object couldn't be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl Error {
    fn metric_label(&self) -> &'static str {
        match self {
            Self::Api(error) if objects::is_conflict(error) => "conflict",
            Self::Api(_) => "api-server",
            Self::Json(_) => "json",
        }
    }
}

/// Runs until `shutdown`. Only metadata of children is watched: they are read when one of them has changed.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let kind = objects::resource::<TenantSpec>();
    let client = &context.client;
    let managed = || watcher::Config::default().labels(names::MANAGED);
    let chains: Api<PartialObjectMeta<DynamicObject>> =
        Api::all_with(client.clone(), &objects::resource::<ChainSpec>());
    let seen = Seen::default();
    let of_news = move |chain: PartialObjectMeta<DynamicObject>| {
        let home = chain.namespace().as_deref().and_then(names::tenant_of);
        home.filter(|_| seen.is_news(&chain)).map(|name| reference(name.as_str()))
    };
    let passes = Controller::new_with(objects::everywhere::<TenantSpec>(client), watcher::Config::default(), kind)
        .with_config(kube::runtime::controller::Config::default().concurrency(AT_ONCE))
        .watches::<PartialObjectMeta<Namespace>, _>(Api::all(client.clone()), managed(), of_label)
        .watches::<PartialObjectMeta<ResourceQuota>, _>(Api::all(client.clone()), managed(), of_label)
        .watches::<PartialObjectMeta<LimitRange>, _>(Api::all(client.clone()), managed(), of_label)
        .watches::<PartialObjectMeta<ServiceAccount>, _>(Api::all(client.clone()), managed(), of_label)
        .watches::<PartialObjectMeta<NetworkPolicy>, _>(Api::all(client.clone()), managed(), of_label)
        .watches_with(chains, objects::resource::<ChainSpec>(), watcher::Config::default(), of_news)
        .graceful_shutdown_on(shutdown.cancelled_owned())
        .run(timed, |_, _, _| Action::requeue(RETRY_AFTER), context);
    controllers::log_failures(passes).await;
    Ok(())
}

fn reference(tenant: &str) -> ObjectRef<DynamicObject> {
    ObjectRef::new_with(tenant, objects::resource::<TenantSpec>())
}

/// Whose child it is.
fn of_label<K>(child: PartialObjectMeta<K>) -> Option<ObjectRef<DynamicObject>> {
    child.metadata.labels.as_ref().and_then(|labels| labels.get(names::TENANT)).map(|tenant| reference(tenant))
}

/// What is known of each chain, by uid. A chain's status changes all the time and says nothing about what it uses: only a new
/// spec, a deletion and its end are news.
#[derive(Default)]
struct Seen(Mutex<HashMap<String, News>>);

/// Generation, whether it is leaving, how many finalizers hold it.
type News = (Option<i64>, bool, usize);

impl Seen {
    fn is_news(&self, chain: &PartialObjectMeta<DynamicObject>) -> bool {
        let Some(uid) = chain.uid() else { return true };
        let (leaving, finalizers) = (chain.metadata.deletion_timestamp.is_some(), chain.finalizers().len());
        let now = (chain.metadata.generation, leaving, finalizers);
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leaving && finalizers == 0 {
            seen.remove(&uid);
            return true;
        }
        seen.insert(uid, now) != Some(now)
    }
}

async fn timed(object: Arc<DynamicObject>, context: Shared) -> Result<Action, Error> {
    let began = Instant::now();
    let result = reconcile(&object, &context).await;
    let outcome = result.as_ref().map(|_| ()).map_err(Error::metric_label);
    context.metrics.reconciled(TenantSpec::KIND, began.elapsed(), outcome);
    result
}

/// One pass.
async fn reconcile(object: &DynamicObject, context: &Shared) -> Result<Action, Error> {
    let tenant = match objects::parse::<TenantSpec>(object) {
        Ok(tenant) => tenant,
        Err(reason) => {
            let all = objects::everywhere::<TenantSpec>(&context.client);
            objects::say_unreadable(&all, object, &reason, now_ms()).await?;
            return Ok(Action::await_change());
        }
    };
    let found = fetch::fetch(&context.client, tenant.name()).await?;
    let outcome = if tenant.metadata.deletion_timestamp.is_some() {
        leave(object, &tenant, &found, context).await?
    } else {
        keep(object, &tenant, &found, context).await?
    };
    let again = match outcome {
        // Gone with its namespace, and with it the object that a status could be written to.
        None => return Ok(Action::await_change()),
        Some(Outcome::Kept) => LOOK_AGAIN,
        Some(_) => LOOK_SOON,
    };
    if let Some(outcome) = outcome {
        let report = report(&tenant, &found, &outcome, now_ms());
        if !is_written(&tenant, &report) {
            objects::patch_status(&objects::everywhere::<TenantSpec>(&context.client), tenant.name().as_str(), &report)
                .await?;
        }
    }
    Ok(Action::requeue(again))
}

/// The namespace first: everything else is in it.
async fn keep(
    object: &DynamicObject,
    tenant: &Tenant,
    found: &Found,
    context: &Shared,
) -> Result<Option<Outcome>, Error> {
    if is_foreign(tenant, found.namespace.as_ref()) {
        return Ok(Some(Outcome::Foreign));
    }
    let api = objects::everywhere::<TenantSpec>(&context.client);
    objects::add_finalizer(&api, object, names::TENANT_FINALIZER).await?;
    let plan = plan(tenant, &found.chains, found.retained)?;
    let live = found.namespace.as_ref().map(serde_json::to_value).transpose()?;
    tell(tenant, &plan.namespace, plan.namespace.ensure(&context.client, live.as_ref()).await?, context).await;
    for child in &plan.inside {
        let live = child.live(&context.client).await?;
        tell(tenant, child, child.ensure(&context.client, live.as_ref()).await?, context).await;
    }
    Ok(Some(Outcome::Kept))
}

/// `None` once the tenant is gone.
async fn leave(
    object: &DynamicObject,
    tenant: &Tenant,
    found: &Found,
    context: &Shared,
) -> Result<Option<Outcome>, Error> {
    let api = objects::everywhere::<TenantSpec>(&context.client);
    let chains = found.chains.len() + found.unreadable_chains;
    if chains > 0 {
        return Ok(Some(Outcome::ChainsRemain(chains)));
    }
    let namespace = match &found.namespace {
        Some(namespace) if !is_foreign(tenant, Some(namespace)) => namespace,
        _ => {
            objects::remove_finalizer(&api, object, names::TENANT_FINALIZER).await?;
            return Ok(None);
        }
    };
    let keeps = found.retained.volumes > 0 || found.retained_keys > 0;
    let may_go = tenant.metadata.annotations.get(names::RETENTION).is_some_and(|word| word == "delete");
    if keeps && !may_go {
        return Ok(Some(Outcome::Retained { volumes: found.retained.volumes, keys: found.retained_keys }));
    }
    // What a deleted chain was backed up to for the last time would go with the namespace.
    if !found.backups_inside.is_empty() && !may_go {
        return Ok(Some(Outcome::BackupsInside(found.backups_inside.clone())));
    }
    if namespace.metadata.deletion_timestamp.is_none() {
        // Exactly the one that was looked at, not one that somebody made in its place meanwhile.
        let this_one = Preconditions { uid: namespace.metadata.uid.clone(), resource_version: None };
        let how = DeleteParams::default().preconditions(this_one);
        Api::<Namespace>::all(context.client.clone()).delete(&namespace.name_any(), &how).await?;
    }
    Ok(Some(Outcome::Leaving))
}

/// Whether the namespace was made by somebody else, or for another Tenant of the same name.
fn is_foreign(tenant: &Tenant, namespace: Option<&Namespace>) -> bool {
    let Some(namespace) = namespace else { return false };
    let label = namespace.labels().get(names::TENANT).map(String::as_str);
    let uid = namespace.annotations().get(names::TENANT_UID);
    label != Some(tenant.name().as_str()) || uid != tenant.metadata.uid.as_ref()
}

async fn tell(tenant: &Tenant, child: &Child, change: Change, context: &Shared) {
    let (reason, done) = match change {
        Change::None => return,
        Change::Created => ("Created", "created"),
        Change::Mended => ("Restored", "set as it should be"),
    };
    let note = format!("{} {} was {done}", child.resource.kind, child.name());
    context.events.tell(&objects::reference::<TenantSpec>(&tenant.metadata), Severity::Normal, reason, &note).await;
}

#[cfg(test)]
mod tests;
