//! Registration of signed statements (SCRAPI draft-11, receipts of RFC 9942).
//!
//! A node signs for nobody, so what it takes is the transaction of an account that carries the statement
//! (`chain/anchor.register`); gateways and `chain-node register` wrap. What comes back is a receipt over a root that a
//! quorum of validators endorsed.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chain_types::encoding::{Encode, Writer};
use chain_types::manifest::sentence;
use chain_types::tlog::{Receipt, SignedStatement, cose_key, cose_key_set, key_thumbprint};
use chain_types::{Hash, PublicKey, Transaction, TxId, Value};

use super::error::ApiError;
use super::log::covering;
use super::{Api, Shared};
use crate::admission::Admitted;
use crate::checkpoint::Cosigned;
use crate::evidence::outcome_at;
use crate::store::StoreError;

const COSE: &str = "application/cose";
const CBOR: &str = "application/cbor";
const PROBLEM: &str = "application/concise-problem-details+cbor";
/// How long a registration is waited for before the client is told to come back.
const WAIT: Duration = Duration::from_secs(10);

/// A concise problem (RFC 9290).
#[derive(Debug)]
pub struct Concise {
    status: StatusCode,
    title: &'static str,
    detail: String,
}

impl Concise {
    fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self { status, title, detail: detail.into() }
    }

    fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Malformed request", detail)
    }

    fn rejected(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Rejected", detail)
    }
}

impl IntoResponse for Concise {
    fn into_response(self) -> Response {
        let mut w = Writer::default();
        w.map(2).int(-1).text(self.title).int(-2).text(&self.detail);
        (self.status, [(header::CONTENT_TYPE, PROBLEM)], w.into_bytes()).into_response()
    }
}

impl<E: Into<ApiError>> From<E> for Concise {
    fn from(e: E) -> Self {
        let (status, detail) = e.into().parts();
        Self::new(status, status.canonical_reason().unwrap_or("Error"), detail)
    }
}

/// `POST /entries`: registers the statement that a transaction carries.
pub async fn register(State(api): State<Shared>, body: Bytes) -> Result<Response, Concise> {
    let (tx, statement) = carried(&body)?;
    let id = SignedStatement::id(&statement);
    if registered(&api, &id)?.is_some() {
        // Registered before, by whomever: the same statement has one entry, and asking again is safe.
        return answer(&api, &id, StatusCode::CREATED).await;
    }
    // Waits from before admission, so that a fast block is not missed.
    let tx_id = tx.id();
    let mut wait = api.ledger.waiting().wait(tx_id);
    if let Admitted::Pending(_) = api.admission.submit(tx).await? {
        let _ = tokio::time::timeout(WAIT, wait.answer()).await;
    }
    refusal(&api, &tx_id)?;
    answer(&api, &id, StatusCode::CREATED).await
}

/// The statement inside a `chain/anchor.register` transaction.
fn carried(body: &[u8]) -> Result<(Transaction, Vec<u8>), Concise> {
    if SignedStatement::parse(body).is_ok() {
        return Err(Concise::rejected(
            "this node signs for nobody: send the statement to the gateway, or wrap it in a transaction with `chain-node register`",
        ));
    }
    let tx = Transaction::decode(body).map_err(|e| Concise::malformed(e.to_string()))?;
    let call = tx.call();
    let pairs = call.args.as_map().filter(|_| (call.instance.as_str(), call.method.as_str()) == ("anchor", "register"));
    let statement = pairs.and_then(|pairs| pairs.iter().find(|(name, _)| name.as_text() == Some("statement")));
    let Some((_, Value::Bytes(statement))) = statement else {
        return Err(Concise::malformed("the transaction is not a call of chain/anchor.register"));
    };
    match SignedStatement::parse(statement) {
        Ok(_) => {
            let statement = statement.clone();
            Ok((tx, statement))
        }
        Err(e) => Err(Concise::rejected(e.to_string())),
    }
}

/// Why a committed registration registered nothing.
fn refusal(api: &Api, tx: &TxId) -> Result<(), Concise> {
    let store = api.ledger.store();
    let Some(place) = store.find_transaction(tx)? else { return Ok(()) };
    match outcome_at(store, place)?.verdict {
        Ok(_) => Ok(()),
        // Another call registered the same statement a moment before: as good.
        Err(refusal) if refusal.code == "statement_exists" => Ok(()),
        Err(refusal) => Err(Concise::rejected(sentence(&refusal).en)),
    }
}

/// `GET /entries/{id}`: the receipt of a statement, by SHA-256 of its bytes.
pub async fn show(State(api): State<Shared>, Path(id): Path<String>) -> Result<Response, Concise> {
    answer(&api, &parse(&id)?, StatusCode::OK).await
}

/// `GET /entries/{id}/statement`: the transparent statement, with a receipt of every validator that endorsed the log.
pub async fn transparent(State(api): State<Shared>, Path(id): Path<String>) -> Result<Response, Concise> {
    let id = parse(&id)?;
    let index = registered(&api, &id)?.ok_or_else(|| unknown(&id))?;
    let (Some(cosigned), Some((_, statement))) = (covering(&api, index).await, api.ledger.store().entry(index)?) else {
        return Err(unknown(&id));
    };
    let receipts = receipts(&api, &cosigned, index)?;
    let transparent = SignedStatement::with_receipts(&statement, &receipts).ok_or_else(|| unknown(&id))?;
    Ok(([(header::CONTENT_TYPE, COSE)], transparent).into_response())
}

fn parse(id: &str) -> Result<Hash, Concise> {
    let wrong = |_| {
        Concise::new(StatusCode::BAD_REQUEST, "Invalid locator", "a statement is named by its SHA-256, in hexadecimal")
    };
    id.parse().map_err(wrong)
}

fn unknown(id: &Hash) -> Concise {
    Concise::new(StatusCode::NOT_FOUND, "Not found", format!("statement {id} is not registered here"))
}

/// The entry of a registered statement. An anchored digest of the same bytes is none.
pub(super) fn registered(api: &Api, id: &Hash) -> Result<Option<u64>, StoreError> {
    let store = api.ledger.store();
    for index in store.find_digest(id, 16)? {
        if store.entry(index)?.is_some_and(|(_, entry)| Hash::of(&entry) == *id) {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// The receipt, or where to ask for it again.
async fn answer(api: &Shared, id: &Hash, done: StatusCode) -> Result<Response, Concise> {
    let location = HeaderValue::try_from(format!("/entries/{id}")).map_err(|e| ApiError::internal(e.to_string()))?;
    let running = if done == StatusCode::CREATED { StatusCode::SEE_OTHER } else { StatusCode::FOUND };
    let wait = || (running, [(header::LOCATION, location.clone()), (header::RETRY_AFTER, HeaderValue::from(1))]);
    let index = match registered(api, id)? {
        Some(index) => index,
        None if done == StatusCode::CREATED => return Ok(wait().into_response()),
        None => return Err(unknown(id)),
    };
    let Some(cosigned) = covering(api, index).await else { return Ok(wait().into_response()) };
    let receipts = receipts(api, &cosigned, index)?;
    let receipt = receipts.into_iter().next().ok_or_else(|| unknown(id))?;
    let kind = HeaderValue::from_static(COSE);
    Ok((done, [(header::CONTENT_TYPE, kind), (header::LOCATION, location)], receipt).into_response())
}

/// A receipt of every validator that endorsed the checkpoint, in the order of the set.
pub(super) fn receipts(api: &Api, cosigned: &Cosigned, index: u64) -> Result<Vec<Vec<u8>>, StoreError> {
    let path = api.ledger.store().log_path(index, cosigned.size())?;
    let origin = api.gossip.checkpoints.origin();
    let one = |(key, signature): &(PublicKey, chain_types::Signature)| {
        let receipt = Receipt {
            origin: origin.to_owned(),
            kid: key_thumbprint(key),
            size: cosigned.size(),
            index,
            path: path.clone(),
            signature: *signature,
        };
        receipt.to_bytes()
    };
    Ok(cosigned.receipts.iter().map(one).collect())
}

/// `GET /.well-known/scitt-keys`: the log keys of the validators that decide the next height.
pub async fn keys(State(api): State<Shared>) -> Response {
    let tip = api.ledger.tip();
    let set = cose_key_set(tip.validators.validators().iter().map(|v| &v.log_key));
    ([(header::CONTENT_TYPE, CBOR), (header::CACHE_CONTROL, "max-age=60")], set).into_response()
}

/// `GET /.well-known/scitt-keys/{kid}`: one log key, also of a validator that has left, by its thumbprint in
/// hexadecimal or base64url.
pub async fn key(State(api): State<Shared>, Path(kid): Path<String>) -> Result<Response, Concise> {
    let kid = kid.parse::<Hash>().ok().or_else(|| base64url(&kid));
    let store = api.ledger.store();
    let later = store.set_changes(u64::MAX)?.into_iter().map(|change| change.next);
    let sets: Vec<_> = std::iter::once(store.genesis().validator_set()).chain(later).collect();
    let mut keys = sets.iter().flat_map(|set| set.validators()).map(|v| v.log_key);
    match keys.find(|key| Some(key_thumbprint(key)) == kid) {
        Some(key) => Ok(([(header::CONTENT_TYPE, CBOR)], cose_key(&key)).into_response()),
        None => Err(Concise::new(StatusCode::NOT_FOUND, "No such key", "No key could be found for this kid value")),
    }
}

fn base64url(text: &str) -> Option<Hash> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
    Hash::from_slice(&bytes)
}
