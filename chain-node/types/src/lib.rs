//! What a CityChain chain *is*, as values: encodings, hashes, transactions, blocks, commit certificates, proofs and
//! evidence, with the checks that make each of them believable.
//!
//! Pure: no clock, no randomness, no IO. Node, client, console and every verifier share this crate, so a rule that is
//! written here holds for all of them. Modules stand in reading order.

pub mod encoding;

pub mod bytes;
pub mod crypto;
pub mod limits;

pub mod account;
pub mod genesis;
pub mod transaction;
pub mod validator;

pub mod membership;

pub mod block;
pub mod certificate;
pub mod log_entry;
pub mod merkle;
pub mod outcome;
pub mod state;
pub mod tlog;

pub mod manifest;

pub mod api;
pub mod evidence;
pub mod light;

pub use account::{Account, Custody};
pub use block::{Block, Header};
pub use bytes::{BlockId, Fingerprint, Hash, PublicKey, Signature, TxId};
pub use certificate::{CommitCertificate, Vote, VoteKind};
pub use encoding::{DecodeError, Value};
pub use genesis::Genesis;
pub use outcome::{Event, TxOutcome};
pub use transaction::{Call, Transaction};
pub use validator::{Validator, ValidatorSet};
