//! What a person changes about their own account.

use crate::app::App;
use crate::audit::{self, Actor, Entry};
use crate::auth::{Principal, password, session};
use crate::error::{Error, FieldErrors, Result};
use crate::text::{Lang, Message};
use zeroize::Zeroizing;

/// Remembers language and theme.
pub async fn prefer(app: &App, principal: &Principal, lang: Lang, theme: &str) -> Result<()> {
    sqlx::query("update users set language = $1, theme = $2 where id = $3")
        .bind(lang.tag())
        .bind(theme)
        .bind(&principal.user_id)
        .execute(app.db.pool())
        .await?;
    Ok(())
}

/// Changes the password and ends every other session of the person.
pub async fn change_password(
    app: &App,
    principal: &Principal,
    current: Zeroizing<String>,
    new: Zeroizing<String>,
    again: &str,
) -> Result<()> {
    let mut errors = FieldErrors::default();
    let (hash,): (String,) = sqlx::query_as("select password_hash from users where id = $1")
        .bind(&principal.user_id)
        .fetch_one(app.db.pool())
        .await?;
    if current.is_empty() {
        errors.add("current", Message::new("account-current-missing"));
    } else if !password::verify(current.clone(), Some(hash)).await? {
        errors.add("current", Message::new("account-current-wrong"));
    }
    check_new(&mut errors, &new, again, principal, &current);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let hash = password::hash(new).await?;
    let mut tx = app.db.write().await?;
    audit::record(
        &mut tx,
        Actor::Person(principal),
        Entry::done("user.change-password", "user", &principal.login).of(principal.tenant.as_ref()),
    )
    .await?;
    sqlx::query("update users set password_hash = $1, must_change = 0 where id = $2")
        .bind(hash)
        .bind(&principal.user_id)
        .execute(&mut *tx)
        .await?;
    session::close_all(&mut tx, &principal.user_id, Some(&principal.session)).await?;
    tx.commit().await?;
    Ok(())
}

fn check_new(errors: &mut FieldErrors, new: &str, again: &str, principal: &Principal, current: &str) {
    let length = new.chars().count();
    if length < password::SHORTEST {
        errors.add("new", Message::new("account-new-short").with("n", password::SHORTEST));
    } else if length > password::LONGEST {
        errors.add("new", Message::new("account-new-long").with("n", password::LONGEST));
    } else if new.to_lowercase().contains(&principal.login) {
        errors.add("new", Message::new("account-new-has-name"));
    } else if new == current {
        errors.add("new", Message::new("account-new-same"));
    } else if new != again {
        errors.add("again", Message::new("account-again-differs"));
    }
}

/// Ends every session of the person but the one at hand.
pub async fn close_other_sessions(app: &App, principal: &Principal) -> Result<u64> {
    let mut tx = app.db.write().await?;
    let closed = session::close_all(&mut tx, &principal.user_id, Some(&principal.session)).await?;
    if closed > 0 {
        let entry = Entry::done("session.close-others", "user", &principal.login)
            .of(principal.tenant.as_ref())
            .after(serde_json::json!({ "sessions": closed }));
        audit::record(&mut tx, Actor::Person(principal), entry).await?;
    }
    tx.commit().await?;
    Ok(closed)
}
