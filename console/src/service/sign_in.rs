//! Signing in and out: limits first, then the password, then a session. One answer for every kind of wrong.

use crate::app::App;
use crate::audit::{self, Actor, Entry, Outcome};
use crate::auth::{Principal, password, session};
use crate::error::{Error, FieldErrors, Result};
use crate::names::Name;
use crate::text::{Lang, Message};
use crate::time::now_ms;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// A fresh session and what the person chose for pages.
pub struct Opened {
    pub token: session::Token,
    pub language: Option<Lang>,
    pub theme: Option<&'static str>,
}

#[derive(sqlx::FromRow)]
struct Known {
    id: String,
    display_name: String,
    password_hash: String,
    state: String,
    tenant: Option<String>,
    tenant_state: Option<String>,
    language: Option<String>,
    theme: Option<String>,
}

/// Opens a session, or says what to correct.
pub async fn enter(
    app: &App,
    login: &str,
    password: Zeroizing<String>,
    ip: IpAddr,
    agent: &str,
    request_id: &str,
) -> Result<Opened> {
    let now = now_ms();
    let login = login.trim().to_lowercase();
    let mut missing = FieldErrors::default();
    if login.is_empty() {
        missing.add("login", Message::new("session-login-missing"));
    }
    if password.is_empty() {
        missing.add("password", Message::new("session-password-missing"));
    }
    if !missing.is_empty() {
        return Err(Error::Invalid(missing));
    }
    if let Some(retry_after_s) = app.sign_in_limit.wait_s(ip, now) {
        return Err(Error::TooMany { retry_after_s });
    }
    if let Some(until) = password::locked_until(&app.db, &login, now).await? {
        app.sign_in_limit.count(ip, now);
        return Err(locked(until - now));
    }
    let known: Option<Known> = sqlx::query_as(
        "select u.id, u.display_name, u.password_hash, u.state, u.tenant, t.state as tenant_state, u.language, u.theme
         from users u left join tenant t on t.name = u.tenant where u.login = $1",
    )
    .bind(&login)
    .fetch_optional(app.db.pool())
    .await?;
    let right = password::verify(password, known.as_ref().map(|known| known.password_hash.clone())).await?;
    let Some(known) = known else { return Err(wrong(app, &login, None, ip, request_id).await?) };
    if !right {
        return Err(wrong(app, &login, Some(&known), ip, request_id).await?);
    }
    // Only somebody who knows the password learns that the account is switched off.
    if known.state != "active" || known.tenant_state.as_deref().is_some_and(|state| state != "active") {
        return Err(Error::field("", Message::new("session-switched-off")));
    }
    open(app, &login, known, ip, agent, request_id).await
}

async fn open(app: &App, login: &str, known: Known, ip: IpAddr, agent: &str, request_id: &str) -> Result<Opened> {
    let tenant = known.tenant.as_deref().and_then(Name::parse);
    let actor = Actor::Nobody { user_id: &known.id, name: &known.display_name, request_id };
    let mut tx = app.db.write().await?;
    audit::record(
        &mut tx,
        actor,
        Entry::done("session.open", "user", login)
            .of(tenant.as_ref())
            .after(serde_json::json!({ "ip": ip.to_string() })),
    )
    .await?;
    password::forget_failures(&mut tx, login).await?;
    let token = session::open(&mut tx, &known.id, &ip.to_string(), agent).await?;
    tx.commit().await?;
    Ok(Opened {
        token,
        language: known.language.as_deref().and_then(Lang::parse),
        theme: known.theme.as_deref().and_then(crate::http::middleware::theme),
    })
}

/// Counts the failure and says the same whether the name exists or not.
async fn wrong(app: &App, login: &str, known: Option<&Known>, ip: IpAddr, request_id: &str) -> Result<Error> {
    let now = now_ms();
    app.sign_in_limit.count(ip, now);
    let lock = password::count_failure(app, login, now).await?;
    if let Some(known) = known {
        let tenant = known.tenant.as_deref().and_then(Name::parse);
        let actor = Actor::Nobody { user_id: &known.id, name: &known.display_name, request_id };
        let action = if lock.is_some() { "session.lock" } else { "session.refuse" };
        let entry = Entry::done(action, "user", login)
            .of(tenant.as_ref())
            .outcome(Outcome::Refused)
            .after(serde_json::json!({ "ip": ip.to_string() }));
        let mut tx = app.db.write().await?;
        audit::record(&mut tx, actor, entry).await?;
        tx.commit().await?;
    }
    Ok(match lock {
        Some(until) => locked(until - now),
        None => Error::field("", Message::new("session-wrong")),
    })
}

fn locked(left_ms: i64) -> Error {
    Error::field("", Message::new("session-locked").with("minutes", (left_ms + 59_999) / 60_000))
}

/// Ends the session at hand.
pub async fn leave(app: &App, principal: &Principal) -> Result<()> {
    let mut tx = app.db.write().await?;
    audit::record(
        &mut tx,
        Actor::Person(principal),
        Entry::done("session.close", "user", &principal.login).of(principal.tenant.as_ref()),
    )
    .await?;
    session::close(&mut tx, &principal.session).await?;
    tx.commit().await?;
    Ok(())
}
