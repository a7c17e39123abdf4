//! Submitting transactions and asking what became of them.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use chain_types::api::{Committed, EventInfo, Submitted, SubmittedStatus, TxInfo, TxStatus, value_to_json};
use chain_types::encoding::Reader;
use chain_types::{DecodeError, Transaction, TxId, TxOutcome};
use serde::Deserialize;

use super::{Api, ApiError, Shared};
use crate::admission::{Admitted, NotAdmitted};
use crate::evidence::{outcome_at, transaction_at};
use crate::ledger::Answer;
use crate::store::TxPlace;

/// Longest that a request may wait for its result.
const MAX_WAIT_MS: u64 = 30_000;
/// Transactions in one request.
const MAX_BATCH: usize = 1_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitQuery {
    /// Wait this long for the result.
    #[serde(default)]
    wait_ms: u64,
}

/// `POST /transactions`: sending the same bytes again is safe and answers the same result.
pub async fn submit(
    State(api): State<Shared>,
    Query(query): Query<SubmitQuery>,
    body: Bytes,
) -> Result<impl IntoResponse, ApiError> {
    let tx = Transaction::decode(&body).map_err(NotAdmitted::from)?;
    // Waits from before admission, so that a fast block is not missed.
    let mut wait = api.ledger.waiting().wait(tx.id());
    let admitted = api.admission.submit(tx).await;
    api.metrics.submitted(admitted.is_ok());
    let id = match admitted? {
        Admitted::Committed(id) => return Ok((StatusCode::OK, Json(info(&api, id)?))),
        Admitted::Pending(id) => id,
    };
    if query.wait_ms > 0 {
        let longest = Duration::from_millis(query.wait_ms.min(MAX_WAIT_MS));
        if let Ok(Some(answer)) = tokio::time::timeout(longest, wait.answer()).await {
            return Ok((StatusCode::OK, Json(answered(&api, answer))));
        }
    }
    let info = info(&api, id)?;
    let status = if matches!(info.status, TxStatus::Pending) { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, Json(info)))
}

/// `POST /transactions/batch`: a CBOR array of envelopes, each admitted or refused by itself, answered in their order. Sending
/// the same bytes again is safe, also in part.
pub async fn submit_batch(State(api): State<Shared>, body: Bytes) -> Result<Json<Vec<Submitted>>, ApiError> {
    let envelopes =
        envelopes(&body).map_err(|e| ApiError::bad_request(format!("not a CBOR array of envelopes: {e}")))?;
    if envelopes.len() > MAX_BATCH {
        return Err(ApiError::too_large(format!(
            "a batch holds at most {MAX_BATCH} transactions; send the rest in another"
        )));
    }
    let (mut txs, mut answers) = (Vec::with_capacity(envelopes.len()), Vec::with_capacity(envelopes.len()));
    for envelope in envelopes {
        let tx = Transaction::decode(envelope).map_err(NotAdmitted::from);
        let id = tx.as_ref().ok().map(Transaction::id);
        answers.push((id, tx.map(|tx| txs.push(tx))));
    }
    let mut admitted = api.admission.submit_many(txs).await?.into_iter();
    let answer = |(id, decoded): (Option<TxId>, Result<(), NotAdmitted>)| {
        let admitted = decoded.and_then(|()| admitted.next().unwrap_or(Err(NotAdmitted::Stopping)));
        api.metrics.submitted(admitted.is_ok());
        let status = match admitted {
            Ok(Admitted::Pending(_)) => SubmittedStatus::Pending,
            Ok(Admitted::Committed(_)) => SubmittedStatus::Committed,
            Err(reason) => {
                let (code, detail) = ApiError::from(reason).problem();
                SubmittedStatus::Refused { code: code.into(), detail }
            }
        };
        Submitted { id, status }
    };
    Ok(Json(answers.into_iter().map(answer).collect()))
}

fn envelopes(body: &[u8]) -> Result<Vec<&[u8]>, DecodeError> {
    let mut r = Reader::new(body);
    let n = r.array()?;
    let envelopes = (0..n).map(|_| r.bytes()).collect::<Result<_, _>>()?;
    r.end()?;
    Ok(envelopes)
}

/// `GET /transactions/{id}`
pub async fn show(State(api): State<Shared>, Path(id): Path<String>) -> Result<Json<TxInfo>, ApiError> {
    let id = parse_id(&id)?;
    Ok(Json(info(&api, id)?))
}

/// `GET /transactions/{id}/envelope`: the signed bytes.
pub async fn envelope(State(api): State<Shared>, Path(id): Path<String>) -> Result<impl IntoResponse, ApiError> {
    let id = parse_id(&id)?;
    let missing = || ApiError::not_found(format!("transaction {id} is not on this chain"));
    let place = api.ledger.store().locate_transaction(&id)?.ok_or_else(missing)?;
    let tx = transaction_at(api.ledger.store(), place)?;
    Ok(([(header::CONTENT_TYPE, "application/cose")], tx.bytes().to_vec()))
}

pub fn parse_id(text: &str) -> Result<TxId, ApiError> {
    text.parse().map_err(|e| ApiError::bad_request(format!("{e}")))
}

fn info(api: &Api, id: TxId) -> Result<TxInfo, ApiError> {
    let store = api.ledger.store();
    if let Some(place) = store.locate_transaction(&id)? {
        let outcome = outcome_at(store, place)?;
        return Ok(TxInfo { id, status: TxStatus::Committed(committed(api, place, outcome)?) });
    }
    match api.mempool.contains(&id) {
        true => Ok(TxInfo { id, status: TxStatus::Pending }),
        false => Err(ApiError::not_found(format!("transaction {id} is not known here; if it was sent, send it again"))),
    }
}

fn committed(api: &Api, place: TxPlace, outcome: TxOutcome) -> Result<Committed, ApiError> {
    let time_ms = api.ledger.store().header(place.height)?.map_or(0, |header| header.time_ms);
    Ok(result(api, place, time_ms, outcome))
}

/// The result that a block has just brought.
fn answered(api: &Api, answer: Answer) -> TxInfo {
    let (id, place) = (answer.outcome.tx, TxPlace { height: answer.height, position: answer.position });
    TxInfo { id, status: TxStatus::Committed(result(api, place, answer.time_ms, answer.outcome)) }
}

fn result(api: &Api, place: TxPlace, time_ms: u64, outcome: TxOutcome) -> Committed {
    let applied = outcome.verdict.is_ok();
    let (events, refusal) = match outcome.verdict {
        Ok(events) => (events, None),
        Err(refusal) => (Vec::new(), Some(refusal)),
    };
    let event = |e: chain_types::Event| {
        let fields = value_to_json(&e.fields);
        EventInfo { app: e.app, instance: e.instance, name: e.name, fields }
    };
    Committed {
        height: place.height,
        position: place.position,
        time_ms,
        sealed: api.ledger.tip().height > place.height,
        applied,
        refusal,
        events: events.into_iter().map(event).collect(),
        entry: applied.then_some(outcome.first_entry),
        entries: outcome.entries,
    }
}
