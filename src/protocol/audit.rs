//! The record of what was done: one JSON object a line, each with a head that follows from all lines before it.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{error::ErrorKind, identity::UserName, task::TaskId};

/// What stands in place of what a record does not keep.
pub const REDACTED: &str = "***REDACTED***";

/// What a record is about. The list is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionType {
    /// A task begins.
    ExecutionStarted,
    /// A tool call: once before anything is done, once with what came of it.
    ToolUse,
    /// A tool call that failed after it had begun.
    Error,
    /// A task ends.
    Completion,
    /// A request that was not let in.
    Refused,
    /// Somebody without a valid token.
    AuthFailed,
    /// The lease changed hands.
    Lease,
    /// A session begins or ends, a pause, a halt, its end.
    Session,
    /// A secret was put, used or forgotten.
    Secret,
    /// A rule of the policy was applied.
    Policy,
    /// The server started, or reads a file again.
    Config,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is about to be done.
    Started,
    /// It was done.
    Success,
    /// It was not, or not whole.
    Failed(ErrorKind),
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Started => serializer.serialize_str("started"),
            Self::Success => serializer.serialize_str("success"),
            Self::Failed(kind) => kind.serialize(serializer),
        }
    }
}

/// A record before it has its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// When it was made.
    pub timestamp: Timestamp,
    /// Whose doing.
    pub user: Option<UserName>,
    /// In which session.
    pub session: Option<String>,
    /// As part of which task.
    pub task: Option<TaskId>,
    /// What it is about.
    pub action: ActionType,
    /// What exactly, without what is typed and where.
    pub details: Map<String, Value>,
    /// How far it has come.
    pub outcome: Outcome,
    /// How long it took.
    pub duration: Option<Duration>,
}

impl Record {
    /// A record of the server's own.
    pub fn new(timestamp: Timestamp, action: ActionType, outcome: Outcome) -> Self {
        let details = Map::new();
        Self { timestamp, user: None, session: None, task: None, action, details, outcome, duration: None }
    }

    /// Adds a detail.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// What follows from a record and all before it: 32 bytes, as 64 lower-case hexadecimal characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Head(pub [u8; 32]);

impl Head {
    /// Before the first record.
    pub const NONE: Self = Self([0; 32]);
}

impl std::fmt::Display for Head {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl std::str::FromStr for Head {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).ok();
        bytes
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or_else(|| format!("a head is 64 lower-case hexadecimal characters; got `{text}`"))
    }
}

impl Serialize for Head {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Head {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Head {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AuditHead".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

/// Where the record of a request's outcome stands. Whoever keeps heads can tell later that nothing up to them was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AuditPlace {
    /// Its number, from 1.
    pub seq: u64,
    /// What follows from it and all before it.
    pub head: Head,
}

/// What happens when nothing can be recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditMode {
    /// Nothing is done either.
    #[default]
    Strict,
    /// It is done, and the loss is counted and recorded when that is possible again.
    Available,
}

/// How much a record keeps of what is typed and where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditDetails {
    /// Lengths only.
    #[default]
    Redacted,
    /// Texts, keys and coordinates, never secrets.
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_reads_back_what_it_prints_and_nothing_else() {
        let head = Head([0xab; 32]);
        assert_eq!(head.to_string().parse(), Ok(head));
        for text in ["", "ab", &"AB".repeat(32), &"ab".repeat(33), &"zz".repeat(32)] {
            assert!(text.parse::<Head>().is_err(), "{text}");
        }
    }
}
