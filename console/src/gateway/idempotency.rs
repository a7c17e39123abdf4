//! `Idempotency-Key`: the same key and body give the answer that was given before, another body is refused, and two at once are told to
//! wait. Answers are kept for a day, in the SQL transaction of what they answer for.

use crate::app::App;
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::text::Message;
use crate::time::now_ms;
use axum::http::StatusCode;
use chain_types::Hash;
use serde_json::Value as Json;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

type Place = (String, String);

/// Requests with an idempotency key that are being answered.
#[derive(Clone, Default)]
pub struct InFlight(Arc<Mutex<HashSet<Place>>>);

/// A request that carries a key, and holds it until it is answered.
pub struct Claim {
    place: Place,
    body_hash: String,
    held: InFlight,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.held.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.place);
    }
}

/// What a request with a key is to do.
pub enum Claimed {
    /// No key was sent.
    Free,
    /// It is the first: answer, and keep the answer with [`keep`].
    First(Claim),
    /// It was answered before.
    Answered(Json),
}

/// Claims the key for this body.
pub async fn claim(app: &App, key_id: &str, sent: Option<&str>, path: &str, body: &[u8]) -> Result<Claimed> {
    let Some(sent) = sent else { return Ok(Claimed::Free) };
    if sent.is_empty() || sent.len() > 200 || !sent.is_ascii() {
        return Err(Error::bad_request("bad-idempotency-key", Message::new("error-bad-idempotency-key-help")));
    }
    let place = (key_id.to_owned(), sent.to_owned());
    let held = app.gateway.idempotency.clone();
    if !held.0.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone()) {
        return Err(Error::conflict("idempotency-in-progress", Message::new("error-idempotency-in-progress-help")));
    }
    let body_hash = Hash::of_parts(&[path.as_bytes(), &[0], body]).to_string();
    let claim = Claim { place, body_hash, held };
    let row: Option<(String, String)> = sqlx::query_as(
        "select body_hash, answer from api_idempotency where key_id = $1 and idempotency_key = $2 and created_ms > $3",
    )
    .bind(&claim.place.0)
    .bind(&claim.place.1)
    .bind(now_ms() - 86_400_000)
    .fetch_optional(app.db.pool())
    .await?;
    match row {
        None => Ok(Claimed::First(claim)),
        Some((hash, answer)) if hash == claim.body_hash => {
            Ok(Claimed::Answered(serde_json::from_str(&answer).map_err(anyhow::Error::from)?))
        }
        Some(_) => Err(Error::Refused {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: "idempotency-mismatch",
            message: Message::new("error-idempotency-mismatch-help"),
        }),
    }
}

/// Keeps the answer, with what it answers for.
pub async fn keep(tx: &mut Tx, claim: &Claim, answer: &Json) -> Result<(), sqlx::Error> {
    // A row of the same place is older than a day.
    sqlx::query(
        "insert into api_idempotency (key_id, idempotency_key, body_hash, status, answer, created_ms) values ($1, $2, $3, 202, $4, $5)
         on conflict (key_id, idempotency_key) do update
         set body_hash = excluded.body_hash, answer = excluded.answer, created_ms = excluded.created_ms",
    )
    .bind(&claim.place.0)
    .bind(&claim.place.1)
    .bind(&claim.body_hash)
    .bind(answer.to_string())
    .bind(now_ms())
    .execute(&mut **tx)
    .await?;
    Ok(())
}
