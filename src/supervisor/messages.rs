//! What supervisor and server tell each other: JSON lines over a socket pair, the hand-over first.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    config::{
        AcceptedTokens, Settings,
        tls::{DialMaterial, TlsMaterial},
    },
    protocol::display::DisplayNumber,
};

/// The longest line either side accepts; the longest real one is the hand-over with its paths and COMMAND.
pub const LINE_BYTES: usize = 1024 * 1024;

/// The first line, from the supervisor: all that the server has to know. So nothing of it stands in an argument list or
/// in an environment that other processes can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The settings.
    pub settings: Settings,
    /// What opens the door; none when only the host can reach us.
    pub tokens: Option<AcceptedTokens>,
    /// The text of the policy file, which has been read without a mistake.
    pub policy: Option<String>,
    /// What TLS on TCP addresses needs, where they speak it.
    pub tls: Option<TlsMaterial>,
    /// Whom we take for the controllers that we call. Where it is there, the line to the process that connects comes along.
    pub dial: Option<DialMaterial>,
    /// A directory that only our user can enter; removed when the supervisor ends.
    pub runtime_directory: PathBuf,
    /// Whether the line to a witness comes along.
    pub witness: bool,
    /// Whether a descriptor comes along from which secrets are read.
    pub secrets: bool,
}

/// What the supervisor says after the hand-over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum ToServer {
    /// Our Xvfb accepts connections: once after the start and again after each restart, on the same number.
    Display {
        /// Its number.
        number: DisplayNumber,
        /// Its process, which `SO_PEERCRED` of its socket must name.
        pid: u32,
        /// The file with its cookie.
        xauthority: PathBuf,
    },
    /// Our Xvfb died; another one is being started.
    DisplayGone,
    /// The tokens file has been read again.
    Tokens {
        /// What it says now.
        text: String,
    },
    /// The files for TLS have changed.
    Tls {
        /// What they say now.
        material: TlsMaterial,
    },
    /// COMMAND runs.
    CommandStarted {
        /// The process group that it leads.
        process_group: u32,
    },
    /// COMMAND ended.
    CommandExited {
        /// How.
        status: CommandStatus,
    },
}

/// What the server says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum ToSupervisor {
    /// The server is connected to a new display: COMMAND may run on it. No answer is owed when it runs already.
    StartCommand,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandStatus {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal.
    Signalled(i32),
}

impl From<rustix::process::WaitStatus> for CommandStatus {
    fn from(status: rustix::process::WaitStatus) -> Self {
        // A process that has been reaped without WUNTRACED either exited or was signalled.
        match status.exit_status() {
            Some(code) => Self::Exited(code),
            None => Self::Signalled(status.terminating_signal().unwrap_or_default()),
        }
    }
}

impl std::fmt::Display for CommandStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(formatter, "status {code}"),
            Self::Signalled(signal) => write!(formatter, "signal {signal}"),
        }
    }
}
