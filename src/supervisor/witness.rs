//! The witness: a process that answers the server's questions about other processes, which Landlock keeps the server itself
//! from asking the kernel (`sandbox`).

use std::{ffi::OsStr, io, os::unix::net::UnixStream, path::Path, process::Stdio};

use crate::{
    config::values::SandboxChoice,
    sandbox,
    supervisor::child::{DeathSignal, Launch, OURSELVES},
};

/// Starts it where the server is going to need it, and returns the server's end of the line. It ends when the server does,
/// or with us; its end is nobody's concern, because what it would have said is evidence only.
pub(super) fn start(choice: SandboxChoice, cookie: Option<&Path>) -> io::Result<Option<UnixStream>> {
    if choice == SandboxChoice::Off || !sandbox::landlock_is_offered() {
        return Ok(None);
    }
    let (servers, its) = UnixStream::pair()?;
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
        input: Stdio::from(std::os::fd::OwnedFd::from(its)),
        output: Stdio::null(),
    }
    .start()?;
    Ok(Some(servers))
}
