//! The process that connects to the controllers of `dial:` addresses, which the server itself cannot (`transport::dialler`).

use std::{
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
};

use crate::{
    protocol::address::ListenAddress,
    supervisor::child::{DeathSignal, Launch, OURSELVES},
};

/// The two ends of the line to it: the server's and its own.
pub(super) type Ends = (UnixStream, UnixStream);

/// A line, where there is somebody to call.
pub(super) fn line(listen: &[ListenAddress]) -> io::Result<Option<Ends>> {
    let needed = listen.iter().any(|address| matches!(address, ListenAddress::Dial(_)));
    needed.then(UnixStream::pair).transpose()
}

/// Starts it. It ends when the server does, or with us.
pub(super) fn start(end: UnixStream, listen: &[ListenAddress]) -> io::Result<()> {
    let urls = listen.iter().filter_map(|address| match address {
        ListenAddress::Dial(url) => Some(url.to_string()),
        _ => None,
    });
    Launch {
        program: OsStr::new(OURSELVES),
        shown_as: "deskhand",
        arguments: std::iter::once("dial-child".to_owned()).chain(urls).collect(),
        environment: Vec::new(),
        death_signal: DeathSignal::Kill,
        input: Stdio::from(OwnedFd::from(end)),
        output: Stdio::null(),
    }
    .start()
    .map(drop)
}
