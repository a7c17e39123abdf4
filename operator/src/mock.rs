//! An API server for tests: it keeps objects in memory, speaks the few calls that the operator makes, and remembers every
//! write, so that a test can say "a second pass writes nothing". It knows no schema, no defaults and no admission.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Method, Request, Response, StatusCode, header},
};
use kube::Client;
use serde_json::{Value, json};

#[derive(Clone, Default)]
pub struct ApiServer {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<Key, Value>,
    version: u64,
    writes: Vec<Write>,
    /// Calls whose method and path contain these answer with this code.
    faults: Vec<(String, u16)>,
}

/// A write as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub method: String,
    pub path: String,
    pub body: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    /// `/api/v1`, `/apis/apps/v1`, …
    group: String,
    plural: String,
    namespace: Option<String>,
    name: String,
}

/// A path, taken apart.
struct Target {
    key: Key,
    subresource: Option<String>,
}

impl Target {
    fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let (group, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => (format!("/api/{version}"), rest),
            ["apis", group, version, rest @ ..] => (format!("/apis/{group}/{version}"), rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let key = Key {
            group,
            namespace,
            plural: (*rest.first()?).to_owned(),
            name: rest.get(1).copied().unwrap_or_default().to_owned(),
        };
        Some(Self { key, subresource: rest.get(2).map(|part| (*part).to_owned()) })
    }
}

impl ApiServer {
    pub fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let server = server.clone();
            async move { Ok::<_, Infallible>(server.serve(request).await) }
        });
        Client::new(service, "default")
    }

    /// Puts an object there, as somebody else would.
    pub fn put(&self, path: &str, object: Value) {
        let target = Target::parse(path).expect("a path of the API");
        let mut state = self.state();
        state.store(target.key, object);
    }

    pub fn get(&self, path: &str) -> Option<Value> {
        self.state().objects.get(&Target::parse(path).expect("a path of the API").key).cloned()
    }

    pub fn remove(&self, path: &str) {
        self.state().objects.remove(&Target::parse(path).expect("a path of the API").key);
    }

    /// Every write since the last time this was asked.
    pub fn writes(&self) -> Vec<Write> {
        std::mem::take(&mut self.state().writes)
    }

    /// From now on a call whose `METHOD path` contains `part` is answered with `code`.
    pub fn fail(&self, part: &str, code: u16) {
        self.state().faults.push((part.to_owned(), code));
    }

    pub fn heal(&self) {
        self.state().faults.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds this")
    }

    async fn serve(&self, request: Request<kube::client::Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let bytes = to_bytes(Body::new(body), usize::MAX).await.expect("a body in memory");
        let mut state = self.state();
        let call = format!("{} {}", head.method, head.uri.path());
        if let Some((_, code)) = state.faults.iter().find(|(part, _)| call.contains(part)) {
            return status(*code, "asked for by the test");
        }
        let Some(target) = Target::parse(head.uri.path()) else { return status(404, "NotFound") };
        if head.method != Method::GET {
            let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            state.writes.push(Write { method: head.method.to_string(), path: head.uri.path().to_owned(), body });
        }
        let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match head.method {
            Method::GET if target.key.name.is_empty() => state.list(&target.key, head.uri.query().unwrap_or_default()),
            Method::GET => state.objects.get(&target.key).map_or_else(|| status(404, "NotFound"), ok),
            Method::POST => state.create(target.key, &bytes),
            Method::PUT => state.replace(target.key, &bytes),
            Method::PATCH if kind.contains("apply-patch") => state.apply(target.key, &bytes),
            Method::PATCH => state.merge(target, &bytes),
            Method::DELETE => state.delete(&target.key),
            _ => status(405, "not spoken here"),
        }
    }
}

impl State {
    fn store(&mut self, key: Key, mut object: Value) -> Response<Body> {
        if self.objects.get(&key).is_some_and(|before| same_but_version(before, &object)) {
            return ok(&self.objects[&key]);
        }
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(key.name);
        metadata["resourceVersion"] = json!(self.version.to_string());
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("uid-{}", self.version));
        }
        if let Some(namespace) = &key.namespace {
            metadata["namespace"] = json!(namespace);
        }
        let gone = metadata["deletionTimestamp"].is_string()
            && metadata["finalizers"].as_array().is_none_or(|finalizers| finalizers.is_empty());
        let answer = ok(&object);
        if gone {
            self.objects.remove(&key);
        } else {
            self.objects.insert(key, object);
        }
        answer
    }

    fn list(&self, key: &Key, query: &str) -> Response<Body> {
        if query.contains("watch=true") || query.contains("watch=1") {
            // A watch in which nothing happens.
            return Response::new(Body::from_stream(futures::stream::pending::<Result<Bytes, Infallible>>()));
        }
        let query = query.replace("%3D", "=").replace("%2C", ",").replace("%2F", "/");
        let asked =
            |parameter: &str| query.split('&').find_map(|part| part.strip_prefix(parameter)).unwrap_or_default();
        let (labels, fields) = (asked("labelSelector="), asked("fieldSelector="));
        let named = fields.strip_prefix("metadata.name=");
        let chosen = |object: &Value| {
            named.is_none_or(|name| object["metadata"]["name"] == json!(name))
                && labels.split(',').filter(|part| !part.is_empty()).all(|part| match part.split_once('=') {
                    Some((label, value)) => object["metadata"]["labels"][label] == json!(value),
                    None => object["metadata"]["labels"].get(part).is_some(),
                })
        };
        let here = |found: &Key| {
            found.group == key.group
                && found.plural == key.plural
                && (key.namespace.is_none() || found.namespace == key.namespace)
        };
        let items: Vec<&Value> = self
            .objects
            .iter()
            .filter(|(found, object)| here(found) && chosen(object))
            .map(|(_, object)| object)
            .collect();
        let version = self.version.to_string();
        ok(&json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}))
    }

    fn create(&mut self, mut key: Key, bytes: &[u8]) -> Response<Body> {
        let object: Value = serde_json::from_slice(bytes).expect("JSON");
        key.name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        if self.objects.contains_key(&key) { status(409, "AlreadyExists") } else { self.store(key, object) }
    }

    fn replace(&mut self, key: Key, bytes: &[u8]) -> Response<Body> {
        let object: Value = serde_json::from_slice(bytes).expect("JSON");
        match self.objects.get(&key) {
            None => status(404, "NotFound"),
            Some(before) if is_older(&object, before) => status(409, "Conflict"),
            Some(_) => self.store(key, object),
        }
    }

    /// Not a real server-side apply: a field that is no longer wanted stays.
    fn apply(&mut self, key: Key, bytes: &[u8]) -> Response<Body> {
        let wanted: Value = serde_json::from_slice(bytes).expect("JSON");
        let mut object = self.objects.get(&key).cloned().unwrap_or_else(|| json!({"metadata": {}}));
        merge(&mut object, &wanted);
        self.store(key, object)
    }

    fn merge(&mut self, target: Target, bytes: &[u8]) -> Response<Body> {
        let patch: Value = serde_json::from_slice(bytes).expect("JSON");
        let Some(mut object) = self.objects.get(&target.key).cloned() else { return status(404, "NotFound") };
        if is_older(&patch, &object) {
            return status(409, "Conflict");
        }
        match target.subresource.as_deref() {
            Some("status") => merge(&mut object["status"], &patch["status"]),
            _ => merge(&mut object, &patch),
        }
        self.store(target.key, object)
    }

    fn delete(&mut self, key: &Key) -> Response<Body> {
        let Some(mut object) = self.objects.get(key).cloned() else { return status(404, "NotFound") };
        object["metadata"]["deletionTimestamp"] = json!("2026-03-01T08:00:00Z");
        self.store(key.clone(), object)
    }
}

fn is_older(new: &Value, stored: &Value) -> bool {
    let version = &new["metadata"]["resourceVersion"];
    !version.is_null() && *version != stored["metadata"]["resourceVersion"]
}

fn same_but_version(before: &Value, after: &Value) -> bool {
    let plain = |object: &Value| {
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = Value::Null;
        object
    };
    plain(before) == plain(after)
}

/// RFC 7396.
fn merge(into: &mut Value, patch: &Value) {
    match patch {
        Value::Object(fields) => {
            if !into.is_object() {
                *into = json!({});
            }
            for (name, value) in fields {
                if value.is_null() {
                    into.as_object_mut().expect("made above").remove(name);
                } else {
                    merge(&mut into[name], value);
                }
            }
        }
        other => *into = other.clone(),
    }
}

fn ok(object: &Value) -> Response<Body> {
    Response::builder()
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(object.to_string()))
        .expect("a response")
}

fn status(code: u16, reason: &str) -> Response<Body> {
    let text = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason});
    Response::builder()
        .status(StatusCode::from_u16(code).expect("a status code"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(text.to_string()))
        .expect("a response")
}
