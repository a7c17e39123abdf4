//! Portable proofs of one entry (C2SP tlog-proof): the entry's index, its path, and a cosigned checkpoint, as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::bytes::Hash;
use crate::merkle::verify_inclusion;

use super::checkpoint::SignedCheckpoint;
use super::note::NoteError;
use super::policy::{Accepted, Policy, PolicyError};

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A path in a tree of 2^63 leaves.
const MAX_PATH: usize = 63;
const MAX_PROOF_BYTES: usize = 256 * 1024;

/// Why a text is not a proof, or proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    #[error("line {0} is not what a tlog-proof has there")]
    Line(usize),
    #[error("the proof is larger than {MAX_PROOF_BYTES} bytes")]
    TooLarge,
    #[error("the checkpoint in the proof: {0}")]
    Note(#[from] NoteError),
    #[error("the checkpoint is not accepted: {0}")]
    Policy(#[from] PolicyError),
    #[error("the path does not lead from the entry to the checkpoint's root")]
    Path,
}

/// A proof as it was read; [`Proof::verify`] says whether it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Not covered by any signature: a hint, never believed.
    pub extra: Option<Vec<u8>>,
    /// Of the entry, from 0.
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<Hash>,
    pub checkpoint: SignedCheckpoint,
}

/// What a proof proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    pub index: u64,
    pub size: u64,
    pub accepted: Accepted,
}

impl Proof {
    /// The proof as a `.tlog-proof` file.
    pub fn to_text(&self) -> String {
        let extra = self.extra.as_ref().map(|e| format!("extra {}\n", BASE64.encode(e))).unwrap_or_default();
        let path: String = self.path.iter().map(|hash| format!("{}\n", BASE64.encode(hash.0))).collect();
        format!("{HEADER}\n{extra}index {}\n{path}\n{}", self.index, self.checkpoint.to_text())
    }

    /// Reads a proof; verifies nothing.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        if text.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLarge);
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Line(1))?;
        let mut lines = head.split('\n').enumerate().peekable();
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(ProofError::Line(1));
        }
        let extra = match lines.peek().and_then(|(_, line)| line.strip_prefix("extra ")) {
            Some(encoded) => {
                lines.next();
                Some(BASE64.decode(encoded).map_err(|_| ProofError::Line(2))?)
            }
            None => None,
        };
        let (n, line) = lines.next().ok_or(ProofError::Line(2))?;
        let index = line.strip_prefix("index ").and_then(decimal).ok_or(ProofError::Line(n + 1))?;
        let mut path = Vec::new();
        for (n, line) in lines {
            let hash = BASE64.decode(line).ok().and_then(|b| Hash::from_slice(&b)).ok_or(ProofError::Line(n + 1))?;
            if path.len() == MAX_PATH {
                return Err(ProofError::Line(n + 1));
            }
            path.push(hash);
        }
        Ok(Self { extra, index, path, checkpoint: SignedCheckpoint::parse(checkpoint)? })
    }

    /// Whether these bytes are the log's entry at this index, according to a policy.
    pub fn verify(&self, entry: &[u8], policy: &Policy) -> Result<Proven, ProofError> {
        let accepted = policy.check(&self.checkpoint)?;
        let checkpoint = &self.checkpoint.checkpoint;
        match verify_inclusion(entry, self.index, checkpoint.size, &self.path, &checkpoint.root) {
            true => Ok(Proven { index: self.index, size: checkpoint.size, accepted }),
            false => Err(ProofError::Path),
        }
    }
}

/// Digits without sign and leading zeros.
fn decimal(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}
