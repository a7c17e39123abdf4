//! Makes evidence packages from the store. What comes out is verified before it is given away, by the same function that
//! its readers will use.

use std::time::Duration;

use chain_types::encoding::{Decode, Encode};
use chain_types::evidence::{Evidence, Inputs, Record, Subject, verify};
use chain_types::log_entry::DigestEntry;
use chain_types::{Hash, PublicKey, Transaction, TxId, state};

use crate::ledger::Ledger;
use crate::store::{LogPlace, Store, StoreError, TxPlace};

/// How long to wait for the block that proves a fresh record.
const SEAL_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum NoEvidence {
    #[error("{0} is not on this chain")]
    NotFound(String),
    #[error("transaction {0} was refused; a refused call leaves no record to prove")]
    Refused(TxId),
    #[error("log entry {index} is a registered statement; its proof is its receipt, at /entries/{id}")]
    Statement { index: u64, id: Hash },
    #[error("the block that proves this record is not there yet; ask again in a second")]
    NotSealed,
    #[error("{0}")]
    Gone(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the package does not verify: {0}; run `chain-node check`")]
    Invalid(String),
}

/// Waits until `height` has a child, which commits to what it did.
async fn sealed(ledger: &Ledger, height: u64) -> Result<(), NoEvidence> {
    let mut tip = ledger.watch_tip();
    let wait = tip.wait_for(|tip| tip.height > height);
    match tokio::time::timeout(SEAL_WAIT, wait).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(NoEvidence::NotSealed),
    }
}

/// Evidence of an applied call.
pub async fn of_transaction(ledger: &Ledger, id: &TxId) -> Result<Vec<u8>, NoEvidence> {
    let store = ledger.store();
    let place = store.locate_transaction(id)?.ok_or_else(|| NoEvidence::NotFound(format!("transaction {id}")))?;
    let outcome = outcome_at(store, place)?;
    match outcome.verdict {
        Ok(_) => of_entry(ledger, outcome.first_entry).await,
        Err(_) => Err(NoEvidence::Refused(*id)),
    }
}

/// Evidence of the oldest log entry that holds a digest.
pub async fn of_digest(ledger: &Ledger, digest: &Hash) -> Result<Vec<u8>, NoEvidence> {
    let found = ledger.store().find_digest(digest, 1)?;
    let index = found.first().ok_or_else(|| NoEvidence::NotFound(format!("digest {digest}")))?;
    of_entry(ledger, *index).await
}

/// Evidence of a log entry.
pub async fn of_entry(ledger: &Ledger, index: u64) -> Result<Vec<u8>, NoEvidence> {
    let store = ledger.store();
    let missing = || NoEvidence::NotFound(format!("log entry {index}"));
    if index >= ledger.tip().roots.log_size {
        return Err(missing());
    }
    let gone = || NoEvidence::Gone(store.gone(&format!("log entry {index}")));
    let (LogPlace { call, offset }, entry) = store.entry(index)?.ok_or_else(gone)?;
    sealed(ledger, call.height).await?;
    let tx = transaction_at(store, call)?;
    let record = match offset {
        0 => Record::Transaction(tx.bytes().to_vec()),
        _ if DigestEntry::from_bytes(&entry).is_ok() => Record::Digest(entry),
        _ => return Err(NoEvidence::Statement { index, id: Hash::of(&entry) }),
    };
    let block = block_at(store, call.height)?.block.header;
    let sealing = block_at(store, call.height + 1)?;
    let path = store.log_path(index, sealing.block.header.log_size)?;
    let subject = Subject::Act { record, index, path, block };
    package(store, subject, sealing, Some(tx.kid()))
}

/// Evidence of the call that registered the statement at a log entry.
pub async fn of_carrier(ledger: &Ledger, index: u64) -> Result<Vec<u8>, NoEvidence> {
    let store = ledger.store();
    let (place, _) = store.entry(index)?.ok_or_else(|| NoEvidence::NotFound(format!("log entry {index}")))?;
    of_transaction(ledger, &transaction_at(store, place.call)?.id()).await
}

/// Evidence of a record as it is after the last sealed height.
pub async fn of_state(ledger: &Ledger, key: &[u8]) -> Result<Vec<u8>, NoEvidence> {
    let store = ledger.store();
    // The newest height whose effects are proven by a child; a record written in the tip itself is waited for.
    let tip = ledger.tip();
    let height = if tip.is_empty { tip.height.saturating_sub(1) } else { tip.height };
    sealed(ledger, height).await?;
    let missing = || NoEvidence::NotFound("the record".into());
    let proof = store.prove_state(key, height)?.ok_or_else(missing)?;
    let sealing = block_at(store, height + 1)?;
    package(store, Subject::State(proof), sealing, None)
}

fn package(
    store: &Store,
    subject: Subject,
    sealing: crate::store::BlockRecord,
    signer: Option<PublicKey>,
) -> Result<Vec<u8>, NoEvidence> {
    let height = sealing.block.header.height;
    let account = match signer {
        // Old heights are beyond what the state tree still proves; the package then carries no account record.
        Some(kid) => store.prove_state(&state::account_key(&kid), height - 1).unwrap_or(None),
        None => None,
    };
    let evidence = Evidence {
        genesis: store.genesis().to_bytes(),
        set_changes: store.set_changes(height)?,
        subject,
        account,
        sealing: sealing.block.header,
        certificate: sealing.certificate,
    };
    let bytes = evidence.to_bytes();
    let report = verify(&bytes, &Inputs { trust: Some(store.fingerprint()), file: None });
    match report.failures().next() {
        None => Ok(bytes),
        Some(check) => Err(NoEvidence::Invalid(format!("{}: {}", check.name.code(), check.detail))),
    }
}

fn block_at(store: &Store, height: u64) -> Result<crate::store::BlockRecord, NoEvidence> {
    match store.block(height)? {
        Some(record) => Ok(record),
        None if height < store.first_block()? => Err(NoEvidence::Gone(store.gone(&format!("block {height}")))),
        None => Err(NoEvidence::NotFound(format!("block {height}"))),
    }
}

/// A committed transaction.
pub fn transaction_at(store: &Store, place: TxPlace) -> Result<Transaction, NoEvidence> {
    let block = block_at(store, place.height)?.block;
    let bytes = usize::try_from(place.position).ok().and_then(|p| block.txs.get(p));
    let bytes = bytes.ok_or_else(|| StoreError::Damaged(format!("block {} is too short", place.height)))?;
    Transaction::decode(bytes).map_err(|e| StoreError::Damaged(format!("block {}: {e}", place.height)).into())
}

/// What became of it.
pub fn outcome_at(store: &Store, place: TxPlace) -> Result<chain_types::TxOutcome, NoEvidence> {
    let outcome = store.result(place)?;
    Ok(outcome.ok_or_else(|| StoreError::Damaged(format!("results of block {} are too short", place.height)))?)
}
