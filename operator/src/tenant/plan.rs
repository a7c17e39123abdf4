//! A tenant's namespace and what guards it. Pure. What a chain needs in it (its own policies, pods, volumes) is the Chain
//! controller's.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        core::v1::{
            LimitRange, LimitRangeItem, LimitRangeSpec, Namespace, ResourceQuota, ResourceQuotaSpec, ServiceAccount,
        },
        networking::v1::{
            IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
        },
    },
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use operator_api::{Chain, Tenant};

use crate::objects::{Child, names};

/// Where cluster DNS runs.
const DNS_NAMESPACE: &str = "kube-system";
/// Where a DNS cache on each machine listens, on clusters that have one.
const LOCAL_DNS: &str = "169.254.0.0/16";
const DNS_PORT: i32 = 53;

/// Volumes that chains have left behind; they are the tenant's as long as they are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    pub volumes: u32,
    pub storage_gib: u64,
}

/// What should exist, the namespace apart and first.
pub struct Plan {
    pub namespace: Child,
    pub inside: Vec<Child>,
}

pub fn plan(tenant: &Tenant, chains: &[Chain], retained: Retained) -> serde_json::Result<Plan> {
    let guard = Guard { tenant };
    Ok(Plan {
        namespace: Child::of(&guard.namespace())?,
        inside: vec![
            Child::of(&guard.quota(chains, retained))?,
            Child::of(&guard.limits())?,
            Child::of(&guard.service_account())?,
            Child::of(&guard.deny())?,
            Child::of(&guard.dns())?,
        ],
    })
}

struct Guard<'a> {
    tenant: &'a Tenant,
}

impl Guard<'_> {
    fn metadata(&self, name: &str) -> ObjectMeta {
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(names::namespace(self.tenant.name())),
            labels: Some(names::tenant_labels(self.tenant.name())),
            ..ObjectMeta::default()
        }
    }

    /// Not owned by the Tenant in Kubernetes' sense: a deletion that skips the finalizer must not take volumes and keys with it.
    fn namespace(&self) -> Namespace {
        let mut labels = names::tenant_labels(self.tenant.name());
        for mode in ["enforce", "audit", "warn"] {
            labels.insert(format!("pod-security.kubernetes.io/{mode}"), "restricted".to_owned());
        }
        let uid = self.tenant.metadata.uid.clone().unwrap_or_default();
        Namespace {
            metadata: ObjectMeta {
                name: Some(names::namespace(self.tenant.name())),
                labels: Some(labels),
                annotations: Some([(names::TENANT_UID.to_owned(), uid)].into()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        }
    }

    /// A second fence behind admission. It never stands in the way of a plan: each chain may have one validator more while one
    /// takes another's place, a backup or a drill under way, and a volume that backups go to; what chains left behind is added on
    /// top.
    fn quota(&self, chains: &[Chain], retained: Retained) -> ResourceQuota {
        let quota = self.tenant.spec.quota;
        let places = u64::from(quota.validators) + 2 * u64::from(quota.chains);
        let spare_gib: u64 = chains.iter().map(|chain| u64::from(chain.spec.resources.storage_gib)).sum();
        let hard = BTreeMap::from([
            ("pods".to_owned(), Quantity(places.to_string())),
            ("persistentvolumeclaims".to_owned(), Quantity((places + u64::from(retained.volumes)).to_string())),
            (
                "requests.storage".to_owned(),
                Quantity(format!("{}Gi", u64::from(quota.storage_gib) + spare_gib + retained.storage_gib)),
            ),
            ("services.loadbalancers".to_owned(), Quantity("0".to_owned())),
            ("services.nodeports".to_owned(), Quantity("0".to_owned())),
        ]);
        ResourceQuota {
            metadata: self.metadata("tenant"),
            spec: Some(ResourceQuotaSpec { hard: Some(hard), ..ResourceQuotaSpec::default() }),
            ..ResourceQuota::default()
        }
    }

    /// For a pod that says nothing about its memory; validators always do.
    fn limits(&self) -> LimitRange {
        let amount = |word: &str, text: &str| (word.to_owned(), Quantity(text.to_owned()));
        LimitRange {
            metadata: self.metadata("tenant"),
            spec: Some(LimitRangeSpec {
                limits: vec![LimitRangeItem {
                    type_: "Container".to_owned(),
                    default: Some([amount("memory", "256Mi")].into()),
                    default_request: Some([amount("cpu", "50m"), amount("memory", "256Mi")].into()),
                    ..LimitRangeItem::default()
                }],
            }),
        }
    }

    /// Pods that name no account get this one, and with it no token: nothing in the namespace speaks to the API server.
    fn service_account(&self) -> ServiceAccount {
        ServiceAccount {
            metadata: self.metadata("default"),
            automount_service_account_token: Some(false),
            ..ServiceAccount::default()
        }
    }

    /// Nothing comes in and nothing goes out; every hole is a policy of its own.
    fn deny(&self) -> NetworkPolicy {
        self.policy("default-deny", None, &["Ingress", "Egress"])
    }

    /// Names of peers are resolved by the cluster's DNS.
    fn dns(&self) -> NetworkPolicy {
        let port = |protocol: &str| NetworkPolicyPort {
            protocol: Some(protocol.to_owned()),
            port: Some(IntOrString::Int(DNS_PORT)),
            ..NetworkPolicyPort::default()
        };
        let cluster = NetworkPolicyPeer {
            namespace_selector: Some(LabelSelector {
                match_labels: Some([("kubernetes.io/metadata.name".to_owned(), DNS_NAMESPACE.to_owned())].into()),
                ..LabelSelector::default()
            }),
            ..NetworkPolicyPeer::default()
        };
        let local = NetworkPolicyPeer {
            ip_block: Some(IPBlock { cidr: LOCAL_DNS.to_owned(), ..IPBlock::default() }),
            ..NetworkPolicyPeer::default()
        };
        let rule =
            NetworkPolicyEgressRule { ports: Some(vec![port("UDP"), port("TCP")]), to: Some(vec![cluster, local]) };
        self.policy("dns", Some(vec![rule]), &["Egress"])
    }

    fn policy(&self, name: &str, egress: Option<Vec<NetworkPolicyEgressRule>>, types: &[&str]) -> NetworkPolicy {
        NetworkPolicy {
            metadata: self.metadata(name),
            spec: Some(NetworkPolicySpec {
                // Every pod of the namespace.
                pod_selector: Some(LabelSelector::default()),
                egress,
                policy_types: Some(types.iter().map(|kind| (*kind).to_owned()).collect()),
                ..NetworkPolicySpec::default()
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn hard(chains: &[Chain], retained: Retained) -> serde_json::Value {
        plan(&fixtures::tenant("notary"), chains, retained).unwrap().inside[0].wanted["spec"]["hard"].clone()
    }

    #[test]
    fn the_quota_leaves_room_for_one_more_validator_and_a_backup_a_chain_and_for_what_was_kept() {
        let chains = [fixtures::chain("notary", "main", 4)];
        let expected = serde_json::json!({
            "pods": "20", "persistentvolumeclaims": "24", "requests.storage": "450Gi", "services.loadbalancers": "0",
            "services.nodeports": "0",
        });
        assert_eq!(hard(&chains, Retained { volumes: 4, storage_gib: 40 }), expected);
    }

    #[test]
    fn the_namespace_is_restricted_and_says_whose_it_is() {
        let plan = plan(&fixtures::tenant("notary"), &[], Retained::default()).unwrap();
        let metadata = &plan.namespace.wanted["metadata"];
        assert_eq!((plan.namespace.name(), plan.namespace.namespace()), ("tenant-notary", None));
        assert_eq!(metadata["labels"]["pod-security.kubernetes.io/enforce"], "restricted");
        assert_eq!(metadata["annotations"][names::TENANT_UID], "uid-of-notary");
        for child in &plan.inside {
            assert_eq!(child.namespace(), Some("tenant-notary"), "{}", child.name());
            assert_eq!(child.wanted["metadata"]["labels"][names::TENANT], "notary", "{}", child.name());
        }
    }
}
