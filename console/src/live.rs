//! Live pages: a change is published under a topic, every page that listens to it hears. Knows nothing of what changed.
//!
//! A topic belongs to a tenant or to the city; who may read the tenant may listen. A message is either *changed* (the page asks again
//! for its part) or a rendered part in both languages. A listener that fell behind, or reconnects, is told *changed*, so nothing is missed.

use crate::names::Name;
use crate::text::Lang;
use std::fmt;
use std::sync::Arc;
use tokio::sync::broadcast;

/// What a page listens to, e.g. `tenant/medical/chain/medical` or `city/chains`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    pub tenant: Option<Name>,
    name: String,
}

impl Topic {
    pub fn city(name: impl Into<String>) -> Self {
        Self { tenant: None, name: name.into() }
    }

    pub fn tenant(tenant: &Name, name: impl Into<String>) -> Self {
        Self { tenant: Some(tenant.clone()), name: name.into() }
    }

    /// Reads what `Display` wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, rest) = text.split_once('/')?;
        match owner {
            "city" if !rest.is_empty() => Some(Self::city(rest)),
            "tenant" => {
                let (tenant, name) = rest.split_once('/')?;
                (!name.is_empty()).then_some(Self { tenant: Some(Name::parse(tenant)?), name: name.to_owned() })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(out, "tenant/{tenant}/{}", self.name),
            None => write!(out, "city/{}", self.name),
        }
    }
}

/// What listeners are told.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Ask again for what you show.
    Changed,
    /// `<hx-partial>` elements, Chinese and English.
    Parts { zh: Arc<str>, en: Arc<str> },
    /// The long job that the page watches has ended; the page may close the stream.
    Done,
}

impl Payload {
    pub fn html(&self, lang: Lang) -> Option<&str> {
        match self {
            Self::Parts { zh, en } => Some(lang.pick(zh, en)),
            Self::Changed | Self::Done => None,
        }
    }
}

/// A message on its way to the listeners of its topic.
#[derive(Clone, Debug)]
pub struct Event {
    pub topic: Topic,
    pub payload: Payload,
}

/// Where changes are published; cheap to clone.
#[derive(Clone)]
pub struct Live(broadcast::Sender<Event>);

impl Default for Live {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl Live {
    /// Somebody has a page open: worth rendering for.
    pub fn has_listeners(&self) -> bool {
        self.0.receiver_count() > 0
    }

    pub fn publish(&self, topic: Topic, payload: Payload) {
        // An error only says that nobody listens.
        let _ = self.0.send(Event { topic, payload });
    }

    pub fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_read_back_as_it_was_written() {
        let medical = Name::parse("medical").unwrap();
        for topic in [Topic::city("chains"), Topic::tenant(&medical, "chain/main")] {
            assert_eq!(Topic::parse(&topic.to_string()), Some(topic));
        }
        for bad in ["", "city/", "tenant/medical", "tenant/medical/", "tenant/M/x", "other/x"] {
            assert_eq!(Topic::parse(bad), None, "{bad}");
        }
    }
}
