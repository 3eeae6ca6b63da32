//! The other end: what the verbs of the command line use to reach a server.

use std::{io, path::PathBuf, time::Duration};

use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    header::{AUTHORIZATION, CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_PROTOCOL},
    http::{Uri, uri::PathAndQuery},
};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{
    protocol::limits,
    transport::{stream::Stream, upgrade::SUBPROTOCOL},
};

/// Where a server listens unless told otherwise.
pub const DEFAULT_URL: &str = "ws://127.0.0.1:7010";
/// How long reaching a server and one short answer may take: the server has two seconds for a display that hangs.
const ANSWER_TIME: Duration = Duration::from_secs(10);
/// The most of an answer's body that is read as text.
const BODY_BYTES: usize = 64 * 1024;
/// What Host says where no name leads to the server.
const LOCAL_HOST: &str = "localhost";

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `ws://HOST[:PORT]`; `http://` means the same.
    Tcp {
        /// Name or address without brackets.
        host: String,
        /// 80 unless given.
        port: u16,
        /// `HOST[:PORT]` as the URL gives it, for the Host header.
        authority: String,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

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
    /// Silence.
    #[error("no answer within {} s", ANSWER_TIME.as_secs())]
    TimedOut,
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { authority, .. } => write!(formatter, "ws://{authority}"),
            Self::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}

impl Endpoint {
    /// Reads a URL. A path in it is not used: each verb has its own.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        let uri: Uri = url.parse().map_err(|_| ClientError::Url(format!("`{url}` is not a URL; {FORM}")))?;
        match uri.scheme_str() {
            Some("ws" | "http") => {}
            Some("wss" | "https") => {
                let message = format!("`{url}` needs TLS, which is not part of this version; {FORM}");
                return Err(ClientError::Url(message));
            }
            _ => return Err(ClientError::Url(format!("`{url}` does not begin with ws://; {FORM}"))),
        }
        let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else {
            return Err(ClientError::Url(format!("`{url}` names no host; {FORM}")));
        };
        Ok(Self::Tcp {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authority: authority.to_string(),
        })
    }

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
            let stream = self.connect().await?;
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
            let stream = self.connect().await?;
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

    async fn connect(&self) -> Result<Stream, ClientError> {
        let stream = match self {
            Self::Tcp { host, port, .. } => TcpStream::connect((host.as_str(), *port)).await.and_then(Stream::tcp),
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::unix),
        };
        stream.map_err(|source| ClientError::Unreachable { endpoint: self.clone(), source })
    }

    fn authority(&self) -> &str {
        match self {
            Self::Tcp { authority, .. } => authority,
            Self::Unix(_) => LOCAL_HOST,
        }
    }
}

const FORM: &str = "use ws://HOST:PORT";

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

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, authority: &str) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port, authority: authority.to_owned() }
    }

    #[test]
    fn urls_name_a_host_and_a_port() {
        assert_eq!(Endpoint::parse(DEFAULT_URL).unwrap(), tcp("127.0.0.1", 7010, "127.0.0.1:7010"));
        assert_eq!(Endpoint::parse("ws://[::1]:7010/v1/ws").unwrap(), tcp("::1", 7010, "[::1]:7010"));
        assert_eq!(Endpoint::parse("http://box").unwrap(), tcp("box", 80, "box"));
    }

    #[test]
    fn other_urls_are_refused_with_the_form_that_works() {
        for (url, rule) in [
            ("wss://box:7010", "TLS"),
            ("https://box", "TLS"),
            ("box:7010", "not"),
            ("ftp://box", "ws://"),
            ("/socket", "ws://"),
            ("ws://", "not a URL"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(rule) && error.contains(FORM), "{url}: {error}");
        }
    }
}
