//! The log as C2SP writes it, so that a verifier nobody here wrote can check a chain: signed notes, checkpoints,
//! cosignatures (`cosignature/v1`), policies, portable proofs and tile paths.
//!
//! Pure values and checks. Signatures of the log and of cosigners are held to the strict Ed25519 rule; whatever an
//! implementation of these formats would not write is refused, because these texts come from the network.

mod checkpoint;
mod names;
mod note;
mod policy;
mod proof;
mod receipt;
mod statement;
mod tile;

#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, SignedCheckpoint, cosign, sign_log, verify_cosignature, verify_log};
pub use names::{cosigner_vkey, log_vkey, origin};
pub use note::{KeyKind, NoteError, NoteSignature, VerifierKey};
pub use policy::{Accepted, Policy, PolicyError};
pub use proof::{Proof, ProofError, Proven};
pub use receipt::{Receipt, ReceiptError, cose_key, cose_key_set, key_thumbprint, root_message};
pub use statement::{SignedStatement, StatementError};
pub use tile::{Resource, TilePath, read_bundle, write_bundle};
