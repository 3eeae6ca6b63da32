//! Who listens at the other end of a Unix socket (`SO_PEERCRED`, unix(7): the credentials of `listen(2)`).

use std::{io, os::fd::AsFd};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

/// Process and user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListenerProcess {
    /// Its number; nothing where it counts processes in another namespace than we (the kernel says 0).
    pub(super) pid: Option<u32>,
    /// Whose process.
    pub(super) user: u32,
}

impl ListenerProcess {
    /// Of a connected socket. (`rustix` has the number as one that is never 0, and reads what the kernel says then as an error.)
    pub(super) fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(socket, PeerCredentials)?;
        let pid = u32::try_from(credentials.pid()).ok().filter(|pid| *pid != 0);
        Ok(Self { pid, user: credentials.uid() })
    }
}
