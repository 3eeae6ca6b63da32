//! Consent: what a person is asked before a request goes on, and what they say.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::wire::Whole;

/// The parameters of `confirm.answer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmAnswerParams {
    /// The number in the event `confirm`.
    pub id: Whole,
    /// Whether the request may go on.
    pub allow: bool,
}

/// What somebody has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// The request may go on.
    Given,
    /// It may not.
    Refused,
}

/// A checked [`ConfirmAnswerParams`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfirmAnswer {
    /// Which request. As it comes in: none has a number below 1.
    pub id: i64,
    /// What becomes of it.
    pub consent: Consent,
}

impl From<ConfirmAnswerParams> for ConfirmAnswer {
    fn from(ConfirmAnswerParams { id, allow }: ConfirmAnswerParams) -> Self {
        Self { id: id.0, consent: if allow { Consent::Given } else { Consent::Refused } }
    }
}

/// A request that waits for consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ConfirmEvent {
    /// For `confirm.answer`.
    pub id: i64,
    /// The method, of a batch or an older tool the member of the toolset.
    pub method: &'static str,
    /// What it would do and where, without the text that it types.
    pub summary: String,
    /// How long it still waits.
    pub deadline_ms: u64,
}
