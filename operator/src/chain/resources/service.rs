//! Services: one a validator, which is its address for good, and one over all that are ready, for whoever reads or writes.

use std::collections::BTreeMap;

use chain_plan::node_config::{ADMIN_PORT, API_PORT, CONSENSUS_PORT, GOSSIP_PORT, METRICS_PORT};
use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};
use operator_api::{Name, ValidatorName};

use super::Place;
use crate::objects::names;

/// Names of ports, the same in Services, pods and monitors.
pub const PORTS: [(&str, u16); 5] = [
    ("consensus", CONSENSUS_PORT),
    ("gossip", GOSSIP_PORT),
    (API, API_PORT),
    ("admin", ADMIN_PORT),
    (METRICS, METRICS_PORT),
];
pub const API: &str = "api";
pub const METRICS: &str = "metrics";

/// `<chain>-api`.
pub fn api_name(chain: &Name) -> String {
    format!("{chain}-api")
}

/// A validator's own: it resolves before the pod is ready, because validators must find each other to become so.
pub fn of_validator(place: &Place, node: ValidatorName) -> Service {
    Service {
        metadata: place.of_validator(names::node(&place.chain, node), node),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            publish_not_ready_addresses: Some(true),
            ports: Some(PORTS.iter().map(|(name, number)| port(name, *number)).collect()),
            selector: Some(selects(place, Some(node))),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// All validators that are caught up and able to vote.
pub fn api(place: &Place) -> Service {
    Service {
        metadata: place.of_chain(api_name(&place.chain)),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            ports: Some(vec![port(API, API_PORT)]),
            selector: Some(selects(place, None)),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

fn selects(place: &Place, node: Option<ValidatorName>) -> BTreeMap<String, String> {
    let mut labels = place.pods().match_labels.unwrap_or_default();
    labels.extend(node.map(|node| (names::VALIDATOR.to_owned(), node.to_string())));
    labels
}

fn port(name: &str, number: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number.into(),
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
