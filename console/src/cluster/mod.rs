//! In a cluster: follows the city's custom resources, as the local provisioner looks after files and processes. Tenants are projected into
//! SQL and their keys published in their status, chains are shown as the operator reports them, applications are handed to their worker.
//! It makes no chain and judges none: the operator does. Whatever it knows it can lose; the next console lists everything again.
//!
//! One loop takes what the three watches and the nodes say, one thing at a time, so nothing here is shared or locked.
//!
//! Reading order: [`kept`] (which objects there are), [`tenants`], [`chains`] with [`view`] (pure), [`applications`].

mod applications;
mod chains;
mod kept;
mod tenants;
#[cfg(test)]
mod tests;
mod view;

use crate::app::App;
use crate::chains::City;
use crate::live::Topic;
use crate::objects::{Cluster, Stored};
use chain_types::Genesis;
use futures::stream::{BoxStream, StreamExt, select_all};
use kept::{Kept, Key};
use kube::api::DynamicObject;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use operator_api::{ApplicationSpec, ChainSpec, Name, TenantSpec, Text};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// What could not be done is tried again after this.
const AGAIN: Duration = Duration::from_secs(5);
/// A watch that failed tries again at least this often; one that has not failed for so long works.
const TROUBLE_LASTS: Duration = Duration::from_secs(60);

/// Something to take in.
enum Seen {
    Tenant(Event<DynamicObject>),
    Chain(Event<DynamicObject>),
    Application(Event<DynamicObject>),
    /// A kind could not be watched.
    Trouble(&'static str, String),
}

/// What a node answered when a chain's genesis was asked for; `None` if no node did.
struct Asked {
    chain: Name,
    genesis: Option<Box<Genesis>>,
}

/// Begins to follow. Ends with the console.
pub fn start(app: &App, cluster: Cluster) {
    app.chains.loops.spawn(run(app.clone(), cluster));
}

async fn run(app: App, cluster: Cluster) {
    let watches = [
        watch::<TenantSpec>(&cluster, Seen::Tenant),
        watch::<ChainSpec>(&cluster, Seen::Chain),
        watch::<ApplicationSpec>(&cluster, Seen::Application),
    ];
    let mut seen = select_all(watches);
    let (answers, mut answered) = mpsc::channel(64);
    let mut follower = Follower::new(app.clone(), cluster, answers);
    let mut again = tokio::time::interval(AGAIN);
    loop {
        tokio::select! {
            () = app.stopping.cancelled() => return,
            Some(seen) = seen.next() => follower.take(seen).await,
            Some(asked) = answered.recv() => follower.founded(asked).await,
            () = app.chains.changed.notified() => follower.look_again().await,
            _ = again.tick() => follower.look_again().await,
        }
    }
}

fn watch<S: Stored>(cluster: &Cluster, seen: fn(Event<DynamicObject>) -> Seen) -> BoxStream<'static, Seen> {
    // Whatever is dropped here is listed again by itself, after a growing pause.
    let events = watcher(cluster.all::<S>(), watcher::Config::default()).default_backoff();
    let taken = move |event: Result<_, watcher::Error>| match event {
        Ok(event) => seen(event),
        Err(error) => Seen::Trouble(S::KIND, error.to_string()),
    };
    events.map(taken).boxed()
}

struct Follower {
    app: App,
    cluster: Cluster,
    answers: mpsc::Sender<Asked>,
    tenants: Kept<tenants::Known>,
    chains: Kept<chains::Known>,
    applications: Kept<operator_api::Application>,
    /// Objects that do not fit, with why.
    misfits: BTreeMap<(&'static str, Key), Text>,
    troubles: BTreeMap<&'static str, (Instant, String)>,
}

impl Follower {
    fn new(app: App, cluster: Cluster, answers: mpsc::Sender<Asked>) -> Self {
        Self {
            app,
            cluster,
            answers,
            tenants: Kept::default(),
            chains: Kept::default(),
            applications: Kept::default(),
            misfits: BTreeMap::new(),
            troubles: BTreeMap::new(),
        }
    }

    async fn take(&mut self, seen: Seen) {
        match seen {
            Seen::Tenant(event) => match event {
                Event::Init => self.tenants.list(),
                Event::Apply(object) | Event::InitApply(object) => self.tenant_seen(&object).await,
                Event::Delete(object) => self.tenant_gone(&Key::of(&object)).await,
                Event::InitDone => {
                    for gone in self.tenants.listed() {
                        self.tenant_gone(&gone).await;
                    }
                }
            },
            Seen::Chain(event) => match event {
                Event::Init => self.chains.list(),
                Event::Apply(object) | Event::InitApply(object) => self.chain_seen(&object).await,
                Event::Delete(object) => self.chain_gone(&Key::of(&object)).await,
                Event::InitDone => {
                    for gone in self.chains.listed() {
                        self.chain_gone(&gone).await;
                    }
                }
            },
            Seen::Application(event) => match event {
                Event::Init => self.applications.list(),
                Event::Apply(object) | Event::InitApply(object) => self.application_seen(&object).await,
                Event::Delete(object) => self.application_gone(&Key::of(&object)),
                Event::InitDone => {
                    for gone in self.applications.listed() {
                        self.application_gone(&gone);
                    }
                }
            },
            Seen::Trouble(kind, reason) => {
                tracing::warn!(kind, %reason, "objects can't be watched; trying again");
                self.troubles.insert(kind, (Instant::now(), reason));
            }
        }
        self.refresh_city();
    }

    /// What failed is tried again, what a page asked for is looked at now.
    async fn look_again(&mut self) {
        self.publish_all().await;
        self.ask_for_genesis();
        self.refresh_city();
    }

    /// An object that does not fit is told to those who run the city; whatever was known of it stays in force.
    fn misfit(&mut self, kind: &'static str, key: Key, reason: &str) {
        tracing::warn!(kind, object = %key, reason, "an object doesn't fit and is left alone");
        let text = Text::new(format!("{kind} {key}：{reason}"), format!("{kind} {key}: {reason}"));
        self.misfits.insert((kind, key), text);
    }

    /// What pages know of the city around its chains.
    fn refresh_city(&self) {
        let recent = self.troubles.values().filter(|(at, _)| at.elapsed() < TROUBLE_LASTS);
        let trouble = recent.map(|(_, reason)| {
            Text::new(
                format!("集群 API 暂时无法读取，所示可能不是最新状态：{reason}"),
                format!("The cluster's API can't be read at the moment, so this may be out of date: {reason}"),
            )
        });
        let mut versions = self.app.config.versions.clone();
        versions.extend(self.chains.all().map(|known| known.object.spec.version));
        let city = City {
            tenants: self.tenants.all().map(|known| (known.object.name().clone(), known.view())).collect(),
            versions,
            build: None,
            problems: trouble.take(1).chain(self.misfits.values().cloned()).collect(),
            is_known: self.tenants.is_complete() && self.chains.is_complete() && self.applications.is_complete(),
        };
        if *self.app.chains.city() != city {
            self.app.chains.set_city(city);
            self.app.publish_changed(Topic::city("chains"));
            self.app.publish_changed(Topic::city("tenants"));
        }
    }
}
