//! The exit codes: stable numbers that scripts may branch on.

use std::process::ExitCode;

/// How a `deskhand` process ends. The numbers are part of the contract (WIRE section 5) and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Fine = 0,
    /// The thing asked for failed: an error answer, a COMMAND that ended badly.
    Failed = 1,
    /// The command line, the environment or the configuration file is wrong.
    Usage = 2,
    /// There is no display to work on.
    NoDisplay = 3,
    /// A rule of safety forbids it, for example a token file that others can read.
    NotAllowed = 4,
    /// An address to listen on is taken or not ours.
    CouldNotBind = 5,
    /// The audit file cannot be kept.
    Audit = 6,
    /// A fault of Deskhand itself (`EX_SOFTWARE` of sysexits.h).
    Internal = 70,
}

impl Exit {
    /// Every exit code.
    pub const ALL: [Self; 8] = [
        Self::Fine,
        Self::Failed,
        Self::Usage,
        Self::NoDisplay,
        Self::NotAllowed,
        Self::CouldNotBind,
        Self::Audit,
        Self::Internal,
    ];

    /// The number that the operating system sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The exit with this number, if it is one of ours.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|exit| i32::from(exit.code()) == code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a verb could not do its work, with the exit code that says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fatal {
    /// The process ends with this.
    pub exit: Exit,
    /// What a person reads: lower case, the rule, the value, the remedy.
    pub message: String,
}

impl Fatal {
    /// An end with this code and message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// A wrong command line, environment or configuration file.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A fault of ours or of the operating system that no option mends.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Exit::Internal, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_contract() {
        assert_eq!(Exit::ALL.map(Exit::code), [0, 1, 2, 3, 4, 5, 6, 70]);
        for exit in Exit::ALL {
            assert_eq!(Exit::from_code(i32::from(exit.code())), Some(exit));
        }
        assert_eq!(Exit::from_code(101), None, "a panic is not one of our ends");
        assert_eq!(Exit::from_code(256), None);
    }
}
