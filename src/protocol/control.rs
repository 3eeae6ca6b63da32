//! Who controls the desktop: asking for it, giving it back, and stopping everybody.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::LeaseStatus;

/// The parameters of `lease.acquire`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeaseAcquireParams {
    /// Take it from whoever has it; for a role above theirs, and for an admin.
    pub force: Option<bool>,
}

/// What becomes of a lease that another session has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// It is left alone.
    Ask,
    /// It is taken.
    Take,
}

/// What is asked about the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseCall {
    /// To have it.
    Acquire(Force),
    /// To have it no longer.
    Release,
}

impl From<LeaseAcquireParams> for LeaseCall {
    fn from(params: LeaseAcquireParams) -> Self {
        Self::Acquire(if params.force == Some(true) { Force::Take } else { Force::Ask })
    }
}

/// What stops and starts everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlCall {
    /// No new input until an admin resumes.
    Pause,
    /// Input again.
    Resume,
    /// Everything that runs ends, what is held is released, and nothing is done until an admin resumes.
    Halt,
}

/// `lease.acquire` and `lease.release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LeaseResult {
    /// The lease from now on.
    pub lease: LeaseStatus,
}

/// `session.pause`, `session.resume` and `session.halt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ControlResult {
    /// Whether input waits for an admin.
    pub paused: bool,
    /// Whether everything waits for an admin.
    pub halted: bool,
}
