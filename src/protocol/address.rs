//! Where to listen.

use std::{net::SocketAddr, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

/// The port in the default address; nothing else of note uses it.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7010";
/// The longest path of a Unix socket: `sun_path` is 108 bytes and we keep its terminating zero (unix(7)).
const SOCKET_PATH_BYTES: usize = 107;

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
}

impl ListenAddress {
    /// Whether a peer must show a token here: what only the host holds needs none.
    pub const fn needs_token(&self) -> bool {
        !matches!(self, Self::Stdio)
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
        if let Some(kind) = ["vsock:", "virtio:", "dial:"].into_iter().find(|kind| text.starts_with(kind)) {
            return Err(format!("`{kind}` addresses are not part of this version; use IP:PORT, unix:PATH or stdio"));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "an address is IP:PORT (port 0 takes a free one), unix:PATH or stdio; got `{text}`, is it a host name?"
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
        for text in ["127.0.0.1:7010", "0.0.0.0:0", "[::1]:7010", "unix:/run/desk.sock", "unix:a b", "stdio"] {
            assert_eq!(text.parse::<ListenAddress>().map(|address| address.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn addresses_of_later_versions_are_recognised_and_refused() {
        for text in ["vsock:7010", "virtio:/dev/virtio-ports/desk", "dial:wss://example.org/desk"] {
            assert!(text.parse::<ListenAddress>().is_err_and(|reason| reason.contains("not part of this version")));
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_forms_that_work() {
        for text in ["", "7010", "localhost:7010", "127.0.0.1", "127.0.0.1:65536", "tcp:1.2.3.4:1", "unix:", "Stdio"] {
            assert!(text.parse::<ListenAddress>().is_err(), "{text:?} must be refused");
        }
        let (longest, longer) = (format!("unix:/{}", "x".repeat(106)), format!("unix:/{}", "x".repeat(107)));
        assert!(longest.parse::<ListenAddress>().is_ok());
        assert!(longer.parse::<ListenAddress>().is_err());
    }

    #[test]
    fn only_loopback_stays_on_the_machine() {
        let leaves = |text: &str| text.parse::<ListenAddress>().unwrap().leaves_the_machine();
        assert!(!leaves("127.0.0.1:1") && !leaves("127.9.9.9:1") && !leaves("[::1]:1"));
        assert!(!leaves("unix:/x") && !leaves("stdio"));
        assert!(leaves("0.0.0.0:1") && leaves("[::]:1") && leaves("10.0.0.2:1"));
    }
}
