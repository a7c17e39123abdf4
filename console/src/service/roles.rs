//! Who has which role: the page of everybody, giving a role and taking it away. Nobody changes their own; a tenant, and the city, always
//! keeps an administrator who can sign in. A change takes effect with the person's next request: sessions read roles anew each time.

use super::users::{COLUMNS, User, find, manageable};
use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::roles::Unfit;
use crate::auth::{Action, Principal, Resource, Role};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::names::Name;
use crate::text::Message;
use crate::time::now_ms;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub const PER_PAGE: i64 = 50;

/// What the page is narrowed to, as typed.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Filter {
    pub q: String,
    /// A tenant's name; `-` for the city's own people.
    pub tenant: String,
    pub role: String,
}

/// A person with the titles of where they work.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Line {
    #[sqlx(flatten)]
    pub user: User,
    pub tenant_zh: Option<String>,
    pub tenant_en: Option<String>,
    pub organisation_zh: Option<String>,
    pub organisation_en: Option<String>,
}

const TITLES: &str =
    "t.title_zh as tenant_zh, t.title_en as tenant_en, o.title_zh as organisation_zh, o.title_en as organisation_en";
const PLACES: &str = "from users u left join tenant t on t.name = u.tenant
     left join organisation o on o.tenant = u.tenant and o.name = u.organisation";

/// Everybody whom the reader may see, and how many there are: of all tenants for the city's people, of the own one for others.
pub async fn page(app: &App, principal: &Principal, filter: &Filter, number: i64) -> Result<(Vec<Line>, i64)> {
    principal.require(Action::ListUsers, &Resource::of(principal.tenant.as_ref()))?;
    let tenant = principal.tenant.as_ref().map_or(filter.tenant.trim(), Name::as_str).to_owned();
    let text: String = filter.q.trim().to_lowercase().chars().filter(|c| !matches!(c, '%' | '_')).collect();
    let like = if text.is_empty() { String::new() } else { format!("%{text}%") };
    let wanted = "where ($1 = '' or coalesce(u.tenant, '-') = $1)
           and ($2 = '' or exists (select 1 from user_role r where r.user_id = u.id and r.role = $2))
           and ($3 = '' or lower(u.display_name) like $3 or u.login like $3)";
    let count = sqlx::query_as(sqlx::AssertSqlSafe(format!("select count(*) {PLACES} {wanted}")));
    let (total,): (i64,) = count.bind(&tenant).bind(filter.role.trim()).bind(&like).fetch_one(app.db.pool()).await?;
    let rows = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS}, {TITLES} {PLACES} {wanted} order by coalesce(u.tenant, ''), u.login limit $4 offset $5"
    )));
    let lines = rows
        .bind(&tenant)
        .bind(filter.role.trim())
        .bind(&like)
        .bind(PER_PAGE)
        .bind((number.max(1) - 1) * PER_PAGE)
        .fetch_all(app.db.pool())
        .await?;
    Ok((lines, total))
}

/// One person, if the reader may list the people of that place.
pub async fn line(app: &App, principal: &Principal, id: &str) -> Result<Line> {
    find(app, principal, id).await?;
    let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("select {COLUMNS}, {TITLES} {PLACES} where u.id = $1")));
    Ok(query.bind(id).fetch_one(app.db.pool()).await?)
}

/// Roles that a person can be given beside those they have.
pub fn free(user: &User) -> Vec<&'static str> {
    let (roles, tenant) = (user.roles(), user.of_tenant());
    let fits = |role: &Role| roles.can_add(*role, tenant.as_ref()).is_ok();
    Role::ALL.into_iter().filter(fits).map(Role::as_str).collect()
}

/// Writes a role of a person into `tx`.
pub async fn insert(tx: &mut Tx, user_id: &str, role: Role, by: &str) -> Result<()> {
    sqlx::query(
        "insert into user_role (user_id, role, granted_ms, granted_by) values ($1, $2, $3, $4) on conflict do nothing",
    )
    .bind(user_id)
    .bind(role.as_str())
    .bind(now_ms())
    .bind(by)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Gives a person one more role.
pub async fn grant(app: &App, principal: &Principal, id: &str, typed: &str) -> Result<User> {
    let user = manageable(app, principal, id).await?;
    let role = Role::parse(typed).ok_or_else(|| Error::field("role", Message::new("field-role-choose")))?;
    let tenant = user.of_tenant();
    let mut tx = app.db.write().await?;
    record(&mut tx, principal, &user, "role.grant", role).await?;
    // Asked inside: two windows at once must not make an auditor of an administrator.
    let fits = present(&mut tx, &user).await?.roles().can_add(role, tenant.as_ref());
    if let Err(unfit) = fits {
        let message = match unfit {
            Unfit::Place => "role-place",
            Unfit::Has => "role-has",
            Unfit::Audit => "role-audit",
        };
        return Err(Error::field("role", Message::new(message)));
    }
    insert(&mut tx, id, role, &principal.display_name).await?;
    tx.commit().await?;
    Ok(user)
}

/// Takes a role away; not the only one, and not the last administrator's.
pub async fn revoke(app: &App, principal: &Principal, id: &str, typed: &str) -> Result<User> {
    let user = manageable(app, principal, id).await?;
    let role = Role::parse(typed).filter(|role| user.roles().contains(*role)).ok_or(Error::NotFound)?;
    let mut tx = app.db.write().await?;
    record(&mut tx, principal, &user, "role.revoke", role).await?;
    keep_an_administrator(&mut tx, &user, role).await?;
    if present(&mut tx, &user).await?.roles().len() < 2 {
        return Err(Error::field("", Message::new("role-last-help")));
    }
    sqlx::query("delete from user_role where user_id = $1 and role = $2")
        .bind(id)
        .bind(role.as_str())
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(user)
}

async fn record(tx: &mut Tx, principal: &Principal, user: &User, action: &'static str, role: Role) -> Result<()> {
    let before = user.roles().words();
    let after: Vec<&str> = match action {
        "role.grant" => before.iter().copied().chain([role.as_str()]).collect(),
        _ => before.iter().copied().filter(|word| *word != role.as_str()).collect(),
    };
    let tenant = user.of_tenant();
    let entry = Entry::done(action, "user", &user.login)
        .of(tenant.as_ref())
        .before(json!({ "roles": before }))
        .after(json!({ "roles": after }));
    audit::record(tx, Actor::Person(principal), entry).await?;
    Ok(())
}

/// The person as this transaction sees them.
async fn present(tx: &mut Tx, user: &User) -> Result<User> {
    let query = sqlx::query_as(sqlx::AssertSqlSafe(format!("select {COLUMNS} from users u where u.id = $1")));
    Ok(query.bind(&user.id).fetch_one(&mut **tx).await?)
}

/// Refuses to go on if nobody else runs the person's tenant, or the city. `tx` has written its audit row: that lock makes two such acts
/// follow one another, so each sees what the other has left.
pub async fn keep_an_administrator(tx: &mut Tx, user: &User, role: Role) -> Result<()> {
    if !matches!(role, Role::PlatformOperator | Role::TenantAdmin) || user.state != "active" {
        return Ok(());
    }
    let (others,): (i64,) = sqlx::query_as(
        "select count(*) from user_role r join users u on u.id = r.user_id
         where r.role = $1 and coalesce(u.tenant, '') = $2 and u.state = 'active' and u.id <> $3",
    )
    .bind(role.as_str())
    .bind(user.tenant.as_deref().unwrap_or_default())
    .bind(&user.id)
    .fetch_one(&mut **tx)
    .await?;
    if others > 0 {
        return Ok(());
    }
    Err(Error::field("", Message::new("role-last-administrator-help")))
}
