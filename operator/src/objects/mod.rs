//! Kubernetes objects as the operator reads and writes them: custom resources parsed into their types, children compared
//! with what was wanted and applied, owners and names. Decides nothing about chains.

mod child;
mod covers;
pub mod names;
mod status;

pub use child::{Change, Child, is_conflict, is_not_found};
pub use covers::{covers, thousandths};
use k8s_openapi::{api::core::v1::ObjectReference, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Client,
    api::{Api, ApiResource, DynamicObject},
};
pub use names::OPERATOR as FIELD_MANAGER;
use operator_api::{API_VERSION, GROUP, Kind, Metadata, Object, VERSION, cluster};
pub use status::{add_finalizer, patch_status, remove_finalizer, say_unreadable};

/// Where a kind is found.
pub fn resource<S: Kind>() -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: S::KIND.to_owned(),
        plural: S::PLURAL.to_owned(),
    }
}

/// All objects of a kind, in every namespace.
pub fn everywhere<S: Kind>(client: &Client) -> Api<DynamicObject> {
    Api::all_with(client.clone(), &resource::<S>())
}

/// The objects of a kind in one namespace.
pub fn within<S: Kind>(client: &Client, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &resource::<S>())
}

/// An object as its kind reads it. What does not fit is the answer, not an error of the watch: the sentence names the field.
pub fn parse<S: Kind>(object: &DynamicObject) -> Result<Object<S>, String> {
    cluster::stored(serde_json::to_value(object).map_err(|error| error.to_string())?)
}

/// What a child says about whose it is: with the object it goes, and a change of the child wakes its controller. `None`
/// while the object has not been stored.
pub fn owner<S: Kind>(metadata: &Metadata) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: API_VERSION.to_owned(),
        kind: S::KIND.to_owned(),
        name: metadata.name.to_string(),
        uid: metadata.uid.clone()?,
        controller: Some(true),
        // Nobody has to wait with deleting the owner until this child is gone.
        block_owner_deletion: None,
    })
}

/// How an event names the object that it is about.
pub fn reference<S: Kind>(metadata: &Metadata) -> ObjectReference {
    ObjectReference {
        api_version: Some(API_VERSION.to_owned()),
        kind: Some(S::KIND.to_owned()),
        name: Some(metadata.name.to_string()),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

#[cfg(test)]
mod tests {
    use operator_api::TenantSpec;
    use serde_json::json;

    use super::*;

    fn tenant(metadata: serde_json::Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": API_VERSION, "kind": "Tenant", "metadata": metadata,
            "spec": {"title": {"zh": "公证处", "en": "Notary"}, "organisations": [], "quota": {"chains": 1, "validators": 4, "storageGib": 40}},
        }))
        .unwrap()
    }

    #[test]
    fn an_object_is_read_without_what_only_the_api_server_needs() {
        let object = tenant(json!({"name": "notary", "uid": "u", "managedFields": [{"manager": "kubectl"}]}));
        let parsed = parse::<TenantSpec>(&object).unwrap();
        assert_eq!(parsed.metadata.uid.as_deref(), Some("u"));
        assert_eq!(owner::<TenantSpec>(&parsed.metadata).unwrap().uid, "u");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let error = parse::<TenantSpec>(&tenant(json!({"name": "Notary"}))).unwrap_err();
        assert!(error.contains("`Notary` is not a name"), "{error}");
    }
}
