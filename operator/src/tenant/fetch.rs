//! All that a pass over a Tenant reads. No decision.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, PersistentVolumeClaim, Secret};
use kube::{
    Client,
    api::{Api, DynamicObject, ListParams, PartialObjectMeta},
};
use operator_api::{BackupRun, Chain, ChainBackupSpec, Name};

use super::plan::Retained;
use crate::{
    city,
    objects::{names, thousandths},
};

/// What is there of a tenant.
#[derive(Debug, Default)]
pub struct Found {
    pub namespace: Option<Namespace>,
    pub chains: Vec<Chain>,
    /// Chain objects that could not be read; they count as chains where it is about letting a tenant go.
    pub unreadable_chains: usize,
    pub retained: Retained,
    /// Secrets and genesis files that chains left behind.
    pub retained_keys: usize,
    /// ChainBackups whose runs lie in a volume of the namespace.
    pub backups_inside: Vec<String>,
}

pub async fn fetch(client: &Client, tenant: &Name) -> kube::Result<Found> {
    let home = names::namespace(tenant);
    let namespace = Api::<Namespace>::all(client.clone()).get_opt(&home).await?;
    if namespace.is_none() {
        return Ok(Found::default());
    }
    let all = crate::objects::within::<operator_api::ChainSpec>(client, &home).list(&ListParams::default()).await?;
    let chains = city::chains_of(client, tenant).await?;
    let kept = ListParams::default().labels(&format!("{}=true", names::RETAINED));
    let volumes: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &home);
    let volumes = volumes.list(&kept).await?.items;
    let secrets: Api<PartialObjectMeta<Secret>> = Api::namespaced(client.clone(), &home);
    let files: Api<PartialObjectMeta<ConfigMap>> = Api::namespaced(client.clone(), &home);
    let backups = crate::objects::within::<ChainBackupSpec>(client, &home).list(&ListParams::default()).await?.items;
    let retained_keys = secrets.list(&kept).await?.items.len() + files.list(&kept).await?.items.len();
    Ok(Found {
        namespace,
        unreadable_chains: all.items.len().saturating_sub(chains.len()),
        chains,
        retained: Retained {
            volumes: u32::try_from(volumes.len()).unwrap_or(u32::MAX),
            storage_gib: volumes.iter().map(size_gib).sum(),
        },
        retained_keys,
        backups_inside: backups.iter().filter_map(kept_inside).collect(),
    })
}

/// The name of one that has something in a volume beside it.
fn kept_inside(backup: &DynamicObject) -> Option<String> {
    let backup = crate::objects::parse::<ChainBackupSpec>(backup).ok()?;
    let has_made_one = backup.status.iter().flat_map(|status| &status.runs).any(BackupRun::succeeded);
    (backup.spec.destination.volume.is_some() && has_made_one).then(|| backup.name().to_string())
}

/// What a volume asks for, rounded up.
fn size_gib(volume: &PersistentVolumeClaim) -> u64 {
    let requests = volume.spec.as_ref().and_then(|spec| spec.resources.as_ref()).and_then(|all| all.requests.as_ref());
    let bytes =
        requests.and_then(|all| all.get("storage")).and_then(|amount| thousandths(&amount.0)).unwrap_or(0) / 1_000;
    u64::try_from(bytes.div_ceil(1 << 30)).unwrap_or(u64::MAX)
}
