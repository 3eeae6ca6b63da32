//! The server's end of the socket pair.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream as BlockingStream,
    },
    path::PathBuf,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, kill_process_group},
};
use tokio::net::UnixStream;

use crate::supervisor::{
    handover::{self, Passed, StandardStreams},
    messages::{Handover, LINE_BYTES, ToServer, ToSupervisor},
};

/// What a server process starts from.
#[derive(Debug)]
pub struct Start {
    /// Settings, token and runtime directory.
    pub handover: Handover,
    /// The streams of a `stdio` listener, when one is configured. The ready line then goes to standard output all the
    /// same: the supervisor has made that the real standard error.
    pub streams: Option<StandardStreams>,
    /// The line to the witness, where there is one.
    pub witness: Option<BlockingStream>,
    /// The line to the process that connects, where there is somebody to call.
    pub dialler: Option<BlockingStream>,
    /// Where secrets are read from, where there are such.
    pub secrets: Option<OwnedFd>,
    /// The way to the supervisor.
    pub link: PendingLink,
}

impl Start {
    /// Takes the hand-over from standard input, where the supervisor put our end of the socket pair.
    pub fn receive() -> io::Result<Self> {
        Self::receive_from(io::stdin().as_fd().try_clone_to_owned()?)
    }

    /// Takes the hand-over from this end of a socket pair.
    pub fn receive_from(socket: OwnedFd) -> io::Result<Self> {
        let (handover, Passed { witness, dialler, secrets, streams }, rest) = handover::receive(&socket)?;
        let runtime_directory = handover.runtime_directory.clone();
        let link = PendingLink { socket: socket.into(), rest, runtime_directory };
        Ok(Self { handover, streams, witness, dialler, secrets, link })
    }
}

/// The way to the supervisor, before an asynchronous runtime exists.
#[derive(Debug)]
pub struct PendingLink {
    socket: BlockingStream,
    rest: Vec<u8>,
    runtime_directory: PathBuf,
}

impl PendingLink {
    /// Begins to listen; must be called inside a tokio runtime.
    pub fn open(self) -> io::Result<SupervisorLink> {
        self.socket.set_nonblocking(true)?;
        Ok(SupervisorLink {
            socket: UnixStream::from_std(self.socket)?,
            received: self.rest,
            command: None,
            runtime_directory: self.runtime_directory,
        })
    }
}

/// The way to the supervisor. When the supervisor has been killed, its last duties fall to us: COMMAND's whole process
/// group is killed and the runtime directory removed, at the end that [`Self::recv`] sees or when the link is dropped.
#[derive(Debug)]
pub struct SupervisorLink {
    socket: UnixStream,
    received: Vec<u8>,
    command: Option<Pid>,
    runtime_directory: PathBuf,
}

impl SupervisorLink {
    /// The next message; `None` when the supervisor is gone, and then the server has to end. May be cancelled: nothing
    /// is lost.
    pub async fn recv(&mut self) -> io::Result<Option<ToServer>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                let message = serde_json::from_slice(&line)?;
                match &message {
                    ToServer::CommandStarted { process_group } => self.command = process_id(*process_group),
                    ToServer::CommandExited { .. } => self.command = None,
                    ToServer::Display { .. }
                    | ToServer::DisplayGone
                    | ToServer::Tokens { .. }
                    | ToServer::Tls { .. } => {}
                }
                return Ok(Some(message));
            }
            if self.received.len() > LINE_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a message of the supervisor has no end"));
            }
            self.socket.readable().await?;
            match self.socket.try_read_buf(&mut self.received) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(error),
            }
        }
        self.clean_up();
        Ok(None)
    }

    /// Tells the supervisor. Messages are far shorter than a socket's buffer, so this waits only when the supervisor
    /// is stopped.
    pub async fn send(&self, message: &ToSupervisor) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            self.socket.writable().await?;
            match self.socket.try_write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn clean_up(&mut self) {
        // COMMAND itself dies with the supervisor by its parent-death signal; what it started does not.
        if let Some(group) = self.command.take()
            && let Err(error) = kill_process_group(group, Signal::KILL)
            && error != rustix::io::Errno::SRCH
        {
            tracing::warn!(%error, "cannot kill the processes of COMMAND");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.runtime_directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "cannot remove the private directory");
        }
    }
}

impl Drop for SupervisorLink {
    fn drop(&mut self) {
        let mut sockets = [PollFd::new(&self.socket, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let looked = poll(&mut sockets, Some(&at_once));
        let supervisor_is_gone = looked.is_ok() && sockets[0].revents().contains(PollFlags::HUP);
        if supervisor_is_gone {
            self.clean_up();
        }
    }
}

fn process_id(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}
