//! What a person sees first: figures and acts that exist, by role.

use super::audit_log;
use crate::app::App;
use crate::audit::Row;
use crate::auth::{Action, Principal, Resource};
use crate::error::Result;
use crate::names::Name;
use crate::time::{day_start_ms, now_ms};
use serde::Serialize;

#[derive(Serialize)]
pub struct Overview {
    /// Of the city or of the reader's tenant.
    tenants: Option<i64>,
    suspended: i64,
    users: Option<i64>,
    signed_in: i64,
    acts_today: Option<i64>,
    refused_today: i64,
    newest: Option<Vec<Row>>,
    tenant: Option<super::tenants::Tenant>,
    can_create_tenant: bool,
    can_invite: bool,
}

pub async fn of(app: &App, principal: &Principal) -> Result<Overview> {
    let own = Resource::of(principal.tenant.as_ref());
    let may_list_users = principal.can(Action::ListUsers, &own);
    let may_audit = principal.can(Action::ViewAudit, &own);
    let scope = principal.tenant.as_ref().map_or("", Name::as_str);
    let now = now_ms();
    let (tenants, suspended): (i64, i64) = sqlx::query_as(
        "select count(*), cast(coalesce(sum(case when state = 'active' then 0 else 1 end), 0) as bigint) from tenant",
    )
    .fetch_one(app.db.pool())
    .await?;
    let (users, signed_in) = people(app, scope, now).await?;
    let (acts, refused) = acts(app, scope, day_start_ms(now)).await?;
    let tenant = match &principal.tenant {
        Some(tenant) => Some(super::tenants::find(app, principal, tenant).await?),
        None => None,
    };
    Ok(Overview {
        tenants: principal.can(Action::ListTenants, &Resource::City).then_some(tenants),
        suspended,
        users: may_list_users.then_some(users),
        signed_in,
        acts_today: may_audit.then_some(acts),
        refused_today: refused,
        newest: if may_audit { Some(audit_log::newest(app, principal, 8).await?) } else { None },
        tenant,
        can_create_tenant: principal.can(Action::CreateTenant, &Resource::City),
        can_invite: principal.can(Action::ManageUsers, &own),
    })
}

/// Accounts, and sessions that are not idle; of a tenant, or of everybody for the empty scope.
async fn people(app: &App, scope: &str, now: i64) -> Result<(i64, i64)> {
    let (users,): (i64,) = sqlx::query_as("select count(*) from users where $1 = '' or tenant = $1")
        .bind(scope)
        .fetch_one(app.db.pool())
        .await?;
    let (signed_in,): (i64,) = sqlx::query_as(
        "select count(distinct s.user_id) from session s join users u on u.id = s.user_id where s.last_seen_ms > $1 and ($2 = '' or u.tenant = $2)",
    )
    .bind(now - app.config.session_idle_ms)
    .bind(scope)
    .fetch_one(app.db.pool())
    .await?;
    Ok((users, signed_in))
}

async fn acts(app: &App, scope: &str, since_ms: i64) -> Result<(i64, i64)> {
    Ok(sqlx::query_as(
        "select count(*), cast(coalesce(sum(case when result = 'done' then 0 else 1 end), 0) as bigint) from audit where at_ms >= $1 and ($2 = '' or tenant = $2)",
    )
    .bind(since_ms)
    .bind(scope)
    .fetch_one(app.db.pool())
    .await?)
}
