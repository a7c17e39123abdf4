//! Secrets at rest: XChaCha20-Poly1305 under the home's master key, bound to what the secret is for. Never logs, never writes the key.
//!
//! Sealed form: version byte 1, 24-byte nonce, ciphertext with tag. The purpose is associated data: bytes copied to another row or column do not open there.

use crate::names::random_bytes;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE_BYTES: usize = 24;

#[derive(Debug, thiserror::Error)]
pub enum SealingError {
    #[error(
        "couldn't read the master key {path}: {source}; run `console init` first or restore the file from a backup"
    )]
    Read { path: String, source: std::io::Error },
    #[error("couldn't write the master key {path}: {source}")]
    Write { path: String, source: std::io::Error },
    #[error("the master key {0} must be 64 hexadecimal digits; restore the file from a backup")]
    Malformed(String),
    #[error("the master key {0} can be read by others; run `chmod 600 {0}`")]
    Exposed(String),
    #[error("a sealed secret doesn't open: it was written under another master key, for another purpose, or changed")]
    DoesNotOpen,
}

/// The master key, in memory for the life of the process.
pub struct SealingKey(Zeroizing<[u8; 32]>);

impl SealingKey {
    /// Writes a new key; an existing file is an error, because overwriting it would lose every secret.
    pub fn create(path: &Path) -> Result<Self, SealingError> {
        let key = Zeroizing::new(random_bytes::<32>());
        let failed = |source| SealingError::Write { path: path.display().to_string(), source };
        let mut file =
            std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        file.write_all(Zeroizing::new(hex::encode(*key)).as_bytes()).map_err(failed)?;
        // Durable before anything is sealed under it: a secret must not outlive its key.
        file.sync_all().map_err(failed)?;
        Ok(Self(key))
    }

    /// Of a file that only its owner can read.
    pub fn read(path: &Path) -> Result<Self, SealingError> {
        Self::read_unless(path, 0o077)
    }

    /// Of a file on a volume of a pod: the pod's own group can read it, that is how volumes are mounted.
    pub fn read_mounted(path: &Path) -> Result<Self, SealingError> {
        Self::read_unless(path, 0o007)
    }

    fn read_unless(path: &Path, exposed: u32) -> Result<Self, SealingError> {
        let shown = path.display().to_string();
        let failed = |source| SealingError::Read { path: shown.clone(), source };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & exposed != 0 {
            return Err(SealingError::Exposed(shown));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(failed)?);
        let mut key = Zeroizing::new([0u8; 32]);
        hex::decode_to_slice(text.trim(), key.as_mut()).map_err(|_| SealingError::Malformed(shown.clone()))?;
        Ok(Self(key))
    }

    /// Seals `secret` for `purpose`, e.g. `"steward-key/medical"`.
    pub fn seal(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        let nonce = random_bytes::<NONCE_BYTES>();
        let sealed = self
            .cipher()
            .encrypt(&XNonce::from(nonce), Payload { msg: secret, aad: purpose.as_bytes() })
            .expect("a secret is shorter than the cipher's limit of 256 GiB");
        [&[VERSION][..], &nonce, &sealed].concat()
    }

    /// Opens what `seal` made for the same purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealingError> {
        let [VERSION, rest @ ..] = sealed else { return Err(SealingError::DoesNotOpen) };
        let Some((nonce, sealed)) = rest.split_first_chunk::<NONCE_BYTES>() else {
            return Err(SealingError::DoesNotOpen);
        };
        self.cipher()
            .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: purpose.as_bytes() })
            .map(Zeroizing::new)
            .map_err(|_| SealingError::DoesNotOpen)
    }

    /// A value that only the holder of the master key can compute, for `purpose` and `input`. Both parts are of fixed or prefixed length, so no input can imitate another.
    pub fn tag(&self, purpose: &str, input: &[u8]) -> String {
        let mut hash = Sha256::new();
        hash.update(*self.0);
        hash.update([purpose.len() as u8]);
        hash.update(purpose.as_bytes());
        hash.update(Sha256::digest(input));
        hex::encode(hash.finalize())
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> (tempfile::TempDir, SealingKey) {
        let home = tempfile::tempdir().unwrap();
        let key = SealingKey::create(&home.path().join("master.key")).unwrap();
        (home, key)
    }

    #[test]
    fn a_secret_opens_only_for_its_purpose_and_unchanged() {
        let (home, key) = key();
        let sealed = key.seal("api-key/1", b"secret");
        assert_eq!(
            &*SealingKey::read(&home.path().join("master.key")).unwrap().open("api-key/1", &sealed).unwrap(),
            b"secret"
        );
        assert!(key.open("api-key/2", &sealed).is_err());
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(key.open("api-key/1", &changed).is_err(), "byte {position}");
        }
        for length in 0..sealed.len() {
            assert!(key.open("api-key/1", &sealed[..length]).is_err());
        }
    }

    #[test]
    fn a_mounted_key_may_be_read_by_the_pods_group_and_by_nobody_else() {
        let (home, _) = key();
        let path = home.path().join("master.key");
        for (mode, alone, mounted) in [(0o600, true, true), (0o440, false, true), (0o444, false, false)] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let read = (SealingKey::read(&path).is_ok(), SealingKey::read_mounted(&path).is_ok());
            assert_eq!(read, (alone, mounted), "{mode:o}");
        }
    }

    #[test]
    fn an_existing_key_is_never_overwritten_and_an_exposed_one_refused() {
        let (home, _) = key();
        let path = home.path().join("master.key");
        assert!(matches!(SealingKey::create(&path), Err(SealingError::Write { .. })));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SealingKey::read(&path), Err(SealingError::Exposed(_))));
    }
}
