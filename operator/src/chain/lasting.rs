//! What outlives a validator or a chain: volumes, keys, genesis. Marks it, unmarks it when its chain comes back, and removes it where
//! the chain's annotation asks for that.

use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Secret};
use kube::{
    Client, Resource,
    api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
};
use operator_api::ValidatorName;
use serde_json::{Value, json};

use super::{
    fetch::Children,
    keys::{node_secret, steward_secret},
    resources::{Place, config_map::genesis_name, stateful_set::claim_name},
};
use crate::objects::{is_not_found, names};

/// Kind and name.
type Lasting = (ApiResource, String);

fn of<K: Resource<DynamicType = ()>>(name: String) -> Lasting {
    (ApiResource::erase::<K>(&()), name)
}

fn of_validator(place: &Place, node: ValidatorName) -> [Lasting; 2] {
    [of::<PersistentVolumeClaim>(claim_name(place, node)), of::<Secret>(node_secret(&place.chain, node))]
}

/// Everything of a chain that lasts, as far as it is there.
fn of_chain(place: &Place, children: &Children) -> Vec<Lasting> {
    let named = |kind: &str| -> Vec<String> { children.kind(kind).map(|(name, _)| name.to_owned()).collect() };
    let mut all: Vec<Lasting> = named("PersistentVolumeClaim").into_iter().map(of::<PersistentVolumeClaim>).collect();
    all.extend(named("Secret").into_iter().map(of::<Secret>));
    all.push(of::<Secret>(steward_secret(&place.chain)));
    all.push(of::<ConfigMap>(genesis_name(&place.chain)));
    all.dedup_by(|a, b| a.0.kind == b.0.kind && a.1 == b.1);
    all
}

/// Marks what is left of a validator that has left for good.
pub async fn retain(client: &Client, place: &Place, node: ValidatorName) -> kube::Result<()> {
    for lasting in of_validator(place, node) {
        mark(client, place, &lasting, json!("true")).await?;
    }
    Ok(())
}

/// A validator that is wanted again is not left over any more.
pub async fn take_back(client: &Client, place: &Place, node: ValidatorName) -> kube::Result<()> {
    for lasting in of_validator(place, node) {
        mark(client, place, &lasting, Value::Null).await?;
    }
    Ok(())
}

/// Marks everything of a chain that is deleted.
pub async fn retain_all(client: &Client, place: &Place, children: &Children) -> kube::Result<()> {
    for lasting in of_chain(place, children) {
        mark(client, place, &lasting, json!("true")).await?;
    }
    Ok(())
}

/// Removes everything of a chain that is deleted with all it has. Volumes first: keys without a volume harm nobody, a volume without
/// its keys is of no use.
pub async fn remove_all(client: &Client, place: &Place, children: &Children) -> kube::Result<()> {
    for (kind, name) in of_chain(place, children) {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &place.namespace, &kind);
        if let Err(error) = api.delete(&name, &DeleteParams::background()).await
            && !is_not_found(&error)
        {
            return Err(error);
        }
    }
    Ok(())
}

async fn mark(client: &Client, place: &Place, (kind, name): &Lasting, value: Value) -> kube::Result<()> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &place.namespace, kind);
    let patch = Patch::Merge(json!({"metadata": {"labels": {names::RETAINED: value}}}));
    let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch_metadata(name, &how, &patch).await {
        Err(error) if !is_not_found(&error) => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}
