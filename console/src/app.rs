//! `App`: what every handler and background task shares. Cheap to clone; holds no request's state.

use crate::auth::limit::RateLimit;
use crate::chains::Registry;
use crate::config::{Config, Mode};
use crate::db::Db;
use crate::gateway::Gateway;
use crate::http::assets::Web;
use crate::http::page::Pages;
use crate::live::{Live, Payload, Topic};
use crate::objects::{Cluster, Objects};
use crate::outbox::Outbox;
use crate::provisioner::home::Home;
use crate::reach::Reach;
use crate::sealing::SealingKey;
use crate::text::{Lang, Texts};
use serde::Serialize;
use std::ops::Deref;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The shared parts behind one reference count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

pub struct Parts {
    pub config: Config,
    pub db: Db,
    /// Where tenants, chains and applications are wanted.
    pub objects: Objects,
    pub sealing: SealingKey,
    pub pages: Pages,
    pub live: Live,
    /// The city's chains as they are now.
    pub chains: Registry,
    /// The same chains as verifying clients.
    pub reach: Reach,
    pub outbox: Outbox,
    pub gateway: Gateway,
    /// For asking nodes; never through a proxy, because they are on this machine or in this cluster.
    pub http: reqwest::Client,
    /// Failed sign-ins per address.
    pub sign_in_limit: RateLimit,
    /// Cancelled when the process is asked to stop; background loops and event streams end on it.
    pub stopping: CancellationToken,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Opens the database and parses every template and text; a mistake in any of them stops the start, not a page.
    pub async fn open(config: Config) -> anyhow::Result<Self> {
        let (sealing, objects) = match config.mode {
            Mode::Embedded => (SealingKey::read(&config.master_key)?, Objects::Home(Home::new(&config.home))),
            Mode::Cluster => (SealingKey::read_mounted(&config.master_key)?, Objects::Cluster(Cluster::here().await?)),
        };
        let db = Db::open(&config.database).await?;
        Self::new(config, db, sealing, objects)
    }

    pub fn new(config: Config, db: Db, sealing: SealingKey, objects: Objects) -> anyhow::Result<Self> {
        let web = match &config.web {
            Some(folder) => Web::folder(folder.clone()),
            None => Web::built_in(),
        };
        let pages = Pages::load(web)?;
        Ok(Self(Arc::new(Parts {
            config,
            db,
            objects,
            sealing,
            pages,
            live: Live::default(),
            chains: Registry::default(),
            reach: Reach::default(),
            outbox: Outbox::default(),
            gateway: Gateway::default(),
            http: reqwest::Client::builder().no_proxy().build()?,
            sign_in_limit: RateLimit::new(30, 300_000),
            stopping: CancellationToken::new(),
        })))
    }

    pub fn texts(&self) -> Arc<Texts> {
        self.pages.texts()
    }

    /// Tells every page that listens to the topic to ask again for what it shows.
    pub fn publish_changed(&self, topic: Topic) {
        self.live.publish(topic, Payload::Changed);
    }

    /// Renders `template` (one or more `<hx-partial>` elements, nothing that depends on the reader) in both languages and sends it to every page that listens.
    pub fn publish_parts(&self, topic: Topic, template: &str, data: &impl Serialize) -> Result<(), tera::Error> {
        if !self.live.has_listeners() {
            return Ok(());
        }
        let [zh, en] = [self.pages.part(template, Lang::Zh, data)?, self.pages.part(template, Lang::En, data)?];
        self.live.publish(topic, Payload::Parts { zh: zh.into(), en: en.into() });
        Ok(())
    }
}
