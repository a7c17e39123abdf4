//! Ed25519 under the two rules of DESIGN §4.2.
//!
//! *Strict* (canonical A and R, s < ℓ, no small order, cofactorless) for votes, commit certificates and cosignatures: two
//! verifiers of any make agree, and a signature binds one key. *ZIP 215* (cofactored) for transactions: the only rule
//! under which checking a batch and checking one by one always agree, so nodes cannot be split by a crafted signature.

use ed25519_dalek::{Signer, SigningKey as DalekKey, VerifyingKey};

use crate::bytes::{PublicKey, Signature};

/// A secret key; wiped from memory when dropped.
#[derive(Clone)]
pub struct SigningKey(DalekKey);

impl SigningKey {
    /// The key of an RFC 8032 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(DalekKey::from_bytes(seed))
    }

    /// The seed, to be stored where only its owner reads it.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(of {})", self.public().short())
    }
}

/// The strict rule.
pub fn verify_strict(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    let Ok(point) = VerifyingKey::from_bytes(&key.0) else { return false };
    // Decompression also accepts y ≥ p; one point must have one byte form.
    if point.to_edwards().compress().as_bytes() != &key.0 {
        return false;
    }
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    point.verify_strict(message, &signature).is_ok()
}

/// Whether signatures of this key can hold under the strict rule: a canonical point that is not of small order.
pub fn can_sign_strictly(key: &PublicKey) -> bool {
    VerifyingKey::from_bytes(&key.0)
        .is_ok_and(|point| !point.is_weak() && point.to_edwards().compress().as_bytes() == &key.0)
}

/// The ZIP 215 rule, one signature.
pub fn verify_zip215(key: &PublicKey, message: &[u8], signature: &Signature) -> bool {
    let signature = ed25519_zebra::Signature::from_bytes(&signature.0);
    ed25519_zebra::VerificationKey::try_from(key.0).is_ok_and(|key| key.verify(&signature, message).is_ok())
}

/// One signature of a batch.
pub struct BatchItem<'a> {
    pub key: PublicKey,
    pub message: &'a [u8],
    pub signature: Signature,
}

/// The ZIP 215 rule over many signatures: whether each is valid. `entropy` must be unpredictable to whoever made the
/// signatures; it only guards the batch equation, never decides on an honest signature.
pub fn verify_zip215_batch(items: &[BatchItem<'_>], entropy: [u8; 32]) -> Vec<bool> {
    let mut batch = ed25519_zebra::batch::Verifier::new();
    for item in items {
        let signature = ed25519_zebra::Signature::from_bytes(&item.signature.0);
        batch.queue((item.key.0.into(), signature, item.message));
    }
    if batch.verify(Entropy::new(entropy)).is_ok() {
        return vec![true; items.len()];
    }
    items.iter().map(|i| verify_zip215(&i.key, i.message, &i.signature)).collect()
}

/// SHA-256 in counter mode over a secret seed: keeps this crate free of operating-system randomness.
struct Entropy {
    seed: [u8; 32],
    counter: u64,
}

impl Entropy {
    fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        crate::Hash::of_parts(&[&self.seed, &self.counter.to_be_bytes()]).0
    }
}

impl rand_core::TryRng for Entropy {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let [a, b, c, d, ..] = self.block();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let [a, b, c, d, e, f, g, h, ..] = self.block();
        Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Self::Error> {
        for chunk in dst.chunks_mut(32) {
            let block = self.block();
            for (to, from) in chunk.iter_mut().zip(block) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Entropy {}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(&[n; 32])
    }

    /// RFC 8032 §7.1, test 2.
    #[test]
    fn a_published_signature_verifies_under_both_rules() {
        let key: PublicKey = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c".parse().unwrap();
        let signature: Signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            .parse()
            .unwrap();
        assert!(verify_strict(&key, &[0x72], &signature));
        assert!(verify_zip215(&key, &[0x72], &signature));
        assert!(!verify_strict(&key, &[0x73], &signature));
        assert!(!verify_zip215(&key, &[0x73], &signature));
    }

    /// The identity point signs everything with R = identity and s = 0: valid by ZIP 215, refused by the strict rule.
    #[test]
    fn small_order_keys_pass_zip215_and_fail_strict() {
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut signature = [0; 64];
        signature[0] = 1;
        let (key, signature) = (PublicKey(identity), Signature(signature));
        assert!(verify_zip215(&key, b"anything", &signature));
        assert!(!verify_strict(&key, b"anything", &signature));
    }

    #[test]
    fn a_batch_names_exactly_the_bad_signatures() {
        let messages: Vec<Vec<u8>> = (0..40u8).map(|n| vec![n; 50]).collect();
        let mut items: Vec<BatchItem<'_>> = messages
            .iter()
            .enumerate()
            .map(|(n, m)| BatchItem { key: key(n as u8).public(), message: m, signature: key(n as u8).sign(m) })
            .collect();
        assert!(verify_zip215_batch(&items, [7; 32]).iter().all(|ok| *ok));
        items[3].signature.0[5] ^= 1;
        items[30].key = key(99).public();
        let verdicts = verify_zip215_batch(&items, [7; 32]);
        let bad: Vec<usize> = verdicts.iter().enumerate().filter(|(_, ok)| !**ok).map(|(n, _)| n).collect();
        assert_eq!(bad, [3, 30]);
    }
}
