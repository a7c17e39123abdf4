//! From one version of a template to a higher one: whether there is one, what it changes, asking for it, and withdrawing what the chain
//! refused. The worker carries it out.
//!
//! The row of an application keeps what its chain has until the chain has taken the upgrade; what is wanted stands beside it in
//! `upgrade_json`. So pages, programs and scanned codes go on in the old version while the steps run, and a console that ends in the middle
//! finds both again.

pub mod changes;
pub mod steps;

use super::{Deployed, Row, object};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::{Action, Principal};
use crate::catalog::{self, Listed};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::text::Message;
use crate::time::now_ms;
use chain_types::manifest::{Answer, Answers, ResolvedTemplate, Version};
use changes::Changes;
use operator_api::steps::upgrade as ids;
use operator_api::{Application, Step};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// One version as SQL keeps it.
#[derive(Serialize, Deserialize)]
struct Side {
    version: String,
    answers: Answers,
    manifest: String,
    /// Of the old one: what its page showed, for when the upgrade is withdrawn.
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Serialize, Deserialize)]
struct Both {
    from: Side,
    to: Side,
}

impl Side {
    fn deployed(self, row: &Row) -> Result<Deployed> {
        let answers_json = serde_json::to_string(&self.answers).map_err(anyhow::Error::from)?;
        let row = Row { version: self.version, answers_json, manifest: self.manifest, ..row.clone() };
        Deployed::of(row)
    }
}

/// An upgrade that was begun: the application as it was, and as it is to be.
pub struct Upgrade {
    pub from: Deployed,
    pub to: Deployed,
}

impl Upgrade {
    /// The upgrade that a row is in the middle of.
    pub fn of(row: &Row) -> Result<Option<Self>> {
        let Some(json) = &row.upgrade_json else { return Ok(None) };
        let both: Both = serde_json::from_str(json).map_err(anyhow::Error::from)?;
        Ok(Some(Self { from: both.from.deployed(row)?, to: both.to.deployed(row)? }))
    }

    /// The chain has taken it: pages, programs and public checks now follow the new version.
    async fn take_over(&self, app: &App) -> Result<()> {
        let to = &self.to.row;
        sqlx::query(
            "update application set version = $1, answers_json = $2, manifest = $3, changed_ms = $4 where name = $5",
        )
        .bind(&to.version)
        .bind(&to.answers_json)
        .bind(&to.manifest)
        .bind(now_ms())
        .bind(&to.name)
        .execute(app.db.pool())
        .await?;
        Ok(())
    }

    /// How many of the acceptance checks both versions begin with: those were carried out when the old one was deployed.
    fn checks_known(&self) -> usize {
        let (old, new) = (&self.from.template().checks, &self.to.template().checks);
        old.iter().zip(new).take_while(|(old, new)| old == new).count()
    }
}

/// A higher version in the catalog than the one that is deployed, if the application can be upgraded now.
pub fn offered(catalog: &catalog::Catalog, row: &Row) -> Option<Arc<Listed>> {
    let present: Version = row.version.parse().ok()?;
    catalog.find(&row.template).filter(|listed| row.state == "ready" && listed.template.version > present)
}

/// What is offered to an application: the template with the answers that carry over and `typed` ones, and what it changes.
pub struct Offer {
    pub listed: Arc<Listed>,
    /// Questions that the present version did not ask.
    pub questions: Vec<String>,
    pub answers: Answers,
    pub changes: Changes,
}

/// Weighs the higher version of the catalog. `typed` answers its new questions; those that are left out get their defaults.
pub fn offer(app: &App, deployed: &Deployed, typed: &Answers) -> Result<Option<Offer>> {
    let Some(listed) = offered(&catalog::load(app), &deployed.row) else { return Ok(None) };
    let answers = carried_over(deployed, &listed, typed);
    let known = deployed.resolved.answers();
    let questions =
        listed.template.questions.names().filter(|id| !known.contains_key(*id)).map(str::to_owned).collect();
    let changes = match listed.template.resolve(&answers) {
        Ok(new) => changes::between(&deployed.resolved, &new),
        Err(faults) => Changes { faults, ..Changes::default() },
    };
    Ok(Some(Offer { listed, questions, answers, changes }))
}

/// The answers of the present version to questions that are still asked, then what was typed, then defaults.
fn carried_over(deployed: &Deployed, listed: &Listed, typed: &Answers) -> Answers {
    let known = deployed.resolved.answers();
    let one = |(id, question): (&str, &chain_types::manifest::Question)| {
        let answer: Answer = known.get(id).or_else(|| typed.get(id)).unwrap_or(&question.default).clone();
        (id.to_owned(), answer)
    };
    listed.template.questions.iter().map(one).collect()
}

/// Asks for the upgrade, by whoever may deploy. Refused with the first reason if the newer version does not fit.
pub async fn request(app: &App, principal: &Principal, name: &str, typed: &Answers) -> Result<()> {
    let deployed = super::find(app, principal, name, Action::DeployApplication).await?;
    let offer = offer(app, &deployed, typed)?
        .ok_or_else(|| Error::conflict("no-upgrade", Message::new("upgrade-none").with("name", name)))?;
    if let Some(fault) = offer.changes.faults.first() {
        let message = Message::new("upgrade-incompatible").with("path", fault.path.clone());
        return Err(Error::conflict("upgrade-incompatible", message));
    }
    begin(app, Actor::Person(principal), &deployed, &offer.listed, &offer.answers).await?;
    super::worker::wake();
    Ok(())
}

/// Somebody wrote a higher version into the object: the wish is the same. A version that the catalog lacks is waited for.
pub async fn of_object(app: &App, row: &Row, object: &Application) -> Result<bool> {
    let wanted = object.spec.version.to_string();
    let Some(listed) = offered(&catalog::load(app), row).filter(|listed| listed.template.version.to_string() == wanted)
    else {
        return Ok(false);
    };
    let typed: Answers =
        serde_json::from_value(serde_json::Value::Object(object.spec.answers.clone())).unwrap_or_default();
    let deployed = Deployed::of(row.clone())?;
    let answers = carried_over(&deployed, &listed, &typed);
    begin(app, Actor::System, &deployed, &listed, &answers).await?;
    Ok(true)
}

/// Writes down both versions. The object follows when the worker begins: a crash in between leaves the wish in the row.
async fn begin(app: &App, actor: Actor<'_>, deployed: &Deployed, listed: &Listed, answers: &Answers) -> Result<()> {
    let row = &deployed.row;
    let from = Side {
        version: row.version.clone(),
        answers: deployed.resolved.answers().clone(),
        manifest: row.manifest.clone(),
        steps: row.steps(),
    };
    let version = listed.template.version.to_string();
    let to = Side { version: version.clone(), answers: answers.clone(), manifest: listed.text.clone(), steps: vec![] };
    let both = serde_json::to_string(&Both { from, to }).map_err(anyhow::Error::from)?;
    let steps = serde_json::to_string(&Step::all_waiting(&ids::ALL)).map_err(anyhow::Error::from)?;
    let mut tx = app.db.write().await?;
    let entry = Entry::done("application.upgrade", "application", &row.name)
        .of(Some(&deployed.tenant))
        .before(json!({ "version": row.version, "answers": deployed.resolved.answers() }))
        .after(json!({ "version": version, "answers": answers }));
    audit::record(&mut tx, actor, entry).await?;
    let begun = sqlx::query(
        "update application set upgrade_json = $1, steps_json = $2, state = 'upgrading', changed_ms = $3 where name = $4 and state = 'ready'",
    )
    .bind(both)
    .bind(steps)
    .bind(now_ms())
    .bind(&row.name)
    .execute(&mut *tx)
    .await?;
    if begun.rows_affected() == 0 {
        // Two windows at once: the other one was first.
        return Err(Error::conflict("no-upgrade", Message::new("upgrade-none").with("name", &row.name)));
    }
    forget_changed_checks(&mut tx, &deployed.resolved, listed, &row.name).await?;
    tx.commit().await?;
    Ok(())
}

/// Calls of checks are known by their place in the list: where the newer version has another check, the old result does not count.
async fn forget_changed_checks(tx: &mut Tx, old: &ResolvedTemplate, listed: &Listed, name: &str) -> Result<()> {
    let (old, new) = (&old.template().checks, &listed.template.checks);
    let known = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    for at in known..old.len() {
        sqlx::query("delete from application_call where application = $1 and step = $2")
            .bind(name)
            .bind(format!("check/{at}"))
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Has the object say what is being carried out; one that was edited to an even higher version is left alone.
pub async fn align_object(app: &App, to: &Deployed) -> Result<()> {
    let version = to.row.version.parse().map_err(|_| anyhow::anyhow!("a template's version is one"))?;
    let Some(mut object) = object::read(app, to.name())? else { return Ok(()) };
    if object.spec.version < version {
        object.spec.version = version;
        object.spec.answers = object::answers_json(to.resolved.answers());
        app.objects.replace(&object).await?;
    }
    Ok(())
}

/// Gives up an upgrade that failed before the chain took it; the application stays what it was.
pub async fn withdraw(app: &App, principal: &Principal, name: &str) -> Result<()> {
    let deployed = super::find(app, principal, name, Action::DeployApplication).await?;
    let Some(json) = deployed.row.upgrade_json.as_deref().filter(|_| withdrawable(&deployed.row)) else {
        return Err(Error::conflict("no-upgrade", Message::new("upgrade-not-withdrawn")));
    };
    let both: Both = serde_json::from_str(json).map_err(anyhow::Error::from)?;
    // The object first: should the console end now, the upgrade is still there and can be withdrawn again.
    if let Some(mut object) = object::read(app, name)? {
        object.spec.version = both.from.version.parse().map_err(|_| anyhow::anyhow!("a template's version is one"))?;
        object.spec.answers = object::answers_json(&both.from.answers);
        app.objects.replace(&object).await?;
    }
    let steps = serde_json::to_string(&both.from.steps).map_err(anyhow::Error::from)?;
    let mut tx = app.db.write().await?;
    let entry = Entry::done("application.withdraw-upgrade", "application", name)
        .of(Some(&deployed.tenant))
        .before(json!({ "version": both.to.version }))
        .after(json!({ "version": both.from.version }));
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    sqlx::query(
        "update application set upgrade_json = null, steps_json = $1, state = 'ready', changed_ms = $2
         where name = $3 and state = 'upgrade-failed'",
    )
    .bind(steps)
    .bind(now_ms())
    .bind(name)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// Whether a failed upgrade can still be given up: the chain has the old version.
pub fn withdrawable(row: &Row) -> bool {
    let taken = |step: &Step| step.id == ids::UPGRADE && step.state == operator_api::StepState::Done;
    row.state == "upgrade-failed" && !row.steps().iter().any(taken)
}
