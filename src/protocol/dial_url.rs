//! Where a server calls that must not listen.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What such a URL begins with: the controller shows a certificate, so there is none without TLS.
const SCHEME: &str = "wss://";
/// The port of `wss` (RFC 6455, 3).
const DEFAULT_PORT: u16 = 443;
/// The longest name of a host (RFC 1035, 2.3.4).
const HOST_BYTES: usize = 253;
/// As long as a request's first line may be for the servers that are in use.
const PATH_BYTES: usize = 2048;

/// `wss://HOST[:PORT][/PATH]` of a controller.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct DialUrl {
    host: String,
    port: u16,
    path: String,
}

impl DialUrl {
    /// Name or address of the controller, an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What is asked for: path and query.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// `HOST[:PORT]`, as the Host header has it.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == DEFAULT_PORT { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for DialUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}{}", self.authority(), self.path)
    }
}

impl FromStr for DialUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |rule: &str| format!("`{text}` cannot be called: {rule}; use wss://HOST[:PORT][/PATH]");
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with wss://"))?;
        let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        if path.len() > PATH_BYTES || !path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(wrong("its path has characters that must be percent-encoded, a fragment, or too many"));
        }
        let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, after))) if host.parse::<std::net::Ipv6Addr>().is_ok() => (host, after),
            Some(_) => return Err(wrong("what is in brackets is no IPv6 address")),
            None => authority.find(':').map_or((authority, ""), |at| authority.split_at(at)),
        };
        let port = match port {
            "" => DEFAULT_PORT,
            port => match port.strip_prefix(':').map(str::parse) {
                Some(Ok(port)) if port != 0 => port,
                _ => return Err(wrong("its port is no number from 1 to 65535")),
            },
        };
        let named = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:".contains(&byte));
        if host.is_empty() || host.len() > HOST_BYTES || !named {
            return Err(wrong("it names no host"));
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, path })
    }
}

impl TryFrom<String> for DialUrl {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DialUrl> for String {
    fn from(url: DialUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_back_what_they_print() {
        for (text, host, port, path) in [
            ("wss://control.example/desks/7?pool=a", "control.example", 443, "/desks/7?pool=a"),
            ("wss://control.example:8443/", "control.example", 8443, "/"),
            ("wss://10.0.0.2:8443/x", "10.0.0.2", 8443, "/x"),
            ("wss://[::1]:8443/x", "::1", 8443, "/x"),
        ] {
            let url: DialUrl = text.parse().unwrap();
            assert_eq!((url.host(), url.port(), url.path()), (host, port, path));
            assert_eq!(url.to_string(), text);
        }
        assert_eq!("wss://Box".parse::<DialUrl>().unwrap().to_string(), "wss://box/");
        assert_eq!("wss://box?a=b".parse::<DialUrl>().unwrap().to_string(), "wss://box/?a=b");
    }

    #[test]
    fn what_cannot_be_called_is_refused_with_the_form_that_works() {
        for text in [
            "",
            "ws://box",
            "https://box",
            "box:443",
            "wss://",
            "wss:///x",
            "wss://:443",
            "wss://box:0",
            "wss://box:65536",
            "wss://box:x",
            "wss://user@box",
            "wss://box/a b",
            "wss://box/#a",
            "wss://[::1",
            "wss://[box]",
            "wss://[::1]443",
            "wss://b\u{fc}cher.example",
        ] {
            let error = text.parse::<DialUrl>().unwrap_err();
            assert!(error.contains("wss://HOST"), "{text}: {error}");
        }
    }
}
