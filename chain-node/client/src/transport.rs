//! Requests over HTTP with fail-over: the endpoint that answered last is asked first, the others follow in order.
//! Knows nothing of what the answers mean.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chain_types::api::Problem;
use futures::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Response, Url};

use crate::error::Error;

/// The largest answer that is read: a package with many set changes stays far below.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) struct Transport {
    http: reqwest::Client,
    endpoints: Vec<Url>,
    /// The endpoint that answered last.
    preferred: AtomicUsize,
}

/// One question, the same at every endpoint.
#[derive(Clone)]
pub(crate) struct Question {
    pub path: String,
    pub query: Vec<(&'static str, String)>,
    /// `POST` with this body and content type; `GET` without.
    pub body: Option<(Bytes, &'static str)>,
    pub timeout: Duration,
}

impl Question {
    pub fn get(path: impl Into<String>) -> Self {
        Self { path: path.into(), query: Vec::new(), body: None, timeout: Duration::from_secs(10) }
    }

    pub fn post(path: impl Into<String>, body: Bytes, kind: &'static str) -> Self {
        Self { body: Some((body, kind)), ..Self::get(path) }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl Transport {
    pub fn new(endpoints: Vec<Url>, token: Option<String>) -> Result<Self, Error> {
        if endpoints.is_empty() {
            return Err(Error::Configuration("name at least one validator's address".into()));
        }
        if let Some(other) = endpoints.iter().find(|url| url.scheme() != "http" || url.cannot_be_a_base()) {
            return Err(Error::Configuration(format!("{other} is no http address of a node; write http://HOST:PORT")));
        }
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                .map_err(|_| Error::Configuration("the token holds characters that no header can carry".into()))?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(Duration::from_secs(30))
            .tcp_nodelay(true)
            .no_proxy()
            // A redirect would carry the token elsewhere, and no node sends one.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::Configuration(format!("the HTTP client could not be made: {e}")))?;
        Ok(Self { http, endpoints, preferred: AtomicUsize::new(0) })
    }

    pub fn endpoints(&self) -> &[Url] {
        &self.endpoints
    }

    /// Asks one endpoint after the other until `read` accepts an answer. A refusal ends the search: every honest node
    /// would refuse alike; a failure of the node itself, no answer, or an answer that `read` finds untrue does not.
    pub async fn ask<T>(&self, question: &Question, read: impl Fn(Bytes) -> Result<T, Error>) -> Result<T, Error> {
        let first = self.preferred.load(Ordering::Relaxed);
        let (mut reasons, mut untrue) = (Vec::new(), None);
        for turn in 0..self.endpoints.len() {
            let index = (first + turn) % self.endpoints.len();
            let answer = match self.ask_one(index, question).await {
                Ok(body) => read(body),
                Err(e) => Err(e),
            };
            match answer {
                Ok(value) => {
                    self.prefer(index);
                    return Ok(value);
                }
                Err(Error::Refused { problem, .. }) if problem.status >= 500 => {
                    reasons.push(format!("{}: {}", self.name(index), problem.detail));
                }
                Err(Error::Unreachable { reasons: more }) => reasons.extend(more),
                Err(Error::Unverified(reason)) => {
                    untrue.get_or_insert(Error::Unverified(format!("{}: {reason}", self.name(index))));
                }
                Err(refused) => return Err(refused),
            }
        }
        Err(untrue.unwrap_or(Error::Unreachable { reasons }))
    }

    pub fn prefer(&self, index: usize) {
        self.preferred.store(index, Ordering::Relaxed);
    }

    pub fn preferred(&self) -> usize {
        self.preferred.load(Ordering::Relaxed) % self.endpoints.len()
    }

    fn name(&self, index: usize) -> String {
        self.endpoints.get(index).map(Url::to_string).unwrap_or_default()
    }

    /// Asks the endpoint and reads the answer to its end.
    pub async fn ask_one(&self, index: usize, question: &Question) -> Result<Bytes, Error> {
        let whole = async {
            let response = self.open(index, question).await?;
            let read = read_body(response).await;
            read.map_err(|e| Error::Unreachable { reasons: vec![format!("{}: {e}", self.name(index))] })
        };
        match tokio::time::timeout(question.timeout, whole).await {
            Ok(answer) => answer,
            Err(_) => {
                let waited = question.timeout.as_millis();
                Err(Error::Unreachable { reasons: vec![format!("{}: no answer within {waited} ms", self.name(index))] })
            }
        }
    }

    /// Sends the question and returns the answer's head if it is a success.
    pub async fn open(&self, index: usize, question: &Question) -> Result<Response, Error> {
        let Some(endpoint) = self.endpoints.get(index) else {
            return Err(Error::Configuration(format!("there is no endpoint {index}")));
        };
        let unreachable =
            |e: &dyn std::error::Error| Error::Unreachable { reasons: vec![format!("{endpoint}: {}", innermost(e))] };
        let mut url = endpoint.clone();
        url.set_path(&format!("{}{}", endpoint.path().trim_end_matches('/'), question.path));
        if !question.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&question.query);
        }
        let request = match &question.body {
            Some((body, kind)) => self.http.post(url).header(CONTENT_TYPE, *kind).body(body.clone()),
            None => self.http.get(url),
        };
        let response = request.send().await.map_err(|e| unreachable(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }
}

/// What a person can act upon: "connection refused" rather than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

async fn refusal(response: Response) -> Error {
    let status = response.status();
    let retry_after_s =
        response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|text| text.parse().ok());
    let read = tokio::time::timeout(CONNECT_TIMEOUT, read_body(response)).await;
    let problem = read.ok().and_then(Result::ok).and_then(|body| serde_json::from_slice::<Problem>(&body).ok());
    // The status that was sent counts, not the one that the body claims.
    let problem = problem.map(|problem| Problem { status: status.as_u16(), ..problem }).unwrap_or_else(|| Problem {
        kind: "about:blank".into(),
        title: status.canonical_reason().unwrap_or("refused").into(),
        status: status.as_u16(),
        code: if status.as_u16() == 404 { "not_found" } else { "unknown" }.into(),
        detail: format!("the node answered {status} without saying why"),
    });
    Error::Refused { problem: Box::new(problem), retry_after_s }
}

async fn read_body(response: Response) -> Result<Bytes, String> {
    let (mut body, mut stream) = (Vec::new(), response.bytes_stream());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|e| innermost(&e))?;
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err("the answer is larger than any true one".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}
