//! The holes in the tenant's default deny that a ChainBackup needs: its backup pods reach the administration port of the
//! chain's validators, and all its pods the port of the bucket, if there is one. Pure.

use chain_plan::node_config::ADMIN_PORT;
use k8s_openapi::{
    api::networking::v1::{
        NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
        NetworkPolicySpec,
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use operator_api::{ChainBackup, S3Destination};

use super::{Task, job};
use crate::{chain::resources::selector, objects::names};

const HTTPS_PORT: u16 = 443;

/// `<backup>-backup` for its pods and `<backup>-backup-source` for the validators.
pub fn policies(backup: &ChainBackup) -> [NetworkPolicy; 2] {
    let spec = &backup.spec;
    let validators = selector([(names::APP_NAME, names::CHAIN_NODE), (names::CHAIN, spec.chain.as_str())]);
    let copying = selector([(names::BACKUP, backup.name().as_str()), (names::BACKUP_JOB, Task::Backup.word())]);
    let all = selector([(names::BACKUP, backup.name().as_str())]);
    let mut egress =
        vec![NetworkPolicyEgressRule { to: Some(peer(validators.clone())), ports: Some(port(ADMIN_PORT)) }];
    if let Some(s3) = &spec.destination.s3 {
        // Its address is a name, which a policy cannot hold: whoever listens on that port.
        egress.push(NetworkPolicyEgressRule { to: None, ports: Some(port(port_of(s3))) });
    }
    let source = NetworkPolicySpec {
        pod_selector: Some(validators),
        policy_types: Some(vec!["Ingress".to_owned()]),
        ingress: Some(vec![NetworkPolicyIngressRule { from: Some(peer(copying)), ports: Some(port(ADMIN_PORT)) }]),
        egress: None,
    };
    let pods = NetworkPolicySpec {
        pod_selector: Some(all),
        policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
        ingress: None,
        egress: Some(egress),
    };
    [
        NetworkPolicy { metadata: metadata(backup, "backup"), spec: Some(pods) },
        NetworkPolicy { metadata: metadata(backup, "backup-source"), spec: Some(source) },
    ]
}

fn port_of(s3: &S3Destination) -> u16 {
    let endpoint = s3.endpoint.as_deref().and_then(|endpoint| endpoint.parse::<reqwest::Url>().ok());
    endpoint.and_then(|endpoint| endpoint.port_or_known_default()).unwrap_or(HTTPS_PORT)
}

fn peer(pods: LabelSelector) -> Vec<NetworkPolicyPeer> {
    vec![NetworkPolicyPeer { pod_selector: Some(pods), ..NetworkPolicyPeer::default() }]
}

fn port(number: u16) -> Vec<NetworkPolicyPort> {
    vec![NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    }]
}

fn metadata(backup: &ChainBackup, end: &str) -> ObjectMeta {
    let spec = &backup.spec;
    ObjectMeta {
        name: Some(format!("{}-{end}", backup.name())),
        namespace: Some(names::namespace(&spec.tenant)),
        labels: Some(names::backup_labels(&spec.tenant, &spec.chain, backup.name())),
        owner_references: job::owner(backup).map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}
