//! `GET /events?topic=…&topic=…`: one stream a page. Sends what is published under topics the reader may see, nothing else.
//!
//! A part arrives as an unnamed message that htmx swaps; `changed` and `done` are named and become DOM events. Every stream begins with
//! `changed`: what happened between the page and its stream, or while the connection was lost, is asked for again.

use super::extract::View;
use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::error::{Error, Result};
use crate::live::{Event as LiveEvent, Payload, Topic};
use crate::text::{Lang, Message};
use axum::Router;
use axum::extract::RawQuery;
use axum::http::HeaderName;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{Stream, StreamExt, stream};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

pub fn router() -> Router<App> {
    Router::new().route("/events", get(events))
}

/// A page listens to at most this many topics.
const MOST_TOPICS: usize = 20;

async fn events(view: View, principal: Principal, RawQuery(query): RawQuery) -> Result<Response> {
    let topics = topics(query.as_deref().unwrap_or_default())?;
    for topic in &topics {
        may_listen(&principal, topic)?;
    }
    let stream = listen(&view.app, topics, view.lang());
    let sse = Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)).text("still here"));
    Ok(([(HeaderName::from_static("x-accel-buffering"), "no")], sse).into_response())
}

fn topics(query: &str) -> Result<Vec<Topic>> {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("topic="));
    let parsed: Option<Vec<Topic>> =
        values.map(|value| Topic::parse(&value.replace("%2F", "/").replace("%2f", "/"))).collect();
    parsed
        .filter(|topics| !topics.is_empty() && topics.len() <= MOST_TOPICS)
        .ok_or_else(|| Error::bad_request("bad-query", Message::new("error-bad-query-help")))
}

fn may_listen(principal: &Principal, topic: &Topic) -> Result<()> {
    match &topic.tenant {
        Some(tenant) => principal.require(Action::ViewChain, &Resource::Tenant(tenant)),
        None => principal.require(Action::ViewChain, &Resource::City),
    }
}

fn listen(app: &App, topics: Vec<Topic>, lang: Lang) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
    // Goes out at once: proxies and the browser know that the stream is open. The listener below is there before it.
    let first = Event::default().id("0").event("changed").data("");
    let stopping = app.stopping.clone();
    let rest = stream::unfold((app.live.subscribe(), 0u64), move |(mut receiver, sent)| {
        let topics = topics.clone();
        async move {
            loop {
                let event = match receiver.recv().await {
                    Ok(event) if topics.contains(&event.topic) => message(&event, lang),
                    Ok(_) => continue,
                    // Too slow: what was missed is asked for again.
                    Err(RecvError::Lagged(_)) => Event::default().event("changed").data(""),
                    Err(RecvError::Closed) => return None,
                };
                return Some((Ok(event.id((sent + 1).to_string())), (receiver, sent + 1)));
            }
        }
    });
    stream::once(async { Ok(first) }).chain(rest).take_until(async move { stopping.cancelled().await })
}

fn message(event: &LiveEvent, lang: Lang) -> Event {
    match &event.payload {
        Payload::Changed => Event::default().event("changed").data(event.topic.to_string()),
        Payload::Done => Event::default().event("done").data(event.topic.to_string()),
        Payload::Parts { .. } => Event::default().data(event.payload.html(lang).unwrap_or_default()),
    }
}
