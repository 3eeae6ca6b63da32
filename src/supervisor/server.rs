//! The server process and the supervisor's end of the socket pair.

use std::{
    ffi::OsStr,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    process::Stdio,
    time::{Duration, Instant},
};

use rustix::net::{SendFlags, send};

use crate::{
    protocol::address::ListenAddress,
    supervisor::{
        child::{DeathSignal, Launch, OURSELVES, ProcessGroup},
        handover::{self, Passing},
        messages::{Handover, ToServer, ToSupervisor},
    },
};

/// How long the server may take to release what it holds and to end: a stopped Xvfb costs it 2 seconds at most.
pub(super) const END_TIME: Duration = Duration::from_secs(2);
/// The server's messages are a few dozen bytes; a longer line means that it has gone mad.
const LINE_BYTES: usize = 4096;

/// How glibc's allocator works in the server (mallopt(3); it reads this only when a process starts). Each new display brings
/// new threads and new pictures of some megabytes. By default every thread gets an arena of its own, and once a picture has
/// been freed the next ones come from there, which keeps them: 16 to 29 MiB more after a minute of displays that come and go,
/// against 1 MiB with two arenas, and with blocks from 1 MiB on always taken from the system and given back to it.
const ALLOCATOR: [(&str, &str); 2] = [("MALLOC_ARENA_MAX", "2"), ("MALLOC_MMAP_THRESHOLD_", "1048576")];

/// The server's ends of its lines to other processes of ours.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    /// To the witness.
    pub witness: Option<&'a UnixStream>,
    /// To the process that connects.
    pub dialler: Option<&'a UnixStream>,
}

/// The server process.
#[derive(Debug)]
pub(super) struct ServerProcess {
    pub group: ProcessGroup,
    socket: Option<UnixStream>,
    received: Vec<u8>,
}

impl ServerProcess {
    /// Starts it and hands the settings over.
    pub(super) fn start(handover: &Handover, lines: Lines<'_>, secrets: Option<&OwnedFd>) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let stdio = handover.settings.listen.contains(&ListenAddress::Stdio);
        let group = Launch {
            program: OsStr::new(OURSELVES),
            shown_as: "deskhand",
            arguments: vec!["serve-child".into()],
            environment: ALLOCATOR.map(|(name, value)| (name, value.to_owned())).into(),
            death_signal: DeathSignal::Term,
            input: Stdio::from(OwnedFd::from(theirs)),
            // With a `stdio` listener, standard output belongs to the host: the ready line goes to standard error.
            output: if stdio { io::stderr().into() } else { Stdio::inherit() },
        }
        .start()?;
        let (input, output) = (io::stdin(), io::stdout());
        let passing = Passing {
            witness: lines.witness.map(AsFd::as_fd),
            dialler: lines.dialler.map(AsFd::as_fd),
            secrets: secrets.map(AsFd::as_fd),
            streams: stdio.then(|| [input.as_fd(), output.as_fd()]),
        };
        match handover::send(&ours, handover, &passing) {
            // It has died already; its end is seen soon and tells more.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            sent => sent?,
        }
        ours.set_nonblocking(true)?;
        Ok(Self { group, socket: Some(ours), received: Vec::new() })
    }

    pub(super) const fn socket(&self) -> Option<&UnixStream> {
        self.socket.as_ref()
    }

    /// Tells the server something. Never waits: a server that has not read for hundreds of messages hangs.
    pub(super) fn tell(&self, message: &ToServer) -> io::Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        match send(socket, &line, SendFlags::NOSIGNAL | SendFlags::DONTWAIT) {
            Ok(sent) if sent == line.len() => Ok(()),
            Ok(_) => Err(io::Error::from(io::ErrorKind::WriteZero)),
            // It is dying; its end is seen soon.
            Err(rustix::io::Errno::PIPE | rustix::io::Errno::CONNRESET) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the server has said. After its end of the socket is closed it has a little time left to end.
    pub(super) fn read(&mut self, now: Instant) -> io::Result<Vec<ToSupervisor>> {
        let Some(socket) = &mut self.socket else { return Ok(Vec::new()) };
        let mut chunk = [0; LINE_BYTES];
        match socket.read(&mut chunk) {
            Ok(0) => self.closed(now),
            Ok(count) => self.received.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => self.closed(now),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        let mut messages = Vec::new();
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.received.drain(..=end).collect();
            messages.push(serde_json::from_slice(&line)?);
        }
        match self.received.len() {
            0..=LINE_BYTES => Ok(messages),
            _ => Err(io::Error::new(io::ErrorKind::InvalidData, "a message of the server has no end")),
        }
    }

    fn closed(&mut self, now: Instant) {
        self.socket = None;
        self.group.expect_end(now, END_TIME);
    }
}
