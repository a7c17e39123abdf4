//! Applications: wanted by an object, carried out by [`worker`], used through pages that are made from the manifest. Nothing here knows a
//! template by name; what the native modules keep and ask is written down in [`records`] and [`arguments`].
//!
//! Reading order: [`object`] → [`worker`] → [`steps`] → [`steplist`]; [`upgrade`]; then [`calls`] (who signs, once only), [`people`], [`arguments`],
//! [`records`], [`shown`], [`public`], [`scans`].

pub mod arguments;
pub mod calls;
pub mod object;
pub mod people;
pub mod public;
pub mod records;
pub mod report;
pub mod scans;
pub mod shown;
mod steplist;
mod steps;
pub mod upgrade;
pub mod verdict;
pub mod worker;

pub use worker::start;

use crate::app::App;
use crate::auth::{Action, Principal, Resource};
use crate::catalog;
use crate::error::{Error, Result};
use crate::live::Topic;
use crate::names::Name;
use crate::reach::Way;
use chain_types::manifest::{Answers, AppTemplate, Instance, ModuleSpec, Page, ResolvedTemplate, module_spec};
use operator_api::Step;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// An application as SQL knows it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    pub name: String,
    pub tenant: String,
    pub chain: String,
    pub template: String,
    pub version: String,
    pub owner: String,
    pub answers_json: String,
    pub sample_data: i64,
    pub manifest: String,
    pub state: String,
    pub steps_json: String,
    pub created_by: String,
    pub created_ms: i64,
    pub changed_ms: i64,
    /// See [`upgrade::Upgrade`].
    pub upgrade_json: Option<String>,
}

const COLUMNS: &str = "select name, tenant, chain, template, version, owner, answers_json, sample_data, manifest, state, steps_json, \
                       created_by, created_ms, changed_ms, upgrade_json from application";

/// An application with its manifest, answers filled in.
#[derive(Clone, Debug)]
pub struct Deployed {
    pub row: Arc<Row>,
    pub resolved: Arc<ResolvedTemplate>,
    pub tenant: Name,
}

impl Row {
    pub fn steps(&self) -> Vec<Step> {
        serde_json::from_str(&self.steps_json).unwrap_or_default()
    }

    pub fn topic(&self) -> Option<Topic> {
        Name::parse(&self.tenant).map(|tenant| Topic::tenant(&tenant, format!("application/{}", self.name)))
    }

    /// Installed and its roles bound: pages work, even while samples and checks still run.
    pub fn usable(&self) -> bool {
        usable(&self.state, &self.steps())
    }
}

/// An application that is being upgraded, or whose upgrade failed, works on in the version that its chain has.
fn usable(state: &str, steps: &[Step]) -> bool {
    use operator_api::{StepState, steps::deployment};
    let bound = || steps.iter().any(|step| step.id == deployment::ROLES && step.state == StepState::Done);
    match state {
        "ready" | "upgrading" | "upgrade-failed" => true,
        "deploying" | "failed" => bound(),
        _ => false,
    }
}

impl Deployed {
    pub fn of(row: Row) -> Result<Self> {
        let tenant = Name::parse(&row.tenant).ok_or(Error::NotFound)?;
        let resolved = resolved(&row)?;
        Ok(Self { row: Arc::new(row), resolved, tenant })
    }

    pub fn name(&self) -> &str {
        &self.row.name
    }

    pub fn template(&self) -> &AppTemplate {
        self.resolved.template()
    }

    pub fn way(&self, app: &App) -> Result<Arc<Way>> {
        app.reach.find(&self.row.chain).ok_or_else(unreachable)
    }

    pub fn instance(&self, name: &str) -> Option<(&Instance, &'static ModuleSpec)> {
        let instance = self.resolved.chain().instances.get(name)?;
        Some((instance, module_spec(instance.module)?))
    }

    /// A page that is switched on.
    pub fn page(&self, id: &str) -> Option<&Page> {
        self.template().pages.get(id).filter(|page| page.is_on())
    }

    /// Roles that may make a call.
    pub fn allowed(&self, instance: &str, method: &str) -> Vec<&str> {
        let allow = self.resolved.chain().allow.iter();
        let may =
            allow.filter(|(_, calls)| calls.iter().any(|call| call.instance == instance && call.method == method));
        may.map(|(role, _)| role).collect()
    }
}

/// The chain does not answer at the moment.
pub fn unreachable() -> Error {
    Error::unavailable("chain-unreachable", crate::text::Message::new("application-chain-unreachable"))
}

/// Manifests by what they are made of: a page needs one at every request.
static RESOLVED: LazyLock<Mutex<HashMap<String, Arc<ResolvedTemplate>>>> = LazyLock::new(Mutex::default);

fn resolved(row: &Row) -> Result<Arc<ResolvedTemplate>> {
    let key = format!("{}\n{}", row.answers_json, row.manifest);
    let known = RESOLVED.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
    if let Some(known) = known {
        return Ok(known);
    }
    let answers: Answers = serde_json::from_str(&row.answers_json).map_err(anyhow::Error::from)?;
    let template: AppTemplate = serde_yaml_ng::from_str(&row.manifest).map_err(anyhow::Error::from)?;
    let resolved =
        template.resolve(&answers).map_err(|faults| anyhow::anyhow!("application {}: {faults:?}", row.name))?;
    let resolved = Arc::new(resolved);
    RESOLVED.lock().unwrap_or_else(PoisonError::into_inner).insert(key, resolved.clone());
    Ok(resolved)
}

/// The application of this name, whoever asks.
pub async fn row(app: &App, name: &str) -> Result<Option<Row>> {
    let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} where name = $1")));
    Ok(query.bind(name).fetch_optional(app.db.pool()).await?)
}

/// Applications that are not removed, the newest first; of one chain if it is named.
pub async fn rows(app: &App, tenant: Option<&Name>, chain: &str) -> Result<Vec<Row>> {
    let text = format!(
        "{COLUMNS} where ($1 = '' or tenant = $1) and ($2 = '' or chain = $2) and state <> 'removed' order by created_ms desc, name"
    );
    let query = sqlx::query_as(sqlx::AssertSqlSafe(text));
    Ok(query.bind(tenant.map_or("", Name::as_str)).bind(chain).fetch_all(app.db.pool()).await?)
}

/// What the reader may see: those of the own tenant, or all.
pub async fn list(app: &App, principal: &Principal) -> Result<Vec<Row>> {
    let tenant = principal.tenant.as_ref();
    principal.require(Action::ViewApplication, &Resource::of(tenant))?;
    let text = format!("{COLUMNS} where ($1 = '' or tenant = $1) order by created_ms desc, name");
    let query = sqlx::query_as(sqlx::AssertSqlSafe(text));
    Ok(query.bind(tenant.map_or("", Name::as_str)).fetch_all(app.db.pool()).await?)
}

/// One application, if the reader may do this with it. Another tenant's does not exist.
pub async fn find(app: &App, principal: &Principal, name: &str, action: Action) -> Result<Deployed> {
    let deployed = Deployed::of(row(app, name).await?.ok_or(Error::NotFound)?)?;
    principal.require(action, &Resource::Tenant(&deployed.tenant))?;
    Ok(deployed)
}

/// Titles of a tenant's organisations by id, Chinese and English.
pub async fn organisations(app: &App, tenant: &Name) -> Result<Vec<(String, chain_types::genesis::Text)>> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("select name, title_zh, title_en from organisation where tenant = $1 order by created_ms, name")
            .bind(tenant.as_str())
            .fetch_all(app.db.pool())
            .await?;
    Ok(rows.into_iter().map(|(id, zh, en)| (id, chain_types::genesis::Text { zh, en })).collect())
}

/// A name that no application of the city has or had: the template's, or with a number behind it.
pub async fn free_name(app: &App, template: &str) -> Result<String> {
    let taken: Vec<(String,)> = sqlx::query_as("select name from application").fetch_all(app.db.pool()).await?;
    let mut candidates = std::iter::once(template.to_owned()).chain((2..).map(|n| {
        let room = 30 - n.to_string().len() - 1;
        format!("{}-{n}", template.get(..room.min(template.len())).unwrap_or(template).trim_end_matches('-'))
    }));
    candidates.find(|name| taken.iter().all(|(other,)| other != name)).ok_or(Error::NotFound)
}

/// How many applications of a template there are that are not removed, by template.
pub async fn installed_counts(app: &App, tenant: Option<&Name>) -> Result<HashMap<String, i64>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select template, count(*) from application where ($1 = '' or tenant = $1) and state <> 'removed' group by template",
    )
    .bind(tenant.map_or("", Name::as_str))
    .fetch_all(app.db.pool())
    .await?;
    Ok(rows.into_iter().collect())
}

/// The template's file that belongs to an object: that of the catalog, in the version that is asked for.
pub fn template_text(app: &App, template: &str, version: &str) -> Option<String> {
    let listed = catalog::load(app).find(template)?;
    (listed.template.version.to_string() == version).then(|| listed.text.clone())
}
