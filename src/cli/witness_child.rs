//! `deskhand witness-child` (hidden): answers the server's questions about other processes.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::PathBuf,
};

use tracing::level_filters::LevelFilter;

use crate::{
    desktop::witness,
    exit::{Exit, Fatal},
    observe::logs,
    sandbox::{self, Demand},
};

/// What the supervisor passes.
#[derive(Clone, Debug, clap::Args)]
pub struct WitnessChildArguments {
    /// End rather than answer without a sandbox.
    #[arg(long)]
    require_sandbox: bool,
    /// The display's cookie file.
    #[arg(long)]
    cookie: Option<PathBuf>,
}

/// Answers on standard input until the server is gone.
pub(super) fn run(arguments: &WitnessChildArguments) -> Result<Exit, Fatal> {
    logs::install(LevelFilter::WARN);
    let name = std::fs::write("/proc/self/comm", "desk-witness");
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket: UnixStream = name.and(socket).map_err(|error| Fatal::internal(error.to_string()))?.into();
    let demand = if arguments.require_sandbox { Demand::Require } else { Demand::Try };
    sandbox::confine_witness(demand).map_err(|missing| Fatal::new(Exit::NotAllowed, missing.to_string()))?;
    match witness::answer(socket, arguments.cookie.as_deref()) {
        // The server has ended, in the middle of something or not: so do we.
        Ok(()) => Ok(Exit::Fine),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            Ok(Exit::Fine)
        }
        Err(error) => Err(Fatal::internal(format!("the witness cannot go on: {error}"))),
    }
}
