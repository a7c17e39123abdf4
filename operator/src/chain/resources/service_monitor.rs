//! A ServiceMonitor, for clusters that run the Prometheus operator.

use kube::api::ApiResource;
use serde_json::{Value, json};

use super::{Place, service::METRICS};
use crate::objects::names;

/// The definition whose presence says that the cluster knows the kind.
pub const DEFINITION: &str = "servicemonitors.monitoring.coreos.com";

pub fn resource() -> ApiResource {
    ApiResource {
        group: "monitoring.coreos.com".to_owned(),
        version: "v1".to_owned(),
        api_version: "monitoring.coreos.com/v1".to_owned(),
        kind: "ServiceMonitor".to_owned(),
        plural: "servicemonitors".to_owned(),
    }
}

/// Each validator's own metrics, told apart by the label of its Service.
pub fn monitor(place: &Place) -> serde_json::Result<Value> {
    let resource = resource();
    Ok(json!({
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": serde_json::to_value(place.of_chain(place.chain.to_string()))?,
        "spec": {
            "selector": {
                "matchLabels": { names::CHAIN: place.chain.as_str() },
                "matchExpressions": [{ "key": names::VALIDATOR, "operator": "Exists" }],
            },
            "targetLabels": [names::TENANT, names::CHAIN, names::VALIDATOR],
            "endpoints": [{ "port": METRICS, "interval": "15s" }],
        },
    }))
}
