//! Calls a controller, for guests that must not listen: a WebSocket whose client we are, over which the controller asks and we
//! answer as over any other.
//!
//! The controller shows a certificate; whoever has that is let in without a token, as an admin. When the connection ends it is made
//! again: at once after one that had lasted, and otherwise after a pause that doubles, with chance in it, so that a thousand guests
//! do not come back to a controller that has restarted in the same second.

use std::{io, sync::Arc, time::Duration};

use http_body_util::Empty;
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{
        CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
    },
};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};

use super::{
    dialler::DialLine,
    stream::Stream,
    tls::ClientTls,
    upgrade::{SUBPROTOCOL, VERSION, words},
};
use crate::protocol::{dial_url::DialUrl, limits};

/// The first pause, and the longest: a controller is back within seconds, or somebody has to look after it.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A connection that has lasted so long was a good one, after which the pauses begin anew.
const GOOD: Duration = Duration::from_secs(10);
/// How long it may take from the first byte to the answer of the controller, as for whoever connects to us.
const HANDSHAKE_TIME: Duration = limits::HANDSHAKE_TIME;

/// A controller to call.
#[derive(Debug)]
pub(super) struct Dial {
    pub(super) url: DialUrl,
    /// Its number on the line.
    pub(super) number: u8,
    pub(super) line: Arc<DialLine>,
    pub(super) tls: ClientTls,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it cannot be reached: {0}")]
    Unreachable(io::Error),
    #[error("TLS: {0}")]
    Tls(io::Error),
    #[error("it did not answer within {} s", HANDSHAKE_TIME.as_secs())]
    TimedOut,
    #[error("it does not answer as a WebSocket server: {0}")]
    Handshake(String),
}

impl Dial {
    /// A connection that has become a WebSocket, and what followed in the same read.
    pub(super) async fn connect(&self) -> Result<(Stream, Vec<u8>), DialError> {
        let stream = self.line.connect(self.number).await.and_then(Stream::tcp).map_err(DialError::Unreachable)?;
        let agreed = async {
            let name = ServerName::try_from(self.url.host().to_owned())
                .map_err(|_| DialError::Handshake("its name is no name that a certificate could be for".to_owned()))?;
            let stream = stream.connect_tls(self.tls.config(), name).await.map_err(DialError::Tls)?;
            self.upgrade(stream).await
        };
        tokio::time::timeout(HANDSHAKE_TIME, agreed).await.unwrap_or(Err(DialError::TimedOut))
    }

    async fn upgrade(&self, stream: Stream) -> Result<(Stream, Vec<u8>), DialError> {
        let failed = |error: hyper::Error| DialError::Handshake(error.to_string());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let key = generate_key();
        let request = self.request(&key).map_err(|error| DialError::Handshake(error.to_string()))?;
        let mut connection = std::pin::pin!(connection.with_upgrades());
        let answer = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            let wrong = |rule: &str| Err(DialError::Handshake(rule.to_owned()));
            if response.status() != StatusCode::SWITCHING_PROTOCOLS {
                return wrong(&format!("it says {}", response.status()));
            }
            let headers = response.headers();
            let accept = headers.get(SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
            if accept != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
                return wrong("its Sec-WebSocket-Accept is not the answer to our key");
            }
            if words(headers, &SEC_WEBSOCKET_PROTOCOL).any(|word| word != SUBPROTOCOL) {
                return wrong("it chose another subprotocol than deskhand.v1");
            }
            hyper::upgrade::on(response).await.map_err(failed)
        };
        let mut answer = std::pin::pin!(answer);
        let upgraded = tokio::select! {
            upgraded = &mut answer => upgraded,
            // The connection ends with the upgrade, which the answer has then.
            ended = &mut connection => match ended {
                Ok(()) => answer.await,
                Err(error) => Err(failed(error)),
            },
        }?;
        let parts = upgraded
            .downcast::<TokioIo<Stream>>()
            .map_err(|_| DialError::Handshake("the connection became something else".to_owned()))?;
        Ok((parts.io.into_inner(), parts.read_buf.to_vec()))
    }

    fn request(&self, key: &str) -> Result<Request<Empty<Bytes>>, hyper::http::Error> {
        Request::builder()
            .uri(self.url.path())
            .header(HOST, self.url.authority())
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, VERSION)
            .header(SEC_WEBSOCKET_KEY, key)
            .header(SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL)
            .header(USER_AGENT, concat!("deskhand/", env!("CARGO_PKG_VERSION")))
            .body(Empty::new())
    }
}

/// How long to wait before the next call.
#[derive(Debug)]
pub(super) struct Pauses {
    next: Duration,
}

impl Pauses {
    pub(super) const fn new() -> Self {
        Self { next: FIRST_PAUSE }
    }

    /// After a call that began then: the pauses grow until one has lasted. From half the pause to all of it, by chance.
    pub(super) fn after(&mut self, lasted: Duration) -> Duration {
        if lasted >= GOOD {
            self.next = FIRST_PAUSE;
        }
        let pause = self.next;
        self.next = (pause * 2).min(LONGEST_PAUSE);
        // Without chance all is as good as with a chance that is bad.
        let chance = getrandom::u32().unwrap_or(u32::MAX);
        pause.mul_f64(0.5 + 0.5 * f64::from(chance) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_begin_anew_after_a_connection_that_lasted() {
        let mut pauses = Pauses::new();
        let mut most = FIRST_PAUSE;
        for _ in 0..12 {
            let pause = pauses.after(Duration::ZERO);
            assert!(pause >= most / 2 && pause <= most, "{pause:?} of {most:?}");
            most = (most * 2).min(LONGEST_PAUSE);
        }
        assert_eq!(most, LONGEST_PAUSE);
        assert!(pauses.after(GOOD) <= FIRST_PAUSE);
    }

    #[test]
    fn two_guests_do_not_come_back_in_the_same_moment() {
        let pauses: std::collections::BTreeSet<_> = (0..20).map(|_| Pauses::new().after(Duration::ZERO)).collect();
        assert!(pauses.len() > 10, "{pauses:?}");
    }
}
