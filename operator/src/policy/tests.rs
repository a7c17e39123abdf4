//! First the evaluator against what Kubernetes documents, then the product: no pod of one tenant reaches another's.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::*;
use crate::{
    chain::resources::{
        Place,
        network_policy::{self, Platform, READS_METRICS},
    },
    fixtures,
    objects::names,
    tenant::{Retained, plan},
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn pod(name: &'static str, namespace: &str, own: &[(&str, &str)], last: u8) -> Pod {
    Pod {
        name,
        namespace: namespace.to_owned(),
        namespace_labels: labels(&[("kubernetes.io/metadata.name", namespace)]),
        labels: labels(own),
        address: Ipv4Addr::new(10, 244, 0, last),
    }
}

fn policy(namespace: &str, spec: Value) -> NetworkPolicy {
    serde_json::from_value(json!({"metadata": {"namespace": namespace, "name": "p"}, "spec": spec})).unwrap()
}

#[test]
fn the_rules_are_those_of_kubernetes() {
    let (web, store) = (pod("web", "a", &[("app", "web")], 1), pod("store", "b", &[("app", "store")], 2));
    let everything = |spec: Value| reaches(&[policy("b", spec)], &web, &store, "TCP", 80);
    let from = |peer: Value| everything(json!({"podSelector": {}, "ingress": [{"from": [peer]}]}));
    assert!(reaches(&[], &web, &store, "TCP", 80), "nobody is isolated without a policy");
    assert!(!everything(json!({"podSelector": {}})), "selected and nothing allowed");
    assert!(everything(json!({"podSelector": {"matchLabels": {"app": "other"}}})), "not selected");
    assert!(everything(json!({"podSelector": {}, "policyTypes": ["Egress"]})), "the other direction");
    assert!(everything(json!({"podSelector": {}, "ingress": [{}]})), "an empty rule allows all");
    assert!(
        !from(json!({"podSelector": {"matchLabels": {"app": "web"}}})),
        "a pod selector alone means the same namespace"
    );
    assert!(from(json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "a"}}})));
    let both = |app: &str| from(json!({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": app}}}));
    assert!(both("web") && !both("other"));
    assert!(from(json!({"ipBlock": {"cidr": "10.244.0.0/16"}})));
    assert!(!from(json!({"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.0.1/32"]}})));
    let expression = |operator: &str| {
        let one = json!({"key": "app", "operator": operator, "values": ["web"]});
        from(json!({"namespaceSelector": {}, "podSelector": {"matchExpressions": [one]}}))
    };
    let verdicts: Vec<bool> = ["In", "NotIn", "Exists", "DoesNotExist"].map(expression).into();
    assert_eq!(verdicts, [true, false, true, false]);
    let port = |ports: Value| everything(json!({"podSelector": {}, "ingress": [{"ports": ports}]}));
    assert!(
        port(json!([{"port": 80}])) && !port(json!([{"port": 81}])) && !port(json!([{"port": 80, "protocol": "UDP"}]))
    );
    assert!(port(json!([{"port": 79, "endPort": 81}])) && port(json!([{"protocol": "TCP"}])));
    // Both sides must allow it.
    let leaving = policy("a", json!({"podSelector": {}, "policyTypes": ["Egress"]}));
    assert!(!reaches(&[leaving], &web, &store, "TCP", 80));
}

/// Every policy that exists for these tenants.
fn policies(tenants: &[&str]) -> Vec<NetworkPolicy> {
    let of = |tenant: &&str| {
        let plan = plan(&fixtures::tenant(tenant), &[], Retained::default()).unwrap();
        let policies = plan.inside.into_iter().filter(|child| child.resource.kind == "NetworkPolicy");
        policies.map(|child| serde_json::from_value(child.wanted).unwrap()).collect::<Vec<_>>()
    };
    tenants.iter().flat_map(of).collect()
}

fn in_tenant(name: &'static str, tenant: &str, last: u8) -> Pod {
    pod(name, &format!("tenant-{tenant}"), &[(names::TENANT, tenant)], last)
}

const PORTS: [(&str, u16); 7] =
    [("TCP", 53), ("UDP", 53), ("TCP", 443), ("TCP", 8080), ("TCP", 8081), ("TCP", 9090), ("TCP", 26656)];

#[test]
fn no_pod_of_one_tenant_reaches_anything_but_dns() {
    let policies = policies(&["notary", "health"]);
    let (notary, health) = (in_tenant("notary", "notary", 1), in_tenant("health", "health", 2));
    let neighbour = in_tenant("neighbour", "notary", 3);
    let others = [
        health.clone(),
        neighbour,
        pod("operator", "citychain-system", &[], 4),
        pod("somebody", "default", &[], 5),
        pod("metrics", "kube-system", &[], 6),
        Pod { address: Ipv4Addr::new(169, 254, 169, 254), ..pod("cloud metadata", "outside", &[], 0) },
    ];
    for (protocol, port) in PORTS {
        for other in &others {
            let is_dns = port == 53 && ["kube-system", "outside"].contains(&other.namespace.as_str());
            assert_eq!(
                reaches(&policies, &notary, other, protocol, port),
                is_dns,
                "notary → {} {protocol} {port}",
                other.name
            );
            // Back: DNS may speak to nobody by itself.
            assert!(!reaches(&policies, other, &notary, protocol, port), "{} → notary {protocol} {port}", other.name);
        }
    }
}

/// A chain's policy and its first two validators.
fn chain(tenant: &str, name: &str, last: u8) -> (NetworkPolicy, [Pod; 2]) {
    let chain = fixtures::chain(tenant, name, 4);
    let place = Place::of(&chain.spec.tenant, &chain.metadata);
    let platform = Platform { operator: "citychain-system", console: "citychain-web" };
    let validator = |number: u8| {
        let node = operator_api::ValidatorName::numbered(number.into()).unwrap();
        let labels = names::validator_labels(&chain.spec.tenant, chain.name(), node);
        Pod { labels, ..pod("validator", &format!("tenant-{tenant}"), &[], last + number) }
    };
    (network_policy::policy(&place, &platform), [validator(1), validator(2)])
}

/// Which ports of a validator somebody reaches.
fn open_ports(policies: &[NetworkPolicy], from: &Pod, to: &Pod) -> Vec<u16> {
    let all = [53, 443, 8080, 8081, 9090, 26656, 26657];
    all.into_iter().filter(|port| reaches(policies, from, to, "TCP", *port)).collect()
}

#[test]
fn per_pair_of_chains_and_tenants_only_validators_of_one_chain_reach_each_other() {
    let chains = [("notary", "main", 10), ("notary", "archive", 20), ("health", "medical", 30)];
    let made: Vec<_> = chains.iter().map(|(tenant, name, last)| chain(tenant, name, *last)).collect();
    let mut policies = policies(&["notary", "health"]);
    policies.extend(made.iter().map(|(policy, _)| policy.clone()));
    for (at, (_, [from, _])) in made.iter().enumerate() {
        for (to_at, (_, [_, to])) in made.iter().enumerate() {
            let expected: &[u16] = if at == to_at { &[8080, 26656, 26657] } else { &[] };
            assert_eq!(open_ports(&policies, from, to), expected, "{:?} → {:?}", chains[at], chains[to_at]);
        }
    }
}

#[test]
fn of_everybody_else_the_platform_reaches_what_it_needs_and_nobody_more() {
    let (policy, [_, to]) = chain("notary", "main", 10);
    let mut policies = policies(&["notary"]);
    policies.push(policy);
    let mut metrics = pod("metrics", "monitoring", &[], 4);
    metrics.namespace_labels.insert(READS_METRICS.to_owned(), "true".to_owned());
    let mut pretender = pod("pretender", "default", &[], 5);
    pretender.labels = to.labels.clone();
    for (from, expected) in [
        (pod("operator", "citychain-system", &[], 1), &[8080, 8081][..]),
        (pod("console", "citychain-web", &[], 2), &[8080]),
        (metrics, &[9090]),
        (pod("somebody", "default", &[], 3), &[]),
        // Labels of a pod count only in its own namespace.
        (pretender, &[]),
        (in_tenant("neighbour", "notary", 6), &[]),
    ] {
        assert_eq!(open_ports(&policies, &from, &to), expected, "{}", from.name);
        assert!(open_ports(&policies, &to, &from).is_empty(), "validator → {}", from.name);
    }
}

#[test]
fn of_a_backups_pods_one_reaches_its_own_chains_administration_and_both_the_buckets_port() {
    let s3 = json!({"s3": {"endpoint": "https://store:9000", "bucket": "backups", "credentials": "c"}});
    let volume = json!({"volume": {"claim": "backups"}});
    for (destination, outside) in [(s3, &[9_000][..]), (volume, &[])] {
        let backup: operator_api::ChainBackup = serde_json::from_value(json!({
            "apiVersion": "citychain.dev/v1alpha1", "kind": "ChainBackup",
            "metadata": {"name": "daily", "namespace": "tenant-notary"},
            "spec": {"tenant": "notary", "chain": "main", "destination": destination},
        }))
        .unwrap();
        let (main, [_, to]) = chain("notary", "main", 10);
        let (other, [_, neighbour]) = chain("notary", "archive", 20);
        let (foreign, [_, stranger]) = chain("health", "medical", 30);
        let mut policies = policies(&["notary", "health"]);
        policies.extend([main, other, foreign]);
        policies.extend(crate::backup::policy::policies(&backup));
        let job = |task: &str| {
            let spec = &backup.spec;
            let mut labels = names::backup_labels(&spec.tenant, &spec.chain, backup.name());
            labels.insert(names::BACKUP_JOB.to_owned(), task.to_owned());
            Pod { labels, ..pod("job", "tenant-notary", &[(names::TENANT, "notary")], 40) }
        };
        let store = pod("store", "elsewhere", &[], 50);
        for (task, expected) in [("backup", &[8081][..]), ("drill", &[])] {
            let from = job(task);
            assert_eq!(open_ports(&policies, &from, &to), expected, "{task}");
            for other in [&neighbour, &stranger] {
                assert!(open_ports(&policies, &from, other).is_empty(), "{task} → {}", other.namespace);
            }
            let reached: Vec<u16> =
                [80, 443, 9_000].into_iter().filter(|port| reaches(&policies, &from, &store, "TCP", *port)).collect();
            assert_eq!(reached, outside, "{task}");
            assert!(open_ports(&policies, &to, &from).is_empty(), "validator → {task}");
        }
        // A pod of the tenant without these labels gains nothing.
        assert!(open_ports(&policies, &in_tenant("neighbour", "notary", 6), &to).is_empty());
    }
}
