//! The envelope that every custom resource has: `apiVersion`, `kind`, `metadata`, `spec`, `status`.
//!
//! A file of another kind or version is refused when it is read, with both names in the sentence.

use std::{borrow::Cow, collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
};

use crate::{API_VERSION, Name, Time};

/// A spec that is the heart of a kind.
pub trait Kind: Serialize + DeserializeOwned {
    /// What `kind` must read.
    const KIND: &'static str;
    /// The plural in paths and `kubectl`.
    const PLURAL: &'static str;
    type Status: Serialize + DeserializeOwned;
}

/// One custom resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, bound = "")]
pub struct Object<S: Kind> {
    #[serde(rename = "apiVersion")]
    version: ApiVersion,
    kind: KindName<S>,
    pub metadata: Metadata,
    pub spec: S,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<S::Status>,
}

impl<S: Kind> Object<S> {
    /// A new object as a person would write it: no status, generation 1.
    pub fn new(name: Name, spec: S) -> Self {
        Self { version: ApiVersion, kind: KindName(PhantomData), metadata: Metadata::named(name), spec, status: None }
    }

    pub fn name(&self) -> &Name {
        &self.metadata.name
    }
}

/// The part of Kubernetes' object metadata that the product reads or writes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    pub name: Name,
    /// `tenant-<name>` in a cluster; absent for cluster-scoped kinds and in the embedded home.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Grows by one with every change of the spec; `status.observedGeneration` says how far the work has come.
    #[serde(default = "first_generation")]
    pub generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creation_timestamp: Option<Time>,
    /// Set once somebody asked for deletion; the object stays until its finalizers are gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_timestamp: Option<Time>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalizers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_version: Option<String>,
    /// Kept as they came: only the API server interprets them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owner_references: Vec<serde_json::Value>,
}

impl Metadata {
    pub fn named(name: Name) -> Self {
        Self {
            name,
            namespace: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            generation: first_generation(),
            creation_timestamp: None,
            deletion_timestamp: None,
            finalizers: Vec::new(),
            uid: None,
            resource_version: None,
            owner_references: Vec::new(),
        }
    }
}

fn first_generation() -> u64 {
    1
}

/// Exists only as the one right text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ApiVersion;

impl Serialize for ApiVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(API_VERSION)
    }
}

impl<'de> Deserialize<'de> for ApiVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        if text == API_VERSION {
            return Ok(Self);
        }
        Err(D::Error::custom(format!("apiVersion is `{text}`; this program reads `{API_VERSION}`")))
    }
}

/// Exists only as the name of the kind that its spec says.
struct KindName<S>(PhantomData<S>);

impl<S> Clone for KindName<S> {
    fn clone(&self) -> Self {
        Self(PhantomData)
    }
}

impl<S> PartialEq for KindName<S> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl<S: Kind> fmt::Debug for KindName<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(S::KIND)
    }
}

impl<K: Kind> Serialize for KindName<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(K::KIND)
    }
}

impl<'de, K: Kind> Deserialize<'de> for KindName<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        if text == K::KIND {
            return Ok(Self(PhantomData));
        }
        Err(D::Error::custom(format!("kind is `{text}`; a `{}` was expected here", K::KIND)))
    }
}
