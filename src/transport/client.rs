//! The other end: what the verbs of the command line use to reach a server.

use std::{io, time::Duration};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_PROTOCOL},
    http::{Uri, uri::PathAndQuery},
};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{
    protocol::limits,
    transport::{endpoint::Endpoint, stream::Stream, upgrade::SUBPROTOCOL},
};

/// How long reaching a server and one short answer may take: the server has two seconds for a display that hangs.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// How long a guest may take to say that it listens to us (the contract).
pub(super) const SYNC_TIME: Duration = Duration::from_secs(5);
/// The most of an answer's body that is read as text.
const BODY_BYTES: usize = 64 * 1024;

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The URL cannot be used.
    #[error("{0}")]
    Url(String),
    /// Nobody is there.
    #[error("nothing listens at {endpoint}: {source}")]
    Unreachable {
        /// Where.
        endpoint: Endpoint,
        /// What the system says.
        source: io::Error,
    },
    /// The two could not agree about TLS: a certificate, an authority, a version.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server wants another token, or any (401).
    #[error("the server wants a valid token")]
    Unauthorized,
    /// The server does not take requests that come this way (403).
    #[error("the server refused: {0}")]
    Forbidden(String),
    /// The server answered with another status.
    #[error("the server answered {status}: {reason}")]
    Refused {
        /// The status of the answer.
        status: u16,
        /// Its text.
        reason: String,
    },
    /// What is there does not speak the protocol, or the connection broke.
    #[error("the connection failed: {0}")]
    Protocol(String),
    /// Nobody answers behind the socket of a virtio-serial port.
    #[error("{endpoint} is open, and no guest has answered on its port within {} s", SYNC_TIME.as_secs())]
    NoGuest {
        /// Where.
        endpoint: Endpoint,
    },
    /// Silence.
    #[error("no answer within {} s", ANSWER_TIME.as_secs())]
    TimedOut,
}

impl Endpoint {
    /// Opens a WebSocket session.
    pub async fn websocket(&self, token: Option<&str>) -> Result<WebSocketStream<Stream>, ClientError> {
        timely(async {
            let url = format!("ws://{}/v1/ws", self.authority());
            let mut request = url.into_client_request().map_err(|error| ClientError::Protocol(error.to_string()))?;
            let headers = request.headers_mut();
            headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUBPROTOCOL));
            if let Some(token) = token {
                headers.insert(AUTHORIZATION, bearer(token)?);
            }
            let stream = self.open().await?;
            // One answer may be as long as the server's queue lets a reply be, and comes as one frame.
            let config = WebSocketConfig::default()
                .max_message_size(Some(limits::OUTBOUND_REPLY_BYTES))
                .max_frame_size(Some(limits::OUTBOUND_REPLY_BYTES));
            match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
                Ok((socket, _)) => Ok(socket),
                Err(Error::Http(response)) => {
                    let reason = response.body().as_deref().unwrap_or_default();
                    Err(refused(response.status(), one_line(reason)))
                }
                Err(error) => Err(ClientError::Protocol(error.to_string())),
            }
        })
        .await
    }

    /// Sends one message on a session of its own and returns the first answer that `is_answer` accepts.
    pub async fn exchange(
        &self,
        token: Option<&str>,
        request: String,
        is_answer: impl Fn(&str) -> bool,
    ) -> Result<String, ClientError> {
        let broken = |error: Error| ClientError::Protocol(error.to_string());
        let mut socket = self.websocket(token).await?;
        socket.send(Message::text(request)).await.map_err(broken)?;
        while let Some(message) = socket.next().await {
            match message.map_err(broken)? {
                Message::Text(text) if is_answer(&text) => return Ok(text.as_str().to_owned()),
                Message::Close(Some(frame)) => {
                    let reason = format!("the server closed with {}: {}", u16::from(frame.code), frame.reason);
                    return Err(ClientError::Protocol(reason));
                }
                _ => {}
            }
        }
        Err(ClientError::Protocol("the server closed without an answer".to_owned()))
    }

    /// Asks whether the server is ready. The text says why not.
    pub async fn ready(&self) -> Result<Result<(), String>, ClientError> {
        match self.get("/readyz").await? {
            (StatusCode::OK, _) => Ok(Ok(())),
            (StatusCode::SERVICE_UNAVAILABLE, reason) => Ok(Err(reason)),
            (status, reason) => Err(refused(status, reason)),
        }
    }

    /// Asks for a page of text.
    pub async fn get(&self, path: &'static str) -> Result<(StatusCode, String), ClientError> {
        let protocol = |error: hyper::Error| ClientError::Protocol(error.to_string());
        timely(async {
            let stream = self.open().await?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(protocol)?;
            let mut request = Request::new(Empty::<Bytes>::new());
            *request.uri_mut() = Uri::from(PathAndQuery::from_static(path));
            let host = HeaderValue::from_str(self.authority())
                .map_err(|_| ClientError::Url(format!("`{}` cannot stand in a Host header", self.authority())))?;
            request.headers_mut().insert(HOST, host);
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            let answer = async {
                let response = sender.send_request(request).await.map_err(protocol)?;
                let status = response.status();
                let body = Limited::new(response.into_body(), BODY_BYTES).collect().await;
                let body = body.map_err(|error| ClientError::Protocol(error.to_string()))?;
                Ok((status, one_line(&body.to_bytes())))
            };
            let mut answer = std::pin::pin!(answer);
            tokio::select! {
                answer = &mut answer => answer,
                // The connection may end in the same moment as the answer, or without one: the answer knows.
                _ = connection => answer.await,
            }
        })
        .await
    }
}

fn bearer(token: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| ClientError::Url("the token has characters that no token has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

async fn timely<T>(future: impl Future<Output = Result<T, ClientError>>) -> Result<T, ClientError> {
    tokio::time::timeout(ANSWER_TIME, future).await.unwrap_or(Err(ClientError::TimedOut))
}

fn refused(status: StatusCode, reason: String) -> ClientError {
    match status {
        StatusCode::UNAUTHORIZED => ClientError::Unauthorized,
        StatusCode::FORBIDDEN => ClientError::Forbidden(reason),
        _ => ClientError::Refused { status: status.as_u16(), reason },
    }
}

fn one_line(body: &[u8]) -> String {
    String::from_utf8_lossy(body).trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
