//! Custom resources as the API server hands them out, and whether a live object is what was wanted. Reads and compares; decides nothing.

use kube::api::{ApiResource, DynamicObject};
use operator_api::{API_VERSION, GROUP, Kind, Object, VERSION};
use serde_json::Value;

/// Under which name the operator's fields stand in an object's managed fields.
pub const FIELD_MANAGER: &str = "citychain-operator";

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

/// An object as its kind reads it. What does not fit is the answer, not an error of the watch: the sentence names the field.
pub fn parse<S: Kind>(object: &DynamicObject) -> Result<Object<S>, String> {
    let mut value = serde_json::to_value(object).map_err(|error| error.to_string())?;
    if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
        for unread in ["managedFields", "selfLink", "generateName", "deletionGracePeriodSeconds"] {
            metadata.remove(unread);
        }
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Whether every field that is wanted is there with that value. Fields that the API server or others added do not count;
/// a list must have as many items, in this order.
pub fn covers(wanted: &Value, live: &Value) -> bool {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => wanted.iter().all(|(key, value)| match live.get(key) {
            Some(found) => covers(value, found),
            None => is_empty(value),
        }),
        (Value::Array(wanted), Value::Array(live)) => {
            wanted.len() == live.len() && wanted.iter().zip(live).all(|(wanted, live)| covers(wanted, live))
        }
        _ => wanted == live,
    }
}

/// What the API server does not store: nothing, and maps and lists of nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(is_empty),
        Value::Array(items) => items.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_added_does_not_count_and_what_they_changed_does() {
        let wanted = json!({"spec": {"replicas": 1, "ports": [{"name": "api", "port": 8080}], "selector": {}}});
        let mut live =
            json!({"spec": {"replicas": 1, "ports": [{"name": "api", "port": 8080, "protocol": "TCP"}]}, "status": {}});
        assert!(covers(&wanted, &live));
        live["spec"]["replicas"] = json!(0);
        assert!(!covers(&wanted, &live));
        live["spec"]["replicas"] = json!(1);
        live["spec"]["ports"].as_array_mut().unwrap().push(json!({"name": "other", "port": 1}));
        assert!(!covers(&wanted, &live));
    }
}
