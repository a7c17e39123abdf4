//! Signed notes and verifier keys (C2SP signed-note v1.0.0): a text, a blank line, and lines of signatures.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::bytes::{Hash, PublicKey};

/// A note is refused beyond this, unread.
const MAX_NOTE_BYTES: usize = 64 * 1024;
/// Signature lines of a note; the standard asks for at least 16.
const MAX_SIGNATURES: usize = 100;
const MAX_NAME_BYTES: usize = 255;

/// Why a text is not a note or a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("the note is larger than {MAX_NOTE_BYTES} bytes")]
    TooLarge,
    #[error("the note holds a control character")]
    Control,
    #[error("the note has no blank line between text and signatures")]
    Separator,
    #[error("signature line {0} is not `— name base64`")]
    Signature(usize),
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    Signatures,
    #[error("a verifier key is written `name+hash+base64`, with an Ed25519 log or cosigner key")]
    Key,
    #[error("the text is not a checkpoint: origin, size without leading zeros, base64 root, nothing else")]
    Checkpoint,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    pub name: String,
    pub key_id: [u8; 4],
    /// As the key's kind defines it.
    pub signature: Vec<u8>,
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id[..], &self.signature].concat();
        write!(f, "\u{2014} {} {}", self.name, BASE64.encode(bytes))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let bytes = BASE64.decode(bytes).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<4>()?;
        let fits = is_key_name(name) && !signature.is_empty();
        fits.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

/// The text of a note, with its last newline, and the signatures under it. Verifies nothing.
pub(super) fn parse_note(note: &str) -> Result<(&str, Vec<NoteSignature>), NoteError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(NoteError::TooLarge);
    }
    if note.bytes().any(|b| b < 0x20 && b != b'\n') {
        return Err(NoteError::Control);
    }
    let split = note.rfind("\n\n").ok_or(NoteError::Separator)?;
    let (text, lines) = (note.get(..=split), note.get(split + 2..));
    let (Some(text), Some(lines)) = (text, lines) else { return Err(NoteError::Separator) };
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Separator)?;
    let mut signatures = Vec::new();
    for (n, line) in lines.split('\n').enumerate() {
        if n == MAX_SIGNATURES {
            return Err(NoteError::Signatures);
        }
        signatures.push(NoteSignature::parse(line).ok_or(NoteError::Signature(n + 1))?);
    }
    Ok((text, signatures))
}

/// Names of keys: not empty, no spaces, no plus.
pub(super) fn is_key_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// The note's text (signature type 0x01): the log itself.
    Log,
    /// A timestamped cosignature (signature type 0x04).
    Cosigner,
}

impl KeyKind {
    fn byte(self) -> u8 {
        match self {
            Self::Log => 0x01,
            Self::Cosigner => 0x04,
        }
    }
}

/// A vkey: name, kind and key. The name of a log's key is the log's origin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    pub name: String,
    pub kind: KeyKind,
    pub key: PublicKey,
}

impl VerifierKey {
    /// SHA-256(name ‖ "\n" ‖ type ‖ key), the first four bytes: tells keys apart, proves nothing.
    pub fn id(&self) -> [u8; 4] {
        let hash = Hash::of_parts(&[self.name.as_bytes(), b"\n", &[self.kind.byte()], &self.key.0]);
        hash.0.first_chunk::<4>().copied().unwrap_or_default()
    }

    /// Whether a signature line names this key.
    pub fn made(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.key_id == self.id()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let material = [&[self.kind.byte()][..], &self.key.0].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), BASE64.encode(material))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;

    fn from_str(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::Key);
        };
        let material = BASE64.decode(material).map_err(|_| NoteError::Key)?;
        let (kind, key) = match material.split_first() {
            Some((0x01, key)) => (KeyKind::Log, key),
            Some((0x04, key)) => (KeyKind::Cosigner, key),
            _ => return Err(NoteError::Key),
        };
        let key = PublicKey::from_slice(key).ok_or(NoteError::Key)?;
        let parsed = Self { name: name.to_owned(), kind, key };
        let same_id = id.len() == 8 && hex::decode(id).is_ok_and(|id| id == parsed.id());
        match is_key_name(name) && same_id {
            true => Ok(parsed),
            false => Err(NoteError::Key),
        }
    }
}
