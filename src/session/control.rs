//! Whether anything is done at all: running, paused, halted.

use crate::protocol::{
    call::Call,
    control::{ControlCall, ControlResult},
    error::{ErrorKind, Failure},
    identity::Role,
};

/// What input is answered with that a pause refuses or takes out of the queue.
pub const PAUSED: &str = "input is paused until an admin resumes (session.resume)";
/// What everything is answered with that a halt refuses or ends.
pub const HALTED: &str = "everything is halted until an admin resumes (session.resume)";

/// What holds for everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Control {
    /// All is done that may be.
    #[default]
    Running,
    /// No input is taken.
    Paused,
    /// Nothing is done.
    Halted,
}

impl Control {
    /// Whether a request may go on.
    ///
    /// # Errors
    /// `paused` for input, `halted` for everything but what tells about the server and what ends the halt.
    pub fn permits(self, call: &Call, acts: bool) -> Result<(), Failure> {
        match self {
            Self::Running => Ok(()),
            Self::Paused if !acts => Ok(()),
            Self::Paused => Err(Failure::new(ErrorKind::Paused, PAUSED)),
            Self::Halted if goes_on_while_halted(call) => Ok(()),
            Self::Halted => Err(Failure::new(ErrorKind::Halted, HALTED)),
        }
    }

    /// Applies a call. A pause does not lighten a halt.
    pub fn apply(&mut self, call: ControlCall) {
        *self = match (call, *self) {
            (ControlCall::Resume, _) => Self::Running,
            (ControlCall::Halt, _) | (ControlCall::Pause, Self::Halted) => Self::Halted,
            (ControlCall::Pause, _) => Self::Paused,
        };
    }

    /// As `status` and the calls themselves answer.
    pub const fn shown(self) -> ControlResult {
        ControlResult { paused: matches!(self, Self::Paused), halted: matches!(self, Self::Halted) }
    }
}

/// Who may make a call. Whoever controls may pause, because a controller that wants a person's help must be able to stop itself.
///
/// # Errors
/// `forbidden`.
pub fn may(call: ControlCall, role: Role, has_lease: bool) -> Result<(), Failure> {
    let may_pause = call == ControlCall::Pause && has_lease;
    if role == Role::Admin || may_pause {
        return Ok(());
    }
    let message = match call {
        ControlCall::Pause => "only an admin and whoever controls may pause",
        ControlCall::Resume => "only an admin may resume",
        ControlCall::Halt => "only an admin may halt",
    };
    Err(Failure::new(ErrorKind::Forbidden, message))
}

/// What neither sees nor acts, and what gives back.
pub fn goes_on_while_halted(call: &Call) -> bool {
    matches!(
        call,
        Call::Initialize(_)
            | Call::Ping
            | Call::Cancel(_)
            | Call::Status(_)
            | Call::Control(_)
            | Call::Lease(_)
            | Call::TaskEnd(_)
            | Call::Usage(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_halt_is_ended_by_resuming_and_by_nothing_else() {
        let mut control = Control::default();
        let mut after = |call| {
            control.apply(call);
            control
        };
        assert_eq!(after(ControlCall::Pause), Control::Paused);
        assert_eq!(after(ControlCall::Halt), Control::Halted);
        assert_eq!(after(ControlCall::Pause), Control::Halted);
        assert_eq!(after(ControlCall::Resume), Control::Running);
    }

    #[test]
    fn only_an_admin_stops_and_starts_everybody_and_whoever_controls_may_pause() {
        for call in [ControlCall::Pause, ControlCall::Resume, ControlCall::Halt] {
            assert_eq!(may(call, Role::Admin, false), Ok(()));
            for role in [Role::Observe, Role::Control] {
                assert!(may(call, role, false).is_err(), "{call:?} {role:?}");
                assert_eq!(may(call, role, true).is_ok(), call == ControlCall::Pause, "{call:?} {role:?}");
            }
        }
    }
}
