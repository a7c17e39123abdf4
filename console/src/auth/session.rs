//! Sessions: a random token in the browser's cookie, its hash in SQL. Ends after idle time, after absolute time, at sign-out, and when the account or its tenant is switched off.

use super::{Principal, Roles};
use crate::app::App;
use crate::db::Tx;
use crate::error::Result;
use crate::names::{Name, random_bytes};
use crate::text::Lang;
use crate::time::now_ms;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// A session is marked as used at most this often, so that reading a page rarely writes.
const TOUCH_MS: i64 = 30_000;

/// The cookie's value; shown to nobody, stored nowhere.
pub struct Token(String);

impl Token {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(sqlx::FromRow)]
struct Found {
    token_hash: String,
    created_ms: i64,
    last_seen_ms: i64,
    previous_sign_in_ms: Option<i64>,
    previous_sign_in_ip: Option<String>,
    user_id: String,
    login: String,
    display_name: String,
    roles: Option<String>,
    tenant: Option<String>,
    organisation: Option<String>,
    must_change: i64,
    language: Option<String>,
    theme: Option<String>,
    user_state: String,
    tenant_state: Option<String>,
}

/// One of a person's sessions, for the account page.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub struct Session {
    pub token_hash: String,
    pub created_ms: i64,
    pub last_seen_ms: i64,
    pub ip: String,
    pub agent: String,
}

/// Opens a session for a person whose password was right; remembers this sign-in and hands the one before to the session, which shows it.
pub async fn open(tx: &mut Tx, user_id: &str, ip: &str, agent: &str) -> Result<Token> {
    let now = now_ms();
    let token = Token(hex::encode(random_bytes::<32>()));
    let (previous_ms, previous_ip): (Option<i64>, Option<String>) =
        sqlx::query_as("select last_sign_in_ms, last_sign_in_ip from users where id = $1")
            .bind(user_id)
            .fetch_one(&mut **tx)
            .await?;
    sqlx::query("insert into session (token_hash, user_id, created_ms, last_seen_ms, ip, agent, previous_sign_in_ms, previous_sign_in_ip) values ($1, $2, $3, $3, $4, $5, $6, $7)")
        .bind(token_hash(token.as_str()))
        .bind(user_id)
        .bind(now)
        .bind(ip)
        .bind(agent.chars().take(200).collect::<String>())
        .bind(previous_ms)
        .bind(previous_ip)
        .execute(&mut **tx)
        .await?;
    sqlx::query("update users set last_sign_in_ms = $1, last_sign_in_ip = $2 where id = $3")
        .bind(now)
        .bind(ip)
        .bind(user_id)
        .execute(&mut **tx)
        .await?;
    Ok(token)
}

/// The person behind a token, if the session is alive.
pub async fn find(app: &App, token: &str, request_id: &str) -> Result<Option<Principal>> {
    if token.len() != 64 {
        return Ok(None);
    }
    let found: Option<Found> = sqlx::query_as(
        "select s.token_hash, s.created_ms, s.last_seen_ms, s.previous_sign_in_ms, s.previous_sign_in_ip,
                u.id as user_id, u.login, u.display_name, u.tenant, u.organisation, u.must_change, u.language, u.theme, u.state as user_state, t.state as tenant_state,
                (select string_agg(r.role, ',') from user_role r where r.user_id = u.id) as roles
         from session s join users u on u.id = s.user_id left join tenant t on t.name = u.tenant where s.token_hash = $1",
    )
    .bind(token_hash(token))
    .fetch_optional(app.db.pool())
    .await?;
    let now = now_ms();
    let Some(found) = found else { return Ok(None) };
    if !alive(app, &found, now) {
        sqlx::query("delete from session where token_hash = $1").bind(&found.token_hash).execute(app.db.pool()).await?;
        return Ok(None);
    }
    if now - found.last_seen_ms > TOUCH_MS {
        sqlx::query("update session set last_seen_ms = $1 where token_hash = $2")
            .bind(now)
            .bind(&found.token_hash)
            .execute(app.db.pool())
            .await?;
    }
    Ok(principal(found, request_id))
}

fn alive(app: &App, found: &Found, now: i64) -> bool {
    now - found.last_seen_ms <= app.config.session_idle_ms
        && now - found.created_ms <= app.config.session_absolute_ms
        && found.user_state == "active"
        && found.tenant_state.as_deref().is_none_or(|state| state == "active")
}

/// `None` if the row holds a tenant that this version does not know: better signed out than somebody else.
fn principal(found: Found, request_id: &str) -> Option<Principal> {
    let tenant = match &found.tenant {
        Some(tenant) => Some(Name::parse(tenant)?),
        None => None,
    };
    Some(Principal {
        user_id: found.user_id,
        login: found.login,
        display_name: found.display_name,
        roles: Roles::parse(found.roles.as_deref().unwrap_or_default()),
        tenant,
        organisation: found.organisation,
        must_change_password: found.must_change != 0,
        language: found.language.as_deref().and_then(Lang::parse),
        theme: found.theme,
        session: found.token_hash,
        previous_sign_in_ms: found.previous_sign_in_ms,
        previous_sign_in_ip: found.previous_sign_in_ip,
        request_id: request_id.to_owned(),
    })
}

/// Ends one session.
pub async fn close(tx: &mut Tx, session: &str) -> Result<()> {
    sqlx::query("delete from session where token_hash = $1").bind(session).execute(&mut **tx).await?;
    Ok(())
}

/// Ends every session of a person but, if given, the one at hand. Returns how many.
pub async fn close_all(tx: &mut Tx, user_id: &str, but: Option<&str>) -> Result<u64> {
    let done = sqlx::query("delete from session where user_id = $1 and token_hash <> $2")
        .bind(user_id)
        .bind(but.unwrap_or_default())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

/// Ends every session of a tenant's people.
pub async fn close_tenant(tx: &mut Tx, tenant: &Name) -> Result<u64> {
    let done = sqlx::query("delete from session where user_id in (select id from users where tenant = $1)")
        .bind(tenant.as_str())
        .execute(&mut **tx)
        .await?;
    Ok(done.rows_affected())
}

/// A person's sessions, the latest used first.
pub async fn list(app: &App, user_id: &str) -> Result<Vec<Session>> {
    let oldest = now_ms() - app.config.session_idle_ms;
    Ok(sqlx::query_as("select token_hash, created_ms, last_seen_ms, ip, agent from session where user_id = $1 and last_seen_ms > $2 order by last_seen_ms desc")
        .bind(user_id)
        .bind(oldest)
        .fetch_all(app.db.pool())
        .await?)
}

fn token_hash(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
