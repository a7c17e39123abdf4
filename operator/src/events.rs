//! Kubernetes Events: what the operator did to an object, in plain English, for `kubectl describe`. An event is never worth
//! failing for: one that cannot be written is logged and forgotten. The same sentence about the same object is told once in
//! five minutes, so a loop that fails again and again does not fill the cluster with it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};
use kube::{
    Client,
    api::{Api, PostParams},
};

use crate::objects::names;

const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(300);
/// The API server refuses longer notes.
const LONGEST_NOTE_BYTES: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It went as it should.
    Normal,
    /// Somebody may have to look.
    Warning,
}

/// Object, reason and note.
type Sentence = (Option<String>, String, String);

pub struct Events {
    client: Client,
    pod: String,
    told: Mutex<HashMap<Sentence, Instant>>,
}

impl Events {
    pub fn new(client: Client, pod: &str) -> Self {
        Self { client, pod: pod.to_owned(), told: Mutex::default() }
    }

    /// Tells `note` about `object`. `reason` is one CamelCase word of what happened, as `ValidatorStarted`.
    pub async fn tell(&self, object: &ObjectReference, severity: Severity, reason: &str, note: &str) {
        if !self.is_new(object, reason, note, Instant::now()) {
            return;
        }
        let namespace = object.namespace.as_deref().unwrap_or("default");
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        if let Err(error) =
            api.create(&PostParams::default(), &self.event(object, namespace, severity, reason, note)).await
        {
            tracing::debug!(%error, reason, note, "an event couldn't be written");
        }
    }

    fn is_new(&self, object: &ObjectReference, reason: &str, note: &str, now: Instant) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| now.duration_since(*at) < TOLD_AGAIN_AFTER);
        let key = (object.uid.clone().or_else(|| object.name.clone()), reason.to_owned(), note.to_owned());
        if told.contains_key(&key) {
            return false;
        }
        told.insert(key, now);
        true
    }

    fn event(&self, object: &ObjectReference, namespace: &str, severity: Severity, reason: &str, note: &str) -> Event {
        let now = Timestamp::now();
        let name = object.name.as_deref().unwrap_or(names::OPERATOR);
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{name}.{:x}", now.as_nanosecond())),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            regarding: Some(object.clone()),
            type_: Some(format!("{severity:?}")),
            reason: Some(reason.to_owned()),
            action: Some(reason.to_owned()),
            note: Some(note[..note.floor_char_boundary(LONGEST_NOTE_BYTES)].to_owned()),
            reporting_controller: Some(names::OPERATOR.to_owned()),
            reporting_instance: Some(self.pod.clone()),
            ..Event::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_same_sentence_is_told_once_in_five_minutes() {
        let service = tower::service_fn(|_: axum::http::Request<kube::client::Body>| async {
            Ok::<_, std::convert::Infallible>(axum::http::Response::new(kube::client::Body::empty()))
        });
        let events = Events::new(Client::new(service, "default"), "operator-0");
        let chain = ObjectReference { name: Some("main".into()), uid: Some("1".into()), ..ObjectReference::default() };
        let other = ObjectReference { uid: Some("2".into()), ..chain.clone() };
        let start = Instant::now();
        assert!(events.is_new(&chain, "Started", "validator-1", start));
        assert!(!events.is_new(&chain, "Started", "validator-1", start + Duration::from_secs(299)));
        assert!(events.is_new(&chain, "Started", "validator-2", start));
        assert!(events.is_new(&other, "Started", "validator-1", start));
        assert!(events.is_new(&chain, "Started", "validator-1", start + TOLD_AGAIN_AFTER));
        let long = "验".repeat(1_000);
        let event = events.event(&chain, "tenant-notary", Severity::Warning, "Failed", &long);
        assert_eq!((event.type_.as_deref(), event.note.map(|note| note.len())), (Some("Warning"), Some(999)));
    }
}
