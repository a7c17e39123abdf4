//! The local provisioner: makes and keeps the city's chains as processes of this machine. It watches the home's files, runs one loop a
//! chain ([`chain`]) around `chain-plan`, and decides nothing itself.
//!
//! Reading order: [`home`] files, [`addresses`], [`keys`], [`process`], then a chain's pass: [`observe`], [`carry_out`], [`membership`],
//! [`self_check`], [`report`]. Killing the console at any point is harmless: nodes go on and are adopted by the next one.

mod addresses;
mod carry_out;
pub mod chain;
pub mod demo;
mod hands;
pub mod home;
mod incidents;
mod keys;
mod membership;
mod observe;
pub mod process;
mod report;
mod self_check;
pub mod tenants;

use crate::app::App;
use crate::chains::{self, Build, City, Entry, View};
use crate::live::Topic;
use addresses::Numbers;
use home::Home;
use operator_api::{Name, Tenant, Version};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A node program that is used for every version: for tests and for work on the node.
pub fn given_program() -> Option<PathBuf> {
    std::env::var_os("CITYCHAIN_NODE_BIN").map(PathBuf::from).filter(|path| home::is_program(path))
}

/// Loads the home into memory and SQL and begins to look after every chain. Ends with the console; nodes go on.
pub async fn start(app: &App) -> anyhow::Result<()> {
    let home = Home::new(&app.config.home);
    let numbers = Arc::new(Numbers::claim(&home, app.config.home_number)?);
    tenants::write_missing(app, &home).await?;
    let mut watch = Watch { app: app.clone(), home, numbers, tenants: BTreeMap::new() };
    watch.look().await;
    app.chains.loops.spawn(async move {
        loop {
            tokio::select! {
                () = watch.app.stopping.cancelled() => return,
                () = watch.app.chains.changed.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(700)) => {}
            }
            watch.look().await;
        }
    });
    Ok(())
}

/// Follows the files of the home that are not one chain's.
struct Watch {
    app: App,
    home: Home,
    numbers: Arc<Numbers>,
    /// Tenants as read last, with the file's time.
    tenants: BTreeMap<Name, (Option<SystemTime>, Tenant)>,
}

impl Watch {
    async fn look(&mut self) {
        let mut city = City { is_known: true, versions: self.home.versions(), ..City::default() };
        city.versions.extend(given_program().and(own_version()));
        // Said only while there is something to say: a build that is done is the program that is there.
        city.build = home::read_json::<Build>(&self.home.build()).ok().flatten();
        self.look_at_tenants(&mut city).await;
        let before = self.app.chains.city();
        if *before != city {
            self.app.chains.set_city(city);
            self.app.publish_changed(Topic::city("chains"));
        }
        for chain in self.home.chain_names() {
            if self.app.chains.find(&chain).is_none() {
                self.adopt(chain);
            }
        }
    }

    async fn look_at_tenants(&mut self, city: &mut City) {
        for name in self.home.tenant_names() {
            let modified = std::fs::metadata(self.home.tenant(&name)).and_then(|meta| meta.modified()).ok();
            let known = self.tenants.get(&name).filter(|(at, _)| *at == modified).map(|(_, tenant)| tenant.clone());
            let tenant = match known {
                Some(tenant) => tenant,
                None => match tenants::read(&self.home, &name) {
                    Ok(Some(tenant)) => {
                        if let Err(error) = chains::tenants::project(&self.app, &tenant).await {
                            tracing::error!(%error, tenant = %name, "a tenant's file couldn't be taken over");
                            continue;
                        }
                        self.tenants.insert(name.clone(), (modified, tenant.clone()));
                        tenant
                    }
                    Ok(None) => continue,
                    Err(error) => {
                        city.problems.push(home::in_words(&error));
                        // The tenant as it was read last stays in force.
                        match self.tenants.get(&name) {
                            Some((_, tenant)) => tenant.clone(),
                            None => continue,
                        }
                    }
                },
            };
            match tenants::publish_keys(&self.app, &self.home, tenant).await {
                Ok(view) => {
                    city.tenants.insert(name, view);
                }
                Err(error) => tracing::error!(%error, tenant = %name, "the keys of a tenant couldn't be published"),
            }
        }
    }

    fn adopt(&self, chain: Name) {
        let path = self.home.chain_object(&chain);
        // Read here too, so that a page that is opened next finds the chain with its tenant.
        let object = home::read(&path).ok().flatten().and_then(|text| home::parse_object(&path, &chain, &text).ok());
        let entry = Arc::new(Entry::new(chain, View { object, ..View::default() }));
        self.app.chains.add(entry.clone());
        self.app.chains.loops.spawn(chain::run(self.app.clone(), self.home.clone(), entry, self.numbers.clone()));
    }
}

/// The version that this console was built with; a given node program is taken to be of the same.
pub fn own_version() -> Option<Version> {
    env!("CARGO_PKG_VERSION").parse().ok()
}
