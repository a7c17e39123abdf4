//! One of the replicas carries out: a Lease `citychain-operator` in the operator's own namespace, because the runtime library
//! has no leader election. The rule is [`decision`]; here are its hands.
//!
//! Every write names the version that was read, so of two replicas that try at once one gets a conflict. A leader that ends
//! properly releases the Lease and the other takes over within a second; one that dies is replaced after 15 s.

pub mod decision;

use std::time::{Duration, Instant};

use decision::{Decision, LEASE, Loss, RENEW_EVERY, RENEW_WITHIN, RETRY_EVERY, View, decide};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Client,
    api::{Api, PostParams},
};
use tokio::time::{sleep, timeout};

use crate::objects::{is_conflict, is_not_found, names};

pub struct Election {
    api: Api<Lease>,
    me: String,
    start: Instant,
    view: View,
    /// The Lease as last read or written.
    lease: Option<Lease>,
}

impl Election {
    /// `me` is the pod's name.
    pub fn new(client: Client, namespace: &str, me: &str) -> Self {
        let api = Api::namespaced(client, namespace);
        Self { api, me: me.to_owned(), start: Instant::now(), view: View::default(), lease: None }
    }

    /// Returns once this replica leads. May be dropped at any point.
    pub async fn won(&mut self) {
        loop {
            self.try_once().await;
            if self.view.renewed.is_some() {
                tracing::info!(pod = self.me, "this replica leads");
                return;
            }
            sleep(RETRY_EVERY).await;
        }
    }

    /// Keeps the lead and returns when it is lost. The caller must have [`won`](Self::won).
    pub async fn lost(&mut self) -> Loss {
        loop {
            if let Decision::Lost(loss) = decide(&self.view, &self.me, self.now()) {
                return loss;
            }
            let due = self.view.renewed.unwrap_or_default() + RENEW_EVERY;
            sleep(due.saturating_sub(self.now()).max(RETRY_EVERY)).await;
            self.try_once().await;
        }
    }

    /// Lets the other replica begin at once. For a leader that has stopped carrying out; a failure costs the other 15 s.
    pub async fn release(&mut self) {
        if self.view.renewed.take().is_none() {
            return;
        }
        let attempt = async {
            // A renewal may have been cut off after it was written.
            self.read().await?;
            if self.view.holder.as_ref() == Some(&self.me) { self.write(None).await } else { Ok(()) }
        };
        match timeout(RENEW_EVERY, attempt).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the lease couldn't be released; the other replica waits until it ends");
            }
            Err(_) => tracing::warn!("the lease couldn't be released in time; the other replica waits until it ends"),
        }
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// One look and at most one write. A failure leaves the view as it was, so a leader's time runs on.
    async fn try_once(&mut self) {
        let began = self.now();
        // A leader must know of a hanging call before its time is over.
        let within = RENEW_WITHIN.saturating_sub(began.saturating_sub(self.view.renewed.unwrap_or(began)));
        let attempt = async {
            self.read().await?;
            match decide(&self.view, &self.me, self.now()) {
                Decision::Acquire | Decision::Renew => {
                    self.write(Some(began)).await?;
                    self.view.renewed = Some(began);
                }
                Decision::Wait(_) | Decision::Lost(_) => {}
            }
            Ok::<(), kube::Error>(())
        };
        match timeout(within, attempt).await {
            Ok(Ok(())) => {}
            // The other was first.
            Ok(Err(error)) if is_conflict(&error) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease couldn't be read or written"),
            Err(_) => tracing::warn!("the API server didn't answer about the lease in time"),
        }
    }

    async fn read(&mut self) -> kube::Result<()> {
        let lease = match self.api.get(names::OPERATOR).await {
            Ok(lease) => Some(lease),
            Err(error) if is_not_found(&error) => None,
            Err(error) => return Err(error),
        };
        self.take_in(lease);
        Ok(())
    }

    fn take_in(&mut self, lease: Option<Lease>) {
        let version = |lease: &Option<Lease>| lease.as_ref().and_then(|lease| lease.metadata.resource_version.clone());
        if version(&lease) != version(&self.lease) || lease.is_none() {
            self.view.seen = self.now();
        }
        let spec = lease.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        self.view.holder = spec.holder_identity.filter(|holder| !holder.is_empty());
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        self.view.length = seconds.map_or(LEASE, Duration::from_secs);
        self.lease = lease;
    }

    /// Writes us, or nobody, as its holder.
    async fn write(&mut self, hold: Option<Duration>) -> kube::Result<()> {
        let now = MicroTime(Timestamp::now());
        let before = self.lease.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let is_new_holder = before.holder_identity.as_ref() != Some(&self.me);
        let spec = LeaseSpec {
            holder_identity: Some(if hold.is_some() { self.me.clone() } else { String::new() }),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            acquire_time: if is_new_holder { Some(now.clone()) } else { before.acquire_time },
            lease_transitions: Some(before.lease_transitions.unwrap_or(0) + i32::from(is_new_holder)),
            renew_time: Some(now),
            ..LeaseSpec::default()
        };
        let how = PostParams { field_manager: Some(names::OPERATOR.to_owned()), ..PostParams::default() };
        let written = match &self.lease {
            Some(lease) => {
                let lease = Lease { metadata: lease.metadata.clone(), spec: Some(spec) };
                self.api.replace(names::OPERATOR, &how, &lease).await?
            }
            None => {
                let metadata = ObjectMeta { name: Some(names::OPERATOR.to_owned()), ..ObjectMeta::default() };
                self.api.create(&how, &Lease { metadata, spec: Some(spec) }).await?
            }
        };
        self.take_in(Some(written));
        Ok(())
    }
}

#[cfg(test)]
mod tests;
