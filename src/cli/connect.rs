//! `deskhand connect`: standard input and output become a connection to the server, byte by byte.
//!
//! For `docker exec -i` and `ssh`: whoever holds them speaks HTTP and WebSocket to a server without a published port.

use std::{
    fs::File,
    io,
    net::TcpStream,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    thread,
};

use clap::Args;
use rustix::net::Shutdown;

use crate::{
    cli::client::{CallError, ServerArguments},
    transport::{
        bridge::pump,
        client::{ClientError, Endpoint},
    },
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
    let unreachable = |source| ClientError::Unreachable { endpoint: endpoint.clone(), source };
    // Duplicates, past the buffering of the standard library: every byte counts at once.
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let output = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let socket = match &endpoint {
        Endpoint::Tcp { host, port, .. } => {
            let socket = TcpStream::connect((host.as_str(), *port)).map_err(unreachable)?;
            socket.set_nodelay(true)?;
            File::from(OwnedFd::from(socket))
        }
        Endpoint::Unix(path) => File::from(OwnedFd::from(UnixStream::connect(path).map_err(unreachable)?)),
    };
    let writing = socket.try_clone()?;
    thread::spawn(move || {
        // Whatever ends the input, a read error too, ends what the server gets; its answer tells the rest.
        pump(input, &writing).ok();
        rustix::net::shutdown(&writing, Shutdown::Write).ok();
    });
    Ok(pump(socket, output)?)
}
