//! Small validated values of the configuration.

use std::{net::SocketAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use tracing::level_filters::LevelFilter;

use crate::protocol::screen::ScreenFit;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What ends something.
    Error,
    /// What a person should look at.
    Warn,
    /// Starts, stops and sessions.
    #[default]
    Info,
    /// Each request.
    Debug,
    /// Everything.
    Trace,
}

impl From<LogLevel> for LevelFilter {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Off => Self::OFF,
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// Whether the server confines itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SandboxChoice {
    /// It does, or it does not start.
    Require,
    /// As far as the kernel lets it; what is missing is logged.
    #[default]
    Try,
    /// It does not.
    Off,
}

/// Makes a type that is kept, printed and read as the text it was checked from.
macro_rules! checked_text {
    ($(#[$documentation:meta])* $name:ident, $check:expr) => {
        $(#[$documentation])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let check: fn(&str) -> Result<String, String> = $check;
                check(text).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    };
}

checked_text! {
    /// A host, with or without a port, as HTTP's `Host` header has it; lower case.
    Host, |text| authority(text).ok_or_else(|| {
        format!("a host is a name or an address with or without a port, such as desk.example:7010; got `{text}`")
    })
}

checked_text! {
    /// The origin of web pages: `http://` or `https://` and a host; lower case.
    Origin, |text| {
        let lower = text.to_ascii_lowercase();
        ["https://", "http://"]
            .into_iter()
            .find_map(|scheme| authority(lower.strip_prefix(scheme)?))
            .map(|_| lower.clone())
            .ok_or_else(|| {
                format!("an origin is http:// or https:// and a host, without a path, and never *; got `{text}`")
            })
    }
}

/// How pictures are fitted, in the words of the command line; the configuration file uses the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct ScreenChoice(pub ScreenFit);

impl FromStr for ScreenChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl TryFrom<String> for ScreenChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// Where probes are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ProbeAddress(pub SocketAddr);

impl FromStr for ProbeAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| {
            format!("the address of probes is IP:PORT (port 0 takes a free one), as in 127.0.0.1:9090; got `{text}`")
        })
    }
}

impl TryFrom<String> for ProbeAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

/// The host and port of a URI (RFC 3986 section 3.2), without user information, in lower case.
fn authority(text: &str) -> Option<String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (&text[..address.len() + 2], port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let host_is_good = host.starts_with('[') || (!host.is_empty() && host.bytes().all(named));
    let port_is_good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    (host_is_good && port_is_good).then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_with_or_without_a_port() {
        for good in ["desk", "Desk.Example", "10.0.0.2:7010", "[::1]", "[::1]:7010", "a_b-c.d:0"] {
            assert_eq!(good.parse::<Host>().map(String::from), Ok(good.to_ascii_lowercase()));
        }
        for wrong in [
            "", "*", "a b", "a/b", "user@a", ":80", "a:", "a:b", "a:65536", "a:+1", "::1", "[::1", "[x]", "[::1]x", "ä",
        ] {
            assert!(wrong.parse::<Host>().is_err(), "{wrong:?} must be refused");
        }
    }

    #[test]
    fn origins_are_schemes_with_hosts_and_never_a_star() {
        for good in ["https://desk.example", "http://localhost:3000", "HTTPS://Desk.Example"] {
            assert_eq!(good.parse::<Origin>().map(String::from), Ok(good.to_ascii_lowercase()));
        }
        for wrong in
            ["", "*", "null", "desk.example", "https://", "https://desk/", "https://*", "ftp://desk", "https://a b"]
        {
            assert!(wrong.parse::<Origin>().is_err(), "{wrong:?} must be refused");
        }
    }
}
