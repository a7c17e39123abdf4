//! A chain that is deleted: its validators end, what lasts is marked (or removed, if its annotation says so), and only then the object
//! goes; everything else goes with it.

use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DeleteParams, DynamicObject};
use operator_api::{Chain, ChainSpec};

use super::{fetch, lasting, resources::Place};
use crate::{
    context::Context,
    objects::{is_conflict, is_not_found, names, remove_finalizer, within},
};

/// Whether there is nothing left to do.
pub async fn delete(context: &Context, place: &Place, chain: &Chain, object: &DynamicObject) -> anyhow::Result<bool> {
    let client = &context.client;
    let children = fetch::children(client, &place.namespace, &place.chain, false).await?;
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
    let removes = chain.metadata.annotations.get(names::RETENTION).is_some_and(|kept| kept == "delete");
    match removes {
        true => lasting::remove_all(client, place, &children).await?,
        false => lasting::retain_all(client, place, &children).await?,
    }
    let api = within::<ChainSpec>(client, &place.namespace);
    match remove_finalizer(&api, object, names::CHAIN_FINALIZER).await {
        Err(error) if is_conflict(&error) => Ok(false),
        Err(error) if !is_not_found(&error) => Err(error.into()),
        Ok(()) | Err(_) => Ok(true),
    }
}
