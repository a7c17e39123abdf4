//! Checkpoints (C2SP tlog-checkpoint v1.0.0) and the two signatures of a validator on one: as the log (Ed25519 over the
//! note) and as a cosigner (C2SP tlog-cosignature v1.0.1, `cosignature/v1`, timestamped in seconds since 1970).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::bytes::{Hash, Signature};
use crate::crypto::{SigningKey, verify_strict};

use super::note::{KeyKind, NoteError, NoteSignature, VerifierKey, parse_note};

/// A log of a size and the root of its tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The note's text: what is signed.
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, BASE64.encode(self.root.0))
    }

    /// Reads a note's text. Extension lines are refused: no cosigner vouches for them.
    pub fn parse(body: &str) -> Result<Self, NoteError> {
        let mut lines = body.strip_suffix('\n').ok_or(NoteError::Checkpoint)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Checkpoint);
        };
        let parsed = Self {
            origin: origin.to_owned(),
            size: size.parse().map_err(|_| NoteError::Checkpoint)?,
            root: BASE64.decode(root).ok().and_then(|b| Hash::from_slice(&b)).ok_or(NoteError::Checkpoint)?,
        };
        // Signs, leading zeros and the like parse too; one checkpoint has one text.
        match !origin.is_empty() && parsed.size <= i64::MAX as u64 && parsed.body() == body {
            true => Ok(parsed),
            false => Err(NoteError::Checkpoint),
        }
    }
}

/// A checkpoint with whatever signatures it came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    pub checkpoint: Checkpoint,
    pub signatures: Vec<NoteSignature>,
}

impl SignedCheckpoint {
    /// Reads a signed note. Verifies no signature: that takes a [`super::Policy`].
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let (text, signatures) = parse_note(note)?;
        Ok(Self { checkpoint: Checkpoint::parse(text)?, signatures })
    }

    /// The signed note.
    pub fn to_text(&self) -> String {
        let lines: String = self.signatures.iter().map(|s| format!("{s}\n")).collect();
        format!("{}\n{lines}", self.checkpoint.body())
    }
}

/// The log's own signature.
pub fn sign_log(checkpoint: &Checkpoint, key: &SigningKey) -> Signature {
    key.sign(checkpoint.body().as_bytes())
}

/// A cosignature of this second.
pub fn cosign(checkpoint: &Checkpoint, time_s: u64, key: &SigningKey) -> Signature {
    key.sign(&cosigned_message(time_s, checkpoint))
}

/// Whether a log's key signed the checkpoint (strict rule) under its own origin.
pub fn verify_log(key: &VerifierKey, checkpoint: &Checkpoint, signature: &[u8]) -> bool {
    let signature = Signature::from_slice(signature);
    let fits = key.kind == KeyKind::Log && key.name == checkpoint.origin;
    fits && signature.is_some_and(|s| verify_strict(&key.key, checkpoint.body().as_bytes(), &s))
}

/// When a cosigner signed the checkpoint, in seconds since 1970; none if it did not (strict rule).
pub fn verify_cosignature(key: &VerifierKey, checkpoint: &Checkpoint, signature: &[u8]) -> Option<u64> {
    let (time, signature) = signature.split_first_chunk::<8>()?;
    let (time_s, signature) = (u64::from_be_bytes(*time), Signature::from_slice(signature)?);
    let fits = key.kind == KeyKind::Cosigner && time_s <= i64::MAX as u64;
    (fits && verify_strict(&key.key, &cosigned_message(time_s, checkpoint), &signature)).then_some(time_s)
}

fn cosigned_message(time_s: u64, checkpoint: &Checkpoint) -> Vec<u8> {
    format!("cosignature/v1\ntime {time_s}\n{}", checkpoint.body()).into_bytes()
}

impl VerifierKey {
    /// A log's signature as a line of the note.
    pub fn log_line(&self, signature: &Signature) -> NoteSignature {
        NoteSignature { name: self.name.clone(), key_id: self.id(), signature: signature.0.to_vec() }
    }

    /// A cosignature as a line of the note: the time goes before the signature.
    pub fn cosigner_line(&self, time_s: u64, signature: &Signature) -> NoteSignature {
        let signature = [&time_s.to_be_bytes()[..], &signature.0].concat();
        NoteSignature { name: self.name.clone(), key_id: self.id(), signature }
    }
}
