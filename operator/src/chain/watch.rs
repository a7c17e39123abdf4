//! What wakes the chains' loops: changes of chains, tenants and children. Children are watched by their metadata alone; a loop that is
//! woken reads what it needs. One loop a chain, so a chain has never two passes at a time; so many passes at once in all.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures::{Stream, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use k8s_openapi::{
    api::{
        apps::v1::StatefulSet,
        core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service},
        networking::v1::NetworkPolicy,
        policy::v1::PodDisruptionBudget,
    },
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{DynamicObject, PartialObjectMeta},
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event},
    },
};
use operator_api::{ChainSpec, TenantSpec};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    city::{City, Key, KnownTenant},
    resources::service_monitor,
    worker::{Again, Common, Worker},
};
use crate::{
    context::Shared,
    controllers::{CONFLICT, what_failed},
    objects::{everywhere, names},
};

/// Passes of different chains at the same time. The API server is what limits them; with more, admission waits behind them.
const AT_ONCE: usize = 8;
/// Changes come in groups; one pass answers a group.
const GATHER: Duration = Duration::from_millis(50);
/// After a pass that failed as a whole.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);
/// Whether the cluster knows ServiceMonitors is asked again.
const ASK_KINDS_EVERY: Duration = Duration::from_secs(300);

/// Looks after every chain until `shutdown`. Chains go on without it.
pub async fn run(context: Shared, shutdown: CancellationToken) -> anyhow::Result<()> {
    let common = Arc::new(Common {
        context: context.clone(),
        city: RwLock::new(City::default()),
        monitors: AtomicBool::new(knows_monitors(&context.client).await),
    });
    let mut loops = Loops {
        common: common.clone(),
        places: Arc::new(Semaphore::new(AT_ONCE)),
        shutdown: shutdown.clone(),
        tasks: TaskTracker::new(),
        chains: BTreeMap::new(),
        listed: BTreeSet::new(),
        tenants_known: false,
    };
    let mut changes = changes(&context.client);
    let mut kinds = tokio::time::interval(ASK_KINDS_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = kinds.tick() => common.monitors.store(knows_monitors(&context.client).await, Ordering::Relaxed),
            change = changes.next() => match change {
                Some(change) => loops.take(change),
                None => anyhow::bail!("the watches of the API server have ended"),
            },
        }
    }
    // A pass that is under way ends as it would; nothing new begins.
    loops.tasks.close();
    loops.tasks.wait().await;
    Ok(())
}

async fn knows_monitors(client: &Client) -> bool {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    matches!(api.get_metadata_opt(service_monitor::DEFINITION).await, Ok(Some(_)))
}

enum Change {
    Chain(Box<Event<DynamicObject>>),
    Tenant(Box<Event<DynamicObject>>),
    /// Some child of this chain.
    Child(Key),
}

fn changes(client: &Client) -> BoxStream<'static, Change> {
    let chains = objects(everywhere::<ChainSpec>(client)).map(|event| Change::Chain(Box::new(event)));
    let tenants = objects(everywhere::<TenantSpec>(client)).map(|event| Change::Tenant(Box::new(event)));
    let all: Vec<BoxStream<'static, Change>> = vec![
        chains.boxed(),
        tenants.boxed(),
        children::<Pod>(client),
        children::<StatefulSet>(client),
        children::<Service>(client),
        children::<ConfigMap>(client),
        children::<Secret>(client),
        children::<PersistentVolumeClaim>(client),
        children::<PodDisruptionBudget>(client),
        children::<NetworkPolicy>(client),
    ];
    futures::stream::select_all(all).boxed()
}

/// A watch that is begun again by itself whenever it breaks; what broke it is logged.
fn objects(api: Api<DynamicObject>) -> impl Stream<Item = Event<DynamicObject>> {
    let strip = |object: &mut DynamicObject| object.metadata.managed_fields = None;
    lasting(watcher::watcher(api, watcher::Config::default()).default_backoff().modify(strip))
}

fn children<K>(client: &Client) -> BoxStream<'static, Change>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug + Send + Sync + 'static,
{
    let config = watcher::Config::default().labels(&format!("{},{}", names::MANAGED, names::CHAIN));
    let stream = watcher::watcher(Api::<PartialObjectMeta<K>>::all(client.clone()), config).default_backoff();
    lasting(stream).filter_map(|event| async move { Some(Change::Child(chain_of(&event)?)) }).boxed()
}

fn lasting<K: Send + 'static>(
    stream: impl Stream<Item = Result<Event<K>, watcher::Error>> + Send + 'static,
) -> impl Stream<Item = Event<K>> {
    stream
        .inspect_err(|error| tracing::warn!(%error, "a watch broke and is begun again"))
        .filter_map(|event| async move { event.ok() })
}

fn chain_of<K>(event: &Event<PartialObjectMeta<K>>) -> Option<Key> {
    let (Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) = event else { return None };
    let metadata = &object.metadata;
    let chain = metadata.labels.as_ref()?.get(names::CHAIN)?;
    Some((metadata.namespace.clone()?, chain.clone()))
}

/// Every chain's loop.
struct Loops {
    common: Arc<Common>,
    places: Arc<Semaphore>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    chains: BTreeMap<Key, Arc<Loop>>,
    /// Chains that the list under way has named.
    listed: BTreeSet<Key>,
    /// Before the tenants are known, nothing could be judged.
    tenants_known: bool,
}

/// What is shared with one chain's task.
struct Loop {
    object: RwLock<Arc<DynamicObject>>,
    touched: AtomicBool,
    wake: Notify,
    /// Ends with the chain, or with the operator.
    ended: CancellationToken,
}

impl Loops {
    fn take(&mut self, change: Change) {
        match change {
            Change::Chain(event) => self.chain(*event),
            Change::Tenant(event) => self.tenant(*event),
            Change::Child(key) => {
                if let Some(chain) = self.chains.get(&key) {
                    chain.touched.store(true, Ordering::Relaxed);
                    chain.wake.notify_one();
                }
            }
        }
    }

    fn chain(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => {
                self.listed.insert(key(&object));
                self.chain_is(object);
            }
            Event::InitDone => {
                let gone: Vec<Key> = self.chains.keys().filter(|key| !self.listed.contains(*key)).cloned().collect();
                gone.iter().for_each(|key| self.chain_gone(key));
            }
            Event::Apply(object) => self.chain_is(object),
            Event::Delete(object) => self.chain_gone(&key(&object)),
        }
    }

    fn chain_is(&mut self, object: DynamicObject) {
        let key = key(&object);
        self.city(|city| city.add_chain(key.clone(), &object));
        let object = Arc::new(object);
        if let Some(known) = self.chains.get(&key) {
            let before = std::mem::replace(&mut *locked(&known.object), object.clone());
            // Its own status comes back this way, and is no news.
            let same = before.metadata.generation == object.metadata.generation
                && before.metadata.annotations == object.metadata.annotations
                && before.metadata.deletion_timestamp == object.metadata.deletion_timestamp
                && before.metadata.uid == object.metadata.uid;
            if !same {
                known.touched.store(true, Ordering::Relaxed);
                known.wake.notify_one();
            }
            return;
        }
        let known = Arc::new(Loop {
            object: RwLock::new(object),
            touched: AtomicBool::new(true),
            wake: Notify::new(),
            ended: self.shutdown.child_token(),
        });
        self.chains.insert(key, known.clone());
        if self.tenants_known {
            self.begin(known);
        }
    }

    fn begin(&self, chain: Arc<Loop>) {
        self.tasks.spawn(look_after(self.common.clone(), self.places.clone(), chain));
    }

    fn chain_gone(&mut self, key: &Key) {
        if let Some(chain) = self.chains.remove(key) {
            chain.ended.cancel();
        }
        self.city(|city| city.chains.remove(key));
        self.common.context.metrics.chain_gone(&key.0, &key.1);
    }

    fn tenant(&mut self, event: Event<DynamicObject>) {
        match event {
            Event::Init => {}
            Event::InitApply(object) | Event::Apply(object) => {
                let name = object.name_any();
                match KnownTenant::read(&object) {
                    Ok(tenant) => {
                        let key = tenant.object.name().clone();
                        let before = self.city(|city| city.tenants.insert(key, tenant.clone()));
                        let news = before.is_none_or(|before| {
                            before.object.spec != tenant.object.spec
                                || before.tokens != tenant.tokens
                                || before.organisations() != tenant.organisations()
                        });
                        if news {
                            self.wake_chains_of(&name);
                        }
                    }
                    // The tenant as it was read last stays in force; its own controller tells the mistake.
                    Err(error) => tracing::warn!(tenant = name, error, "a tenant can't be read"),
                }
            }
            Event::InitDone => {
                if !std::mem::replace(&mut self.tenants_known, true) {
                    self.chains.values().for_each(|chain| self.begin(chain.clone()));
                }
            }
            Event::Delete(object) => {
                let name = object.name_any();
                self.city(|city| city.tenants.retain(|tenant, _| tenant.as_str() != name));
                self.wake_chains_of(&name);
            }
        }
    }

    fn wake_chains_of(&self, tenant: &str) {
        let of_tenant = |key: &&Key| names::tenant_of(&key.0).is_some_and(|owner| owner.as_str() == tenant);
        for key in self.chains.keys().filter(of_tenant) {
            if let Some(chain) = self.chains.get(key) {
                chain.wake.notify_one();
            }
        }
    }

    fn city<T>(&self, change: impl FnOnce(&mut City) -> T) -> T {
        change(&mut locked(&self.common.city))
    }
}

/// One chain's loop, until the chain or the operator ends.
async fn look_after(common: Arc<Common>, places: Arc<Semaphore>, chain: Arc<Loop>) {
    let mut worker = Worker::new(common.clone());
    loop {
        let Ok(place) = places.acquire().await else { return };
        if chain.ended.is_cancelled() {
            return;
        }
        let object = chain.object.read().unwrap_or_else(PoisonError::into_inner).clone();
        let touched = chain.touched.swap(false, Ordering::Relaxed);
        let started = Instant::now();
        // On the heap, and only while it runs: what a pass needs room for would otherwise be kept by every chain that waits.
        let outcome = Box::pin(worker.pass(&object, touched)).await;
        drop(place);
        common.context.metrics.reconciled(
            "Chain",
            started.elapsed(),
            outcome.as_ref().map(|_| ()).map_err(what_failed),
        );
        let pause = match outcome {
            Ok(Again::After(pause)) => pause,
            Ok(Again::Never) => return,
            Err(error) => {
                // Somebody else wrote in between, as happens in a busy city: the next pass reads what they wrote.
                if what_failed(&error) == CONFLICT {
                    tracing::debug!(chain = object.name_any(), "a pass begins again: {error:#}");
                } else {
                    tracing::warn!(chain = object.name_any(), "a pass failed: {error:#}");
                }
                chain.touched.store(true, Ordering::Relaxed);
                TRY_AGAIN_AFTER
            }
        };
        tokio::select! {
            () = chain.ended.cancelled() => return,
            () = chain.wake.notified() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

fn key(object: &DynamicObject) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn locked<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
