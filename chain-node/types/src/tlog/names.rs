//! What a chain's log and its signers are called: derived from genesis and the validator record alone, so that every
//! node and every verifier arrives at the same names.

use crate::genesis::Genesis;
use crate::validator::Validator;

use super::note::{KeyKind, VerifierKey};

/// The log's origin line: the chain's label and its whole fingerprint, in the form of a URL without scheme. Chains of
/// one label differ in it, so a signature on one log can never stand under another's.
pub fn origin(genesis: &Genesis) -> String {
    format!("{}/{}", label(&genesis.chain_id), genesis.fingerprint())
}

/// The key by which a validator signs as the log.
pub fn log_vkey(genesis: &Genesis, validator: &Validator) -> VerifierKey {
    VerifierKey { name: origin(genesis), kind: KeyKind::Log, key: validator.log_key }
}

/// The key by which a validator cosigns: `<chain>/<organisation>/<consensus key, shortened>`.
pub fn cosigner_vkey(genesis: &Genesis, validator: &Validator) -> VerifierKey {
    let (chain, organisation) = (label(&genesis.chain_id), label(&validator.organisation));
    let name = format!("{chain}/{organisation}/{}", validator.consensus_key.short());
    VerifierKey { name, kind: KeyKind::Cosigner, key: validator.cosigner_key }
}

/// A label as a part of a key name, which may hold neither spaces nor plus signs nor line ends.
fn label(text: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept: String = text.chars().take(64).map(|c| if fits(c) { c } else { '-' }).collect();
    if kept.is_empty() { "chain".into() } else { kept }
}
