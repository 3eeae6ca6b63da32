//! A controller that servers call, with TLS and WebSocket of other makers.

use std::sync::Arc;

use rustls::{ServerConfig, crypto::ring, version::TLS13};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::handshake::server::{ErrorResponse, Request, Response},
};

use super::{certificates::Certified, within};

/// The connection of a desk.
pub type Desk = WebSocketStream<TlsStream<TcpStream>>;

/// A controller that desks call.
pub struct Controller {
    pub listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Controller {
    pub async fn new(certified: &Certified) -> Self {
        let chain = vec![CertificateDer::from_pem_slice(certified.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next desk that calls, and the path and the subprotocol that it has asked for; nothing when it hangs up.
    pub async fn answer(&self) -> Option<(Desk, String, String)> {
        let (stream, _) = within(self.listener.accept()).await.unwrap();
        let stream = within(self.acceptor.accept(stream)).await.ok()?;
        let (mut path, mut protocol) = (String::new(), String::new());
        #[allow(clippy::result_large_err, reason = "what the crate wants")]
        let choose = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            path = request.uri().to_string();
            let offered = request.headers()["sec-websocket-protocol"].clone();
            offered.to_str().unwrap().clone_into(&mut protocol);
            response.headers_mut().insert("sec-websocket-protocol", offered);
            Ok(response)
        };
        let desk = within(Box::pin(accept_hdr_async(stream, choose))).await.ok()?;
        Some((desk, path, protocol))
    }
}
