//! `deskhand connect`: standard input and output become a connection to the server, byte by byte.
//!
//! For `docker exec -i` and `ssh`: whoever holds them speaks HTTP and WebSocket to a server without a published port.

use std::{fs::File, io, os::fd::AsFd, thread};

use clap::Args;
use rustix::net::Shutdown;

use crate::{
    cli::client::{CallError, ServerArguments, block_on},
    transport::bridge::{self, pump},
};

/// The arguments of `deskhand connect`.
#[derive(Args, Clone, Debug)]
pub struct ConnectArguments {
    /// Where the server is
    #[command(flatten)]
    pub server: ServerArguments,
}

/// Copies both ways until the server has ended the connection. The end of standard input is passed on; what the server
/// still says comes out.
pub fn run(arguments: &ConnectArguments) -> Result<(), CallError> {
    let endpoint = arguments.server.endpoint()?;
    // Duplicates, past the buffering of the standard library: every byte counts at once.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if endpoint.is_encrypted() {
        let carried =
            async { bridge::carry(endpoint.open().await?, input.into(), output.into()).await.map_err(CallError::from) };
        return block_on(carried)?;
    }
    let socket = block_on(async { endpoint.open().await?.into_descriptor().map_err(CallError::from) })??;
    let socket = File::from(socket);
    let writing = socket.try_clone()?;
    thread::spawn(move || {
        // Whatever ends the input, a read error too, ends what the server gets; its answer tells the rest.
        pump(input, &writing).ok();
        rustix::net::shutdown(&writing, Shutdown::Write).ok();
    });
    Ok(pump(socket, output)?)
}
