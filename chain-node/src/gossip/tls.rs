//! TLS 1.3 with raw public keys (RFC 7250): a peer is its Ed25519 key, so there are no certificates to issue, renew or
//! let expire. Both sides pin: the dialler one key, the acceptor the configured ones.

use std::sync::Arc;

use chain_types::PublicKey;
use chain_types::crypto::SigningKey;
use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use rustls::server::AlwaysResolvesServerRawPublicKeys;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig, ServerConnection, SignatureScheme,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::peers::Allowed;

/// Only a peer key that TLS cannot use.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up gossip encryption: {0}")]
pub struct TlsError(#[from] Error);

/// DER of an Ed25519 `SubjectPublicKeyInfo` (RFC 8410 §4), before the 32 key bytes.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// DER of an Ed25519 PKCS#8 key (RFC 8410 §7), before the 32 seed bytes.
const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certified_key(key: &SigningKey) -> Result<Arc<CertifiedKey>, Error> {
    let pkcs8 = [&PKCS8_PREFIX[..], &key.seed()].concat();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8));
    let signing = provider().key_provider.load_private_key(private)?;
    let spki = [&SPKI_PREFIX[..], &key.public().0].concat();
    Ok(Arc::new(CertifiedKey::new(vec![CertificateDer::from(spki)], signing)))
}

/// For one peer.
pub fn connector(key: &SigningKey, peer: PublicKey) -> Result<TlsConnector, TlsError> {
    let pinned = Arc::new(Pinned::new(Allowed::of(vec![peer])));
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let resolver = Arc::new(AlwaysResolvesClientRawPublicKeys::new(certified_key(key)?));
    let config = builder.dangerous().with_custom_certificate_verifier(pinned).with_client_cert_resolver(resolver);
    Ok(TlsConnector::from(Arc::new(config)))
}

/// For all configured peers, as the list is when one connects.
pub fn acceptor(key: &SigningKey, peers: Allowed) -> Result<TlsAcceptor, TlsError> {
    let pinned = Arc::new(Pinned::new(peers));
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let resolver = Arc::new(AlwaysResolvesServerRawPublicKeys::new(certified_key(key)?));
    let config = builder.with_client_cert_verifier(pinned).with_cert_resolver(resolver);
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The key that the other side proved.
pub fn peer_key(connection: &ServerConnection) -> Option<PublicKey> {
    connection.peer_certificates()?.first().and_then(key_of)
}

fn key_of(spki: &CertificateDer<'_>) -> Option<PublicKey> {
    spki.as_ref().strip_prefix(&SPKI_PREFIX).and_then(PublicKey::from_slice)
}

/// Accepts exactly these keys.
#[derive(Debug)]
struct Pinned {
    keys: Allowed,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Pinned {
    fn new(keys: Allowed) -> Self {
        Self { keys, algorithms: provider().signature_verification_algorithms }
    }

    fn check(&self, spki: &CertificateDer<'_>) -> Result<(), Error> {
        match key_of(spki).is_some_and(|key| self.keys.contains(&key)) {
            true => Ok(()),
            false => Err(Error::General("this key is not one of the configured peers".into())),
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        spki: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectPublicKeyInfoDer::from(spki.as_ref());
        verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
    }
}

fn only_tls13() -> Error {
    Error::General("peers speak TLS 1.3".into())
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.check(key).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}

impl ClientCertVerifier for Pinned {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        key: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.check(key).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        key: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, key, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }

    fn requires_raw_public_keys(&self) -> bool {
        true
    }
}
