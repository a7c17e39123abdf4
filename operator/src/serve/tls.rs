//! A listener that speaks TLS with a certificate that may be replaced while it listens. Handshakes run beside each other, so a
//! silent client holds up nobody.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::Context as _;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::certificate::Held;

const HANDSHAKE_WITHIN: Duration = Duration::from_secs(5);
/// Clients that have connected and not finished their handshake; more wait in the kernel's queue.
const MOST_HANDSHAKES: usize = 128;

/// The certificate that is served now.
#[derive(Debug, Default)]
pub struct Serving {
    current: RwLock<Option<Arc<CertifiedKey>>>,
}

impl Serving {
    /// From the next handshake on.
    pub fn set(&self, held: &Held) -> anyhow::Result<()> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(held.leaf.as_bytes())
            .collect::<Result<_, _>>()
            .context("the certificate is no PEM")?;
        let key = PrivateKeyDer::from_pem_slice(held.leaf_key.as_bytes()).context("the key is no PEM")?;
        let certified = CertifiedKey::new(chain, ring::sign::any_supported_type(&key)?);
        certified.keys_match().context("certificate and key do not belong together")?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(certified));
        Ok(())
    }

    pub fn is_ready(&self) -> bool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    pub fn new(tcp: TcpListener, serving: Arc<Serving>) -> anyhow::Result<Self> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(serving);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tcp, acceptor: TlsAcceptor::from(Arc::new(config)), handshakes: JoinSet::new() })
    }
}

impl axum::serve::Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(connection)) = done {
                        return connection;
                    }
                }
                accepted = self.tcp.accept(), if self.handshakes.len() < MOST_HANDSHAKES => match accepted {
                    Ok((stream, from)) => {
                        let handshake = self.acceptor.accept(stream);
                        self.handshakes.spawn(async move {
                            let stream = timeout(HANDSHAKE_WITHIN, handshake).await.ok()?.ok()?;
                            Some((stream, from))
                        });
                    }
                    // Out of descriptors, most likely: it passes.
                    Err(error) => {
                        tracing::warn!(%error, "a connection to the webhook couldn't be taken");
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

#[cfg(test)]
mod tests {
    use axum::serve::Listener;
    use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
    use tokio_rustls::TlsConnector;

    use super::*;
    use crate::certificate::{issue, names};

    fn connector(trusting: &Held) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(trusting.authorities.as_bytes()) {
            roots.add(authority.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }

    #[tokio::test]
    async fn a_new_certificate_is_served_without_a_restart_and_a_silent_client_holds_up_nobody() {
        let now_s = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let names = names("operator", "system");
        let held = issue(None, &names, now_s).unwrap();
        let serving = Arc::new(Serving::default());
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let mut listener = TlsListener::new(tcp, Arc::clone(&serving)).unwrap();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                kept.push(listener.accept().await);
            }
        });
        let _silent = TcpStream::connect(address).await.unwrap();
        let connect = |trusting: &Held| {
            let connector = connector(trusting);
            async move {
                let stream = TcpStream::connect(address).await.unwrap();
                connector.connect(ServerName::try_from("operator.system.svc").unwrap(), stream).await
            }
        };
        assert!(connect(&held).await.is_err(), "there is no certificate yet");
        serving.set(&held).unwrap();
        connect(&held).await.unwrap();
        let other = issue(None, &names, now_s).unwrap();
        serving.set(&other).unwrap();
        assert!(connect(&held).await.is_err(), "the former authority did not sign this one");
        connect(&other).await.unwrap();
        let mixed = Held { leaf_key: held.leaf_key.clone(), ..other };
        assert!(serving.set(&mixed).is_err());
    }
}
