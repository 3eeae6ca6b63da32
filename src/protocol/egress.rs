//! What the egress proxy has decided about what applications asked of the network.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EgressVerdict {
    /// It went out.
    Allowed,
    /// It did not.
    Denied,
}

impl EgressVerdict {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 2] = [Self::Allowed, Self::Denied];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// Why. A closed list, so that whoever counts them needs no words from elsewhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EgressReason {
    /// The host is on the list, and nothing else speaks against it.
    Listed,
    /// It is not.
    NotListed,
    /// Its name leads to an address that is not to be reached.
    Address,
    /// The port is not one of those.
    Port,
    /// Something else than HTTP was asked for.
    Scheme,
    /// A method that is not carried.
    Method,
    /// Whoever asked is not one of the applications.
    Client,
    /// The proxy itself was asked for.
    Manager,
    /// What TLS names is another host than the one that was asked for.
    ServerName,
    /// TLS names no host.
    NoServerName,
    /// TLS hides the host.
    EncryptedHello,
    /// What came was no TLS.
    NotTls,
    /// What TLS begins with could not be looked at.
    Unchecked,
    /// No request that could be understood.
    Malformed,
    /// A word that is not known here.
    #[default]
    #[serde(other)]
    Other,
}

impl EgressReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 15] = [
        Self::Listed,
        Self::NotListed,
        Self::Address,
        Self::Port,
        Self::Scheme,
        Self::Method,
        Self::Client,
        Self::Manager,
        Self::ServerName,
        Self::NoServerName,
        Self::EncryptedHello,
        Self::NotTls,
        Self::Unchecked,
        Self::Malformed,
        Self::Other,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Listed => "listed",
            Self::NotListed => "not_listed",
            Self::Address => "address",
            Self::Port => "port",
            Self::Scheme => "scheme",
            Self::Method => "method",
            Self::Client => "client",
            Self::Manager => "manager",
            Self::ServerName => "server_name",
            Self::NoServerName => "no_server_name",
            Self::EncryptedHello => "encrypted_hello",
            Self::NotTls => "not_tls",
            Self::Unchecked => "unchecked",
            Self::Malformed => "malformed",
            Self::Other => "other",
        }
    }
}

/// One attempt of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The host that was asked for, as the application wrote it, percent-encoded.
    pub host: String,
    /// What became of it.
    pub verdict: EgressVerdict,
    /// Why.
    pub reason: EgressReason,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_that_the_log_has() {
        for (number, reason) in EgressReason::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::from_value::<EgressReason>(reason.word().into()).unwrap(), reason);
            assert_eq!(reason as usize, number);
        }
        for (number, verdict) in EgressVerdict::ALL.into_iter().enumerate() {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.word());
            assert_eq!(verdict as usize, number);
        }
    }
}
