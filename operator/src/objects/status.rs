//! Writes of a custom resource's own parts that are the operator's: status and finalizers. Each names exactly the fields it
//! sets, so that two writers of one status do not undo each other.

use kube::{
    ResourceExt as _,
    api::{Api, DynamicObject, Patch, PatchParams},
};
use operator_api::{Time, conditions::READY, reason::INVALID_SPEC};
use serde::Serialize;
use serde_json::json;

use super::names;

/// Sets these fields of the status and no other (a merge patch of the status subresource). Lists are replaced whole; a
/// field that shall vanish must be `null` in `status`.
pub async fn patch_status(api: &Api<DynamicObject>, name: &str, status: &impl Serialize) -> kube::Result<()> {
    let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
    api.patch_status(name, &how, &Patch::Merge(json!({"status": status}))).await.map(|_| ())
}

/// The API server let the object in and this version cannot read it: its status says why. Written once a reason.
pub async fn say_unreadable(
    api: &Api<DynamicObject>,
    object: &DynamicObject,
    reason: &str,
    now_ms: u64,
) -> kube::Result<()> {
    let before = object.data["status"]["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == READY);
    if before.is_some_and(|before| before["message"] == reason) {
        return Ok(());
    }
    let ready = json!({
        "type": READY, "status": "False", "reason": INVALID_SPEC, "message": reason,
        "lastTransitionTime": Time::from_ms(now_ms / 1_000 * 1_000),
        "observedGeneration": object.metadata.generation.unwrap_or_default(),
    });
    patch_status(api, &object.name_any(), &json!({"conditions": [ready]})).await
}

/// Keeps the object until [`remove_finalizer`]. The patch fails with a conflict if the object has changed since it was read.
pub async fn add_finalizer(api: &Api<DynamicObject>, object: &DynamicObject, finalizer: &str) -> kube::Result<()> {
    let mut finalizers = object.metadata.finalizers.clone().unwrap_or_default();
    if finalizers.iter().any(|present| present == finalizer) {
        return Ok(());
    }
    finalizers.push(finalizer.to_owned());
    set_finalizers(api, object, &finalizers).await
}

/// Lets the object go. The patch fails with a conflict if the object has changed since it was read.
pub async fn remove_finalizer(api: &Api<DynamicObject>, object: &DynamicObject, finalizer: &str) -> kube::Result<()> {
    let before = object.metadata.finalizers.clone().unwrap_or_default();
    let after: Vec<String> = before.iter().filter(|present| *present != finalizer).cloned().collect();
    if after == before {
        return Ok(());
    }
    set_finalizers(api, object, &after).await
}

async fn set_finalizers(api: &Api<DynamicObject>, object: &DynamicObject, finalizers: &[String]) -> kube::Result<()> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    // The version makes it an exchange: somebody else's finalizer that came meanwhile is not lost.
    let patch = json!({"metadata": {"resourceVersion": object.metadata.resource_version, "finalizers": finalizers}});
    let how = PatchParams { field_manager: Some(names::OPERATOR.to_owned()), ..PatchParams::default() };
    api.patch(name, &how, &Patch::Merge(patch)).await.map(|_| ())
}
