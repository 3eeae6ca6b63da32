//! The place of the audit in a request's life: intent before the first X request, outcome after the last.
//!
//! This version has no audit file yet; the step stands where it will stand, so that a record can never be forgotten by an
//! action that is added meanwhile.

use std::time::Duration;

use crate::protocol::error::{ErrorKind, Failure};

/// What is about to happen, without typed text and coordinates.
#[derive(Clone, Copy, Debug)]
pub struct Intent {
    /// Whose session.
    pub session: u64,
    /// Which method.
    pub method: &'static str,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    /// `None` when it succeeded.
    pub failure: Option<ErrorKind>,
    /// From the intent to here.
    pub duration: Duration,
}

/// Where records go.
#[derive(Debug, Default)]
pub enum Audit {
    /// Nowhere; the log has one line for each action at the debug level.
    #[default]
    Off,
}

impl Audit {
    /// The word of the ready line.
    pub const fn mode(&self) -> &'static str {
        match self {
            Self::Off => "off",
        }
    }

    /// Records that an action is about to happen.
    ///
    /// # Errors
    /// `audit_unavailable` when it cannot be recorded; the action must not happen then.
    pub fn intend(&self, intent: Intent) -> Result<(), Failure> {
        match self {
            Self::Off => {
                tracing::debug!(session = intent.session, method = intent.method, "begins");
                Ok(())
            }
        }
    }

    /// Records how an action ended.
    pub fn conclude(&self, intent: Intent, outcome: Outcome) {
        match self {
            Self::Off => {
                let microseconds = outcome.duration.as_micros();
                tracing::debug!(session = intent.session, method = intent.method, failure = ?outcome.failure, microseconds, "ended");
            }
        }
    }
}
