//! The Application object in the home, `applications/<name>.yaml`: what is wanted. Writes and reads it; carries nothing out.

use super::{Row, row, template_text};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::{Action, Principal, Resource};
use crate::catalog::Listed;
use crate::chains::object_name;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::gateway::keys::{self, NewKey};
use crate::names::Name;
use crate::provisioner::home::{self, FileError, Home};
use crate::text::Message;
use crate::time::now_ms;
use chain_types::manifest::{Answer, Answers};
use operator_api::steps::deployment;
use operator_api::{Application, ApplicationSpec, Step, Time};
use serde_json::{Value as Json, json};
use std::path::PathBuf;

/// What a person wants deployed.
pub struct Wanted<'a> {
    pub name: Name,
    pub chain: Name,
    pub tenant: Name,
    pub owner: Name,
    pub listed: &'a Listed,
    pub answers: Answers,
    pub sample_data: bool,
}

fn folder(app: &App) -> PathBuf {
    Home::new(&app.config.home).root().join("applications")
}

fn path(app: &App, name: &str) -> PathBuf {
    folder(app).join(format!("{name}.yaml"))
}

pub fn status_path(app: &App, name: &str) -> PathBuf {
    folder(app).join(format!("{name}.status.json"))
}

/// Names of all objects.
pub fn names(app: &App) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder(app)) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter_map(|name| name.strip_suffix(".yaml").map(str::to_owned))
        .filter(|name| !name.starts_with('.'))
        .collect()
}

pub fn read(app: &App, name: &str) -> Result<Option<Application>, FileError> {
    let path = path(app, name);
    let Some(text) = home::read(&path)? else { return Ok(None) };
    let Ok(parsed) = name.parse() else { return Ok(None) };
    home::parse_object(&path, &parsed, &text).map(Some)
}

pub fn write(app: &App, object: &Application) -> Result<(), FileError> {
    home::write(&path(app, object.name().as_str()), home::object_text(object)?.as_bytes())
}

/// The application is uninstalled and nothing more is wanted.
pub fn remove(app: &App, name: &str) {
    // Gone already is as good; a crash in between finds a removed row and tries again.
    let _ = std::fs::remove_file(path(app, name));
    let _ = std::fs::remove_file(status_path(app, name));
}

/// Writes the object, its row and its API key. The rows first, in one transaction with their audit rows: should the file not follow, the
/// next start finds a row without object and forgets it, and nothing has happened on a chain.
pub async fn create(app: &App, principal: &Principal, wanted: Wanted<'_>) -> Result<()> {
    principal.require(Action::DeployApplication, &Resource::Tenant(&wanted.tenant))?;
    let template = &wanted.listed.template;
    let answers = answers_json(&wanted.answers);
    let spec = ApplicationSpec {
        chain: object_name(&wanted.chain),
        template: template.id.parse().map_err(|_| anyhow::anyhow!("a template's id is a name"))?,
        version: template.version.to_string().parse().map_err(|_| anyhow::anyhow!("a template's version is one"))?,
        owner: object_name(&wanted.owner),
        answers: answers.clone(),
        sample_data: wanted.sample_data,
    };
    let mut object = Application::new(object_name(&wanted.name), spec);
    object.metadata.creation_timestamp = Some(Time::from_ms(now_ms().unsigned_abs()));
    object.metadata.finalizers = vec![operator_api::application::FINALIZER.to_owned()];
    let mut tx = app.db.write().await?;
    let after = json!({ "chain": wanted.chain.as_str(), "template": template.id, "version": template.version.to_string(),
                        "answers": answers, "sample_data": wanted.sample_data });
    let entry =
        Entry::done("application.deploy", "application", wanted.name.as_str()).of(Some(&wanted.tenant)).after(after);
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    let inserted = insert(&mut tx, &object, &wanted.tenant, &wanted.listed.text, &principal.display_name).await;
    match inserted {
        Err(Error::Database(error)) if crate::db::is_unique_violation(&error) => {
            return Err(Error::field("name", Message::new("application-name-taken")));
        }
        other => other?,
    }
    // The key too: a deployment that goes on after a crash finds it, and nobody asks twice.
    let key = NewKey { name: wanted.name.to_string(), ..NewKey::offered(wanted.owner.as_str()) };
    let (_, secret) = keys::create_within(app, &mut tx, principal, &key).await?;
    super::calls::keep_key(app, &mut tx, wanted.name.as_str(), &secret).await?;
    write(app, &object).map_err(anyhow::Error::from)?;
    tx.commit().await?;
    super::worker::wake();
    Ok(())
}

/// Answers as an object has them.
pub fn answers_json(answers: &Answers) -> serde_json::Map<String, Json> {
    let one = |answer: &Answer| match answer {
        Answer::Boolean(value) => json!(value),
        Answer::Integer(value) => json!(value),
        Answer::Text(value) => json!(value),
    };
    answers.iter().map(|(name, answer)| (name.clone(), one(answer))).collect()
}

async fn insert(tx: &mut Tx, object: &Application, tenant: &Name, manifest: &str, by: &str) -> Result<()> {
    let spec = &object.spec;
    let steps = serde_json::to_string(&Step::all_waiting(&deployment::ALL)).map_err(anyhow::Error::from)?;
    sqlx::query(
        "insert into application (name, tenant, chain, template, version, owner, answers_json, sample_data, manifest, state, steps_json,
                                  created_by, created_ms, changed_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'deploying', $10, $11, $12, $12)",
    )
    .bind(object.name().as_str())
    .bind(tenant.as_str())
    .bind(spec.chain.as_str())
    .bind(spec.template.as_str())
    .bind(spec.version.to_string())
    .bind(spec.owner.as_str())
    .bind(Json::Object(spec.answers.clone()).to_string())
    .bind(i64::from(spec.sample_data))
    .bind(manifest)
    .bind(steps)
    .bind(by)
    .bind(now_ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The row of an object; made if a person wrote the file by hand. `None` if its chain or template is not there (yet).
pub async fn project(app: &App, object: &Application) -> Result<Option<Row>> {
    let name = object.name().as_str();
    if let Some(row) = row(app, name).await? {
        return Ok(Some(row));
    }
    let Some(entry) = app.chains.find(&object.spec.chain) else { return Ok(None) };
    let Some(tenant) = entry.view().owner() else { return Ok(None) };
    let Some(text) = template_text(app, object.spec.template.as_str(), &object.spec.version.to_string()) else {
        return Ok(None);
    };
    let mut tx = app.db.write().await?;
    insert(&mut tx, object, &tenant, &text, "").await?;
    tx.commit().await?;
    row(app, name).await
}

/// Asks for removal: the worker uninstalls and then takes the finalizer, and the file, away.
pub async fn delete(app: &App, principal: &Principal, name: &str, typed: &str) -> Result<()> {
    let deployed = super::find(app, principal, name, Action::DeployApplication).await?;
    if typed.trim() != name {
        return Err(Error::field("typed", Message::new("field-typed-differs").with("name", name)));
    }
    let mut tx = app.db.write().await?;
    let entry = Entry::done("application.remove", "application", name).of(Some(&deployed.tenant));
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    sqlx::query("update application set state = 'removing', changed_ms = $1 where name = $2 and state <> 'removed'")
        .bind(now_ms())
        .bind(name)
        .execute(&mut *tx)
        .await?;
    if let Some(mut object) = read(app, name).map_err(anyhow::Error::from)? {
        object.metadata.deletion_timestamp = Some(Time::from_ms(now_ms().unsigned_abs()));
        write(app, &object).map_err(anyhow::Error::from)?;
    }
    tx.commit().await?;
    super::worker::wake();
    Ok(())
}

/// Has a failed deployment or upgrade go on from the step that failed. Calls that failed are made anew, others are not.
pub async fn retry(app: &App, principal: &Principal, name: &str) -> Result<()> {
    let deployed = super::find(app, principal, name, Action::DeployApplication).await?;
    let (failed, again) = match deployed.row.state.as_str() {
        "failed" => ("failed", "deploying"),
        "upgrade-failed" => ("upgrade-failed", "upgrading"),
        _ => return Ok(()),
    };
    let mut tx = app.db.write().await?;
    let entry = Entry::done("application.retry", "application", name).of(Some(&deployed.tenant));
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    sqlx::query("update application set state = $1, changed_ms = $2 where name = $3 and state = $4")
        .bind(again)
        .bind(now_ms())
        .bind(name)
        .bind(failed)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    super::worker::wake();
    Ok(())
}
