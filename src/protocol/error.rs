//! The closed list of error kinds and the error object of an answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What went wrong. The list is closed: a client may branch on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the contract's own words; WIRE section 3 lists them")]
pub enum ErrorKind {
    InvalidJson,
    InvalidRequest,
    UnknownMethod,
    InvalidParams,
    OutOfRange,
    Forbidden,
    LeaseHeld,
    Paused,
    Halted,
    RateLimited,
    QuotaExceeded,
    TaskLimit,
    TaskRequired,
    Overloaded,
    Conflict,
    NotFound,
    NotExecuted,
    Cancelled,
    DeadlineExceeded,
    DisplayLost,
    DisplayUntrusted,
    DisplayGrabbed,
    DisplayNotConfined,
    PointerBlocked,
    InputGrabbed,
    FocusLost,
    KeymapChanged,
    UnmappableCharacter,
    ClipboardTimeout,
    SecretUnknown,
    TargetMismatch,
    ScreenTainted,
    AuditUnavailable,
    StaleFrame,
    Unsupported,
    ShuttingDown,
    Internal,
}

impl ErrorKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 37] = [
        Self::InvalidJson,
        Self::InvalidRequest,
        Self::UnknownMethod,
        Self::InvalidParams,
        Self::OutOfRange,
        Self::Forbidden,
        Self::LeaseHeld,
        Self::Paused,
        Self::Halted,
        Self::RateLimited,
        Self::QuotaExceeded,
        Self::TaskLimit,
        Self::TaskRequired,
        Self::Overloaded,
        Self::Conflict,
        Self::NotFound,
        Self::NotExecuted,
        Self::Cancelled,
        Self::DeadlineExceeded,
        Self::DisplayLost,
        Self::DisplayUntrusted,
        Self::DisplayGrabbed,
        Self::DisplayNotConfined,
        Self::PointerBlocked,
        Self::InputGrabbed,
        Self::FocusLost,
        Self::KeymapChanged,
        Self::UnmappableCharacter,
        Self::ClipboardTimeout,
        Self::SecretUnknown,
        Self::TargetMismatch,
        Self::ScreenTainted,
        Self::AuditUnavailable,
        Self::StaleFrame,
        Self::Unsupported,
        Self::ShuttingDown,
        Self::Internal,
    ];

    /// The JSON-RPC code that goes with the kind.
    pub const fn code(self) -> i32 {
        match self {
            Self::InvalidJson => -32700,
            Self::InvalidRequest => -32600,
            Self::UnknownMethod => -32601,
            Self::InvalidParams | Self::OutOfRange => -32602,
            Self::Internal => -32603,
            _ => -32000,
        }
    }
}

/// How much of the request reached the display before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Executed {
    /// Nothing was sent to the display.
    No,
    /// All of it took effect; only what came after failed.
    Yes,
    /// Some of it took effect, and what stayed pressed was released.
    Partial,
    /// The display did not answer, so nobody can tell.
    Unknown,
}

/// The process that stands in the way, as the X server knows it (X-Resource), never as a window claims it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Process id; 0 where a process namespace hides it.
    pub pid: u32,
    /// Path of the executable where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub executable: Option<String>,
}

/// The optional parts of an error's `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail {
    /// How many characters the application consumed before typing stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub typed: Option<u32>,
    /// Which action of a batch failed its validation, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// Where the pointer really is, in the session's coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<[i32; 2]>,
    /// Who holds what the action needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// The nearest known names to one that is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// After how many milliseconds trying again makes sense.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Whether this is what an earlier request with the same key came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replayed: Option<bool>,
    /// What is left of a monthly token quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_tokens: Option<u64>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// An error as an answer carries it. The message is lower case: the rule, the value, the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What a client may branch on.
    pub kind: ErrorKind,
    /// How far the request got.
    pub executed: Executed,
    /// What a person or a model reads.
    pub message: String,
    /// What only some kinds carry; boxed because most failures have none and results travel by value.
    pub detail: Option<Box<ErrorDetail>>,
}

impl Failure {
    /// A failure before anything reached the display.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, executed: Executed::No, message: message.into(), detail: None }
    }

    /// States how far the request got.
    #[must_use]
    pub fn executed(mut self, executed: Executed) -> Self {
        self.executed = executed;
        self
    }

    /// Changes the optional parts.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut ErrorDetail)) -> Self {
        change(self.detail.get_or_insert_default());
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        let hint = hint.into();
        self.with(|detail| detail.hint = Some(hint))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_in_the_list_at_its_number() {
        assert!(ErrorKind::ALL.iter().enumerate().all(|(number, kind)| *kind as usize == number));
        assert_eq!(ErrorKind::ALL.last(), Some(&ErrorKind::Internal), "the last of the contract's list");
    }
}
