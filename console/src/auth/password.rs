//! Passwords: argon2id off the async threads, and the lock after five failures. Decides whether a sign-in is right; opens no session.
//!
//! An unknown name costs the same work and is locked the same way as a known one, so neither answer nor time tells which exist.

use crate::app::App;
use crate::db::Db;
use crate::error::Result;
use crate::names::random_bytes;
use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use sha2::{Digest, Sha256};
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Failures after which a name is locked, and for how long.
pub const MOST_FAILURES: i64 = 5;
pub const LOCK_MS: i64 = 15 * 60_000;
/// A failure is forgotten after this time without another.
const FORGET_MS: i64 = 24 * 3_600_000;

/// The shortest password accepted, in characters; length is what counts, so nothing else is asked for but not to repeat the name.
pub const SHORTEST: usize = 10;
/// The longest, so that nobody makes the server hash a book.
pub const LONGEST: usize = 200;

/// Hashes with argon2id (19 MiB, 2 passes) and a random salt.
pub async fn hash(password: Zeroizing<String>) -> Result<String> {
    let hashed = tokio::task::spawn_blocking(move || {
        Argon2::default().hash_password(password.as_bytes()).map(|hash| hash.to_string())
    })
    .await
    .context("hashing was cut off")?;
    Ok(hashed.map_err(|error| anyhow::anyhow!("couldn't hash a password: {error}"))?)
}

/// Whether the password is the one that was hashed. `None` for the hash does the same work and says no.
pub async fn verify(password: Zeroizing<String>, hash: Option<String>) -> Result<bool> {
    let verified = tokio::task::spawn_blocking(move || {
        let known = hash.is_some();
        let text = hash.unwrap_or_else(|| decoy().to_owned());
        let Ok(parsed) = PasswordHash::new(&text) else { return false };
        Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && known
    });
    Ok(verified.await.context("verifying was cut off")?)
}

/// A password for somebody else: 20 characters without look-alikes, about 98 bits.
pub fn generate() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";
    let letters: Vec<u8> = random_bytes::<20>().iter().map(|byte| LETTERS[usize::from(byte % 31)]).collect();
    let text = String::from_utf8(letters).expect("the letters are ASCII");
    [&text[..5], &text[5..10], &text[10..15], &text[15..]].join("-")
}

/// The hash of a password nobody has.
fn decoy() -> &'static str {
    static DECOY: OnceLock<String> = OnceLock::new();
    DECOY.get_or_init(|| {
        let password = random_bytes::<32>();
        Argon2::default().hash_password(&password).map(|hash| hash.to_string()).unwrap_or_default()
    })
}

/// When the name's lock ends, if it is locked now.
pub async fn locked_until(db: &Db, login: &str, now_ms: i64) -> Result<Option<i64>> {
    let until: Option<(i64,)> = sqlx::query_as("select locked_until_ms from sign_in_failure where login_hash = $1")
        .bind(login_hash(login))
        .fetch_optional(db.pool())
        .await?;
    Ok(until.map(|(until,)| until).filter(|until| *until > now_ms))
}

/// Counts a failure; the fifth locks the name. Returns the lock's end if it did.
pub async fn count_failure(app: &App, login: &str, now_ms: i64) -> Result<Option<i64>> {
    let mut tx = app.db.write().await?;
    sqlx::query("delete from sign_in_failure where last_ms < $1").bind(now_ms - FORGET_MS).execute(&mut *tx).await?;
    // A lock that has run out starts the count anew.
    let (failures,): (i64,) = sqlx::query_as(
        "insert into sign_in_failure (login_hash, failures, last_ms, locked_until_ms) values ($1, 1, $2, 0)
         on conflict (login_hash) do update set last_ms = $2, failures = case when sign_in_failure.failures >= $3 then 1 else sign_in_failure.failures + 1 end
         returning failures",
    )
    .bind(login_hash(login))
    .bind(now_ms)
    .bind(MOST_FAILURES)
    .fetch_one(&mut *tx)
    .await?;
    let locked = (failures >= MOST_FAILURES).then_some(now_ms + LOCK_MS);
    if let Some(until) = locked {
        sqlx::query("update sign_in_failure set locked_until_ms = $1 where login_hash = $2")
            .bind(until)
            .bind(login_hash(login))
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(locked)
}

/// Forgets the name's failures, after a sign-in or a reset.
pub async fn forget_failures(tx: &mut crate::db::Tx, login: &str) -> Result<()> {
    sqlx::query("delete from sign_in_failure where login_hash = $1").bind(login_hash(login)).execute(&mut **tx).await?;
    Ok(())
}

fn login_hash(login: &str) -> String {
    hex::encode(Sha256::digest(login.trim().to_lowercase().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn only_the_same_password_verifies_and_an_unknown_name_never_does() {
        let hashed = hash(secret("correct horse")).await.unwrap();
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify(secret("correct horse"), Some(hashed.clone())).await.unwrap());
        assert!(!verify(secret("correct horsf"), Some(hashed)).await.unwrap());
        assert!(!verify(secret("correct horse"), None).await.unwrap());
        assert!(!verify(secret("x"), Some("not a hash".to_owned())).await.unwrap());
    }

    #[test]
    fn generated_passwords_differ_and_are_easy_to_copy_by_hand() {
        let (one, other) = (generate(), generate());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        assert!(one.chars().all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"il01oO".contains(c))), "{one}");
    }
}
