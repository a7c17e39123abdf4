//! Signed statements (RFC 9943, SCITT): a COSE_Sign1 about something, by an issuer, that a log registers verbatim.
//!
//! Other programs make them, so any well-formed CBOR is read; what the log demands of one is in [`SignedStatement::parse`].
//! The unprotected header must be empty: nobody signed what stands there, and receipts are attached in it later.

use std::io::Cursor;

use ciborium::Value;

use crate::bytes::{Hash, PublicKey, Signature};
use crate::crypto::verify_strict;
use crate::encoding::Writer;
use crate::limits::MAX_ENTRY_BYTES;
use crate::transaction::CONTENT_TYPE;

/// Header labels (RFC 9052, 9596, 9597).
const ALG: i64 = 1;
const CRIT: i64 = 2;
const KID: i64 = 4;
const CLAIMS: i64 = 15;
const TYP: i64 = 16;
/// EdDSA and its successor Ed25519 (RFC 9053, RFC 9864): with a 32-byte key they are the same algorithm.
const ALGORITHMS: [i64; 2] = [-8, -19];
const MAX_CLAIM_BYTES: usize = 500;

/// Why bytes are not a statement that a log registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    #[error("a statement has at most {MAX_ENTRY_BYTES} bytes; register the digest of what is longer")]
    TooLarge,
    #[error("a statement is a tagged COSE_Sign1 with a map as protected header, each label once")]
    Form,
    #[error("a statement that is registered has an empty unprotected header")]
    Unprotected,
    #[error("a transaction is not a statement")]
    Transaction,
    #[error("the statement's algorithm must be Ed25519 (COSE -8 or -19)")]
    Algorithm,
    #[error("the statement's key id must be the issuer's 32-byte public key")]
    KeyId,
    #[error("the statement must name issuer and subject in its CWT claims (header 15, claims 1 and 2)")]
    Claims,
    #[error("the statement's payload must be present; a digest will do (RFC 9995)")]
    Payload,
    #[error("the statement marks a header as critical that this log does not know")]
    Critical,
}

impl StatementError {
    /// The stable name, for results and programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::Form => "form",
            Self::Unprotected => "unprotected_header",
            Self::Transaction => "transaction",
            Self::Algorithm => "algorithm",
            Self::KeyId => "key_id",
            Self::Claims => "claims",
            Self::Payload => "payload",
            Self::Critical => "critical",
        }
    }
}

/// A statement whose form has been checked; [`SignedStatement::verify`] checks its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedStatement {
    pub issuer: String,
    pub subject: String,
    /// The issuer's public key.
    pub kid: PublicKey,
    message: Vec<u8>,
    signature: Signature,
}

impl SignedStatement {
    /// Reads a statement and refuses what the log would not register.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(StatementError::TooLarge);
        }
        let [protected, unprotected, payload, signature] = sign1(bytes)?;
        let Value::Bytes(protected) = protected else { return Err(StatementError::Form) };
        let Value::Map(header) = read_all(&protected)? else { return Err(StatementError::Form) };
        let labels: Vec<&Value> = header.iter().map(|(label, _)| label).collect();
        if labels.iter().enumerate().any(|(n, label)| labels.iter().skip(n + 1).any(|other| other == label)) {
            return Err(StatementError::Form);
        }
        if get(&header, TYP).is_some_and(is_transaction_type) {
            return Err(StatementError::Transaction);
        }
        if unprotected != Value::Map(Vec::new()) {
            return Err(StatementError::Unprotected);
        }
        if get(&header, CRIT).is_some() {
            return Err(StatementError::Critical);
        }
        let algorithm = get(&header, ALG).and_then(Value::as_integer).and_then(|n| i64::try_from(n).ok());
        if !algorithm.is_some_and(|n| ALGORITHMS.contains(&n)) {
            return Err(StatementError::Algorithm);
        }
        let kid = get(&header, KID).and_then(Value::as_bytes).and_then(|b| PublicKey::from_slice(b));
        let claims = get(&header, CLAIMS).and_then(Value::as_map).ok_or(StatementError::Claims)?;
        let claim = |label| {
            let text = get(claims, label).and_then(Value::as_text).filter(|t| (1..=MAX_CLAIM_BYTES).contains(&t.len()));
            text.map(str::to_owned).ok_or(StatementError::Claims)
        };
        let Value::Bytes(payload) = payload else { return Err(StatementError::Payload) };
        let signature = signature.as_bytes().and_then(|b| Signature::from_slice(b)).ok_or(StatementError::Form)?;
        let mut message = Writer::default();
        message.array(4).text("Signature1").bytes(&protected).bytes(&[]).bytes(&payload);
        Ok(Self {
            issuer: claim(1)?,
            subject: claim(2)?,
            kid: kid.ok_or(StatementError::KeyId)?,
            message: message.into_bytes(),
            signature,
        })
    }

    /// Whether the issuer's key signed it (strict rule).
    pub fn verify(&self) -> bool {
        verify_strict(&self.kid, &self.message, &self.signature)
    }

    /// What registrations name a statement by: SHA-256 of its bytes.
    pub fn id(bytes: &[u8]) -> Hash {
        Hash::of(bytes)
    }

    /// Makes a statement by an Ed25519 key: `{1: -8, 4: kid, 15: {1: issuer, 2: subject}}` over a payload.
    pub fn sign(issuer: &str, subject: &str, payload: &[u8], key: &crate::crypto::SigningKey) -> Vec<u8> {
        let mut protected = Writer::default();
        protected.map(3).uint(1).int(-8).uint(4).bytes(&key.public().0);
        protected.uint(15).map(2).uint(1).text(issuer).uint(2).text(subject);
        let protected = protected.into_bytes();
        let mut message = Writer::default();
        message.array(4).text("Signature1").bytes(&protected).bytes(&[]).bytes(payload);
        let signature = key.sign(&message.into_bytes());
        let mut w = Writer::default();
        w.tag(18).array(4).bytes(&protected).map(0).bytes(payload).bytes(&signature.0);
        w.into_bytes()
    }

    /// The transparent statement: the same with receipts in the unprotected header (394). None if these bytes are not a
    /// statement.
    pub fn with_receipts(bytes: &[u8], receipts: &[Vec<u8>]) -> Option<Vec<u8>> {
        Self::parse(bytes).ok()?;
        let [protected, _, payload, signature] = sign1(bytes).ok()?;
        let mut w = Writer::default();
        w.tag(18).array(4).bytes(protected.as_bytes()?).map(1).uint(394).array(receipts.len());
        for receipt in receipts {
            w.bytes(receipt);
        }
        w.bytes(payload.as_bytes()?).bytes(signature.as_bytes()?);
        Some(w.into_bytes())
    }
}

fn sign1(bytes: &[u8]) -> Result<[Value; 4], StatementError> {
    match read_all(bytes)? {
        Value::Tag(18, inner) => match *inner {
            Value::Array(parts) => parts.try_into().map_err(|_| StatementError::Form),
            _ => Err(StatementError::Form),
        },
        _ => Err(StatementError::Form),
    }
}

/// Exactly one item, nested at most as deep as such headers are.
fn read_all(bytes: &[u8]) -> Result<Value, StatementError> {
    let mut cursor = Cursor::new(bytes);
    let value = ciborium::de::from_reader_with_recursion_limit(&mut cursor, 16).map_err(|_| StatementError::Form)?;
    match cursor.position() == bytes.len() as u64 {
        true => Ok(value),
        false => Err(StatementError::Form),
    }
}

fn get(map: &[(Value, Value)], label: i64) -> Option<&Value> {
    map.iter().find(|(key, _)| key.as_integer() == Some(label.into())).map(|(_, value)| value)
}

/// A media type may be written in any case, with parameters, and without `application/` (RFC 9596).
fn is_transaction_type(typ: &Value) -> bool {
    let Some(text) = typ.as_text() else { return false };
    let text = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    text == CONTENT_TYPE || CONTENT_TYPE.strip_prefix("application/") == Some(text.as_str())
}
