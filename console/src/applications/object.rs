//! The Application object: what is wanted, by a click or by whoever writes objects. Stores and reads it, and judges whether it can be carried
//! out; carries nothing out.

use super::report::Waits;
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
use crate::objects::ObjectError;
use crate::text::Message;
use crate::time::now_ms;
use chain_types::manifest::{Answer, Answers, AppTemplate};
use operator_api::steps::deployment;
use operator_api::{Application, ApplicationSpec, Step, Time, reason};
use serde_json::{Value as Json, json};

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
    match app.objects.create(&object_name(&wanted.tenant), &object).await {
        Ok(_) => {}
        Err(ObjectError::Taken) => return Err(Error::field("name", Message::new("application-name-taken"))),
        Err(ObjectError::Refused(sentence)) => return Err(Error::field("", Message::Plain(sentence))),
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    super::worker::wake();
    Ok(())
}

/// The object of this name as it was seen last.
pub fn read(app: &App, name: &str) -> Result<Option<Application>> {
    let Ok(name) = name.parse() else { return Ok(None) };
    Ok(app.objects.application(&name)?)
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

/// The row of an object; made if a person wrote the object by hand. Otherwise why it is not carried out (yet).
pub async fn project(app: &App, object: &Application) -> Result<std::result::Result<Row, Waits>> {
    let name = object.name().as_str();
    let chain = &object.spec.chain;
    let tenant = app.chains.find(chain).and_then(|entry| entry.view().owner());
    let of = of_tenant(object);
    if let Some(row) = row(app, name).await? {
        let is_of_row = of.as_ref().is_none_or(|tenant| tenant.as_str() == row.tenant);
        let ended = row.state == "removed" && object.metadata.deletion_timestamp.is_none();
        return Ok(if is_of_row && !ended { Ok(row) } else { Err(name_taken(name)) });
    }
    // A chain of another tenant does not exist for this one.
    let Some(tenant) = tenant.filter(|tenant| of.as_ref().is_none_or(|own| own == tenant)) else {
        return Ok(Err(waits(
            reason::WAITING_FOR_CHAIN,
            format!("本租户没有名为 {chain} 的链；链开通后将自动安装。"),
            format!("The tenant has no chain `{chain}`; the application is installed once there is one."),
        )));
    };
    let (template, version) = (&object.spec.template, object.spec.version);
    let Some(text) = template_text(app, template.as_str(), &version.to_string()) else {
        return Ok(Err(waits(
            reason::WAITING_FOR_TEMPLATE,
            format!("应用目录中没有模板 {template} 的 {version} 版。"),
            format!("The catalog has no template `{template}` of version {version}."),
        )));
    };
    if let Err(waits) = fits(app, &tenant, object, &text) {
        return Ok(Err(waits));
    }
    // Before anything is done on a chain: an object that vanishes at once would leave it installed.
    app.objects.hold_application(object).await?;
    let mut tx = app.db.write().await?;
    insert(&mut tx, object, &tenant, &text, "").await?;
    tx.commit().await?;
    Ok(row(app, name).await?.ok_or_else(|| name_taken(name)))
}

/// In a cluster the namespace says whose it is; in the home its chain does.
fn of_tenant(object: &Application) -> Option<Name> {
    let tenant = object.metadata.namespace.as_deref().and_then(crate::objects::cluster::tenant_of)?;
    Some(crate::chains::console_name(&tenant))
}

/// The owner takes part in the tenant and the answers are the template's.
fn fits(app: &App, tenant: &Name, object: &Application, text: &str) -> std::result::Result<(), Waits> {
    let invalid = |zh: String, en: String| Err(waits(reason::INVALID_SPEC, zh, en));
    let owner = &object.spec.owner;
    let city = app.chains.city();
    let known = city.tenants.get(&object_name(tenant));
    if known.is_none_or(|tenant| !tenant.object.spec.organisations.iter().any(|own| own.id == *owner)) {
        return invalid(
            format!("spec.owner：{owner} 不是本租户的机构"),
            format!("spec.owner: `{owner}` is not an organisation of the tenant"),
        );
    }
    let answers = serde_json::from_value::<Answers>(Json::Object(object.spec.answers.clone()));
    let answers = match answers {
        Ok(answers) => answers,
        Err(error) => return invalid(format!("spec.answers：{error}"), format!("spec.answers: {error}")),
    };
    let template: AppTemplate = match serde_yaml_ng::from_str(text) {
        Ok(template) => template,
        Err(error) => return invalid(format!("模板无法读取：{error}"), format!("the template can't be read: {error}")),
    };
    match template.resolve(&answers) {
        Ok(_) => Ok(()),
        Err(faults) => {
            let first = faults.into_iter().next();
            let (zh, en) = first.map(|fault| (fault.reason.zh, fault.reason.en)).unwrap_or_default();
            invalid(format!("spec.answers：{zh}"), format!("spec.answers: {en}"))
        }
    }
}

fn waits(reason: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Waits {
    Waits { reason, sentence: operator_api::Text::new(zh, en) }
}

pub fn name_taken(name: &str) -> Waits {
    waits(
        reason::NAME_TAKEN,
        format!("{name} 已被（或曾被）本市的另一个应用使用，其历史须保持可查；请换一个名称。"),
        format!(
            "`{name}` is or was another application of the city, whose history stays readable; choose another name."
        ),
    )
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
    if let Some(object) = read(app, name)? {
        match app.objects.delete(&object).await {
            Ok(_) | Err(ObjectError::Missing) => {}
            Err(error) => return Err(error.into()),
        }
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
