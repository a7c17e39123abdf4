//! Everything that is read for one pass: the chain's children, by one list a kind, and what only some passes need. Reads; decides
//! nothing. No child is kept in memory between passes, so what a pass acts on is what the API server has.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use k8s_openapi::api::{
    apps::v1::StatefulSet,
    core::v1::{ConfigMap, Node, PersistentVolumeClaim, Pod, Secret, Service},
    events::v1::Event,
    networking::v1::NetworkPolicy,
    policy::v1::PodDisruptionBudget,
    storage::v1::StorageClass,
};
use kube::{
    Client,
    api::{Api, ApiResource, DynamicObject, ListParams, TypeMeta},
};
use operator_api::Name;
use serde_json::Value;

use super::resources::service_monitor;
use crate::objects::{Child, names};

/// The chain's children as the API server has them, by kind and name.
#[derive(Clone, Debug, Default)]
pub struct Children(BTreeMap<(String, String), Value>);

impl Children {
    /// The live object of one that should be.
    pub fn of(&self, child: &Child) -> Option<&Value> {
        self.named(&child.resource.kind, child.name())
    }

    pub fn named(&self, kind: &str, name: &str) -> Option<&Value> {
        self.0.get(&(kind.to_owned(), name.to_owned()))
    }

    /// All of a kind, with their names.
    pub fn kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter(move |((of, _), _)| of == kind).map(|((_, name), value)| (name.as_str(), value))
    }

    #[cfg(test)]
    pub fn with(objects: impl IntoIterator<Item = Value>) -> Self {
        let key = |value: &Value| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&value["kind"]), text(&value["metadata"]["name"]))
        };
        Self(objects.into_iter().map(|value| (key(&value), value)).collect())
    }
}

/// Lists every kind of child that carries the chain's label. `monitors`: the cluster knows ServiceMonitors.
pub async fn children(client: &Client, namespace: &str, chain: &Name, monitors: bool) -> kube::Result<Children> {
    let mut kinds = vec![
        ApiResource::erase::<Pod>(&()),
        ApiResource::erase::<StatefulSet>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Secret>(&()),
        ApiResource::erase::<PersistentVolumeClaim>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
    ];
    kinds.extend(monitors.then(service_monitor::resource));
    let params = ListParams::default().labels(&format!("{}={chain}", names::CHAIN));
    let lists = kinds.iter().map(|kind| list(client, namespace, kind, &params));
    Ok(Children(try_join_all(lists).await?.into_iter().flatten().collect()))
}

type Named = ((String, String), Value);

async fn list(client: &Client, namespace: &str, kind: &ApiResource, params: &ListParams) -> kube::Result<Vec<Named>> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, kind);
    let mut found = Vec::new();
    for mut object in api.list(params).await? {
        object.metadata.managed_fields = None;
        // The items of a list do not say what they are.
        object.types = Some(TypeMeta { api_version: kind.api_version.clone(), kind: kind.kind.clone() });
        let name = object.metadata.name.clone().unwrap_or_default();
        let value = serde_json::to_value(object).map_err(kube::Error::SerdeError)?;
        found.push(((kind.kind.clone(), name), value));
    }
    Ok(found)
}

/// Why a StatefulSet's pod could not be made, in the words of whoever refused it; asked only about a pod that stays away.
pub async fn why_no_pod(client: &Client, namespace: &str, set: &str) -> kube::Result<Option<String>> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("regarding.name={set},reason=FailedCreate"));
    let newest = api.list(&params).await?.into_iter().max_by_key(|event| {
        let series = event.series.as_ref().map(|series| series.last_observed_time.0);
        series.or(event.deprecated_last_timestamp.as_ref().map(|time| time.0))
    });
    Ok(newest.and_then(|event| event.note))
}

/// Why a machine is not ready, in the words of whoever watches it; asked only about one whose pods do not answer.
pub async fn why_not_ready(client: &Client, machine: &str) -> kube::Result<Option<String>> {
    let Some(node) = Api::<Node>::all(client.clone()).get_opt(machine).await? else {
        return Ok(Some("it is no longer part of the cluster".to_owned()));
    };
    let conditions = node.status.and_then(|status| status.conditions).unwrap_or_default();
    let ready = conditions.into_iter().find(|condition| condition.type_ == "Ready");
    Ok(ready.filter(|ready| ready.status != "True").map(|ready| {
        let (reason, message) = (ready.reason.unwrap_or_default(), ready.message.unwrap_or_default());
        if message.is_empty() { reason } else { message }
    }))
}

/// Whether volumes of this class may grow; the cluster's answer may come too late to matter, so it is asked before every growth.
pub async fn may_grow(client: &Client, class: &str) -> kube::Result<bool> {
    if class.is_empty() {
        return Ok(false);
    }
    let api: Api<StorageClass> = Api::all(client.clone());
    Ok(api.get_opt(class).await?.and_then(|class| class.allow_volume_expansion).unwrap_or(false))
}
