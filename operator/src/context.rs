//! What every controller and the webhook share: the way to the API server and to nodes, the configuration, counters and
//! events. It holds no state of any chain.

use std::{sync::Arc, time::Duration};

use kube::Client;

use crate::{config::Config, events::Events, metrics::Metrics};

/// Longest wait for a connection to a node; each request sets its own total.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);

pub type Shared = Arc<Context>;

pub struct Context {
    pub client: Client,
    pub config: Config,
    /// For nodes: plain HTTP inside the cluster, no proxy.
    pub http: reqwest::Client,
    pub metrics: Metrics,
    pub events: Events,
}

impl Context {
    /// `pod` is the name under which this replica appears in events and in the Lease.
    pub fn new(client: Client, config: Config, pod: &str) -> anyhow::Result<Shared> {
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_WITHIN).build()?;
        let events = Events::new(client.clone(), pod);
        Ok(Arc::new(Self { client, config, http, metrics: Metrics::default(), events }))
    }
}
