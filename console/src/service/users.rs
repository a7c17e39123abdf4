//! People with accounts: the city's own, and each tenant's. Whoever manages them never learns a password that stays.

use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::{Action, Principal, Resource, Role, Roles, password, session};
use crate::db::{Tx, is_unique_violation};
use crate::error::{Error, FieldErrors, Result};
use crate::names::{Login, Name, random_id};
use crate::text::Message;
use crate::time::now_ms;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;
use zeroize::Zeroizing;

#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct User {
    pub id: String,
    pub login: String,
    pub display_name: String,
    pub tenant: Option<String>,
    pub organisation: Option<String>,
    /// Words joined by commas; see [`User::roles`].
    #[serde(rename = "roles", serialize_with = "role_words")]
    pub role_words: Option<String>,
    pub state: String,
    pub must_change: i64,
    pub last_sign_in_ms: Option<i64>,
    pub last_sign_in_ip: Option<String>,
    pub created_ms: i64,
}

fn role_words<S: Serializer>(words: &Option<String>, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    Roles::parse(words.as_deref().unwrap_or_default()).serialize(serializer)
}

impl User {
    pub fn roles(&self) -> Roles {
        Roles::parse(self.role_words.as_deref().unwrap_or_default())
    }

    /// `None`: the person works for the city itself.
    pub fn of_tenant(&self) -> Option<Name> {
        self.tenant.as_deref().and_then(Name::parse)
    }
}

/// The columns of [`User`], of `users u`.
pub const COLUMNS: &str = "u.id, u.login, u.display_name, u.tenant, u.organisation, u.state, u.must_change, u.last_sign_in_ms, \
     u.last_sign_in_ip, u.created_ms, (select string_agg(r.role, ',') from user_role r where r.user_id = u.id) as role_words";

/// The invitation form, as typed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Invitation {
    pub login: String,
    pub display_name: String,
    pub role: String,
    pub organisation: String,
}

/// An account to be made.
pub struct NewUser {
    pub login: Login,
    pub display_name: String,
    pub role: Role,
    pub tenant: Option<Name>,
    pub organisation: Option<Name>,
}

impl Invitation {
    pub fn parse(&self, tenant: Option<&Name>) -> Result<NewUser> {
        let mut errors = FieldErrors::default();
        let display_name = self.display_name.trim().to_owned();
        match display_name.chars().count() {
            0 => errors.add("display_name", Message::new("field-display-name-missing")),
            1..=60 => {}
            _ => errors.add("display_name", Message::new("field-title-long").with("n", 60)),
        }
        let login = Login::parse(&self.login);
        if login.is_none() {
            errors.add("login", Message::new("field-login-form"));
        }
        let organisation = tenant.and_then(|_| Name::parse(&self.organisation));
        if tenant.is_some() && organisation.is_none() {
            errors.add("organisation", Message::new("field-organisation-choose"));
        }
        let role = Role::parse(&self.role).filter(|role| role.fits(tenant));
        if role.is_none() {
            errors.add("role", Message::new("field-role-choose"));
        }
        let whole = login.zip(role).map(|(login, role)| NewUser {
            login,
            display_name,
            role,
            tenant: tenant.cloned(),
            organisation,
        });
        errors.finish(whole)
    }
}

/// Roles that a person of this tenant, or of the city, can be given.
pub fn roles(tenant: Option<&Name>) -> Vec<&'static str> {
    Role::ALL.into_iter().filter(|role| role.fits(tenant)).map(Role::as_str).collect()
}

/// The people of a tenant, or of the city.
pub async fn list(app: &App, principal: &Principal, tenant: Option<&Name>) -> Result<Vec<User>> {
    principal.require(Action::ListUsers, &Resource::of(tenant))?;
    let text = format!("select {COLUMNS} from users u where coalesce(u.tenant, '') = $1 order by u.login");
    Ok(sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(tenant.map_or("", Name::as_str)).fetch_all(app.db.pool()).await?)
}

/// One person, if the reader may list the people of that tenant.
pub async fn find(app: &App, principal: &Principal, id: &str) -> Result<User> {
    let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("select {COLUMNS} from users u where u.id = $1")));
    let found: Option<User> = query.bind(id).fetch_optional(app.db.pool()).await?;
    let user = found.ok_or(Error::NotFound)?;
    let tenant = user.tenant.as_deref().and_then(Name::parse);
    // A person of the city does not exist for people of a tenant.
    if principal.tenant.is_some() && tenant.is_none() {
        return Err(Error::NotFound);
    }
    principal.require(Action::ListUsers, &Resource::of(tenant.as_ref()))?;
    Ok(user)
}

/// Makes an account with a one-time password, which is returned and shown once.
pub async fn invite(app: &App, principal: &Principal, new: NewUser) -> Result<(String, Zeroizing<String>)> {
    principal.require(Action::ManageUsers, &Resource::of(new.tenant.as_ref()))?;
    let secret = Zeroizing::new(password::generate());
    let hash = password::hash(secret.clone()).await?;
    let mut tx = app.db.write().await?;
    let id = insert(&mut tx, Actor::Person(principal), &new, &hash, true).await?;
    tx.commit().await?;
    Ok((id, secret))
}

/// The rows of a new account and the audit log.
pub async fn insert(tx: &mut Tx, actor: Actor<'_>, new: &NewUser, hash: &str, must_change: bool) -> Result<String> {
    if let (Some(tenant), Some(organisation)) = (&new.tenant, &new.organisation) {
        let found: Option<(String,)> = sqlx::query_as("select name from organisation where tenant = $1 and name = $2")
            .bind(tenant.as_str())
            .bind(organisation.as_str())
            .fetch_optional(&mut **tx)
            .await?;
        if found.is_none() {
            return Err(Error::field("organisation", Message::new("field-organisation-choose")));
        }
    }
    let after = json!({ "name": new.display_name, "role": new.role.as_str(), "organisation": new.organisation.as_ref().map(Name::as_str) });
    audit::record(
        tx,
        actor,
        Entry::done("user.create", "user", new.login.as_str()).of(new.tenant.as_ref()).after(after),
    )
    .await?;
    let id = random_id();
    let inserted = sqlx::query(
        "insert into users (id, login, display_name, tenant, organisation, password_hash, must_change, state, created_ms)
         values ($1, $2, $3, $4, $5, $6, $7, 'active', $8)",
    )
    .bind(&id)
    .bind(new.login.as_str())
    .bind(&new.display_name)
    .bind(new.tenant.as_ref().map(Name::as_str))
    .bind(new.organisation.as_ref().map(Name::as_str))
    .bind(hash)
    .bind(i64::from(must_change))
    .bind(now_ms())
    .execute(&mut **tx)
    .await;
    match inserted {
        Ok(_) => super::roles::insert(tx, &id, new.role, "").await.map(|()| id),
        Err(error) if is_unique_violation(&error) => Err(Error::field("login", Message::new("field-login-taken"))),
        Err(error) => Err(error.into()),
    }
}

/// Switches an account off (its sessions end) or on again; never the last administrator's off.
pub async fn set_active(app: &App, principal: &Principal, id: &str, active: bool) -> Result<User> {
    let user = manageable(app, principal, id).await?;
    let tenant = user.of_tenant();
    let (action, state) = if active { ("user.enable", "active") } else { ("user.disable", "disabled") };
    let entry = Entry::done(action, "user", &user.login)
        .of(tenant.as_ref())
        .before(json!({ "state": user.state }))
        .after(json!({ "state": state }));
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    if !active {
        for role in user.roles().iter() {
            super::roles::keep_an_administrator(&mut tx, &user, role).await?;
        }
    }
    sqlx::query("update users set state = $1 where id = $2").bind(state).bind(id).execute(&mut *tx).await?;
    if !active {
        session::close_all(&mut tx, id, None).await?;
    }
    tx.commit().await?;
    Ok(user)
}

/// Gives an account a new one-time password; its sessions end, its lock is lifted.
pub async fn reset(app: &App, principal: &Principal, id: &str) -> Result<(User, Zeroizing<String>)> {
    let user = manageable(app, principal, id).await?;
    let tenant = user.tenant.as_deref().and_then(Name::parse);
    let secret = set_one_time_password(app, Actor::Person(principal), &user.id, &user.login, tenant.as_ref()).await?;
    Ok((user, secret))
}

/// The same without asking who does it: for the command line of whoever owns the home.
pub async fn set_one_time_password(
    app: &App,
    actor: Actor<'_>,
    id: &str,
    login: &str,
    tenant: Option<&Name>,
) -> Result<Zeroizing<String>> {
    let secret = Zeroizing::new(password::generate());
    let hash = password::hash(secret.clone()).await?;
    let mut tx = app.db.write().await?;
    audit::record(&mut tx, actor, Entry::done("user.reset-password", "user", login).of(tenant)).await?;
    sqlx::query("update users set password_hash = $1, must_change = 1 where id = $2")
        .bind(hash)
        .bind(id)
        .execute(&mut *tx)
        .await?;
    password::forget_failures(&mut tx, login).await?;
    session::close_all(&mut tx, id, None).await?;
    tx.commit().await?;
    Ok(secret)
}

/// One person whom the asker may change.
pub async fn manageable(app: &App, principal: &Principal, id: &str) -> Result<User> {
    let user = find(app, principal, id).await?;
    let tenant = user.tenant.as_deref().and_then(Name::parse);
    principal.require(Action::ManageUsers, &Resource::of(tenant.as_ref()))?;
    if user.id == principal.user_id {
        // Nobody locks themselves out; the own password is changed on the account page.
        return Err(Error::conflict("own-account", Message::new("error-own-account-help")));
    }
    Ok(user)
}
