//! The witness: a process that answers the server's questions about other processes, which Landlock keeps the server itself
//! from asking the kernel (`sandbox`).

use std::{
    ffi::OsStr,
    io,
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    process::Stdio,
};

use crate::{
    config::values::SandboxChoice,
    sandbox,
    supervisor::child::{DeathSignal, Launch, OURSELVES},
};

/// The two ends of the line to it: the server's and its own.
pub(super) type Ends = (UnixStream, UnixStream);

/// A line, where the server is going to need one.
pub(super) fn line(choice: SandboxChoice) -> io::Result<Option<Ends>> {
    let needed = choice != SandboxChoice::Off && sandbox::landlock_is_offered();
    needed.then(UnixStream::pair).transpose()
}

/// Starts it. It ends when the server does, or with us; its end is nobody's concern, because what it would have said is
/// evidence only.
pub(super) fn start(end: UnixStream, choice: SandboxChoice, cookie: Option<&Path>) -> io::Result<()> {
    let mut arguments = vec!["witness-child".to_owned()];
    if choice == SandboxChoice::Require {
        arguments.push("--require-sandbox".to_owned());
    }
    if let Some(cookie) = cookie {
        arguments.extend(["--cookie".to_owned(), cookie.display().to_string()]);
    }
    Launch {
        program: OsStr::new(OURSELVES),
        shown_as: "deskhand",
        arguments,
        environment: Vec::new(),
        death_signal: DeathSignal::Kill,
        input: Stdio::from(OwnedFd::from(end)),
        output: Stdio::null(),
    }
    .start()
    .map(drop)
}
