//! What was looked at and what came of it.

use serde::Serialize;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// As it should be.
    Good,
    /// Works, with a loss or a risk that the finding names.
    Warning,
    /// It must not stay like this: doctor ends with 1.
    Bad,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    /// What it belongs to, where there are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<&'static str>,
    /// What was looked at.
    pub(super) subject: &'static str,
    /// Whether it is bad where it is not as it should be; told where that depends on what is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) required: Option<bool>,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<&'static str>,
}

impl Finding {
    pub(super) fn new(verdict: Verdict, subject: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self { verdict, group: None, subject, required: None, found: found.into(), remedy: Some(remedy) }
    }

    pub(super) fn good(subject: &'static str, found: impl Into<String>) -> Self {
        Self { remedy: None, ..Self::new(Verdict::Good, subject, found, "") }
    }

    pub(super) fn warning(subject: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self::new(Verdict::Warning, subject, found, remedy)
    }

    pub(super) fn bad(subject: &'static str, found: impl Into<String>, remedy: &'static str) -> Self {
        Self::new(Verdict::Bad, subject, found, remedy)
    }
}
