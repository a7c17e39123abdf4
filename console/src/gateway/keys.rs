//! API keys: made, shown once, revoked, and recognised. Only the hash of a secret is stored. A key belongs to one organisation of one
//! tenant, may do what its scopes say, and so often a second.

use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::{Action, Principal, Resource};
use crate::config::Environment;
use crate::db::Tx;
use crate::error::{Error, FieldErrors, Result};
use crate::names::{Name, random_bytes, random_id};
use crate::text::Message;
use crate::time::now_ms;
use axum::http::StatusCode;
use chain_types::Hash;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What is known of a key for this long is not asked again; revoking one forgets it at once.
const KNOWN_FOR: Duration = Duration::from_secs(2);
/// Secrets that are no key are remembered too, but not without end.
const MOST_KNOWN: usize = 10_000;
/// Requests a second, unless the key says otherwise.
const RATE: i64 = 2_000;
pub const RATES: [i64; 4] = [10, 100, 500, 2_000];
pub const DAYS: [i64; 4] = [7, 30, 90, 365];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub enum Scope {
    #[serde(rename = "anchor:write")]
    AnchorWrite,
    #[serde(rename = "anchor:read")]
    AnchorRead,
    #[serde(rename = "trace:read")]
    TraceRead,
    #[serde(rename = "tx:write")]
    TxWrite,
}

impl Scope {
    pub const ALL: [Scope; 4] = [Scope::AnchorWrite, Scope::AnchorRead, Scope::TraceRead, Scope::TxWrite];

    pub fn as_str(self) -> &'static str {
        match self {
            Scope::AnchorWrite => "anchor:write",
            Scope::AnchorRead => "anchor:read",
            Scope::TraceRead => "trace:read",
            Scope::TxWrite => "tx:write",
        }
    }
}

/// Who asks: a key that is good.
#[derive(Debug, PartialEq)]
pub struct Caller {
    pub key_id: String,
    pub tenant: Name,
    pub organisation: String,
    pub scopes: Vec<Scope>,
    pub rate_per_s: i64,
    expires_ms: Option<i64>,
}

impl Caller {
    pub fn require(&self, scope: Scope) -> Result<()> {
        match self.scopes.contains(&scope) {
            true => Ok(()),
            false => Err(Error::Refused {
                status: StatusCode::FORBIDDEN,
                code: "scope-missing",
                message: Message::new("error-scope-missing-help").with("scope", scope.as_str()),
            }),
        }
    }
}

/// A key as its list shows it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Key {
    pub id: String,
    pub tenant: String,
    pub organisation: String,
    pub name: String,
    pub shown: String,
    pub scopes: String,
    pub rate_per_s: i64,
    pub created_by: String,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub revoked_ms: Option<i64>,
    pub last_used_ms: Option<i64>,
}

/// The form, as typed. Scopes are one field each, because a form of check boxes is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct NewKey {
    pub name: String,
    pub organisation: String,
    pub anchor_write: String,
    pub anchor_read: String,
    pub trace_read: String,
    pub tx_write: String,
    pub rate_per_s: String,
    pub days: String,
}

impl NewKey {
    /// What is offered first: everything that reading and anchoring need, for three months.
    pub fn offered(organisation: &str) -> Self {
        let on = || "1".to_owned();
        Self {
            organisation: organisation.to_owned(),
            anchor_write: on(),
            anchor_read: on(),
            trace_read: on(),
            rate_per_s: RATE.to_string(),
            days: "90".to_owned(),
            ..Self::default()
        }
    }

    fn scopes(&self) -> Vec<Scope> {
        let typed = [&self.anchor_write, &self.anchor_read, &self.trace_read, &self.tx_write];
        Scope::ALL.into_iter().zip(typed).filter(|(_, typed)| *typed == "1").map(|(scope, _)| scope).collect()
    }
}

/// Makes a key of the reader's tenant; the secret is returned here and nowhere else.
pub async fn create(app: &App, principal: &Principal, form: &NewKey) -> Result<(Key, String)> {
    let mut tx = app.db.write().await?;
    let made = create_within(app, &mut tx, principal, form).await?;
    tx.commit().await?;
    Ok(made)
}

/// Like [`create`], together with what else the transaction writes.
pub async fn create_within(app: &App, tx: &mut Tx, principal: &Principal, form: &NewKey) -> Result<(Key, String)> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ManageApiKeys, &Resource::Tenant(&tenant))?;
    let mut errors = FieldErrors::default();
    let (name, scopes) = (form.name.trim(), form.scopes());
    if name.is_empty() || name.chars().count() > 60 {
        errors.add("name", Message::new("key-name-wrong").with("n", 60));
    }
    if scopes.is_empty() {
        errors.add("anchor_write", Message::new("key-scopes-missing"));
    }
    let rate = form.rate_per_s.parse().ok().filter(|rate| RATES.contains(rate));
    let days = form.days.parse().ok().filter(|days| DAYS.contains(days));
    if rate.is_none() {
        errors.add("rate_per_s", Message::new("key-choice-wrong"));
    }
    if days.is_none() {
        errors.add("days", Message::new("key-choice-wrong"));
    }
    if !organisations(app, &tenant).await?.iter().any(|(known, ..)| *known == form.organisation) {
        errors.add("organisation", Message::new("key-choice-wrong"));
    }
    let (rate, days): (i64, i64) = errors.finish(rate.zip(days))?;
    insert(app, tx, principal, &tenant, (name, &form.organisation), &scopes, (rate, days)).await
}

async fn insert(
    app: &App,
    tx: &mut Tx,
    principal: &Principal,
    tenant: &Name,
    (name, organisation): (&str, &str),
    scopes: &[Scope],
    (rate, days): (i64, i64),
) -> Result<(Key, String)> {
    let kind = if app.config.environment == Environment::Production { "bk_live_" } else { "bk_test_" };
    let secret = format!("{kind}{}", hex::encode(random_bytes::<24>()));
    let key = Key {
        id: random_id(),
        tenant: tenant.as_str().to_owned(),
        organisation: organisation.to_owned(),
        name: name.to_owned(),
        shown: secret.chars().take(14).collect(),
        scopes: scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        rate_per_s: rate,
        created_by: principal.display_name.clone(),
        created_ms: now_ms(),
        expires_ms: Some(now_ms() + days * 86_400_000),
        revoked_ms: None,
        last_used_ms: None,
    };
    let after = json!({ "name": key.name, "organisation": organisation, "scopes": key.scopes, "days": days });
    let entry = Entry::done("api-key.create", "api-key", &key.id).of(Some(tenant)).after(after);
    audit::record(tx, Actor::Person(principal), entry).await?;
    sqlx::query(
        "insert into api_key (id, tenant, organisation, name, shown, hash, scopes, rate_per_s, created_by, created_ms, expires_ms)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(&key.id)
    .bind(&key.tenant)
    .bind(&key.organisation)
    .bind(&key.name)
    .bind(&key.shown)
    .bind(hash(&secret))
    .bind(&key.scopes)
    .bind(key.rate_per_s)
    .bind(&key.created_by)
    .bind(key.created_ms)
    .bind(key.expires_ms)
    .execute(&mut **tx)
    .await?;
    Ok((key, secret))
}

/// The keys of the reader's tenant, the newest first.
pub async fn list(app: &App, principal: &Principal) -> Result<Vec<Key>> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ViewApiKeys, &Resource::Tenant(&tenant))?;
    Ok(sqlx::query_as(
        "select id, tenant, organisation, name, shown, scopes, rate_per_s, created_by, created_ms, expires_ms, revoked_ms, last_used_ms
         from api_key where tenant = $1 order by created_ms desc",
    )
    .bind(tenant.as_str())
    .fetch_all(app.db.pool())
    .await?)
}

/// Ends a key for good, now.
pub async fn revoke(app: &App, principal: &Principal, id: &str) -> Result<()> {
    let tenant = own_tenant(principal)?;
    principal.require(Action::ManageApiKeys, &Resource::Tenant(&tenant))?;
    let mut tx = app.db.write().await?;
    let entry = Entry::done("api-key.revoke", "api-key", id).of(Some(&tenant));
    audit::record(&mut tx, Actor::Person(principal), entry).await?;
    let done = sqlx::query("update api_key set revoked_ms = $1 where id = $2 and tenant = $3 and revoked_ms is null")
        .bind(now_ms())
        .bind(id)
        .bind(tenant.as_str())
        .execute(&mut *tx)
        .await?;
    if done.rows_affected() == 0 {
        return Err(Error::NotFound);
    }
    tx.commit().await?;
    app.gateway.keys.forget();
    Ok(())
}

/// A tenant's organisations: name, Chinese and English title.
pub async fn organisations(app: &App, tenant: &Name) -> Result<Vec<(String, String, String)>> {
    Ok(sqlx::query_as("select name, title_zh, title_en from organisation where tenant = $1 order by name")
        .bind(tenant.as_str())
        .fetch_all(app.db.pool())
        .await?)
}

/// Keys belong to tenants; the city's own people have none.
pub fn own_tenant(principal: &Principal) -> Result<Name> {
    principal.tenant.clone().ok_or(Error::Forbidden)
}

fn hash(secret: &str) -> String {
    Hash::of(secret.as_bytes()).to_string()
}

/// What a hash stands for, if for anything, and since when that is known.
type Seen = (Option<Arc<Caller>>, Instant);

/// Keys seen lately, by hash, and how much of its rate each has left.
#[derive(Default)]
pub struct Known {
    callers: Mutex<HashMap<String, Seen>>,
    left: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Known {
    fn forget(&self) {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Seconds to wait if the key has used up its rate; counts the request otherwise. A second's worth may come at once.
    fn wait_s(&self, caller: &Caller) -> Option<u64> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let (rate, now) = (caller.rate_per_s as f64, Instant::now());
        let (tokens, since) = left.entry(caller.key_id.clone()).or_insert((rate, now));
        *tokens = (*tokens + since.elapsed().as_secs_f64() * rate).min(rate);
        *since = now;
        if *tokens < 1.0 {
            return Some(1);
        }
        *tokens -= 1.0;
        None
    }
}

/// Recognises a secret and counts the request.
pub async fn authenticate(app: &App, secret: &str) -> Result<Arc<Caller>> {
    let caller = find(app, &hash(secret)).await?.filter(|caller| caller.expires_ms.is_none_or(|at| at > now_ms()));
    caller.ok_or_else(|| unauthorised("key-invalid", Message::new("error-key-invalid-help")))
}

/// Counts a request of the key against its rate.
pub fn count(app: &App, caller: &Caller) -> Result<()> {
    match app.gateway.keys.wait_s(caller) {
        Some(retry_after_s) => Err(Error::TooMany { retry_after_s }),
        None => Ok(()),
    }
}

pub fn unauthorised(code: &'static str, message: Message) -> Error {
    Error::Refused { status: StatusCode::UNAUTHORIZED, code, message }
}

async fn find(app: &App, hash: &str) -> Result<Option<Arc<Caller>>> {
    let known = &app.gateway.keys.callers;
    if let Some((caller, since)) = known.lock().unwrap_or_else(PoisonError::into_inner).get(hash)
        && since.elapsed() < KNOWN_FOR
    {
        return Ok(caller.clone());
    }
    let row: Option<(String, String, String, String, i64, Option<i64>)> = sqlx::query_as(
        "select k.id, k.tenant, k.organisation, k.scopes, k.rate_per_s, k.expires_ms
         from api_key k join tenant t on t.name = k.tenant
         where k.hash = $1 and k.revoked_ms is null and t.state = 'active'",
    )
    .bind(hash)
    .fetch_optional(app.db.pool())
    .await?;
    let caller = row.and_then(|(key_id, tenant, organisation, scopes, rate_per_s, expires_ms)| {
        let granted = |scope: &Scope| scopes.split(' ').any(|text| text == scope.as_str());
        let scopes = Scope::ALL.into_iter().filter(granted).collect();
        let tenant = Name::parse(&tenant)?;
        Some(Arc::new(Caller { key_id, tenant, organisation, scopes, rate_per_s, expires_ms }))
    });
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    known.insert(hash.to_owned(), (caller.clone(), Instant::now()));
    Ok(caller)
}
