//! Who may reach whom under a set of NetworkPolicies: the rules of `networking.k8s.io/v1`, evaluated without a cluster, so that
//! isolation between tenants is asserted whatever network plugin a cluster has. For tests; a connection needs the egress of one
//! side and the ingress of the other.

use std::{collections::BTreeMap, net::Ipv4Addr};

use k8s_openapi::{
    api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort},
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
        util::intstr::IntOrString,
    },
};

pub type Labels = BTreeMap<String, String>;

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct Pod {
    pub name: &'static str,
    pub namespace: String,
    pub namespace_labels: Labels,
    pub labels: Labels,
    pub address: Ipv4Addr,
}

/// Whether a connection can be opened.
pub fn reaches(policies: &[NetworkPolicy], from: &Pod, to: &Pod, protocol: &str, port: u16) -> bool {
    egress(policies, from, to, protocol, port) && ingress(policies, from, to, protocol, port)
}

fn egress(policies: &[NetworkPolicy], from: &Pod, to: &Pod, protocol: &str, port: u16) -> bool {
    let mut isolated = false;
    for (policy, spec) in selecting(policies, from, "Egress") {
        isolated = true;
        let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
        for rule in spec.egress.iter().flatten() {
            if is_peer(rule.to.as_deref(), namespace, to) && is_port(rule.ports.as_deref(), protocol, port) {
                return true;
            }
        }
    }
    !isolated
}

fn ingress(policies: &[NetworkPolicy], from: &Pod, to: &Pod, protocol: &str, port: u16) -> bool {
    let mut isolated = false;
    for (policy, spec) in selecting(policies, to, "Ingress") {
        isolated = true;
        let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
        for rule in spec.ingress.iter().flatten() {
            if is_peer(rule.from.as_deref(), namespace, from) && is_port(rule.ports.as_deref(), protocol, port) {
                return true;
            }
        }
    }
    !isolated
}

/// The policies that say something about this side of a pod.
fn selecting<'a>(
    policies: &'a [NetworkPolicy],
    pod: &'a Pod,
    direction: &'a str,
) -> impl Iterator<Item = (&'a NetworkPolicy, &'a k8s_openapi::api::networking::v1::NetworkPolicySpec)> {
    policies.iter().filter_map(move |policy| {
        let spec = policy.spec.as_ref()?;
        let here = policy.metadata.namespace.as_deref() == Some(pod.namespace.as_str());
        // Without a list a policy is about ingress, and about egress if it has such rules.
        let about = match &spec.policy_types {
            Some(types) => types.iter().any(|kind| kind == direction),
            None => direction == "Ingress" || spec.egress.is_some(),
        };
        let chosen = spec.pod_selector.as_ref().is_none_or(|selector| matches(selector, &pod.labels));
        (here && about && chosen).then_some((policy, spec))
    })
}

/// No list, or an empty one, is everybody.
fn is_peer(peers: Option<&[NetworkPolicyPeer]>, namespace: &str, pod: &Pod) -> bool {
    let Some(peers) = peers.filter(|peers| !peers.is_empty()) else { return true };
    peers.iter().any(|peer| match (&peer.ip_block, &peer.namespace_selector, &peer.pod_selector) {
        (Some(block), _, _) => is_within(block, pod.address),
        (None, None, None) => false,
        (None, None, Some(pods)) => pod.namespace == namespace && matches(pods, &pod.labels),
        (None, Some(namespaces), pods) => {
            matches(namespaces, &pod.namespace_labels) && pods.as_ref().is_none_or(|pods| matches(pods, &pod.labels))
        }
    })
}

/// No list, or an empty one, is every port. A named port is never matched: whoever uses one must extend this.
fn is_port(ports: Option<&[NetworkPolicyPort]>, protocol: &str, port: u16) -> bool {
    let Some(ports) = ports.filter(|ports| !ports.is_empty()) else { return true };
    ports.iter().any(|allowed| {
        allowed.protocol.as_deref().unwrap_or("TCP") == protocol
            && match (&allowed.port, allowed.end_port) {
                (None, _) => true,
                (Some(IntOrString::Int(first)), None) => *first == i32::from(port),
                (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&i32::from(port)),
                (Some(IntOrString::String(name)), _) => panic!("a named port: {name}"),
            }
    })
}

fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let exactly = selector.match_labels.iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    exactly && selector.match_expressions.iter().flatten().all(|one| holds(one, labels))
}

fn holds(requirement: &LabelSelectorRequirement, labels: &Labels) -> bool {
    let value = labels.get(&requirement.key);
    let listed = || value.is_some_and(|value| requirement.values.iter().flatten().any(|one| one == value));
    match requirement.operator.as_str() {
        "In" => listed(),
        "NotIn" => !listed(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        other => panic!("no operator of label selectors: {other}"),
    }
}

fn is_within(block: &IPBlock, address: Ipv4Addr) -> bool {
    let inside = |cidr: &str| {
        let (network, bits) = cidr.split_once('/').expect("address/bits");
        let network: Ipv4Addr = network.parse().expect("an IPv4 address");
        let bits: u32 = bits.parse().expect("a number of bits");
        let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
        u32::from(network) & mask == u32::from(address) & mask
    };
    inside(&block.cidr) && !block.except.iter().flatten().any(|cidr| inside(cidr))
}

#[cfg(test)]
mod tests;
