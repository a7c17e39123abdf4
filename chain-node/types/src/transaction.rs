//! A transaction: a COSE_Sign1 (RFC 9052 §4.2) in one byte form only.
//!
//! Tag 18, protected header `{1: -19 (Ed25519, RFC 9864), 4: kid, 16: type}`, empty unprotected header, embedded
//! payload, Ed25519 under ZIP 215. Why compare bytes instead of parsing the header: a COSE library re-emits whatever
//! header it was given, and a second form of one header would be a second id of one call.

use std::sync::Arc;

use crate::bytes::{Fingerprint, Hash, PublicKey, Signature, TxId};
use crate::crypto::{self, BatchItem, SigningKey};
use crate::encoding::{DecodeError, Reader, Value, Writer, read_value, value_to_vec};
use crate::limits::MAX_TX_BYTES;

/// COSE header 16 (`typ`, RFC 9596) of every transaction.
pub const CONTENT_TYPE: &str = "application/vnd.citychain.tx+cbor";
const COSE_SIGN1_TAG: u8 = 0xd2;

/// What a transaction asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The chain it is meant for, and no other.
    pub fingerprint: Fingerprint,
    /// Not in a block later than this (milliseconds since 1970), nor in one more than 10 minutes earlier.
    pub valid_until_ms: u64,
    /// Tells apart two equal calls that are both meant.
    pub salt: [u8; 8],
    /// The application, or `chain` for the chain's own modules.
    pub app: String,
    /// The instance of a module within the application.
    pub instance: String,
    pub method: String,
    /// Typed by the method.
    pub args: Value,
}

/// Why bytes are not a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    #[error("transaction has {0} bytes; the limit is {MAX_TX_BYTES}")]
    TooLarge(usize),
    #[error("transaction envelope is not the one COSE_Sign1 form: {0}")]
    Envelope(DecodeError),
    #[error("transaction payload is not `[fingerprint, valid_until_ms, salt, app, instance, method, args]`: {0}")]
    Payload(DecodeError),
}

/// A signed call whose form has been checked; whether its signature holds is asked separately, in batches.
///
/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Transaction(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    id: TxId,
    kid: PublicKey,
    signature: Signature,
    call: Call,
    bytes: Arc<[u8]>,
    message: Vec<u8>,
}

impl PartialEq for Transaction {
    fn eq(&self, other: &Self) -> bool {
        self.0.bytes == other.0.bytes
    }
}

impl Transaction {
    /// Signs a call. Fails only if `args` holds what deterministic CBOR cannot, or the whole is too large.
    pub fn sign(call: Call, key: &SigningKey) -> Result<Self, TransactionError> {
        let payload = encode_call(&call).map_err(TransactionError::Payload)?;
        let protected = protected_header(&key.public());
        let message = sig_structure(&protected, &payload);
        let signature = key.sign(&message);
        let mut w = Writer::default();
        w.tag(18).array(4).bytes(&protected).map(0).bytes(&payload).bytes(&signature.0);
        Self::decode(&w.into_bytes())
    }

    /// Checks size and form and reads the call. Cheap: no signature check, no state.
    pub fn decode(bytes: &[u8]) -> Result<Self, TransactionError> {
        if bytes.len() > MAX_TX_BYTES {
            return Err(TransactionError::TooLarge(bytes.len()));
        }
        let (kid, payload, signature) = decode_envelope(bytes).map_err(TransactionError::Envelope)?;
        let call = decode_call(payload).map_err(TransactionError::Payload)?;
        let message = sig_structure(&protected_header(&kid), payload);
        let id = TxId(Hash::of(&message).0);
        Ok(Self(Arc::new(Parts { id, kid, signature, call, bytes: bytes.into(), message })))
    }

    /// The id alone, without reading the call: enough to look the transaction up.
    pub fn id_of(bytes: &[u8]) -> Result<TxId, TransactionError> {
        let (kid, payload, _) = decode_envelope(bytes).map_err(TransactionError::Envelope)?;
        Ok(TxId(Hash::of(&sig_structure(&protected_header(&kid), payload)).0))
    }

    pub fn id(&self) -> TxId {
        self.0.id
    }

    /// The signer's public key.
    pub fn kid(&self) -> PublicKey {
        self.0.kid
    }

    pub fn call(&self) -> &Call {
        &self.0.call
    }

    /// The envelope, verbatim.
    pub fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The envelope, shared.
    pub fn shared_bytes(&self) -> Arc<[u8]> {
        self.0.bytes.clone()
    }

    /// This signature as one of a batch.
    pub fn batch_item(&self) -> BatchItem<'_> {
        BatchItem { key: self.0.kid, message: &self.0.message, signature: self.0.signature }
    }

    /// Checks the signature alone (ZIP 215).
    pub fn verify(&self) -> bool {
        crypto::verify_zip215(&self.0.kid, &self.0.message, &self.0.signature)
    }
}

/// `{1: -19, 4: kid, 16: CONTENT_TYPE}`
fn protected_header(kid: &PublicKey) -> Vec<u8> {
    let mut w = Writer::default();
    w.map(3).uint(1).int(-19).uint(4).bytes(&kid.0).uint(16).text(CONTENT_TYPE);
    w.into_bytes()
}

/// RFC 9052 §4.4.
fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut w = Writer::default();
    w.array(4).text("Signature1").bytes(protected).bytes(&[]).bytes(payload);
    w.into_bytes()
}

fn decode_envelope(bytes: &[u8]) -> Result<(PublicKey, &[u8], Signature), DecodeError> {
    let mut r = Reader::new(bytes.get(1..).unwrap_or_default());
    if bytes.first() != Some(&COSE_SIGN1_TAG) {
        return Err(Reader::new(bytes).invalid("COSE_Sign1 tag"));
    }
    r.array_of(4)?;
    let protected = r.bytes()?;
    let kid = kid_of(protected)?;
    if protected != protected_header(&kid) {
        return Err(r.invalid("protected header"));
    }
    if r.raw()? != [0xa0] {
        return Err(r.invalid("unprotected header: it must be empty"));
    }
    let payload = r.bytes()?;
    let signature = Signature(r.fixed("signature")?);
    r.end()?;
    Ok((kid, payload, signature))
}

fn kid_of(protected: &[u8]) -> Result<PublicKey, DecodeError> {
    // A3 01 32 04 5820 <kid>: the fixed place of the key id in the only form that is accepted.
    let mut r = Reader::new(protected.get(4..).unwrap_or_default());
    r.fixed("key id").map(PublicKey)
}

fn encode_call(call: &Call) -> Result<Vec<u8>, DecodeError> {
    let mut w = Writer::default();
    w.array(7).bytes(&call.fingerprint.0).uint(call.valid_until_ms).bytes(&call.salt);
    w.text(&call.app).text(&call.instance).text(&call.method).raw(&value_to_vec(&call.args)?);
    Ok(w.into_bytes())
}

fn decode_call(payload: &[u8]) -> Result<Call, DecodeError> {
    let mut r = Reader::new(payload);
    r.array_of(7)?;
    let call = Call {
        fingerprint: Fingerprint(r.fixed("genesis fingerprint")?),
        valid_until_ms: r.uint()?,
        salt: r.fixed("salt")?,
        app: label(&mut r)?,
        instance: label(&mut r)?,
        method: label(&mut r)?,
        args: read_value(r.raw()?)?,
    };
    r.end()?;
    Ok(call)
}

/// Names of applications, instances and methods: 1 to 40 of `a-z 0-9 - _`.
fn label(r: &mut Reader<'_>) -> Result<String, DecodeError> {
    let text = r.text()?;
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    match (1..=40).contains(&text.len()) && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => Err(r.invalid("name: 1 to 40 of a-z, 0-9, - and _")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coset::{CborSerializable, TaggedCborSerializable};
    use proptest::prelude::*;

    fn sample(args: Value) -> Transaction {
        let call = Call {
            fingerprint: Fingerprint([9; 32]),
            valid_until_ms: 1_800_000_000_000,
            salt: [1, 2, 3, 4, 5, 6, 7, 8],
            app: "evidence".into(),
            instance: "evidence".into(),
            method: "anchor".into(),
            args,
        };
        Transaction::sign(call, &SigningKey::from_seed(&[5; 32])).unwrap()
    }

    /// An implementation nobody here wrote reads the envelope and agrees on what was signed.
    #[test]
    fn a_cose_library_reads_and_verifies_it() {
        let tx = sample(Value::from("x"));
        let sign1 = coset::CoseSign1::from_tagged_slice(tx.bytes()).unwrap();
        assert_eq!(sign1.protected.header.key_id, tx.kid().0);
        let checked = sign1.verify_signature(&[], |signature, message| {
            assert_eq!(message, tx.0.message);
            let signature = Signature::from_slice(signature).unwrap();
            crypto::verify_strict(&tx.kid(), message, &signature).then_some(()).ok_or(())
        });
        assert_eq!(checked, Ok(()));
        assert!(sign1.clone().to_vec().is_ok());
    }

    #[test]
    fn every_other_byte_form_is_refused() {
        let tx = sample(Value::Map(vec![("a".into(), 1u64.into())]));
        let good = tx.bytes().to_vec();
        assert_eq!(Transaction::decode(&good).unwrap(), tx);
        let untagged = &good[1..];
        assert!(matches!(Transaction::decode(untagged), Err(TransactionError::Envelope(_))));
        let long_tag = [&[0xd8, 18], &good[1..]].concat();
        assert!(matches!(Transaction::decode(&long_tag), Err(TransactionError::Envelope(_))));
        let trailing = [&good[..], &[0]].concat();
        assert!(matches!(Transaction::decode(&trailing), Err(TransactionError::Envelope(_))));
        let mut other_algorithm = good.clone();
        let place = good.windows(2).position(|w| w == [0x01, 0x32]).unwrap();
        other_algorithm[place + 1] = 0x26;
        assert!(matches!(Transaction::decode(&other_algorithm), Err(TransactionError::Envelope(_))));
        assert_eq!(Transaction::decode(&vec![0; MAX_TX_BYTES + 1]), Err(TransactionError::TooLarge(MAX_TX_BYTES + 1)));
    }

    #[test]
    fn the_same_call_has_one_id_and_any_change_has_another() {
        let a = sample(Value::from(1u64));
        assert_eq!(a.id(), sample(Value::from(1u64)).id());
        assert_eq!(Transaction::id_of(a.bytes()), Ok(a.id()));
        assert_ne!(a.id(), sample(Value::from(2u64)).id());
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_refused_or_fails_the_signature(at in 0usize..150, bit in 0u8..8) {
            let tx = sample(Value::from("abc"));
            let mut bytes = tx.bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            if let Ok(changed) = Transaction::decode(&bytes) {
                prop_assert!(!changed.verify());
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Transaction::decode(&bytes);
        }
    }
}
