//! What the verbs that talk to a running server have in common: where it is, and why it gave no answer.

use std::{io, path::PathBuf};

use clap::Args;

use crate::{
    exit::{Exit, Fatal},
    transport::client::{ClientError, DEFAULT_URL, Endpoint},
};

/// Where a verb finds the server.
#[derive(Args, Clone, Debug)]
pub struct ServerArguments {
    /// Address of the server
    #[arg(long, value_name = "URL", env = "DESKHAND_URL", default_value = DEFAULT_URL)]
    pub url: String,
    /// Unix socket of the server, instead of a URL
    #[arg(long, value_name = "PATH", env = "DESKHAND_SOCKET")]
    pub socket: Option<PathBuf>,
}

impl ServerArguments {
    /// The socket where one is named, else the URL.
    pub fn endpoint(&self) -> Result<Endpoint, ClientError> {
        match &self.socket {
            Some(path) => Ok(Endpoint::Unix(path.clone())),
            None => Endpoint::parse(&self.url),
        }
    }
}

/// Why a verb that talks to a server failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The server answered with an error. The text is `kind: message`, with the hint on a line of its own.
    #[error("{0}")]
    Answered(String),
    /// No token, or one that may not.
    #[error("{0}")]
    NotAllowed(String),
    /// The command line does not make sense.
    #[error("{0}")]
    Usage(String),
    /// The server runs and its display does not answer.
    #[error("not ready: {0}")]
    NotReady(String),
    /// No answer.
    #[error("{0}")]
    NoAnswer(String),
    /// Reading or writing failed here.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl From<CallError> for Fatal {
    fn from(error: CallError) -> Self {
        let exit = match error {
            CallError::Answered(_) | CallError::NotReady(_) | CallError::NoAnswer(_) | CallError::System(_) => {
                Exit::Failed
            }
            CallError::Usage(_) => Exit::Usage,
            CallError::NotAllowed(_) => Exit::NotAllowed,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<ClientError> for CallError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Url(message) => Self::Usage(message),
            ClientError::Unauthorized => {
                let hint = "name the server's token file by --token-file or DESKHAND_TOKEN_FILE; its ready line says where it is";
                Self::NotAllowed(format!("{error}\nhint: {hint}"))
            }
            ClientError::Forbidden(_) => Self::NotAllowed(error.to_string()),
            ClientError::Unreachable { .. } => Self::NoAnswer(format!(
                "{error}\nhint: start a server by `deskhand serve --xvfb 1024x768`, or name it by --url or --socket"
            )),
            ClientError::Refused { .. } | ClientError::Protocol(_) | ClientError::TimedOut => {
                Self::NoAnswer(error.to_string())
            }
        }
    }
}

/// Runs a future on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(future))
}
