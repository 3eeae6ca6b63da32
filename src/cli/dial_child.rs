//! `deskhand dial-child` (hidden): connects to controllers for the server, which cannot.

use std::{
    io,
    os::{fd::AsFd, unix::net::UnixStream},
};

use tracing::level_filters::LevelFilter;

use crate::{
    exit::{Exit, Fatal},
    observe::logs,
    protocol::dial_url::DialUrl,
    transport::dialler,
};

/// What the supervisor passes.
#[derive(Clone, Debug, clap::Args)]
pub struct DialChildArguments {
    /// The controllers, in the order of their numbers.
    #[arg(required = true)]
    urls: Vec<DialUrl>,
}

/// Answers on standard input until the server is gone.
pub(super) fn run(arguments: &DialChildArguments) -> Result<Exit, Fatal> {
    logs::install(LevelFilter::WARN);
    let name = std::fs::write("/proc/self/comm", "desk-dialler");
    let socket = io::stdin().as_fd().try_clone_to_owned();
    let socket: UnixStream = name.and(socket).map_err(|error| Fatal::internal(error.to_string()))?.into();
    let addresses: Vec<_> = arguments.urls.iter().map(|url| (url.host().to_owned(), url.port())).collect();
    match dialler::answer(socket, &addresses) {
        // The server has ended, in the middle of something or not: so do we.
        Ok(()) => Ok(Exit::Fine),
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {
            Ok(Exit::Fine)
        }
        Err(error) => Err(Fatal::internal(format!("the process that connects cannot go on: {error}"))),
    }
}
