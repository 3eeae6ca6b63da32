//! A listening Unix socket that only its owner can open, or whose peers are told apart by their user, and that never takes another
//! server's place.

use std::{
    io,
    os::unix::{
        fs::{FileTypeExt, MetadataExt},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::Mode,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType},
};

/// Connections that may wait to be accepted: more than the limit of those not yet authenticated.
const BACKLOG: i32 = 64;

/// Whose processes may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Peers {
    /// Whoever can open the file: we, and root.
    ByFile,
    /// Those of these users, whom the kernel names (`SO_PEERCRED`), and the file is open to all.
    OfUsers(Vec<u32>),
}

impl Peers {
    /// Of these users; by the file when none is named.
    pub(super) fn of(users: &[u32]) -> Self {
        if users.is_empty() { Self::ByFile } else { Self::OfUsers(users.to_owned()) }
    }

    /// Whether this user's processes are taken.
    pub(super) fn admit(&self, user: u32) -> bool {
        match self {
            Self::ByFile => true,
            Self::OfUsers(users) => users.contains(&user),
        }
    }

    fn mode(&self) -> Mode {
        match self {
            Self::ByFile => Mode::RUSR | Mode::WUSR,
            // To connect is to write.
            Self::OfUsers(_) => Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH,
        }
    }
}

/// Removes the socket's file when dropped, if it is still ours.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl SocketFile {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode));
        // Nothing can be done about a file that cannot be removed: the next start reclaims it.
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "the socket file stays behind");
        }
    }
}

/// Binds and listens. A socket file that is there already is reclaimed only if nobody answers on it.
pub(super) fn listen(path: &Path, peers: &Peers) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match bind(path, peers.mode()) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_stale(path)? => {
            std::fs::remove_file(path)?;
            bind(path, peers.mode())?
        }
        outcome => outcome?,
    };
    if let Peers::OfUsers(_) = peers {
        // Of the socket's own mode the file has lost what the umask takes.
        rustix::fs::chmod(path, peers.mode())?;
    }
    let found = std::fs::symlink_metadata(path)?;
    Ok((listener, SocketFile { path: path.to_owned(), device: found.dev(), inode: found.ino() }))
}

fn bind(path: &Path, mode: Mode) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Before bind: Linux gives the file the socket's own mode (unix_bind in net/unix/af_unix.c), so there is no moment
    // in which somebody else could connect.
    rustix::fs::fchmod(&socket, mode)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

fn is_stale(path: &Path) -> io::Result<bool> {
    if !std::fs::symlink_metadata(path)?.file_type().is_socket() {
        return Ok(false);
    }
    match UnixStream::connect(path) {
        Err(error) => Ok(error.kind() == io::ErrorKind::ConnectionRefused),
        Ok(_) => Ok(false),
    }
}
