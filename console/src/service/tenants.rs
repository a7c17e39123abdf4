//! Tenants and their organisations. The tenant's object owns title, organisations and quota; SQL owns people and whether it is suspended.

use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::{Action, Principal, Resource, session};
use crate::chains::object_name;
use crate::db::{Tx, is_unique_violation};
use crate::error::{Error, FieldErrors, Result};
use crate::live::Topic;
use crate::names::Name;
use crate::objects::{ObjectError, tenant as new_tenant};
use crate::text::Message;
use crate::time::now_ms;
use operator_api::Text;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A tenant with what its list shows.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Tenant {
    pub name: String,
    pub title_zh: String,
    pub title_en: String,
    pub state: String,
    pub created_ms: i64,
    pub users: i64,
    pub organisations: i64,
}

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Organisation {
    pub tenant: String,
    pub name: String,
    pub title_zh: String,
    pub title_en: String,
    pub created_ms: i64,
}

/// The form for a tenant or an organisation, as typed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Titled {
    pub name: String,
    pub title_zh: String,
    pub title_en: String,
}

/// The same, valid.
pub struct ValidTitled {
    pub name: Name,
    pub title_zh: String,
    pub title_en: String,
}

impl Titled {
    pub fn parse(&self) -> Result<ValidTitled> {
        let mut errors = FieldErrors::default();
        let mut title = |field, text: &str| {
            let text = text.trim();
            match text.chars().count() {
                0 => errors.add(field, Message::new("field-title-missing")),
                1..=60 => {}
                _ => errors.add(field, Message::new("field-title-long").with("n", 60)),
            }
            text.to_owned()
        };
        let (title_zh, title_en) = (title("title_zh", &self.title_zh), title("title_en", &self.title_en));
        let name = Name::parse(self.name.trim());
        if name.is_none() {
            errors.add("name", Message::new("field-name-form"));
        }
        errors.finish(name.map(|name| ValidTitled { name, title_zh, title_en }))
    }
}

/// Every tenant, by name.
pub async fn list(app: &App, principal: &Principal) -> Result<Vec<Tenant>> {
    principal.require(Action::ListTenants, &Resource::City)?;
    Ok(sqlx::query_as(
        "select t.name, t.title_zh, t.title_en, t.state, t.created_ms,
                (select count(*) from users u where u.tenant = t.name) as users,
                (select count(*) from organisation o where o.tenant = t.name) as organisations
         from tenant t order by t.name",
    )
    .fetch_all(app.db.pool())
    .await?)
}

/// One tenant.
pub async fn find(app: &App, principal: &Principal, name: &Name) -> Result<Tenant> {
    principal.require(Action::ViewTenant, &Resource::Tenant(name))?;
    let found: Option<Tenant> = sqlx::query_as(
        "select t.name, t.title_zh, t.title_en, t.state, t.created_ms,
                (select count(*) from users u where u.tenant = t.name) as users,
                (select count(*) from organisation o where o.tenant = t.name) as organisations
         from tenant t where t.name = $1",
    )
    .bind(name.as_str())
    .fetch_optional(app.db.pool())
    .await?;
    found.ok_or(Error::NotFound)
}

/// A tenant's organisations, by name.
pub async fn organisations(app: &App, principal: &Principal, tenant: &Name) -> Result<Vec<Organisation>> {
    principal.require(Action::ViewTenant, &Resource::Tenant(tenant))?;
    Ok(sqlx::query_as(
        "select tenant, name, title_zh, title_en, created_ms from organisation where tenant = $1 order by name",
    )
    .bind(tenant.as_str())
    .fetch_all(app.db.pool())
    .await?)
}

/// Creates a tenant with a first organisation of the same name.
pub async fn create(app: &App, principal: &Principal, new: ValidTitled) -> Result<Name> {
    principal.require(Action::CreateTenant, &Resource::City)?;
    let mut tx = app.db.write().await?;
    insert(&mut tx, Actor::Person(principal), &new).await?;
    let title = || Text::new(new.title_zh.clone(), new.title_en.clone());
    let name = object_name(&new.name);
    let object = new_tenant::object(name.clone(), title(), vec![new_tenant::organisation(name.clone(), title())]);
    // The object owns what a tenant is; should the commit fail after it, SQL is brought to what it says.
    match app.objects.create(&name, &object).await {
        Ok(_) => {}
        Err(ObjectError::Taken) => return Err(Error::field("name", Message::new("field-name-taken"))),
        Err(ObjectError::Refused(sentence)) => return Err(Error::field("", Message::Plain(sentence))),
        Err(error) => return Err(error.into()),
    }
    tx.commit().await?;
    app.chains.changed.notify_one();
    app.publish_changed(Topic::city("tenants"));
    Ok(new.name)
}

/// The rows of a new tenant, its first organisation and the audit log.
pub async fn insert(tx: &mut Tx, actor: Actor<'_>, new: &ValidTitled) -> Result<()> {
    let after = json!({ "title_zh": new.title_zh, "title_en": new.title_en });
    audit::record(
        tx,
        actor,
        Entry::done("tenant.create", "tenant", new.name.as_str()).of(Some(&new.name)).after(after),
    )
    .await?;
    let inserted = sqlx::query(
        "insert into tenant (name, title_zh, title_en, state, created_ms) values ($1, $2, $3, 'active', $4)",
    )
    .bind(new.name.as_str())
    .bind(&new.title_zh)
    .bind(&new.title_en)
    .bind(now_ms())
    .execute(&mut **tx)
    .await;
    taken(inserted)?;
    insert_organisation(tx, &new.name, new).await
}

async fn insert_organisation(tx: &mut Tx, tenant: &Name, new: &ValidTitled) -> Result<()> {
    let inserted = sqlx::query(
        "insert into organisation (tenant, name, title_zh, title_en, created_ms) values ($1, $2, $3, $4, $5)",
    )
    .bind(tenant.as_str())
    .bind(new.name.as_str())
    .bind(&new.title_zh)
    .bind(&new.title_en)
    .bind(now_ms())
    .execute(&mut **tx)
    .await;
    taken(inserted)
}

/// A name that exists is a field to correct.
fn taken<T>(inserted: Result<T, sqlx::Error>) -> Result<()> {
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if is_unique_violation(&error) => Err(Error::field("name", Message::new("field-name-taken"))),
        Err(error) => Err(error.into()),
    }
}

/// Adds an organisation to a tenant.
pub async fn add_organisation(app: &App, principal: &Principal, tenant: &Name, new: ValidTitled) -> Result<()> {
    principal.require(Action::ChangeTenant, &Resource::Tenant(tenant))?;
    find(app, principal, tenant).await?;
    let after = json!({ "title_zh": new.title_zh, "title_en": new.title_en });
    let mut tx = app.db.write().await?;
    audit::record(
        &mut tx,
        Actor::Person(principal),
        Entry::done("organisation.create", "organisation", new.name.as_str()).of(Some(tenant)).after(after),
    )
    .await?;
    insert_organisation(&mut tx, tenant, &new).await?;
    add_to_object(app, tenant, new).await?;
    tx.commit().await?;
    app.chains.changed.notify_one();
    Ok(())
}

/// The object owns organisations, so it is written before SQL commits.
async fn add_to_object(app: &App, tenant: &Name, new: ValidTitled) -> Result<()> {
    let mut object = app.objects.tenant(&object_name(tenant)).await?.ok_or(Error::NotFound)?;
    let id = object_name(&new.name);
    if !object.spec.organisations.iter().any(|organisation| organisation.id == id) {
        object.spec.organisations.push(new_tenant::organisation(id, Text::new(new.title_zh, new.title_en)));
        app.objects.replace(&object).await?;
    }
    Ok(())
}

/// Suspends a tenant: its people are signed out and cannot sign in. `typed` must repeat the name. Returns how many sessions ended.
pub async fn suspend(app: &App, principal: &Principal, name: &Name, typed: &str) -> Result<u64> {
    principal.require(Action::ChangeTenant, &Resource::Tenant(name))?;
    if typed.trim() != name.as_str() {
        return Err(Error::field("typed", Message::new("field-typed-differs").with("name", name)));
    }
    let mut tx = app.db.write().await?;
    set_state(&mut tx, principal, name, "tenant.suspend", "suspended").await?;
    let closed = session::close_tenant(&mut tx, name).await?;
    tx.commit().await?;
    app.publish_changed(Topic::city("tenants"));
    Ok(closed)
}

/// Lets a suspended tenant's people sign in again.
pub async fn resume(app: &App, principal: &Principal, name: &Name) -> Result<()> {
    principal.require(Action::ChangeTenant, &Resource::Tenant(name))?;
    let mut tx = app.db.write().await?;
    set_state(&mut tx, principal, name, "tenant.resume", "active").await?;
    tx.commit().await?;
    app.publish_changed(Topic::city("tenants"));
    Ok(())
}

async fn set_state(tx: &mut Tx, principal: &Principal, name: &Name, action: &'static str, state: &str) -> Result<()> {
    let before: Option<(String,)> = sqlx::query_as("select state from tenant where name = $1")
        .bind(name.as_str())
        .fetch_optional(&mut **tx)
        .await?;
    let (before,) = before.ok_or(Error::NotFound)?;
    let entry = Entry::done(action, "tenant", name.as_str())
        .of(Some(name))
        .before(json!({ "state": before }))
        .after(json!({ "state": state }));
    audit::record(tx, Actor::Person(principal), entry).await?;
    sqlx::query("update tenant set state = $1 where name = $2")
        .bind(state)
        .bind(name.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(())
}
