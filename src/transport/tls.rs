//! TLS on TCP connections: version 1.3 alone, with the certificates that the configuration names.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::tls_pin::PinnedKey;

/// What is spoken inside (RFC 7301): without it a peer that prefers HTTP/2 would choose that.
const PROTOCOL: &[u8] = b"http/1.1";

/// Why a certificate, a key or an authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// It is not PEM.
    #[error("{what} is no PEM text of the kind that belongs there: {problem}")]
    Pem {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// It holds none.
    #[error("{what} holds no certificate; it is a PEM file that begins with -----BEGIN CERTIFICATE-----")]
    Empty {
        /// Which.
        what: &'static str,
    },
    /// They do not go together, or are of a kind that is not known.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(String),
}

/// A certificate and its key, PEM.
#[derive(Clone, Copy)]
pub struct Identity<'a> {
    /// The certificate and those that lead to its authority.
    pub certificate: &'a str,
    /// The private key.
    pub key: &'a str,
}

/// The server's side, which may change while connections are being accepted.
#[derive(Clone)]
pub struct ServerTls(Arc<RwLock<Arc<ServerConfig>>>);

impl fmt::Debug for ServerTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ServerTls")
    }
}

impl ServerTls {
    /// With this identity; clients need a certificate of one of the authorities where these are given.
    pub fn new(identity: Identity<'_>, client_authority: Option<&str>) -> Result<Self, TlsError> {
        server_config(identity, client_authority).map(|config| Self(Arc::new(RwLock::new(Arc::new(config)))))
    }

    /// Another identity for connections from now on. One that cannot be used changes nothing.
    pub fn replace(&self, identity: Identity<'_>, client_authority: Option<&str>) -> Result<(), TlsError> {
        let config = Arc::new(server_config(identity, client_authority)?);
        // What it guards is set in one assignment, so a panic elsewhere leaves it whole.
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    /// What counts now.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn server_config(identity: Identity<'_>, client_authority: Option<&str>) -> Result<ServerConfig, TlsError> {
    let unusable = |error: &dyn fmt::Display| TlsError::Unusable(error.to_string());
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| unusable(&error))?;
    let builder = match client_authority {
        None => builder.with_no_client_auth(),
        Some(text) => {
            let roots = Arc::new(authorities(text, "the clients' authority")?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
            builder.with_client_cert_verifier(verifier.map_err(|error| unusable(&error))?)
        }
    };
    let (chain, key) = parts(identity)?;
    let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(&error))?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Nobody resumes: a connection lives as long as its session, and what is not kept cannot be stolen or filled.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The client's side.
#[derive(Clone)]
pub struct ClientTls(Arc<ClientConfig>);

impl fmt::Debug for ClientTls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientTls")
    }
}

impl PartialEq for ClientTls {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for ClientTls {}

/// Whom a client takes for its server.
#[derive(Clone, Copy, Default)]
pub enum Trusted<'a> {
    /// Whoever has a certificate for the name from an authority of the system.
    #[default]
    System,
    /// From one of these, PEM.
    Authority(&'a str),
    /// Whoever has the key with this SHA-256, whatever its certificate says.
    Key([u8; 32]),
}

/// Whom a client trusts, and who it is.
#[derive(Clone, Copy, Default)]
pub struct ClientChoice<'a> {
    /// Whom it takes for its server.
    pub trusted: Trusted<'a>,
    /// What is shown to a server that asks for a certificate.
    pub identity: Option<Identity<'a>>,
}

impl ClientTls {
    /// As chosen.
    pub fn new(ClientChoice { trusted, identity }: ClientChoice<'_>) -> Result<Self, TlsError> {
        let unusable = |error: &dyn fmt::Display| TlsError::Unusable(error.to_string());
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .map_err(|error| unusable(&error))?;
        let builder = match trusted {
            Trusted::System => builder.with_root_certificates(of_the_system()),
            Trusted::Authority(text) => builder.with_root_certificates(authorities(text, "the authority")?),
            Trusted::Key(sha256) => {
                let verifier = Arc::new(PinnedKey::new(sha256, provider()));
                builder.dangerous().with_custom_certificate_verifier(verifier)
            }
        };
        let mut config = match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let (chain, key) = parts(identity)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unusable(&error))?
            }
        };
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(super) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }
}

/// The authorities that this machine trusts; those of them that can be used. Without any every server is refused, and says so.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    roots
}

fn authorities(text: &str, what: &'static str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text, what)? {
        roots.add(certificate).map_err(|error| TlsError::Pem { what, problem: error.to_string() })?;
    }
    Ok(roots)
}

fn certificates(text: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let read = read.map_err(|error| TlsError::Pem { what, problem: error.to_string() })?;
    if read.is_empty() { Err(TlsError::Empty { what }) } else { Ok(read) }
}

fn parts(
    Identity { certificate, key }: Identity<'_>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let chain = certificates(certificate, "the certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|error| TlsError::Pem { what: "the key", problem: error.to_string() })?;
    Ok((chain, key))
}
