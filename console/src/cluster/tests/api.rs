//! An API server in memory, as far as the console speaks to one: lists, watches, optimistic concurrency, status subresource, finalizers, and
//! an admission that a test sets. What a real one answers beyond that is the cluster suite's.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

const ROOT: &str = "/apis/citychain.dev/v1alpha1/";

/// Plural, namespace (empty for the cluster's own), name.
type Place = (String, String, String);

#[derive(Default)]
struct Inner {
    version: u64,
    objects: BTreeMap<Place, Json>,
    /// Version, plural, kind of change, object.
    history: Vec<(u64, String, &'static str, Json)>,
    writes: Vec<String>,
    /// What admission says no to: a piece of the request's text, and the sentence.
    refusal: Option<(String, String)>,
    down: bool,
}

#[derive(Clone)]
pub struct Api {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<watch::Sender<usize>>,
    pub url: String,
}

impl Api {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let api = Self { inner: Arc::default(), changed: Arc::new(watch::channel(0).0), url };
        let router = Router::new().fallback(answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        api
    }

    pub fn client(&self) -> kube::Client {
        kube::Client::try_from(kube::Config::new(self.url.parse().unwrap())).unwrap()
    }

    /// As `kubectl apply` or the operator would write it.
    pub fn put(&self, plural: &str, mut object: Json) {
        let text = |path: &str| object.pointer(path).and_then(Json::as_str).unwrap_or_default().to_owned();
        let place = (plural.to_owned(), text("/metadata/namespace"), text("/metadata/name"));
        let mut inner = self.lock();
        if let Some(known) = inner.objects.get(&place) {
            for kept in ["uid", "creationTimestamp", "finalizers"] {
                let value = known["metadata"][kept].clone();
                if !value.is_null() {
                    object["metadata"][kept] = value;
                }
            }
            let changed = known["spec"] != object["spec"];
            object["metadata"]["generation"] =
                json!(known["metadata"]["generation"].as_u64().unwrap() + u64::from(changed));
            if object["status"].is_null() {
                object["status"] = known["status"].clone();
            }
        }
        self.store(&mut inner, place, object);
    }

    /// The last finalizer is taken away and the object with it.
    pub fn remove(&self, plural: &str, object: Json) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        let place = (plural.to_owned(), text("namespace"), text("name"));
        self.store(&mut self.lock(), place, object);
    }

    /// As the operator reports.
    pub fn report(&self, plural: &str, namespace: &str, name: &str, status: Json) {
        let mut object = self.get(plural, namespace, name).unwrap();
        merge(&mut object["status"], &status);
        self.put(plural, object);
    }

    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Json> {
        self.lock().objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    /// Every write that came over the network, as `PATCH tenants/a/status`.
    pub fn writes(&self) -> Vec<String> {
        self.lock().writes.clone()
    }

    pub fn refuse(&self, what: &str, sentence: &str) {
        self.lock().refusal = Some((what.to_owned(), sentence.to_owned()));
    }

    /// Admission does not answer.
    pub fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    fn store(&self, inner: &mut Inner, place: Place, mut object: Json) -> Json {
        inner.version += 1;
        let version = inner.version;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(version.to_string());
        for (field, value) in [
            ("uid", json!(format!("uid-{version}"))),
            ("generation", json!(1)),
            ("creationTimestamp", json!(format!("2026-11-23T08:00:{:02}Z", version % 60))),
        ] {
            if metadata[field].is_null() {
                metadata[field] = value;
            }
        }
        let going = !metadata["deletionTimestamp"].is_null();
        let held = metadata["finalizers"].as_array().is_some_and(|list| !list.is_empty());
        let change = match inner.objects.contains_key(&place) {
            true if going && !held => "DELETED",
            true => "MODIFIED",
            false => "ADDED",
        };
        if change == "DELETED" {
            inner.objects.remove(&place);
        } else {
            inner.objects.insert(place.clone(), object.clone());
        }
        inner.history.push((version, place.0, change, object.clone()));
        self.changed.send_replace(inner.history.len());
        object
    }
}

async fn answer(State(api): State<Api>, method: Method, uri: Uri, body: Bytes) -> Response {
    let Some(path) = uri.path().strip_prefix(ROOT) else { return failure(404, "NotFound", "no such path") };
    let mut parts: Vec<&str> = path.split('/').collect();
    let namespace = if parts[0] == "namespaces" {
        parts.remove(0);
        parts.remove(0)
    } else {
        ""
    };
    let query = uri.query().unwrap_or_default();
    let body: Json = serde_json::from_slice(&body).unwrap_or_default();
    match (method.as_str(), parts.as_slice()) {
        ("GET", [plural]) if query.contains("watch=true") => follow(api.clone(), plural, query),
        ("GET", [plural]) => list(&api, plural),
        ("GET", [plural, name]) => match api.get(plural, namespace, name) {
            Some(object) => axum::Json(object).into_response(),
            None => failure(404, "NotFound", "not found"),
        },
        (_, [plural, rest @ ..]) => write(&api, &method, (plural, namespace, rest), body),
        _ => failure(404, "NotFound", "no such path"),
    }
}

fn list(api: &Api, plural: &str) -> Response {
    let inner = api.lock();
    let items: Vec<&Json> =
        inner.objects.iter().filter(|(place, _)| place.0 == plural).map(|(_, object)| object).collect();
    let version = inner.version.to_string();
    axum::Json(json!({ "apiVersion": "citychain.dev/v1alpha1", "kind": "List", "metadata": { "resourceVersion": version }, "items": items }))
        .into_response()
}

/// Every change after the version that is named, as it comes.
fn follow(api: Api, plural: &str, query: &str) -> Response {
    let since = query.split('&').find_map(|pair| pair.strip_prefix("resourceVersion=")).unwrap_or("0");
    let (since, plural): (u64, String) = (since.parse().unwrap_or(0), plural.to_owned());
    let changed = api.changed.subscribe();
    let events = stream::unfold((api, changed, 0usize), move |(api, mut changed, mut at)| {
        let plural = plural.clone();
        async move {
            loop {
                let next = api.lock().history.get(at).cloned();
                match next {
                    Some((version, of, change, object)) => {
                        at += 1;
                        if of == plural && version > since {
                            let line = format!("{}\n", json!({ "type": change, "object": object }));
                            return Some((Ok::<_, std::io::Error>(line), (api, changed, at)));
                        }
                    }
                    None => changed.changed().await.ok()?,
                }
            }
        }
    });
    ([(header::CONTENT_TYPE, "application/json")], Body::from_stream(events)).into_response()
}

fn write(api: &Api, method: &Method, (plural, namespace, rest): (&str, &str, &[&str]), body: Json) -> Response {
    let mut inner = api.lock();
    let named = body["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let name = rest.first().map_or(named, |name| (*name).to_owned());
    let is_status = rest.get(1) == Some(&"status");
    inner.writes.push(format!("{method} {plural}/{name}{}", if is_status { "/status" } else { "" }));
    if inner.down && !is_status {
        return failure(500, "InternalError", "failed calling webhook \"chains.citychain.dev\": connection refused");
    }
    if let Some((what, sentence)) = &inner.refusal
        && body.to_string().contains(what)
    {
        let message = format!("admission webhook \"objects.citychain.dev\" denied the request: {sentence}");
        return failure(403, "Forbidden", &message);
    }
    let place = (plural.to_owned(), namespace.to_owned(), name);
    let known = inner.objects.get(&place).cloned();
    let new = match (method.as_str(), known) {
        ("POST", None) => {
            let mut object = body;
            object["metadata"]["namespace"] = if namespace.is_empty() { Json::Null } else { json!(namespace) };
            for given_by_the_server in ["generation", "creationTimestamp", "uid"] {
                object["metadata"][given_by_the_server] = Json::Null;
            }
            object
        }
        ("POST", Some(_)) => return failure(409, "AlreadyExists", "already exists"),
        (_, None) => return failure(404, "NotFound", "not found"),
        (_, Some(known)) if is_outdated(&known, &body) => {
            return failure(409, "Conflict", "the object has been modified");
        }
        ("DELETE", Some(mut known)) => {
            known["metadata"]["deletionTimestamp"] = json!("2026-11-23T09:00:00Z");
            known
        }
        (change, Some(known)) => {
            let mut object = known.clone();
            if change == "PUT" {
                object = body
            } else {
                merge(&mut object, &body)
            }
            if is_status {
                object["spec"] = known["spec"].clone();
                object["metadata"] = known["metadata"].clone();
            } else {
                object["status"] = known["status"].clone();
                let more = u64::from(object["spec"] != known["spec"]);
                object["metadata"]["generation"] = json!(known["metadata"]["generation"].as_u64().unwrap() + more);
            }
            object
        }
    };
    axum::Json(api.store(&mut inner, place, new)).into_response()
}

fn is_outdated(known: &Json, body: &Json) -> bool {
    let wanted = [("resourceVersion", body), ("uid", body), ("uid", &body["preconditions"])];
    wanted.into_iter().any(|(field, body)| {
        let said = if body["metadata"].is_object() { &body["metadata"][field] } else { &body[field] };
        !said.is_null() && *said != known["metadata"][field]
    })
}

/// RFC 7396.
fn merge(into: &mut Json, patch: &Json) {
    let Some(fields) = patch.as_object() else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in fields {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut into[key], value);
        }
    }
}

fn failure(code: u16, reason: &str, message: &str) -> Response {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason,
                         "message": message, "code": code });
    (StatusCode::from_u16(code).unwrap(), axum::Json(status)).into_response()
}
