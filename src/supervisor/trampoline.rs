//! What runs between `fork` and the program: it ties the new process to the supervisor, then becomes the program.
//!
//! The parent-death signal must be set in the child before `exec`. A closure between `fork` and `exec` would need `unsafe`;
//! this very program, started once more, does not, and the signal survives `exec` (prctl(2), `PR_SET_PDEATHSIG`).

use std::{ffi::OsStr, io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Pid, getppid, set_parent_process_death_signal};

use super::child::DeathSignal;

/// The status of a child whose supervisor died before the child could be tied to it.
pub const ORPHANED: u8 = 125;
/// The status for a program that is there but cannot be run, as shells have it (POSIX 2.9.1.1).
pub const CANNOT_RUN: u8 = 126;
/// The status for a program that is not there, as shells have it.
pub const NOT_FOUND: u8 = 127;
/// What the supervisor passes.
#[derive(Clone, Debug)]
pub struct Trampoline<'a> {
    /// The supervisor, which must still be our parent.
    pub parent: i32,
    /// What the kernel sends us when it dies.
    pub death_signal: DeathSignal,
    /// The name in the argument list.
    pub shown_as: &'a str,
    /// What to become.
    pub program: &'a OsStr,
    /// Its arguments.
    pub arguments: &'a [std::ffi::OsString],
}

/// Why this process has not become the program, with the status to end with.
#[derive(Debug, thiserror::Error)]
pub enum Fallen {
    /// The parent died before we were tied to it: nobody wants the program any more.
    #[error("the supervisor is gone")]
    Orphaned,
    /// The kernel refuses the signal.
    #[error("cannot tie a child to its supervisor: {0}")]
    Untied(#[source] rustix::io::Errno),
    /// The program cannot be run.
    #[error("cannot run {program}: {error}")]
    CannotRun {
        /// Its path.
        program: String,
        /// What the operating system says.
        error: io::Error,
    },
}

impl Fallen {
    /// The exit status, which the supervisor knows.
    pub fn status(&self) -> u8 {
        match self {
            Self::Orphaned => ORPHANED,
            Self::CannotRun { error, .. } if error.kind() == io::ErrorKind::NotFound => NOT_FOUND,
            Self::Untied(_) | Self::CannotRun { .. } => CANNOT_RUN,
        }
    }
}

impl Trampoline<'_> {
    /// Becomes the program. Returns only when that fails.
    pub fn jump(&self) -> Fallen {
        if let Err(error) = set_parent_process_death_signal(Some(self.death_signal.into())) {
            return Fallen::Untied(error);
        }
        // A parent that died before the line above sends no signal any more.
        if getppid().map(Pid::as_raw_nonzero).map(i32::from) != Some(self.parent) {
            return Fallen::Orphaned;
        }
        let error = Command::new(self.program).arg0(self.shown_as).args(self.arguments).exec();
        Fallen::CannotRun { program: self.program.display().to_string(), error }
    }
}
