//! Puts a package (`.evp`) around evidence: the record's place under the newest cosigned checkpoint, the sets that lead
//! there, a registered statement's receipt. Verified as a whole before it is given away.

use chain_types::encoding::Decode;
use chain_types::evidence::package::{LogProof, MEDIA_TYPE, Package, Provenance, verify_package};
use chain_types::evidence::{Evidence, Inputs, Subject};
use chain_types::tlog::{Proof, SignedStatement};

use super::log::{covering, no_checkpoint};
use super::registration::{receipts, registered};
use super::{ApiError, Shared};
use crate::consensus::now_ms;
use crate::evidence::NoEvidence;

/// Whether a request's `Accept` asks for a package.
pub fn is_accepted(headers: &axum::http::HeaderMap) -> bool {
    let accepted = headers.get_all(axum::http::header::ACCEPT).into_iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|kind| kind.split(';').next().map(str::trim) == Some(MEDIA_TYPE))
}

/// The package around `evidence.cbor`. Waits a moment for the checkpoint that covers a fresh record.
pub async fn around(api: &Shared, core: Vec<u8>) -> Result<Vec<u8>, ApiError> {
    let refused = |reason: String| ApiError::from(NoEvidence::Invalid(reason));
    let evidence = Evidence::from_bytes(&core).map_err(|e| refused(e.to_string()))?;
    let log = match &evidence.subject {
        Subject::Act { index, .. } => Some(log_proof(api, &evidence, *index).await?),
        Subject::State(_) => None,
    };
    let genesis = api.ledger.store().genesis();
    let provenance = Provenance {
        chain: genesis.chain_id.clone(),
        fingerprint: genesis.fingerprint(),
        made_by: api.config.name.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        made_at_ms: now_ms(),
    };
    let package = Package::new(core, log, None, provenance).map_err(|e| refused(e.to_string()))?.to_bytes();
    let report = verify_package(&package, &Inputs { trust: Some(genesis.fingerprint()), file: None });
    match report.failures().next() {
        None => Ok(package),
        Some(check) => Err(refused(format!("{}: {}", check.name.code(), check.detail))),
    }
}

async fn log_proof(api: &Shared, evidence: &Evidence, index: u64) -> Result<LogProof, ApiError> {
    let store = api.ledger.store();
    let statement = evidence.statement();
    let entry = match &statement {
        Some(statement) => registered(api, &SignedStatement::id(statement))?,
        None => None,
    };
    let cosigned = covering(api, entry.unwrap_or(index).max(index)).await.ok_or_else(no_checkpoint)?;
    let mut changes = store.set_changes(cosigned.policy_height)?;
    if changes.len() < evidence.set_changes.len() {
        // The validators changed a moment ago; the new ones have cosigned nothing yet.
        return Err(no_checkpoint());
    }
    let path = store.log_path(index, cosigned.size())?;
    let proof = Proof { extra: None, index, path, checkpoint: cosigned.signed.clone() };
    let receipt = match entry {
        Some(entry) => receipts(api, &cosigned, entry)?.into_iter().next(),
        None => None,
    };
    Ok(LogProof { proof: proof.to_text(), later: changes.split_off(evidence.set_changes.len()), receipt })
}
