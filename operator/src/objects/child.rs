//! An object that should exist, and the hand that makes it so. It writes only where the live object differs, so a steady
//! state makes no write, and a hand-edit or a deletion is mended by the next look.

use kube::{
    Client, Resource,
    api::{Api, ApiResource, DynamicObject, Patch, PatchParams},
};
use serde::Serialize;
use serde_json::Value;

use super::{covers, names};

/// An object as it should be: only the fields that the operator decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Child {
    pub resource: ApiResource,
    pub wanted: Value,
}

/// What [`Child::ensure`] had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was as wanted; nothing was written.
    None,
    Created,
    /// Somebody had changed it, or something else is wanted now.
    Mended,
}

impl Child {
    /// Of a kind that has a type. A value of `k8s-openapi`'s types is always representable.
    pub fn of<K>(object: &K) -> serde_json::Result<Self>
    where
        K: Resource<DynamicType = ()> + Serialize,
    {
        Ok(Self { resource: ApiResource::erase::<K>(&()), wanted: serde_json::to_value(object)? })
    }

    /// Of any kind; `wanted` has `apiVersion`, `kind`, `metadata.name` and, unless the kind is cluster-scoped, the namespace.
    pub fn any(resource: ApiResource, wanted: Value) -> Self {
        Self { resource, wanted }
    }

    pub fn name(&self) -> &str {
        self.wanted["metadata"]["name"].as_str().unwrap_or_default()
    }

    pub fn namespace(&self) -> Option<&str> {
        self.wanted["metadata"]["namespace"].as_str()
    }

    /// Where objects like it are found.
    pub fn api(&self, client: &Client) -> Api<DynamicObject> {
        match self.namespace() {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &self.resource),
            None => Api::all_with(client.clone(), &self.resource),
        }
    }

    /// The object as it is now.
    pub async fn live(&self, client: &Client) -> kube::Result<Option<Value>> {
        match self.api(client).get_opt(self.name()).await? {
            None => Ok(None),
            Some(object) => serde_json::to_value(object).map(Some).map_err(kube::Error::SerdeError),
        }
    }

    /// Makes it so, given what was found at the last look (one list of all children rather than a read of each).
    pub async fn ensure(&self, client: &Client, live: Option<&Value>) -> kube::Result<Change> {
        match live {
            Some(live) if self.is_as_wanted(live) => Ok(Change::None),
            Some(_) => self.apply(client).await.map(|_| Change::Mended),
            None => self.apply(client).await.map(|_| Change::Created),
        }
    }

    /// Whether nothing has to be written. Items of a list come without version and kind, which the list has for all.
    pub fn is_as_wanted(&self, live: &Value) -> bool {
        let fields = self.wanted.as_object().into_iter().flatten();
        let mut fields = fields.filter(|(name, _)| !matches!(name.as_str(), "apiVersion" | "kind"));
        fields.all(|(name, wanted)| covers(wanted, &live[name]))
    }

    /// Server-side apply; the operator's fields win over a hand-edit.
    pub async fn apply(&self, client: &Client) -> kube::Result<DynamicObject> {
        let how = PatchParams::apply(names::OPERATOR).force();
        self.api(client).patch(self.name(), &how, &Patch::Apply(&self.wanted)).await
    }
}

/// Whether the API server answered that it is not there.
pub fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether somebody else changed or made it first.
pub fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}
