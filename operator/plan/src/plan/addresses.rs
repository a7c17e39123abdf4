//! Where nodes live, listen and find their files, on one machine and in a cluster. Derived from names and numbers alone.

use operator_api::{Name, ValidatorName};

use crate::node_config;

/// Where nodes live and listen. Total: every validator that could exist has its place, no port is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// One machine: `127.<home>.<chain>.<n>`; the node's file lies in `chains/<chain>/validators/<n>`.
    Loopback { home: u8, chain: u8 },
    /// A Kubernetes cluster: each node has a Service of its own, `<chain>-<node>.<namespace>.svc`. The cluster's domain is left to
    /// the resolver, since clusters differ in it. Nodes listen on every address of their pod.
    Cluster { namespace: String, chain: Name },
}

/// Where a pod finds what is mounted into it.
pub mod pod {
    /// The volume; keys are mounted below it.
    pub const HOME: &str = "/var/lib/chain-node";
    /// Configuration and genesis.
    pub const CONFIG: &str = "/etc/chain-node";
}

impl Addresses {
    pub fn host(&self, node: ValidatorName) -> String {
        match self {
            Self::Loopback { home, chain } => format!("127.{home}.{chain}.{}", node.number()),
            Self::Cluster { namespace, chain } => format!("{chain}-{node}.{namespace}.svc"),
        }
    }

    /// What a node binds to.
    pub(super) fn listen(&self, node: ValidatorName) -> String {
        match self {
            Self::Loopback { .. } => self.host(node),
            Self::Cluster { .. } => "0.0.0.0".to_owned(),
        }
    }

    /// The node's own folder, seen from its configuration file.
    pub(super) fn node_home(&self) -> String {
        match self {
            Self::Loopback { .. } => ".".to_owned(),
            Self::Cluster { .. } => pod::HOME.to_owned(),
        }
    }

    /// Genesis, seen from a node's configuration file.
    pub(super) fn genesis_file(&self) -> String {
        match self {
            Self::Loopback { .. } => "../../genesis.json".to_owned(),
            Self::Cluster { .. } => format!("{}/genesis.json", pod::CONFIG),
        }
    }

    /// `host:port` of a node's API.
    pub fn api(&self, node: ValidatorName) -> String {
        format!("{}:{}", self.host(node), node_config::API_PORT)
    }

    /// `host:port` of a node's admin address.
    pub fn admin(&self, node: ValidatorName) -> String {
        format!("{}:{}", self.host(node), node_config::ADMIN_PORT)
    }
}
