//! What tests put into the input thread.

use std::fmt;

use super::{acknowledge::Acknowledging, interpreter::StepHook};

/// Faults to live with. The default is none, which is what ships.
#[derive(Default)]
pub struct Faults {
    /// Called before each step of an action.
    pub before_step: Option<StepHook>,
    /// Whether applications are waited for.
    pub acknowledging: Acknowledging,
}

impl fmt::Debug for Faults {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Faults").field("acknowledging", &self.acknowledging).finish_non_exhaustive()
    }
}
