//! Who may reach a chain's validators and whom they may reach. On top of the tenant's default deny, so only holes are here: validators
//! among themselves, the operator, the console, and whoever scrapes metrics.

use chain_plan::node_config::{ADMIN_PORT, API_PORT, CONSENSUS_PORT, GOSSIP_PORT, METRICS_PORT};
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Place, selector};

/// Carried by every namespace; only the API server sets it.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
/// A namespace with this label set to `true` may read the nodes' metrics.
pub const READS_METRICS: &str = "citychain.dev/reads-metrics";

/// What validators of one chain say to each other; the API, because one that is new takes a snapshot from the others.
const PEERS: [u16; 3] = [CONSENSUS_PORT, GOSSIP_PORT, API_PORT];

/// Namespaces of the platform.
#[derive(Clone, Debug)]
pub struct Platform<'a> {
    pub operator: &'a str,
    pub console: &'a str,
}

/// `<chain>-validators`.
pub fn policy(place: &Place, platform: &Platform<'_>) -> NetworkPolicy {
    let peers = vec![NetworkPolicyPeer { pod_selector: Some(place.pods()), ..NetworkPolicyPeer::default() }];
    let ingress = vec![
        allow(peers.clone(), &PEERS),
        allow(vec![namespace((NAMESPACE_NAME, platform.operator))], &[API_PORT, ADMIN_PORT]),
        allow(vec![namespace((NAMESPACE_NAME, platform.console))], &[API_PORT]),
        allow(vec![namespace((READS_METRICS, "true"))], &[METRICS_PORT]),
    ];
    NetworkPolicy {
        metadata: place.of_chain(format!("{}-validators", place.chain)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(place.pods()),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            ingress: Some(ingress),
            egress: Some(vec![NetworkPolicyEgressRule { to: Some(peers), ports: Some(ports(&PEERS)) }]),
        }),
    }
}

fn namespace((label, value): (&str, &str)) -> NetworkPolicyPeer {
    NetworkPolicyPeer { namespace_selector: Some(selector([(label, value)])), ..NetworkPolicyPeer::default() }
}

fn allow(from: Vec<NetworkPolicyPeer>, numbers: &[u16]) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from: Some(from), ports: Some(ports(numbers)) }
}

fn ports(numbers: &[u16]) -> Vec<NetworkPolicyPort> {
    let one = |number: &u16| NetworkPolicyPort {
        port: Some(IntOrString::Int((*number).into())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    numbers.iter().map(one).collect()
}
