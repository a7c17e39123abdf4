//! Objects as custom resources of the cluster that the console runs in. Every write goes through the API server's admission, whose sentence
//! comes back as a refusal; a write carries the version that it read, so that no change of somebody else is overwritten.
//!
//! What is watched is `crate::cluster`'s; here stands only what is asked for by name, and the applications as they were seen last.

use super::{ObjectError, Stored};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::core::Status;
use operator_api::application::FINALIZER;
use operator_api::cluster::{self, CONFIRM_DELETION};
pub use operator_api::cluster::{namespace, tenant_of};
use operator_api::{
    API_VERSION, Application, ApplicationSpec, ApplicationStatus, GROUP, Kind, Name, Object, Tenant, TenantSpec,
    VERSION,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Under which name the console's fields stand in an object's managed fields.
const FIELD_MANAGER: &str = "citychain-console";
/// An API server that has not answered for so long is taken to be away. Admission itself may take 5 s.
const PATIENCE: Duration = Duration::from_secs(15);
/// A tenant's namespace is made by the operator, a moment after its object.
const NAMESPACE_PATIENCE: Duration = Duration::from_secs(10);
/// How often a write is repeated that met somebody else's write of another part of the object, mostly the operator's of its status.
const ATTEMPTS: usize = 5;

/// The way to the API server.
#[derive(Clone)]
pub struct Cluster {
    client: kube::Client,
    applications: Arc<RwLock<BTreeMap<Name, Application>>>,
}

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

/// An object as its kind reads it; the error names the field.
pub fn parse<S: Kind>(object: &DynamicObject) -> Result<Object<S>, String> {
    cluster::stored(serde_json::to_value(object).map_err(|error| error.to_string())?)
}

impl Cluster {
    pub fn new(client: kube::Client) -> Self {
        Self { client, applications: Arc::default() }
    }

    /// Of the cluster that this process runs in, by its service account; outside, as `kubectl` would.
    pub async fn here() -> anyhow::Result<Self> {
        use anyhow::Context;
        let client = kube::Client::try_default().await.context(
            "couldn't find the cluster's API server; in a pod the console needs a service account token, elsewhere set KUBECONFIG",
        )?;
        Ok(Self::new(client))
    }

    /// Every object of a kind, to be watched.
    pub fn all<S: Stored>(&self) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &resource::<S>())
    }

    fn api<S: Stored>(&self, namespace: Option<&str>) -> Api<DynamicObject> {
        match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource::<S>()),
            None => self.all::<S>(),
        }
    }

    pub async fn create<S: Stored>(&self, tenant: &Name, object: &Object<S>) -> Result<Object<S>, ObjectError> {
        let mut object = object.clone();
        let namespace = S::NAMESPACED.then(|| namespace(tenant));
        object.metadata.namespace = namespace.clone();
        let (api, asked) = (self.api::<S>(namespace.as_deref()), Instant::now());
        let body = dynamic(&object)?;
        loop {
            match in_time(api.create(&params(), &body)).await {
                // The namespace is missing, not the object.
                Err(ObjectError::Missing) if asked.elapsed() < NAMESPACE_PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(ObjectError::Missing) => {
                    let namespace = namespace.unwrap_or_default();
                    return Err(ObjectError::Unreachable(format!(
                        "the namespace {namespace} is not there; the operator makes it for its tenant: look at the tenant's conditions"
                    )));
                }
                other => return read(&other?),
            }
        }
    }

    /// Stores the spec of `object`, if nobody changed the one that it was made from. Others may have written status or metadata meanwhile:
    /// those are read anew.
    pub async fn replace<S: Stored>(&self, object: &Object<S>) -> Result<Object<S>, ObjectError> {
        let api = self.api::<S>(object.metadata.namespace.as_deref());
        for _ in 0..ATTEMPTS {
            let live: Object<S> = read(&in_time(api.get(object.name().as_str())).await?)?;
            if live.metadata.generation != object.metadata.generation || live.metadata.uid != object.metadata.uid {
                return Err(ObjectError::Changed);
            }
            let mut wanted = object.clone();
            wanted.status = None;
            wanted.metadata = live.metadata;
            match in_time(api.replace(object.name().as_str(), &params(), &dynamic(&wanted)?)).await {
                Err(ObjectError::Changed) => {}
                other => return read(&other?),
            }
        }
        Err(ObjectError::Changed)
    }

    pub async fn delete<S: Stored>(&self, object: &Object<S>) -> Result<Object<S>, ObjectError> {
        let (api, name) = (self.api::<S>(object.metadata.namespace.as_deref()), object.name().as_str());
        if S::DELETION_IS_CONFIRMED {
            let annotations = json!({ CONFIRM_DELETION: name });
            let confirmed = json!({ "metadata": { "uid": object.metadata.uid, "annotations": annotations } });
            in_time(api.patch(name, &manager(), &Patch::Merge(confirmed))).await?;
        }
        // Whoever is of the same name meanwhile was not meant.
        let uid = Preconditions { uid: object.metadata.uid.clone(), resource_version: None };
        let deleted = in_time(api.delete(name, &DeleteParams::default().preconditions(uid))).await?;
        match deleted.left() {
            Some(going) => read(&going),
            None => Ok(object.clone()),
        }
    }

    pub async fn tenant(&self, name: &Name) -> Result<Option<Tenant>, ObjectError> {
        in_time(self.all::<TenantSpec>().get_opt(name.as_str())).await?.map(|object| read(&object)).transpose()
    }

    /// Changes only the fields that the patch names; the operator writes others of the same status.
    pub async fn patch_status<S: Stored>(
        &self,
        namespace: Option<&str>,
        name: &str,
        status: Json,
    ) -> Result<(), ObjectError> {
        let patch = Patch::Merge(json!({ "status": status }));
        in_time(self.api::<S>(namespace).patch_status(name, &manager(), &patch)).await.map(drop)
    }

    pub async fn report_application(&self, object: &Application, new: &ApplicationStatus) -> Result<(), ObjectError> {
        // Lists are replaced as a whole; what became absent must be said, or it would stay.
        let mut status = value(new)?;
        for field in ["installedVersion", "installTransaction", "publicPath"] {
            if let Some(fields) = status.as_object_mut() {
                fields.entry(field).or_insert(Json::Null);
            }
        }
        let (namespace, name) = (object.metadata.namespace.as_deref(), object.name().as_str());
        self.patch_status::<ApplicationSpec>(namespace, name, status).await?;
        // The watch brings it too; until then the next report should not be taken for news.
        self.seen(|known| {
            if let Some(known) = known.get_mut(object.name()).filter(|known| known.metadata.uid == object.metadata.uid)
            {
                known.status = Some(new.clone());
            }
        });
        Ok(())
    }

    pub async fn hold_application(&self, object: &Application) -> Result<(), ObjectError> {
        if object.metadata.finalizers.iter().any(|known| known == FINALIZER) {
            return Ok(());
        }
        let mut finalizers = object.metadata.finalizers.clone();
        finalizers.push(FINALIZER.to_owned());
        self.set_finalizers(object, &finalizers).await
    }

    pub async fn release_application(&self, object: &Application) -> Result<(), ObjectError> {
        let kept: Vec<String> =
            object.metadata.finalizers.iter().filter(|known| *known != FINALIZER).cloned().collect();
        match self.set_finalizers(object, &kept).await {
            Err(ObjectError::Missing) => Ok(()),
            other => other,
        }
    }

    async fn set_finalizers(&self, object: &Application, finalizers: &[String]) -> Result<(), ObjectError> {
        let api = self.api::<ApplicationSpec>(object.metadata.namespace.as_deref());
        // With the version that was seen: a list is replaced as a whole.
        let metadata = json!({ "resourceVersion": object.metadata.resource_version, "finalizers": finalizers });
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        in_time(api.patch(object.name().as_str(), &manager(), &patch)).await.map(drop)
    }

    pub fn application_names(&self) -> Vec<Name> {
        self.applications.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    pub fn application(&self, name: &Name) -> Option<Application> {
        self.applications.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Changes what is known of applications; only whoever watches them, and a report, does.
    pub fn seen<T>(&self, change: impl FnOnce(&mut BTreeMap<Name, Application>) -> T) -> T {
        change(&mut self.applications.write().unwrap_or_else(PoisonError::into_inner))
    }
}

fn params() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

fn manager() -> PatchParams {
    PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() }
}

fn value(thing: &impl serde::Serialize) -> Result<Json, ObjectError> {
    serde_json::to_value(thing).map_err(|error| ObjectError::Unreachable(error.to_string()))
}

fn dynamic<S: Kind>(object: &Object<S>) -> Result<DynamicObject, ObjectError> {
    serde_json::from_value(value(object)?).map_err(|error| ObjectError::Unreachable(error.to_string()))
}

fn read<S: Kind>(object: &DynamicObject) -> Result<Object<S>, ObjectError> {
    parse(object).map_err(|error| ObjectError::Unreachable(format!("an object doesn't fit its kind: {error}")))
}

async fn in_time<T>(call: impl Future<Output = kube::Result<T>>) -> Result<T, ObjectError> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(answer) => answer.map_err(in_words),
        Err(_) => Err(ObjectError::Unreachable(format!("it has not answered for {} s", PATIENCE.as_secs()))),
    }
}

fn in_words(error: kube::Error) -> ObjectError {
    match error {
        kube::Error::Api(status) => of_status(&status),
        other => ObjectError::Unreachable(other.to_string()),
    }
}

/// What the API server's answer means for whoever asked.
fn of_status(status: &Status) -> ObjectError {
    let message = &status.message;
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => ObjectError::Taken,
        (409, _) => ObjectError::Changed,
        (404, _) => ObjectError::Missing,
        // The console's own rights, not a judgement of the object.
        (403, _) if message.contains("cannot") && message.contains("API group") => {
            ObjectError::Unreachable(message.clone())
        }
        (400 | 403 | 422, _) => ObjectError::Refused(sentence(message).to_owned()),
        _ => ObjectError::Unreachable(message.clone()),
    }
}

/// Without the machinery's words before it: `admission webhook "…" denied the request: `.
fn sentence(message: &str) -> &str {
    message.split_once("denied the request: ").map_or(message, |(_, sentence)| sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, reason: &str, message: &str) -> ObjectError {
        of_status(&Status { code, reason: reason.to_owned(), message: message.to_owned(), ..Status::default() })
    }

    #[test]
    fn an_answer_of_the_api_server_is_told_by_what_it_means() {
        let denied = "admission webhook \"chains.citychain.dev\" denied the request: 4 validators, 1 down, quorum 3: stopping validator-2 leaves 2";
        let ObjectError::Refused(said) = answer(403, "Forbidden", denied) else { panic!() };
        assert!(said.starts_with("4 validators, 1 down"), "{said}");
        let schema = "Chain.citychain.dev \"main\" is invalid: spec.tenant: Invalid value: never changes";
        assert!(matches!(answer(422, "Invalid", schema), ObjectError::Refused(said) if said == schema));
        assert!(matches!(answer(409, "AlreadyExists", ""), ObjectError::Taken));
        assert!(matches!(answer(409, "Conflict", ""), ObjectError::Changed));
        assert!(matches!(answer(404, "NotFound", ""), ObjectError::Missing));
        let rights = "chains.citychain.dev is forbidden: User \"system:serviceaccount:a:b\" cannot create resource \"chains\" in API group \"citychain.dev\"";
        assert!(matches!(answer(403, "Forbidden", rights), ObjectError::Unreachable(_)));
        let down = "Internal error occurred: failed calling webhook \"chains.citychain.dev\": connection refused";
        assert!(matches!(answer(500, "InternalError", down), ObjectError::Unreachable(_)));
    }
}
