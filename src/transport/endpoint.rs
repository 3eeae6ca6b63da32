//! Where a server is, and the way to it.

use std::{fmt, io, path::PathBuf};

use hyper::http::Uri;
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UnixStream};
use tokio_vsock::{VsockAddr, VsockStream};

use super::{
    client::{ClientError, SYNC_TIME},
    stream::Stream,
    tls::{ClientChoice, ClientTls},
    virtio,
};

/// Where a server listens unless told otherwise.
pub const DEFAULT_URL: &str = "ws://127.0.0.1:7010";
/// What Host says where no name leads to the server.
const LOCAL_HOST: &str = "localhost";
/// What a URL may be.
const FORM: &str = "use ws://HOST:PORT, wss://HOST:PORT or vsock://CONTEXT:PORT";

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `ws://HOST[:PORT]` or `wss://HOST[:PORT]`; `http` and `https` mean the same.
    Tcp {
        /// Name or address without brackets.
        host: String,
        /// 80 unless given, with TLS 443.
        port: u16,
        /// `HOST[:PORT]` as the URL gives it, for the Host header.
        authority: String,
        /// For `wss://` and `https://`.
        tls: Option<ClientTls>,
    },
    /// A Unix socket.
    Unix(PathBuf),
    /// `vsock://CONTEXT:PORT`: a virtual machine's context, or 1 for this machine's own.
    Vsock {
        /// The context.
        context: u32,
        /// The port in it.
        port: u32,
    },
    /// The Unix socket that a virtual machine monitor has for a virtio-serial port.
    Virtio(PathBuf),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { authority, tls: None, .. } => write!(formatter, "ws://{authority}"),
            Self::Tcp { authority, tls: Some(_), .. } => write!(formatter, "wss://{authority}"),
            Self::Unix(path) | Self::Virtio(path) => write!(formatter, "{}", path.display()),
            Self::Vsock { context, port } => write!(formatter, "vsock://{context}:{port}"),
        }
    }
}

impl Endpoint {
    /// Reads a URL. A path in it is not used: each verb has its own. With TLS the system's authorities are trusted.
    pub fn parse(url: &str) -> Result<Self, ClientError> {
        Self::parse_with(url, ClientChoice::default())
    }

    /// The same with a choice of whom to trust.
    pub fn parse_with(url: &str, choice: ClientChoice<'_>) -> Result<Self, ClientError> {
        let uri: Uri = url.parse().map_err(|_| ClientError::Url(format!("`{url}` is not a URL; {FORM}")))?;
        let scheme = uri.scheme_str();
        match scheme {
            Some("ws" | "http" | "wss" | "https" | "vsock") => {}
            _ => return Err(ClientError::Url(format!("`{url}` does not begin with ws://; {FORM}"))),
        }
        let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else {
            return Err(ClientError::Url(format!("`{url}` names no host; {FORM}")));
        };
        if scheme == Some("vsock") {
            let port = authority.as_str().rsplit_once(':').map(|(_, port)| port.parse());
            return match (host.parse(), port) {
                (Ok(context), Some(Ok(port))) => Ok(Self::Vsock { context, port }),
                _ => Err(ClientError::Url(format!("`{url}` names no context and port by their numbers; {FORM}"))),
            };
        }
        let tls = match scheme {
            Some("wss" | "https") => Some(ClientTls::new(choice).map_err(|error| ClientError::Tls(error.to_string()))?),
            _ => None,
        };
        Ok(Self::Tcp {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 }),
            authority: authority.to_string(),
            tls,
        })
    }

    /// Connects. What goes over the stream from now on is HTTP, whatever carries it.
    ///
    /// # Errors
    /// Nobody is there, or nobody who listens.
    pub async fn open(&self) -> Result<Stream, ClientError> {
        let unreachable = |source| ClientError::Unreachable { endpoint: self.clone(), source };
        let stream = match self {
            Self::Tcp { host, port, tls, .. } => {
                let stream =
                    TcpStream::connect((host.as_str(), *port)).await.and_then(Stream::tcp).map_err(unreachable)?;
                return match tls {
                    None => Ok(stream),
                    Some(tls) => secured(stream, tls, host).await,
                };
            }
            Self::Unix(path) => UnixStream::connect(path).await.map(Stream::unix),
            Self::Vsock { context, port } => {
                VsockStream::connect(VsockAddr::new(*context, *port)).await.map(Stream::vsock)
            }
            Self::Virtio(path) => {
                let mut stream = UnixStream::connect(path).await.map_err(unreachable)?;
                return match tokio::time::timeout(SYNC_TIME, virtio::greet(&mut stream)).await {
                    Ok(Ok(())) => Ok(Stream::unix(stream)),
                    Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => {
                        Err(ClientError::Protocol(error.to_string()))
                    }
                    Ok(Err(_)) | Err(_) => Err(ClientError::NoGuest { endpoint: self.clone() }),
                };
            }
        };
        stream.map_err(unreachable)
    }

    /// Whether the bytes of a connection are not what its socket carries.
    pub const fn is_encrypted(&self) -> bool {
        matches!(self, Self::Tcp { tls: Some(_), .. })
    }

    /// What the Host header says.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Tcp { authority, .. } => authority,
            Self::Unix(_) | Self::Vsock { .. } | Self::Virtio(_) => LOCAL_HOST,
        }
    }
}

async fn secured(stream: Stream, tls: &ClientTls, host: &str) -> Result<Stream, ClientError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| ClientError::Url(format!("`{host}` is no name that a certificate could be for")))?;
    stream.connect_tls(tls.config(), name).await.map_err(|error| ClientError::Tls(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16, authority: &str) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port, authority: authority.to_owned(), tls: None }
    }

    #[test]
    fn urls_name_a_host_and_a_port() {
        assert_eq!(Endpoint::parse(DEFAULT_URL).unwrap(), tcp("127.0.0.1", 7010, "127.0.0.1:7010"));
        assert_eq!(Endpoint::parse("ws://[::1]:7010/v1/ws").unwrap(), tcp("::1", 7010, "[::1]:7010"));
        assert_eq!(Endpoint::parse("http://box").unwrap(), tcp("box", 80, "box"));
        assert_eq!(Endpoint::parse("vsock://3:70100").unwrap(), Endpoint::Vsock { context: 3, port: 70_100 });
    }

    #[test]
    fn with_tls_the_port_is_another() {
        for (url, expected) in [("wss://box", 443), ("https://box", 443), ("wss://box:7010", 7010)] {
            match Endpoint::parse(url).unwrap() {
                Endpoint::Tcp { port, tls: Some(_), .. } => assert_eq!(port, expected),
                other => panic!("{other}"),
            }
        }
    }

    #[test]
    fn other_urls_are_refused_with_the_form_that_works() {
        for (url, rule) in [
            ("box:7010", "not"),
            ("ftp://box", "ws://"),
            ("/socket", "ws://"),
            ("ws://", "not a URL"),
            ("vsock://3", "numbers"),
            ("vsock://box:7010", "numbers"),
        ] {
            let error = Endpoint::parse(url).unwrap_err().to_string();
            assert!(error.contains(rule) && error.contains(FORM), "{url}: {error}");
        }
    }
}
