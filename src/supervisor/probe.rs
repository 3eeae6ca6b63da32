//! Whether a display lives: COMMAND's end counts only then. A dying X server closes its clients' connections first, so
//! COMMAND may end before the server has; its process id alone would not tell.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt::socket_peercred,
};

use crate::{protocol::display::DisplayNumber, supervisor::cookie::PROTOCOL};

/// A server that does not answer for this long is stopped, not dead: the design's bound for a stopped Xvfb.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// The socket of a display (Xtrans).
pub(super) fn socket_path(number: DisplayNumber) -> String {
    format!("/tmp/.X11-unix/X{}", number.get())
}

/// Opens a connection without ever waiting. A full queue (`WouldBlock`) also means that somebody listens.
pub(super) fn open(number: DisplayNumber) -> io::Result<UnixStream> {
    open_at(&SocketAddrUnix::new(socket_path(number))?)
}

fn open_at(address: &SocketAddrUnix) -> io::Result<UnixStream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, address)?;
    Ok(socket.into())
}

/// Whether anybody listens on the display's socket, or on its abstract name: X servers want both, and the abstract one is
/// shared by all containers of a network namespace, whatever their `/tmp`.
pub(super) fn somebody_listens(number: DisplayNumber) -> bool {
    let abstract_name = SocketAddrUnix::new_abstract_name(socket_path(number).as_bytes());
    let listens = |opened: io::Result<UnixStream>| match opened {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused),
    };
    listens(open(number)) || abstract_name.is_ok_and(|name| listens(open_at(&name)))
}

/// The server that must answer, and what only it may be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner<'a> {
    /// The process that we started.
    pub pid: u32,
    /// What lets us in.
    pub cookie: &'a [u8; 16],
}

/// Whether the listener on the other end (`SO_PEERCRED`: the credentials of `listen(2)`) is this process.
fn belongs_to(socket: &UnixStream, pid: u32) -> bool {
    socket_peercred(socket).is_ok_and(|listener| listener.pid.as_raw_nonzero().get().unsigned_abs() == pid)
}

/// A question to a display that waits for its answer.
#[derive(Debug)]
pub(super) struct Probe {
    socket: Option<UnixStream>,
    deadline: Instant,
}

/// What a probe found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The display answers, or is stopped and will.
    Alive,
    /// There is no display any more.
    Gone,
    /// Ask again when the socket has something or the deadline has come.
    Waiting,
}

impl Probe {
    /// Sends a connection set-up (X protocol, section 8). Any answer proves life, even a refusal; a cookie only keeps
    /// the refusal out of the server's log, and nobody but our own server hears it: with somebody else on its socket the
    /// display is as good as gone.
    pub(super) fn start(number: DisplayNumber, owner: Option<Owner<'_>>, now: Instant) -> Self {
        let mut setup = vec![b'l', 0, 11, 0, 0, 0];
        match owner {
            Some(Owner { cookie, .. }) => {
                setup.extend([18, 0, 16, 0, 0, 0]);
                setup.extend(PROTOCOL);
                setup.extend([0, 0]);
                setup.extend(cookie);
            }
            None => setup.extend([0; 6]),
        }
        let trusted = |socket: &UnixStream| owner.is_none_or(|owner| belongs_to(socket, owner.pid));
        let socket = open(number).ok().filter(trusted);
        let socket = socket.and_then(|mut socket| socket.write_all(&setup).ok().map(|()| socket));
        Self { socket, deadline: now + ANSWER_TIME }
    }

    pub(super) const fn socket(&self) -> Option<&UnixStream> {
        self.socket.as_ref()
    }

    pub(super) const fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn verdict(&mut self, now: Instant) -> Verdict {
        let Some(socket) = &mut self.socket else { return Verdict::Gone };
        match socket.read(&mut [0; 1]) {
            Ok(1..) => Verdict::Alive,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if self.deadline <= now {
                    Verdict::Alive
                } else {
                    Verdict::Waiting
                }
            }
            Ok(0) | Err(_) => Verdict::Gone,
        }
    }
}
