//! Where to listen.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::dial_url::DialUrl;

/// The port in the default address; nothing else of note uses it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7010";
/// The longest path of a Unix socket: `sun_path` is 108 bytes and we keep its terminating zero (unix(7)).
const SOCKET_PATH_BYTES: usize = 107;
/// What stands for any port in vsock(7), `VMADDR_PORT_ANY`: nobody could know which it is.
const ANY_VSOCK_PORT: u32 = u32::MAX;

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ListenAddress {
    /// TCP; port 0 takes a free one.
    Tcp(SocketAddr),
    /// A Unix socket at this path.
    Unix(PathBuf),
    /// Standard input and output: one peer, the one that started us.
    Stdio,
    /// A port of vsock(7), for whoever runs the virtual machine that we are in.
    Vsock(u32),
    /// A virtio-serial port, whose other end the host of the virtual machine holds.
    Virtio(PathBuf),
    /// Nowhere: a controller is called, which shows a certificate.
    Dial(DialUrl),
}

impl ListenAddress {
    /// Whether a peer must show a token here: what only the host holds needs none.
    pub const fn needs_token(&self) -> bool {
        !matches!(self, Self::Stdio | Self::Virtio(_) | Self::Dial(_))
    }

    /// Whether bytes could be read on their way: TCP that leaves this machine.
    pub const fn leaves_the_machine(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().is_loopback())
    }
}

impl std::fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
            Self::Stdio => formatter.write_str("stdio"),
            Self::Vsock(port) => write!(formatter, "vsock:{port}"),
            Self::Virtio(path) => write!(formatter, "virtio:{}", path.display()),
            Self::Dial(url) => write!(formatter, "dial:{url}"),
        }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "stdio" {
            return Ok(Self::Stdio);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.len() {
                0 => Err("unix: needs the path of the socket, as in unix:/run/deskhand.sock".into()),
                1..=SOCKET_PATH_BYTES if !path.contains('\0') => Ok(Self::Unix(path.into())),
                _ => {
                    Err(format!("a socket's path has at most {SOCKET_PATH_BYTES} bytes and no zero byte; got `{path}`"))
                }
            };
        }
        if let Some(path) = text.strip_prefix("virtio:") {
            if path.is_empty() || path.contains('\0') {
                let example = "virtio:/dev/virtio-ports/org.deskhand.control";
                return Err(format!("virtio: needs the path of the port, as in {example}"));
            }
            return Ok(Self::Virtio(path.into()));
        }
        if let Some(port) = text.strip_prefix("vsock:") {
            return match port.parse() {
                Ok(port) if (1..ANY_VSOCK_PORT).contains(&port) => Ok(Self::Vsock(port)),
                _ => {
                    Err(format!("vsock: needs a port from 1 to {}, as in vsock:7010; got `{port}`", ANY_VSOCK_PORT - 1))
                }
            };
        }
        if let Some(url) = text.strip_prefix("dial:") {
            return url.parse().map(Self::Dial);
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "an address is IP:PORT (port 0 takes a free one), unix:PATH, stdio, vsock:PORT, virtio:PATH or dial:wss://HOST; got \
                 `{text}`, is it a host name?"
            )
        })
    }
}

impl TryFrom<String> for ListenAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ListenAddress> for String {
    fn from(address: ListenAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_back_what_they_print() {
        for text in [
            "127.0.0.1:7010",
            "0.0.0.0:0",
            "[::1]:7010",
            "unix:/run/desk.sock",
            "unix:a b",
            "stdio",
            "vsock:7010",
            "virtio:/dev/vport1p1",
            "dial:wss://example.org/desk",
        ] {
            assert_eq!(text.parse::<ListenAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_forms_that_work() {
        for text in [
            "",
            "7010",
            "localhost:7010",
            "127.0.0.1",
            "127.0.0.1:65536",
            "tcp:1.2.3.4:1",
            "unix:",
            "Stdio",
            "virtio:",
            "vsock:",
            "vsock:0",
            "vsock:4294967295",
            "vsock:2:7010",
            "dial:",
            "dial:ws://example.org",
        ] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text:?} must be refused");
        }
        let (longest, longer) = (format!("unix:/{}", "x".repeat(106)), format!("unix:/{}", "x".repeat(107)));
        assert!(longest.parse::<ListenAddress>().is_ok());
        assert!(longer.parse::<ListenAddress>().is_err());
    }

    #[test]
    fn only_what_the_host_alone_holds_needs_no_token() {
        let needs = |text: &str| text.parse::<ListenAddress>().unwrap().needs_token();
        assert!(!needs("stdio") && !needs("virtio:/x"));
        // A controller that we call has shown its certificate.
        assert!(!needs("dial:wss://example.org"));
        // Any process of the machine can connect to its own vsock, and to the other two.
        assert!(needs("vsock:7010") && needs("unix:/x") && needs("127.0.0.1:1"));
    }

    #[test]
    fn only_loopback_stays_on_the_machine() {
        let leaves = |text: &str| text.parse::<ListenAddress>().unwrap().leaves_the_machine();
        assert!(!leaves("127.0.0.1:1") && !leaves("127.9.9.9:1") && !leaves("[::1]:1"));
        assert!(!leaves("unix:/x") && !leaves("stdio") && !leaves("vsock:7010") && !leaves("virtio:/x"));
        assert!(leaves("0.0.0.0:1") && leaves("[::]:1") && leaves("10.0.0.2:1"));
    }
}
